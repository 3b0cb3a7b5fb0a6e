//! Everything the service is told at start, ready-made: the configuration builds it, and nothing in
//! here reads a file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::Mode;
use super::alarms::{Pace, Recipient};
use super::upkeep::Retention;
use crate::channel::email;
use crate::channel::sms::{Profile, Secrets};
use crate::clock::Clock;
use crate::domain::brake::BrakeLimits;
use crate::domain::breaker::BreakerLimits;
use crate::domain::plan::Rules;
use crate::domain::rate::Rate;
use crate::domain::retry::RetryPolicy;
use crate::inbound::lmtp;
use crate::store::Place;

/// The settings of the whole service.
pub struct Settings {
    /// This node's name in leases, attempts and history.
    pub node: String,
    /// Domain time.
    pub clock: Clock,
    /// Where the store is.
    pub store: Place,
    /// Where the newest attempts are remembered outside the store.
    pub journal: PathBuf,
    /// Where health, metrics and reports are served.
    pub http: HttpSettings,
    /// Where mails that come back are taken, if anywhere.
    pub lmtp: Option<lmtp::Place>,
    /// The booking systems.
    pub sources: Vec<crate::source::Settings>,
    /// The gateways.
    pub gateways: Vec<GatewaySettings>,
    /// The rules of planning.
    pub rules: Rules,
    /// When the brake stops a poll.
    pub brake: BrakeLimits,
    /// The rest of a batch follows its first people after this, if none of them failed.
    pub canary_wait: Duration,
    /// How retries are spread.
    pub retry: RetryPolicy,
    /// Added to the longest send before an unknown may be resolved.
    pub quarantine_margin: Duration,
    /// When personal data is erased, and how long it is kept.
    pub retention: Retention,
    /// The longest any line sleeps before it looks by itself.
    pub look_again: Duration,
    /// Who is told of alarms.
    pub alarm_recipients: Vec<Recipient>,
    /// How often alarms are looked at and told.
    pub alarm_pace: Pace,
    /// The dead man's beat.
    pub beat: BeatSettings,
    /// How long a drain may take.
    pub drain_limit: Duration,
}

/// The dead man's beat. Without an address and a file there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BeatSettings {
    /// How often.
    pub every: Duration,
    /// The address that is asked for.
    pub url: Option<String>,
    /// The file that is touched.
    pub file: Option<PathBuf>,
}

/// The HTTP server's settings.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address under which gateways reach this server, without a slash at its end; `None`
    /// means `http://` and the address that was bound.
    pub public_url: Option<String>,
    /// At most so many connections at once.
    pub max_connections: usize,
    /// A request must have arrived whole within this.
    pub read_timeout: Duration,
    /// No request body is longer, in bytes.
    pub max_body_bytes: usize,
}

impl HttpSettings {
    /// The address under which gateways reach this server, as far as it is known before it listens.
    #[must_use]
    pub fn base(&self) -> String {
        let public = self.public_url.clone();
        public.unwrap_or_else(|| format!("http://{}", self.listen))
    }
}

/// One gateway.
pub struct GatewaySettings {
    /// Its configured name.
    pub name: String,
    /// Of the gateways of its channel the one with the lowest is used.
    pub preference: u32,
    /// Who may be reached through it.
    pub mode: Mode,
    /// Hand-overs at the same time.
    pub connections: u32,
    /// Claims beyond those.
    pub claim_ahead: u32,
    /// How long a claim is held; never less than the longest send.
    pub lease: Duration,
    /// How fast it may be given messages, by all nodes together.
    pub rate: Option<Rate>,
    /// When it is left alone because it fails.
    pub breaker: BreakerLimits,
    /// What it speaks.
    pub speaks: Speaks,
}

/// What a gateway speaks.
pub enum Speaks {
    /// HTTP, by a profile.
    Sms {
        /// The profile, at its address.
        profile: Box<Profile>,
        /// The secrets it names.
        secrets: Secrets,
        /// How long a report is waited for; `None` where none are sent.
        report_within: Option<Duration>,
    },
    /// SMTP.
    Email(Box<email::Settings>),
}

impl Speaks {
    /// Whom e-mails that are our own come from; empty where it speaks no e-mail.
    #[must_use]
    pub fn sender(&self) -> String {
        match self {
            Self::Email(settings) => settings.envelope_from.clone(),
            Self::Sms { .. } => String::new(),
        }
    }
}
