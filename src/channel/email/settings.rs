//! What the channel is told about its relay, checked once before anything is sent.
//!
//! Plain values: where they come from is the configuration's business.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lettre::Address as MailAddress;
use secrecy::SecretString;

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
    /// Where bounces come back to us, one address for each attempt.
    pub bounces: Option<BounceAddress>,
    /// How many connections are open at most.
    pub connections: usize,
    /// After so many mails a connection is replaced.
    pub mails_per_connection: u32,
    /// After so long a rest a connection is replaced; shorter than the relay's own limit.
    pub idle: Duration,
    /// The limits of each step.
    pub timeouts: Timeouts,
}

/// The addresses of attempts, `LOCALPART+TOKEN@DOMAIN`: a bounce names what it is about by where it
/// comes back to (variable envelope return path).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BounceAddress {
    /// What stands before the token.
    pub localpart: String,
    /// The domain whose mails the relay hands to us.
    pub domain: String,
}

impl BounceAddress {
    /// The address of an attempt.
    #[must_use]
    pub fn of(&self, token: &str) -> String {
        let Self { localpart, domain } = self;
        format!("{localpart}+{token}@{domain}")
    }

    /// The token in an address, if it is one of these. Systems on the way may have changed the case
    /// of the letters; a token has small ones only.
    #[must_use]
    pub fn token(&self, address: &str) -> Option<String> {
        let (local, domain) = address.rsplit_once('@')?;
        let (localpart, token) = local.split_once('+')?;
        let ours = domain.eq_ignore_ascii_case(&self.domain)
            && localpart.eq_ignore_ascii_case(&self.localpart);
        ours.then(|| token.to_ascii_lowercase())
    }

    /// Whether a token of this many characters fits: a local part has at most 64 octets (RFC 5321,
    /// 4.5.3.1.1).
    pub(super) fn has_room_for(&self, token: &str) -> bool {
        self.localpart.len() + 1 + token.len() <= 64
    }
}

/// The longest local part of bounces' addresses. With it the token has room for 2^32 attempts.
const MAX_LOCALPART: usize = 14;

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
    /// Finds what cannot be meant so.
    pub(super) fn check(&self) -> Result<(), SetupError> {
        if self.tls == TlsMode::Plain && !is_this_machine(&self.host) {
            return Err(SetupError::PlainAbroad(self.host.clone()));
        }
        if !is_hello_name(&self.hello_name) {
            return Err(SetupError::HelloName(self.hello_name.clone()));
        }
        sender_fits("envelope_from", &self.envelope_from, &self.envelope_from)?;
        if let Some(BounceAddress { localpart, domain }) = &self.bounces {
            sender_fits("bounce_domain", domain, &format!("bounce@{domain}"))?;
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            let address = match localpart.bytes().all(plain) && localpart.len() <= MAX_LOCALPART {
                true => format!("{localpart}@example.com"),
                false => String::new(),
            };
            sender_fits("bounce_localpart", localpart, &address)?;
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
