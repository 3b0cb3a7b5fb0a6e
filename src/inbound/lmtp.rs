//! The LMTP server (RFC 2033): takes mails that come back to the addresses of our attempts.
//!
//! The agency's relay hands them over here. LMTP answers for each recipient after the mail, so `250`
//! is said only once what the mail says is durable. A client that is slow, too long or one too many
//! costs a connection for a bounded time and nothing else; what a mail means is not known here.

mod session;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::routes::{Answering, Taken};
use super::smtp_lines::SILENCE_LIMIT;
use crate::clock::Clock;

/// What one server grants its clients. A command line has the limit of
/// [`COMMAND_OCTETS`](super::smtp_lines::COMMAND_OCTETS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; further ones wait in the system's queue.
    pub connections: usize,
    /// No mail is larger, in octets; announced as SIZE.
    pub mail_octets: usize,
    /// Recipients of one mail (RFC 5321, 4.5.3.1.8 asks for a hundred).
    pub recipients: usize,
    /// How long the client may be silent.
    pub silence: Duration,
    /// A whole session ends within this, however busy it is.
    pub session: Duration,
    /// After the stop, mails under way may be answered within this.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 32,
            mail_octets: 1024 * 1024,
            recipients: 100,
            silence: SILENCE_LIMIT,
            session: Duration::from_secs(1800),
            drain: Duration::from_secs(5),
        }
    }
}

/// After a failed accept (no file descriptors left), how long nothing is accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A mail as it came, shared by its recipients. Debug shows only its length.
#[derive(Clone)]
pub struct Mail(pub Arc<[u8]>);

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({} octets)", self.0.len())
    }
}

/// Takes mails that come back.
pub trait MailDesk: Send + Sync + 'static {
    /// Whether a mail to this address may be one of ours: asked before the mail is read.
    fn expects(&self, recipient: &str) -> bool;

    /// Takes one mail for one recipient; the answer is given after it is durable.
    fn take(&self, recipient: String, mail: Mail) -> Answering<'_, Taken>;

    /// A mail could not be taken at all; for the figures.
    fn turned_away(&self, why: TurnedAway);
}

/// Why a mail was turned away before anybody looked at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnedAway {
    /// It is larger than the limit.
    TooLarge,
    /// The client broke off, was silent or sent lines without end before the mail was whole.
    Incomplete,
}

/// Where LMTP is listened for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A TCP address. LMTP knows no passwords: it belongs on this machine or in a network of its own.
    Tcp(SocketAddr),
    /// A Unix socket; one that a process left behind is replaced.
    Unix(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A bound listener.
#[derive(Debug)]
pub enum Listener {
    /// On TCP.
    Tcp(TcpListener),
    /// On a Unix socket.
    Unix(UnixListener),
}

impl Listener {
    /// Binds `place`.
    ///
    /// # Errors
    /// What the system says: the place is taken, or not ours to bind.
    pub async fn bind(place: &Place) -> std::io::Result<Self> {
        match place {
            Place::Tcp(address) => TcpListener::bind(address).await.map(Self::Tcp),
            Place::Unix(path) => {
                remove_left_behind(path).await?;
                UnixListener::bind(path).map(Self::Unix)
            }
        }
    }

    /// The address that was bound, on TCP.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }
}

/// Whether a socket can be made here: the folder is there, and nobody listens at the place.
///
/// # Errors
/// What the system would say to the listener.
pub async fn is_free(path: &Path) -> std::io::Result<()> {
    use std::io::{Error, ErrorKind};
    use std::os::unix::fs::FileTypeExt;
    let folder = path.parent().unwrap_or(Path::new("."));
    if !std::fs::metadata(folder)?.is_dir() {
        return Err(ErrorKind::NotADirectory.into());
    }
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(found) if !found.file_type().is_socket() => Err(Error::new(
            ErrorKind::AlreadyExists,
            "another file is there",
        )),
        Ok(_) if tokio::net::UnixStream::connect(path).await.is_ok() => {
            Err(ErrorKind::AddrInUse.into())
        }
        Ok(_) => Ok(()),
    }
}

/// A socket nobody listens on is what a killed process leaves; anything else stays.
async fn remove_left_behind(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let is_socket = std::fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && tokio::net::UnixStream::connect(path).await.is_err() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Serves until `stop`, then ends: a client whose mail was not answered tries again.
pub async fn serve(
    listener: Listener,
    desk: Arc<dyn MailDesk>,
    stop: CancellationToken,
    limits: Limits,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut sessions = JoinSet::new();
    loop {
        let place = stop.run_until_cancelled(Arc::clone(&places).acquire_owned());
        let Some(place) = place.await else { break };
        let Some(stream) = stop.run_until_cancelled(accept(&listener)).await else {
            break;
        };
        // Sessions that have ended leave the set here; their panics were told by the panic hook.
        while sessions.try_join_next().is_some() {}
        match stream {
            Ok(stream) => {
                let desk = Arc::clone(&desk);
                let stop = stop.clone();
                sessions.spawn(async move {
                    let _place = place;
                    session::converse(stream, &*desk, limits, &stop).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "an LMTP connection could not be accepted");
                Clock::system().pause(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    // Each session sees the stop too, and says so to its client.
    let all_ended = async { while sessions.join_next().await.is_some() {} };
    if tokio::time::timeout(limits.drain, all_ended).await.is_err() {
        tracing::info!("sessions were still open at the end of the LMTP server's drain");
    }
    // What is left of the set is aborted when it is dropped.
}

type Stream = Box<dyn Duplex>;

/// A stream of either kind.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

async fn accept(listener: &Listener) -> std::io::Result<Stream> {
    match listener {
        Listener::Tcp(listener) => {
            let (stream, _) = listener.accept().await?;
            // Without it small answers wait for the client's acknowledgement.
            let _ = stream.set_nodelay(true);
            Ok(Box::new(stream))
        }
        Listener::Unix(listener) => Ok(Box::new(listener.accept().await?.0)),
    }
}
