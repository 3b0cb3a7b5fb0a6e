//! The e-mail channel: composes mails and hands them to the agency's SMTP relay.
//!
//! The session is our own because an outcome needs to know how far it came. A connection carries one
//! transaction at a time and returns to the rest only when every reply was read; a hand-over that
//! is dropped, fails unclearly or runs out of time takes its connection with it. This channel never
//! retries a mail whose final dot was begun.
//!
//! Reading order: [`letter`] (what a mail is), `envelope` and `wire` (how it is written), `reply`
//! and `link` (what comes back), `session` (the steps), `outcome` (what they mean).

mod envelope;
mod letter;
mod link;
mod outcome;
mod reply;
mod session;
mod tls;
mod wire;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Address as MailAddress;
use secrecy::SecretString;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use self::letter::{ComposeError, Letter, compose};
pub use self::wire::Unfit;

use self::envelope::Mail;
use self::outcome::{Phase, Stop, Why};
use self::session::Session;
use self::tls::Tls;
use super::{Channel, Outgoing, Sending, may_start};
use crate::domain::outcome::Outcome;

/// How the way to the relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// TLS from the first byte (port 465, RFC 8314).
    Implicit,
    /// TLS after STARTTLS (port 587); without it nothing is sent.
    StartTls,
    /// None. Only to a relay on this machine.
    Plain,
}

/// User and password at the relay.
#[derive(Clone, Debug)]
pub struct Login {
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// The relay and how to talk to it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The relay's name or IP address; its certificate must bear it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub tls: TlsMode,
    /// The authorities to trust (PEM) instead of the host's.
    pub ca_file: Option<PathBuf>,
    /// What we call ourselves in EHLO: a host name, or an address in brackets.
    pub hello_name: String,
    /// Whom to log in as, if at all.
    pub login: Option<Login>,
    /// The envelope's sender where no bounce domain is set: the address of From.
    pub envelope_from: String,
    /// The domain that takes bounces back to us, one address for each attempt.
    pub bounce_domain: Option<String>,
    /// How many connections are open at most.
    pub connections: usize,
    /// After so many mails a connection is replaced.
    pub mails_per_connection: u32,
    /// After so long a rest a connection is replaced; shorter than the relay's own limit.
    pub idle: Duration,
    /// The limits of each step.
    pub timeouts: Timeouts,
}

/// How long each step may take. RFC 5321, 4.5.3.2 allows minutes for relays that deliver far away;
/// ours is near, except after the final dot, where it may filter the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Name resolution and TCP.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// The first words of the relay.
    pub greeting: Duration,
    /// Each command's reply.
    pub command: Duration,
    /// Writing the body.
    pub body: Duration,
    /// All of the above together, for one mail: the connection included where there is none yet.
    pub before_dot: Duration,
    /// The reply to the final dot: never shorter than the relay's content filter.
    pub dot: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            tls: Duration::from_secs(15),
            greeting: Duration::from_secs(30),
            command: Duration::from_secs(30),
            body: Duration::from_secs(30),
            before_dot: Duration::from_secs(60),
            dot: Duration::from_secs(120),
        }
    }
}

impl Timeouts {
    /// The longest a hand-over takes once it has its place among the connections. Whoever cuts it
    /// off earlier loses the outcome; a lease must outlast it.
    #[must_use]
    pub fn longest_send(&self) -> Duration {
        self.before_dot + self.dot + SCHEDULING
    }
}

/// What a busy machine may add to a limit of time before somebody notices that it has passed.
const SCHEDULING: Duration = Duration::from_secs(5);

/// What is wrong with the settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The relay's name cannot be one.
    #[error("host = {0:?} is neither a host name nor an IP address")]
    Host(String),
    /// Mails would cross a network in clear.
    #[error(
        "tls = \"plain\" is for a relay on this machine only, and host = {0:?} is not: \
         use \"implicit\" (port 465) or \"starttls\" (port 587)"
    )]
    PlainAbroad(String),
    /// The name we give ourselves cannot stand in a command.
    #[error("hello_name = {0:?} is neither a host name nor an address in brackets")]
    HelloName(String),
    /// An address or domain of the envelope is not one.
    #[error("{key} = {value:?} cannot be the sender of an envelope")]
    Sender {
        /// The setting.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// Nothing could ever be sent.
    #[error("{0} must be at least 1")]
    Zero(&'static str),
    /// The pinned authorities cannot be read.
    #[error("ca_file = \"{}\" cannot be used: {problem}", file.display())]
    CaFile {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The host's own authorities cannot be read.
    #[error(
        "this machine's trusted authorities cannot be used ({0}): install ca-certificates or set ca_file"
    )]
    Trust(rustls::Error),
}

impl Settings {
    fn check(&self) -> Result<(), SetupError> {
        if self.tls == TlsMode::Plain && !is_this_machine(&self.host) {
            return Err(SetupError::PlainAbroad(self.host.clone()));
        }
        if !is_hello_name(&self.hello_name) {
            return Err(SetupError::HelloName(self.hello_name.clone()));
        }
        sender_fits("envelope_from", &self.envelope_from, &self.envelope_from)?;
        if let Some(domain) = &self.bounce_domain {
            sender_fits("bounce_domain", domain, &format!("bounce@{domain}"))?;
        }
        match (self.connections, self.mails_per_connection) {
            (0, _) => Err(SetupError::Zero("connections")),
            (_, 0) => Err(SetupError::Zero("mails_per_connection")),
            _ => Ok(()),
        }
    }
}

fn sender_fits(key: &'static str, value: &str, address: &str) -> Result<(), SetupError> {
    let fits = address.is_ascii() && address.parse::<MailAddress>().is_ok();
    fits.then_some(()).ok_or_else(|| SetupError::Sender {
        key,
        value: value.to_owned(),
    })
}

fn is_this_machine(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

fn is_hello_name(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b".-:[]".contains(&b);
    (1..=255).contains(&name.len()) && name.bytes().all(fits)
}

/// The e-mail channel to one relay.
pub struct Smtp {
    settings: Settings,
    tls: Option<Tls>,
    /// One permit for each connection that may be open.
    places: Semaphore,
    /// Sessions between two mails; never more than there are places.
    resting: Mutex<Vec<Session>>,
}

impl Smtp {
    /// Reads the trust anchors and checks the settings; connects only when there is a mail.
    ///
    /// # Errors
    /// When a setting cannot be meant so.
    pub fn new(settings: Settings) -> Result<Self, SetupError> {
        settings.check()?;
        let tls = match settings.tls {
            TlsMode::Plain => None,
            TlsMode::Implicit | TlsMode::StartTls => {
                Some(Tls::new(&settings.host, settings.ca_file.as_deref())?)
            }
        };
        Ok(Self {
            places: Semaphore::new(settings.connections),
            resting: Mutex::new(Vec::new()),
            settings,
            tls,
        })
    }

    async fn hand_over(&self, message: &Outgoing) -> Outcome {
        let mail = match Mail::prepare(&self.settings, message) {
            Ok(mail) => mail,
            Err(outcome) => return outcome,
        };
        let place = self.places.acquire().await;
        let _place = place.expect("the semaphore is never closed");
        let written = self.up_to_the_dot(&mail, message);
        let mut session = match timeout(self.settings.timeouts.before_dot, written).await {
            Ok(Ok(session)) => session,
            Ok(Err(outcome)) => return outcome,
            Err(_) => return outcome::too_slow(),
        };
        // The point of no return: from the first byte of the dot on, only its reply is certain.
        match session.dot().await {
            Ok(reply) => {
                self.rest(session);
                outcome::of_reply(Phase::Dot, &reply)
            }
            Err(stop) => self.stopped(session, &stop),
        }
    }

    /// Writes everything but the final dot. Whatever goes wrong in here, or cuts it off: nothing
    /// was handed over.
    async fn up_to_the_dot(&self, mail: &Mail, message: &Outgoing) -> Result<Session, Outcome> {
        if let Some(mut session) = self.rested().await {
            match self.write(&mut session, mail, message).await {
                Ok(()) => return Ok(session),
                // The relay had closed it while it rested: a new one is tried at once, and once.
                Err(stop) if stop.is_stale() => {}
                Err(stop) => return Err(self.stopped(session, &stop)),
            }
        }
        let opened = Session::open(&self.settings, self.tls.as_ref()).await;
        let mut session = opened.map_err(|stop| stop.outcome())?;
        match self.write(&mut session, mail, message).await {
            Ok(()) => Ok(session),
            Err(stop) => Err(self.stopped(session, &stop)),
        }
    }

    async fn write(
        &self,
        session: &mut Session,
        mail: &Mail,
        message: &Outgoing,
    ) -> Result<(), Stop> {
        // The last moment: behind it stands the first byte of MAIL.
        match may_start(message) {
            true => session.write(mail).await,
            false => Err(Stop::unwritten(Why::TooLate)),
        }
    }

    /// The outcome of a transaction that ended early; its session goes on where nothing is unclear.
    fn stopped(&self, session: Session, stop: &Stop) -> Outcome {
        if stop.usable {
            self.rest(session);
        }
        stop.outcome()
    }

    /// A session that has rested and is awake again, if there is one. One that does not wake is
    /// dropped, and so are the others: what ended it has probably ended them.
    async fn rested(&self) -> Option<Session> {
        let mut session = self.resting().pop()?;
        if session.is_worn(&self.settings) {
            session.quit().await;
            return None;
        }
        if session.wake().await.is_err() {
            self.resting().clear();
            return None;
        }
        Some(session)
    }

    /// Lets a session whose every reply was read wait for the next mail. It never waits itself: an
    /// outcome is in hand.
    fn rest(&self, mut session: Session) {
        session.rest();
        self.resting().push(session);
    }

    fn resting(&self) -> std::sync::MutexGuard<'_, Vec<Session>> {
        // Nothing can panic while the list is locked, and a list has no half state.
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Channel for Smtp {
    fn send<'a>(&'a self, message: &'a Outgoing) -> Sending<'a> {
        Box::pin(self.hand_over(message))
    }
}
