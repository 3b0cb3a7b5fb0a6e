//! `[[source]]` as it is written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::words::{LanguageWord, Length, Zone};

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
    /// The file of a SQLite database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// The address of a PostgreSQL or MySQL database, without a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The file with the account's password; absent: none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// How often it is looked at.
    #[serde(default = "half_a_minute")]
    pub every: Length,
    /// A change counts when it has stood this long.
    #[serde(default = "nothing")]
    pub settle: Length,
    /// What was cancelled in order to be moved waits this long for what takes its place.
    #[serde(default = "a_minute")]
    pub grace: Length,
    /// People are told what they did themselves.
    #[serde(default)]
    pub tell_own: bool,
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
    /// A PostgreSQL server.
    Postgres,
    /// A MySQL or MariaDB server.
    Mysql,
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

fn nothing() -> Length {
    Length(std::time::Duration::ZERO)
}

fn a_minute() -> Length {
    Length(std::time::Duration::from_secs(60))
}

fn half_a_minute() -> Length {
    Length(std::time::Duration::from_secs(30))
}

fn twenty_seconds() -> Length {
    Length(std::time::Duration::from_secs(20))
}
