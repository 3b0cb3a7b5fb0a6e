//! The file as it is written: every key, its form and its place in the document.
//!
//! These types are read from TOML and printed back by `config show`; what the keys mean to a room is
//! said where the room's settings are built from them. Keys that may be absent are listed as options
//! here; every other key has its default in config/varsel.toml.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::words::{
    Length, LmtpPlace, Schedule, Second, Window, Zone, channel_word, guardians_word,
    on_unknown_word, purpose_word, when_word,
};
use crate::domain::message::Channel;
use crate::domain::notice::{OnUnknown, Purpose};
use crate::domain::plan::When;
use crate::domain::verdict::Guardians;

mod alarm;
mod gateway;
mod source;

pub use alarm::{Alarm, Alarms, KindWord};
pub use gateway::{Gateway, Mode, Timeouts, Tls};
pub use source::{Csv, Encoding, Json, Paging, Scope, Source, SourceKind, Start, Status, Whole};

/// A value of the right form for every key that has no default: with it a document can be read on
/// past a key that is missing. Nothing is ever run with one of them.
pub(super) const STAND_INS: &str = r#"
name = "nameless"
path = "nowhere"
query = "SELECT"
start = "utc"
region = "NO"
status = {}
when = "moved"
purpose = "change"
ladder = []
on_unknown = "hold"
channel = "sms"
public_key = ""
"#;

/// The whole document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// This process among others on the same database.
    pub node: Node,
    /// Our own database.
    pub store: Store,
    /// Whose appointments these are.
    pub agency: Agency,
    /// Health, metrics and delivery reports.
    pub http: Http,
    /// What else is listened for.
    #[serde(default, skip_serializing_if = "Inbound::is_empty")]
    pub inbound: Inbound,
    /// What the program writes about itself.
    pub log: Log,
    /// When each channel may leave.
    pub windows: Windows,
    /// What all rules share.
    pub rules: Rules,
    /// How long a rung is tried.
    pub ladder: Ladder,
    /// What stops a batch.
    pub brake: Brake,
    /// How hand-overs that certainly did not happen are tried again.
    pub retry: Retry,
    /// What runs by the clock.
    pub upkeep: Upkeep,
    /// When something is an alarm.
    pub alarms: Alarms,
    /// How the daemon ends.
    pub drain: Drain,
    /// The sentences, in order; the first that fits is taken.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// Who is told of alarms.
    #[serde(default)]
    pub alarm: Vec<Alarm>,
    /// The booking systems.
    #[serde(default)]
    pub source: Vec<Source>,
    /// Who may sign lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list_key: Vec<ListKey>,
    /// What takes messages from us, by name.
    #[serde(default)]
    pub gateway: BTreeMap<String, Gateway>,
}

/// `[[list_key]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListKey {
    /// Whose it is.
    pub name: String,
    /// An Ed25519 public key in base64, as `openssl pkey -pubout` prints it between its lines.
    pub public_key: String,
}

/// `[node]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Its name in leases, attempts and history.
    pub name: String,
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The SQLite file.
    pub path: PathBuf,
    /// A PostgreSQL database instead of that file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where the newest attempts are remembered outside the database; absent: beside the SQLite
    /// file, or in the state directory that systemd gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<PathBuf>,
    /// The file with the database's password; absent: none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
}

/// `[agency]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Times without an offset, and upkeep's schedules, are in this zone.
    pub zone: Zone,
    /// The second language of every message, or `none`.
    pub second_language: Second,
    /// Offices, districts and services; absent: the embedded example.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// A folder of templates; absent: the embedded ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub templates: Option<PathBuf>,
}

/// `[http]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The address under which gateways reach this server; absent: `http://LISTEN`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// At most so many connections at once.
    pub max_connections: usize,
    /// A request must have arrived whole within this.
    pub read_timeout: Length,
    /// No request body is longer, in bytes.
    pub max_body_bytes: usize,
}

/// `[inbound]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbound {
    /// Where the relay hands over mails that come back; absent: nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lmtp: Option<LmtpPlace>,
}

impl Inbound {
    fn is_empty(&self) -> bool {
        self.lmtp.is_none()
    }
}

/// `[log]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Its form.
    pub format: crate::telemetry::LogFormat,
}

/// `[windows]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Text messages.
    pub sms: Window,
    /// E-mails.
    pub email: Window,
    /// Calls.
    pub phone: Window,
    /// Quiet hours yield where waiting would leave less than this before the deadline.
    pub quiet_reserve: Length,
}

/// `[rules]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Less than so many hours before the start is short notice.
    pub short_notice_hours: u32,
    /// An invitation that stands alone reaches the person within this, or somebody calls.
    pub invitation_within: Length,
    /// How many guardians must know before a minor's appointment counts as told.
    #[serde(with = "guardians_word")]
    pub guardians: Guardians,
}

/// `[[rule]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The services it speaks of; absent means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
    /// The change it speaks of.
    #[serde(with = "when_word")]
    pub when: When,
    /// Only at short notice, only not at short notice; absent means either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short_notice: Option<bool>,
    /// Why we write.
    #[serde(with = "purpose_word")]
    pub purpose: Purpose,
    /// The channels in order; `phone` is always the last.
    pub ladder: Vec<ChannelWord>,
    /// How many of the first rungs open together.
    #[serde(default = "one")]
    pub together: usize,
    /// What follows when an outcome stays unknown.
    #[serde(with = "on_unknown_word")]
    pub on_unknown: OnUnknown,
}

/// A channel inside a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChannelWord(#[serde(with = "channel_word")] pub Channel);

/// `[ladder]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ladder {
    /// The share of the time left that a rung gets, above 0 and below 1.
    pub share: f64,
    /// Never shorter than this.
    pub least: Length,
    /// Never longer than this.
    pub most: Length,
}

/// `[brake]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brake {
    /// More changes than this in one poll are held.
    pub max_changes: u32,
    /// More than this share of the known future appointments is held...
    pub max_share: f64,
    /// ...but never so few changes or fewer.
    pub min_changes: u32,
    /// More changes than this within an hour are held.
    pub max_changes_per_hour: u32,
    /// More than this share of the known future appointments within an hour is held.
    pub max_share_per_hour: f64,
    /// While more than this share of the standing appointments is missing, all changes are held.
    pub max_shrink: f64,
    /// So many people of a released batch are told before the rest; 0: all at once.
    pub canary: u32,
    /// The rest follows after this, if none of the first failed.
    pub canary_wait: Length,
}

/// `[retry]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// The range of the first retry.
    pub base: Length,
    /// The widest range.
    pub cap: Length,
}

/// `[upkeep]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upkeep {
    /// How often leases, deadlines and ladders are looked at.
    pub every: Length,
    /// When personal data past its time is erased.
    pub erase: Schedule,
    /// Personal data is erased so many days after a notice ended.
    pub retention_days: u32,
    /// Added to the longest send before an unknown may be resolved.
    pub quarantine_margin: Length,
}

/// `[drain]`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drain {
    /// What is on its way may finish within this.
    pub limit: Length,
}

fn one() -> usize {
    1
}
