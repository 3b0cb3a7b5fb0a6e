//! `[gateway.NAME]` as it is written: one table for both channels, each with keys of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::words::{Allowed, Length, channel_word};
use crate::domain::message::Channel;

/// `[gateway.NAME]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// What it carries.
    #[serde(with = "channel_word")]
    pub channel: Channel,
    /// Of several gateways of a channel the one with the lowest is used, the next while that is left
    /// alone; absent: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preference: Option<u32>,
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

    /// Messages a second that it takes, from all nodes together; absent: as fast as it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// So many at once after a rest; absent: those of a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// When it is left alone because it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,

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
    /// email: what stands before the token in their addresses; absent: `bounce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce_localpart: Option<String>,
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

impl Gateway {
    /// Its place among the gateways of its channel, the lowest first.
    #[must_use]
    pub fn place(&self) -> u32 {
        self.preference.unwrap_or(1)
    }
}

/// `[gateway.NAME.breaker]`
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// After so many hand-overs in a row without an answer...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// ...within this...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Length>,
    /// ...it is left alone for so long, and longer while trials fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<Length>,
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

fn four() -> u32 {
    4
}
