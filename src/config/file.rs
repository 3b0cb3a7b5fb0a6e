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
    Allowed, LanguageWord, Length, Schedule, Second, Window, Zone, channel_word, on_unknown_word,
    purpose_word, when_word,
};
use crate::domain::message::Channel;
use crate::domain::notice::{OnUnknown, Purpose};
use crate::domain::plan::When;

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
    /// How the daemon ends.
    pub drain: Drain,
    /// The sentences, in order; the first that fits is taken.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// The booking systems.
    #[serde(default)]
    pub source: Vec<Source>,
    /// What takes messages from us, by name.
    #[serde(default)]
    pub gateway: BTreeMap<String, Gateway>,
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

/// `[[source]]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name, in keys of notices: never change it.
    pub name: String,
    /// A shipped mapping, or a file with one: it says what this table leaves out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The driver.
    #[serde(default)]
    pub kind: SourceKind,
    /// The database file.
    pub path: PathBuf,
    /// How often it is looked at.
    #[serde(default = "half_a_minute")]
    pub every: Length,
    /// One SELECT whose named columns are the mapping.
    pub query: String,
    /// A condition that spares reading the past, such as `start >= :floor`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<String>,
    /// How starts are written.
    pub start: Start,
    /// The zone of naive starts; absent: the office's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// The region of telephone numbers without a country code, such as `NO`.
    pub region: String,
    /// No statement may take longer.
    #[serde(default = "twenty_seconds")]
    pub statement_timeout: Length,
    /// What the system's status words mean.
    pub status: Status,
    /// Its words for languages.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub languages: BTreeMap<String, LanguageWord>,
    /// Its words for services, to those of the directory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, String>,
    /// Its words for offices, to those of the directory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub offices: BTreeMap<String, String>,
}

/// The driver of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A SQLite file.
    #[default]
    Sqlite,
}

/// How a source writes the start of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Start {
    /// Local time without a zone.
    Naive,
    /// UTC, with or without a `Z`.
    Utc,
    /// With its offset.
    Offset,
}

/// `[source.status]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The person is expected.
    #[serde(default)]
    pub active: Vec<String>,
    /// The person must not come.
    #[serde(default)]
    pub cancelled: Vec<String>,
    /// The row is no booking.
    #[serde(default)]
    pub ignore: Vec<String>,
}

/// `[gateway.NAME]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// What it carries.
    #[serde(with = "channel_word")]
    pub channel: Channel,
    /// `trial` lets only `trial_allow` out; `live` lets everything out.
    #[serde(default)]
    pub mode: Mode,
    /// Who is written to in trial.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trial_allow: Vec<Allowed>,
    /// Connections at once.
    #[serde(default = "four")]
    pub connections: u32,
    /// Claims held ready beside those on the wire; absent: 64 for sms, 8 per connection for email.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim_ahead: Option<u32>,
    /// How long a node may hold a claim; absent: a minute more than the longest send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease: Option<Length>,

    /// sms: a shipped profile (`kannel`) or a file with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// sms: where the gateway is; absent: where its profile says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// sms: whether it sends delivery reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reports: Option<bool>,
    /// sms: a report is waited for this long; absent: as long as the profile says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report_within: Option<Length>,

    /// email: the relay's name or address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// email: its port; absent: the usual one of `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// email: how the way there is protected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// email: a file with the authorities to trust instead of the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// email: whom to log in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// email: a file with the password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// email: the envelope's sender, to which the relay sends bounces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub envelope_from: Option<String>,
    /// email: the domain that takes bounces back to us, one address for each attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce_domain: Option<String>,
    /// email: what we call ourselves; absent: the domain of `envelope_from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hello_name: Option<String>,
    /// email: after so many mails a connection is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mails_per_connection: Option<u32>,
    /// email: after so long a rest a connection is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle: Option<Length>,

    /// sms: files with the secrets that the profile names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_files: BTreeMap<String, PathBuf>,
    /// email: how long each step may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeouts: Option<Timeouts>,
}

/// `[gateway.NAME.timeouts]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeouts {
    /// Name resolution and TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect: Option<Length>,
    /// The TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Length>,
    /// The first words of the relay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting: Option<Length>,
    /// Each command's reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Length>,
    /// Writing the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<Length>,
    /// All of these together, for one mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_dot: Option<Length>,
    /// The reply to the final dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dot: Option<Length>,
}

/// How the way to a relay is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// TLS after STARTTLS (port 587).
    StartTls,
    /// None; only to a relay on this machine (port 25).
    Plain,
}

/// How far a gateway may be trusted with people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Only allow-listed addresses leave; everything else is suppressed.
    #[default]
    Trial,
    /// Everything leaves.
    Live,
}

fn one() -> usize {
    1
}

fn four() -> u32 {
    4
}

fn half_a_minute() -> Length {
    Length(std::time::Duration::from_secs(30))
}

fn twenty_seconds() -> Length {
    Length(std::time::Duration::from_secs(20))
}
