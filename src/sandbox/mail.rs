//! The sandbox's mail server: takes mails over SMTP, keeps them in memory, and delivers nothing.
//!
//! It speaks what a relay speaks (RFC 5321; PIPELINING, 8BITMIME, SIZE) and can be told to fail. It
//! listens on the loopback address only and opens no connection of its own.

mod read;
mod session;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Bell;
use crate::clock::Clock;
use crate::domain::message::words;

pub use read::{Part, ReadMail, readable};

/// Mails kept; older ones are thrown away.
pub const MAILS_KEPT: usize = 2_000;
/// The largest mail that is taken, in octets; announced as SIZE.
pub const MAIL_OCTETS: usize = 1_000_000;
/// Connections served at a time; others wait.
const CONNECTIONS: usize = 64;
/// Addresses that begin so are refused, as if the person had moved away from them.
pub const REFUSED_PREFIX: &str = "flyttet.";

/// How the server behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MailMode {
    /// Takes mails.
    #[default]
    Normal,
    /// Answers every recipient with a temporary failure (451).
    Failing,
    /// Takes the mail's bytes and then refuses the mail itself (554).
    Refusing,
}

words!(MailMode { Normal => "normal", Failing => "failing", Refusing => "refusing" });

/// One mail as it came.
#[derive(Clone)]
pub struct Mail {
    /// Its number, counted from 1.
    pub number: u64,
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipients.
    pub to: Vec<String>,
    /// The bytes as they came, unstuffed.
    pub raw: Arc<[u8]>,
    /// When, in domain time.
    pub at: DateTime<Utc>,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mail({}, {} octets)", self.number, self.raw.len())
    }
}

#[derive(Default)]
struct Kept {
    mails: VecDeque<Mail>,
    taken: u64,
    mode: MailMode,
}

/// The mails and the mode, shared by every session and the page.
#[derive(Clone)]
pub struct Mailbox {
    kept: Arc<Mutex<Kept>>,
    clock: Clock,
    bell: Bell,
}

impl Mailbox {
    pub(super) fn new(clock: Clock, bell: Bell) -> Self {
        Self {
            kept: Arc::default(),
            clock,
            bell,
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mails kept, the newest first, at most `limit`.
    #[must_use]
    pub fn newest(&self, limit: usize) -> Vec<Mail> {
        self.kept()
            .mails
            .iter()
            .rev()
            .take(limit)
            .cloned()
            .collect()
    }

    /// Every mail kept, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.kept().mails.iter().cloned().collect()
    }

    /// One mail, if it is still kept.
    #[must_use]
    pub fn find(&self, number: u64) -> Option<Mail> {
        let kept = self.kept();
        kept.mails
            .iter()
            .find(|mail| mail.number == number)
            .cloned()
    }

    /// How many mails were taken since the start.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.kept().taken
    }

    /// How the server behaves.
    #[must_use]
    pub fn mode(&self) -> MailMode {
        self.kept().mode
    }

    /// Makes the server behave so from now on.
    pub fn set_mode(&self, mode: MailMode) {
        self.kept().mode = mode;
        self.bell.ring();
    }

    fn take(&self, from: String, to: Vec<String>, raw: Vec<u8>) -> u64 {
        let number = {
            let mut kept = self.kept();
            kept.taken += 1;
            let number = kept.taken;
            if kept.mails.len() == MAILS_KEPT {
                kept.mails.pop_front();
            }
            kept.mails.push_back(Mail {
                number,
                from,
                to,
                raw: raw.into(),
                at: self.clock.now(),
            });
            number
        };
        self.bell.ring();
        number
    }
}

/// Serves SMTP until `stop`; sessions end with it. Returns the address it listens on.
pub(super) async fn serve(
    listen: SocketAddr,
    mailbox: Mailbox,
    tasks: &TaskTracker,
    stop: CancellationToken,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let sessions = tasks.clone();
    tasks.spawn(async move {
        let accept = async {
            while let Ok(place) = Arc::clone(&room).acquire_owned().await {
                // An accept fails for one connection, not for the listener.
                let Ok((stream, _)) = listener.accept().await else {
                    continue;
                };
                let (mailbox, stop) = (mailbox.clone(), stop.clone());
                sessions.spawn(async move {
                    let _place = place;
                    let talk = session::talk(stream, &mailbox);
                    let _ended = stop.run_until_cancelled(talk).await;
                });
            }
        };
        let _stopped = stop.run_until_cancelled(accept).await;
    });
    Ok(address)
}
