//! A link that misbehaves on command: a TCP port of our own before any server, be it reached by TCP or by a UNIX socket.
//!
//! It knows no protocol: it passes bytes on, loses them, cuts, or leads new connections elsewhere. A fault that is set
//! holds at once, for the connections that stand too. Everything ends with the [`Link`].

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use varsel::clock::Clock;

/// What becomes of what passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Everything arrives.
    None,
    /// Requests arrive, replies do not.
    NoReplies,
    /// The same, from the next request on that holds these bytes (that one included).
    NoRepliesFrom(&'static [u8]),
    /// From the next request on that holds these bytes, that one included, neither side hears the other.
    SilenceFrom(&'static [u8]),
    /// Neither side hears the other, and nobody is told.
    Silence,
    /// Each connection is reset once so many bytes of requests have passed on it.
    CutRequestsAfter(u64),
    /// Each connection is reset once so many bytes of replies have passed on it.
    CutRepliesAfter(u64),
    /// What is said on either side arrives so much later.
    Late(Duration),
    /// New connections are reset before a byte has passed; those that stand live on.
    Refuse,
}

/// Where one connection is reset.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CutAt {
    /// Once so many bytes of requests have passed on it.
    Request(u64),
    /// Once so many bytes of replies have passed on it.
    Reply(u64),
}

/// Where a link leads.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A link that stands until this is dropped.
pub(crate) struct Link {
    address: SocketAddr,
    inner: Arc<Inner>,
}

struct Inner {
    target: Mutex<Target>,
    fault: watch::Sender<Fault>,
    /// What befalls the connections that stand, and no later one.
    standing: Mutex<Standing>,
    /// Where the next connections are cut, one each.
    cuts: Mutex<VecDeque<CutAt>>,
    end: CancellationToken,
}

#[derive(Clone, Default)]
struct Standing {
    cut: CancellationToken,
    forgotten: CancellationToken,
}

type Reader = Pin<Box<dyn AsyncRead + Send>>;
type Writer = Pin<Box<dyn AsyncWrite + Send>>;

impl Link {
    pub(crate) async fn to(target: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let end = CancellationToken::new();
        let inner = Arc::new(Inner {
            target: Mutex::new(target),
            fault: watch::Sender::new(Fault::None),
            standing: Mutex::default(),
            cuts: Mutex::default(),
            end,
        });
        let serving = Arc::clone(&inner);
        tokio::spawn(async move {
            let end = serving.end.clone();
            end.run_until_cancelled(serving.serve(listener)).await;
        });
        Self { address, inner }
    }

    /// Where it is entered.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.inner.fault.send_replace(fault);
    }

    /// Waits until a `…From` has met its bytes.
    pub(crate) async fn sprung(&self) {
        let mut fault = self.inner.fault.subscribe();
        let lasting = |fault: &Fault| matches!(fault, Fault::NoReplies | Fault::Silence);
        fault.wait_for(lasting).await.unwrap();
    }

    /// Each of the next connections is cut at one of these, in turn; the later ones are carried whole.
    pub(crate) fn cut_in_turn(&self, cuts: impl IntoIterator<Item = CutAt>) {
        lock(&self.inner.cuts).extend(cuts);
    }

    /// How many of those are still to come.
    pub(crate) fn cuts_to_come(&self) -> usize {
        lock(&self.inner.cuts).len()
    }

    /// Resets every connection that stands.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *lock(&self.inner.standing))
            .cut
            .cancel();
    }

    /// Loses every connection that stands, as a router does that has forgotten them: neither side
    /// hears the other any more, and nobody is told. New ones are carried as ever.
    pub(crate) fn forget(&self) {
        std::mem::take(&mut *lock(&self.inner.standing))
            .forgotten
            .cancel();
    }

    /// Leads new connections elsewhere, and resets those that stand.
    pub(crate) fn lead_to(&self, target: Target) {
        *lock(&self.inner.target) = target;
        self.cut();
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.inner.end.cancel();
    }
}

impl Inner {
    async fn serve(self: &Arc<Self>, listener: TcpListener) {
        while let Ok((client, _)) = listener.accept().await {
            let link = Arc::clone(self);
            let standing = lock(&self.standing).clone();
            tokio::spawn(link.carry(client, standing));
        }
    }

    /// One connection; one that is cut ends with a reset, not with a goodbye.
    async fn carry(self: Arc<Self>, mut client: TcpStream, standing: Standing) {
        let _ = client.set_nodelay(true);
        let cut = lock(&self.cuts).pop_front();
        let carried = async {
            let (from_server, to_server) = self.connect().await.ok_or(Cut)?;
            let (from_client, to_client) = client.split();
            tokio::try_join!(
                self.pass(from_client, to_server, (Way::There, cut), &standing),
                self.pass(from_server, to_client, (Way::Back, cut), &standing),
            )
        };
        let ended = async {
            let ended = standing.cut.run_until_cancelled(carried).await;
            matches!(ended, Some(Ok(_)))
        };
        let ended = self.end.run_until_cancelled(ended).await;
        if ended != Some(true) {
            let _ = client.set_zero_linger();
        }
    }

    async fn connect(&self) -> Option<(Reader, Writer)> {
        if *self.fault.borrow() == Fault::Refuse {
            return None;
        }
        let target = lock(&self.target).clone();
        Some(match target {
            Target::Tcp(address) => {
                let server = TcpStream::connect(address).await.ok()?;
                let _ = server.set_nodelay(true);
                let (read, write) = server.into_split();
                (Box::pin(read), Box::pin(write))
            }
            Target::Unix(path) => {
                let (read, write) = UnixStream::connect(path).await.ok()?.into_split();
                (Box::pin(read), Box::pin(write))
            }
        })
    }

    /// Passes on what comes, as far as the fault of the moment lets it.
    async fn pass(
        &self,
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
        (way, cut): (Way, Option<CutAt>),
        standing: &Standing,
    ) -> Result<(), Cut> {
        let mut bytes = vec![0; 64 * 1024];
        let mut passed = 0;
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            let read = &bytes[..read];
            if way == Way::There {
                self.spring(read);
            }
            let (arrive, is_cut) = match standing.forgotten.is_cancelled() {
                true => (0, false),
                false => self.judge(way, cut, passed, read.len()),
            };
            let late = match *self.fault.borrow() {
                Fault::Late(by) => by,
                _ => Duration::ZERO,
            };
            Clock::system().pause(late).await;
            to.write_all(&read[..arrive]).await.map_err(|_| Cut)?;
            passed += arrive as u64;
            if is_cut {
                return Err(Cut);
            }
        }
        if standing.forgotten.is_cancelled() || self.judge(way, None, 0, 1) == (0, false) {
            // A link that loses bytes loses goodbyes, too.
            std::future::pending::<()>().await;
        }
        to.shutdown().await.map_err(|_| Cut)
    }

    fn spring(&self, request: &[u8]) {
        self.fault.send_if_modified(|fault| {
            let (trigger, lasting) = match *fault {
                Fault::NoRepliesFrom(trigger) => (trigger, Fault::NoReplies),
                Fault::SilenceFrom(trigger) => (trigger, Fault::Silence),
                _ => return false,
            };
            let met = request.windows(trigger.len()).any(|w| w == trigger);
            if met {
                *fault = lasting;
            }
            met
        });
    }

    /// How much of what came arrives, and whether the connection is then cut.
    fn judge(&self, way: Way, cut: Option<CutAt>, passed: u64, length: usize) -> (usize, bool) {
        let until = |limit: u64| {
            let left = usize::try_from(limit.saturating_sub(passed)).unwrap_or(usize::MAX);
            (length.min(left), length >= left)
        };
        match (cut, way) {
            (Some(CutAt::Request(limit)), Way::There) | (Some(CutAt::Reply(limit)), Way::Back) => {
                return until(limit);
            }
            _ => {}
        }
        match (*self.fault.borrow(), way) {
            (Fault::NoReplies, Way::Back) | (Fault::Silence, _) => (0, false),
            (Fault::CutRequestsAfter(limit), Way::There)
            | (Fault::CutRepliesAfter(limit), Way::Back) => until(limit),
            _ => (length, false),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

/// The connection ended early.
struct Cut;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The link itself, before a server that gives back each byte in capitals and answers a goodbye.
mod itself {
    use std::io::ErrorKind;

    use super::*;

    async fn echo(sign: u8) -> Target {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut bytes = [0; 1024];
                    while let Ok(read @ 1..) = client.read(&mut bytes).await {
                        bytes[..read].make_ascii_uppercase();
                        client.write_all(&bytes[..read]).await?;
                    }
                    client.write_all(&[sign]).await
                });
            }
        });
        Target::Tcp(address)
    }

    async fn linked() -> (Link, TcpStream) {
        let link = Link::to(echo(b'.').await).await;
        let client = TcpStream::connect(link.address()).await.unwrap();
        (link, client)
    }

    async fn ask(client: &mut TcpStream, request: &[u8]) -> Result<Vec<u8>, ErrorKind> {
        let mut answer = vec![0; request.len()];
        let write = client.write_all(request).await;
        write.map_err(|e| e.kind())?;
        let read = client.read_exact(&mut answer).await;
        read.map_err(|e| e.kind())?;
        Ok(answer)
    }

    /// Everything up to the end; a reset is an error.
    async fn rest(client: &mut TcpStream) -> Result<Vec<u8>, ErrorKind> {
        let mut rest = Vec::new();
        let read = client.read_to_end(&mut rest).await;
        read.map(|_| rest).map_err(|e| e.kind())
    }

    #[tokio::test]
    async fn what_is_said_arrives_and_so_does_the_goodbye() {
        let (_link, mut client) = linked().await;
        assert_eq!(ask(&mut client, b"hello").await.unwrap(), b"HELLO");
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b".");
    }

    #[tokio::test]
    async fn a_connection_is_cut_at_the_byte() {
        let (link, mut client) = linked().await;
        link.set(Fault::CutRepliesAfter(3));
        client.write_all(b"hello").await.unwrap();
        let mut answer = [0; 3];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HEL");
        let cut = rest(&mut client).await;
        assert_eq!(cut, Err(ErrorKind::ConnectionReset));
        link.set(Fault::CutRequestsAfter(2));
        let mut client = TcpStream::connect(link.address()).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let cut = rest(&mut client).await;
        assert_eq!(cut, Err(ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn it_falls_silent_at_the_word() {
        let (link, mut client) = linked().await;
        link.set(Fault::SilenceFrom(b"commit"));
        assert_eq!(ask(&mut client, b"begin").await.unwrap(), b"BEGIN");
        client.write_all(b"commit").await.unwrap();
        link.sprung().await;
        link.cut();
        let cut = rest(&mut client).await;
        assert_eq!(cut, Err(ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn it_refuses_and_leads_elsewhere() {
        let (link, mut standing) = linked().await;
        assert_eq!(ask(&mut standing, b"a").await.unwrap(), b"A");
        link.set(Fault::Refuse);
        let mut refused = TcpStream::connect(link.address()).await.unwrap();
        let reset = rest(&mut refused).await;
        assert_eq!(reset, Err(ErrorKind::ConnectionReset));
        assert_eq!(ask(&mut standing, b"b").await.unwrap(), b"B");
        link.set(Fault::None);
        link.lead_to(echo(b'!').await);
        let reset = rest(&mut standing).await;
        assert_eq!(reset, Err(ErrorKind::ConnectionReset));
        let mut client = TcpStream::connect(link.address()).await.unwrap();
        client.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await.unwrap(), b"!");
    }
}
