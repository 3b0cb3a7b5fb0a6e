//! `[alarms]` and `[[alarm]]` as they are written: when something is an alarm, and who is told.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::words::{Allowed, Length, alarm_kind_word, severity_word};
use crate::domain::alarm::{AlarmKind, Severity};

/// `[alarms]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarms {
    /// How often it is looked at what is wrong.
    pub every: Length,
    /// What nobody acknowledges is told again after this.
    pub repeat: Length,
    /// A deadline so close is near, for people who are not told.
    pub untold_within: Length,
    /// A source that was not read for longer is stale.
    pub stale_after: Length,
    /// How often the beat is sent.
    pub beat_every: Length,
    /// The address that is asked for at each beat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beat_url: Option<String>,
    /// The file that is touched at each beat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beat_file: Option<PathBuf>,
}

/// `[[alarm]]`: somebody who is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alarm {
    /// A program by its whole path, and its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// It is ended when it takes longer; absent: 30 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<Length>,
    /// A number or an e-mail address instead of a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Allowed>,
    /// The gateway that carries it there; absent: any of the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// Of these kinds only; absent: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindWord>,
    /// Of nothing less urgent; absent: of everything.
    #[serde(default = "warning", with = "severity_word")]
    pub severity: Severity,
}

/// A kind of alarm inside a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KindWord(#[serde(with = "alarm_kind_word")] pub AlarmKind);

fn warning() -> Severity {
    Severity::Warning
}
