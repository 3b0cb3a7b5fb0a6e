//! What drives the edges: four straight lines under one supervisor.
//!
//! Only this room knows more than one edge. The lines meet in the store alone; none calls another,
//! they only wake each other. Each line's body is one `step`, whose store calls are its only atomic
//! points, so that a simulator can walk them.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::channel::Channel as Gate;
use crate::clock::{Clock, Mono};
use crate::domain::appointment::SourceName;
use crate::domain::brake::BrakeLimits;
use crate::domain::breaker::BreakerLimits;
use crate::domain::contact::Address;
use crate::domain::directory::Directory;
use crate::domain::message::{Channel, ToldOn};
use crate::domain::plan::Rules;
use crate::domain::rate::Rate;
use crate::domain::retry::RetryPolicy;
use crate::store::{SweepLimits, UnknownRule};
use crate::telemetry::Metrics;
use crate::template::Templates;

use self::chance::Chance;
use self::pauses::Pauses;
use self::sending::Sending;
use self::turns::Turn;

pub mod alarms;
pub mod announce;
pub mod beat;
pub mod beats;
pub mod bundling;
pub mod chance;
pub mod cores;
pub mod dispatch;
pub mod intake;
pub mod journal;
pub mod pauses;
pub mod rehearsal;
pub mod replan;
pub mod reports;
pub mod schedule;
pub mod sending;
pub mod settings;
pub mod start;
pub mod supervise;
pub mod turns;
pub mod upkeep;
pub mod vital;
pub mod waking;
pub mod writing;

/// What every line shares: read-only, made once at start.
pub struct Shared {
    /// This node's name in leases, attempts and history.
    pub node: String,
    /// Domain time.
    pub clock: Clock,
    /// What is drawn by lot.
    pub chance: Chance,
    /// The booking systems, by name.
    pub sources: Vec<SourceName>,
    /// The agency's directory.
    pub directory: Arc<Directory>,
    /// The texts.
    pub templates: Arc<Templates>,
    /// The rules of planning.
    pub rules: Rules,
    /// When the brake stops a poll.
    pub brake: BrakeLimits,
    /// How retries are spread.
    pub retry: RetryPolicy,
    /// The bounds of a sweep.
    pub sweep: SweepLimits,
    /// What decides, per channel, that a message has told its recipient.
    pub told_on: ToldOnByChannel,
    /// The secret behind the Message-IDs, the same on every node.
    pub mail_secret: [u8; 32],
    /// The secret behind the tokens of reports, the same on every node.
    pub report_secret: [u8; 32],
    /// Figures for operators.
    pub metrics: Metrics,
    /// Wakes the lines.
    pub wakes: Wakes,
    /// The gateways that are left alone.
    pub pauses: Pauses,
    /// Shows that the lines move.
    pub pulse: Pulse,
    /// Until when this node may begin to send.
    pub trust: Trust,
    /// Whether anything may leave.
    pub sending: Arc<Sending>,
    /// The longest any line sleeps before it looks by itself: wake-ups may get lost, and must never
    /// set the throughput.
    pub look_again: Duration,
}

/// What decides, per channel, that a message has told its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldOnByChannel {
    /// `Delivered` where the SMS gateway reports, else `Unconfirmed`.
    pub sms: ToldOn,
    /// `Accepted`: only a bounce says otherwise.
    pub email: ToldOn,
}

impl ToldOnByChannel {
    /// The rule of one channel; a call is told when it is ticked off.
    #[must_use]
    pub fn of(self, channel: Channel) -> ToldOn {
        match channel {
            Channel::Sms => self.sms,
            Channel::Email => self.email,
            Channel::Phone => ToldOn::Delivered,
        }
    }
}

/// One gateway with everything dispatch needs to use it.
#[derive(Clone)]
pub struct Gateway {
    /// Its configured name.
    pub name: String,
    /// The channel it serves.
    pub channel: Channel,
    /// The edge that speaks to it.
    pub gate: Arc<dyn Gate>,
    /// Who may be reached through it.
    pub mode: Mode,
    /// Hand-overs at the same time.
    pub connections: u32,
    /// Claims beyond those, so that commits do not stall the wire.
    pub claim_ahead: u32,
    /// How long a claim is held.
    pub lease: Duration,
    /// The longest one hand-over may take.
    pub longest_send: Duration,
    /// How long a report is waited for; `None` where the gateway gives none.
    pub report_within: Option<Duration>,
    /// How its unknowns are resolved.
    pub unknowns: UnknownRule,
    /// When messages are given to it.
    pub turn: Turn,
    /// Whether another gateway may take what this one did not.
    pub is_backed: bool,
    /// How fast it may be given messages, by all nodes together.
    pub rate: Option<Rate>,
    /// When it is left alone because it fails.
    pub breaker: BreakerLimits,
}

/// Who may be reached through a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only the addresses of this list; everything else is suppressed.
    Trial(Vec<Allowed>),
    /// Everybody.
    Live,
}

/// One entry of a trial gateway's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// One number or address.
    Address(Address),
    /// Every address of a mail domain.
    MailDomain(String),
}

impl Mode {
    /// Whether a message to this address may leave.
    #[must_use]
    pub fn allows(&self, address: &Address) -> bool {
        match self {
            Self::Live => true,
            Self::Trial(list) => list.iter().any(|allowed| allowed.covers(address)),
        }
    }
}

impl Allowed {
    fn covers(&self, address: &Address) -> bool {
        match (self, address) {
            (Self::Address(allowed), address) => allowed == address,
            (Self::MailDomain(domain), Address::Email(email)) => email
                .expose()
                .rsplit_once('@')
                .is_some_and(|(_, of)| of.eq_ignore_ascii_case(domain)),
            (Self::MailDomain(_), Address::Phone(_) | Address::None) => false,
        }
    }
}

/// Wakes the lines when there is something to do; each also looks by itself now and then.
#[derive(Debug, Default)]
pub struct Wakes {
    /// There may be messages to send; every gateway's line hears it, even if it is busy just then.
    pub dispatch: watch::Sender<()>,
    /// There may be rungs to climb or batches to release.
    pub upkeep: Notify,
    /// A source may have changed: one bell for each.
    sources: std::sync::Mutex<BTreeMap<SourceName, Arc<Notify>>>,
}

impl Wakes {
    /// What wakes the line of one source.
    #[must_use]
    pub fn of(&self, source: &SourceName) -> Arc<Notify> {
        let sources = self.sources.lock();
        let mut sources = sources.unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(sources.entry(source.clone()).or_default())
    }

    /// There may be messages to send, on any channel.
    pub fn messages(&self) {
        self.dispatch.send_replace(());
    }
}

/// When each line last moved, so that `/livez` and the watchdog tell the truth.
#[derive(Debug)]
pub struct Pulse {
    born: Mono,
    dispatch: std::sync::Mutex<BTreeMap<String, Mono>>,
    rounds: std::sync::Mutex<BTreeMap<String, Mono>>,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            born: Mono::now(),
            dispatch: std::sync::Mutex::default(),
            rounds: std::sync::Mutex::default(),
        }
    }
}

impl Pulse {
    /// The dispatch of a gateway has gone round once more.
    pub fn beat(&self, gateway: &str) {
        self.lock().insert(gateway.to_owned(), Mono::now());
    }

    /// The dispatch of a gateway has ended its work.
    pub fn rest(&self, gateway: &str) {
        self.lock().remove(gateway);
    }

    /// How long ago the dispatch that has not gone round for longest did.
    #[must_use]
    pub fn age(&self) -> Duration {
        let lines = self.lock();
        let ages = lines.values().map(|at| at.elapsed());
        ages.max().unwrap_or_else(|| self.born.elapsed())
    }

    /// A line has gone round, and done what it is for.
    pub fn round(&self, line: impl Into<String>) {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.insert(line.into(), Mono::now());
    }

    /// Whether a line has gone round within this time.
    #[must_use]
    pub fn is_round(&self, line: &str, within: Duration) -> bool {
        let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.get(line).is_some_and(|at| at.elapsed() <= within)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Mono>> {
        self.dispatch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until when this node may begin to send: as long as its name is certainly its own.
#[derive(Debug, Default)]
pub struct Trust {
    /// `None`: nobody else can take its name while it lives.
    until: std::sync::Mutex<Option<Mono>>,
}

impl Trust {
    /// The store was asked at `asked` and trusts the node for so long.
    pub fn renew(&self, asked: Mono, trust: Option<Duration>) {
        *self.lock() = trust.map(|trust| asked.plus(trust));
    }

    /// Somebody else has the name.
    pub fn end(&self) {
        *self.lock() = Some(Mono::now());
    }

    /// `by`, or earlier where that ends before.
    #[must_use]
    pub fn at_most(&self, by: Mono) -> Mono {
        self.lock().map_or(by, |until| until.min(by))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Mono>> {
        self.until
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
