//! What the configuration says of one booking system, whatever its kind: how it is read, what its
//! words mean, and how often it is looked at. It reads and opens nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono_tz::Tz;
use secrecy::SecretString;

use super::{files, http, sql};
use crate::domain::appointment::SourceName;
use crate::domain::directory::{OfficeId, ServiceId};
use crate::domain::language::Language;
use crate::domain::settle::Waits;

/// Everything the configuration says of one source.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How it is read.
    pub reads: Reads,
    /// How often it is read.
    pub every: Duration,
    /// How long changes wait before they count.
    pub waits: Waits,
    /// People are told what they did themselves.
    pub tell_own: bool,
    /// What signs the requests that wake it; `None` takes none.
    pub wake_secret: Option<SecretString>,
}

/// How a source is read, by kind.
#[derive(Clone, Debug)]
pub enum Reads {
    /// By a SELECT.
    Sql(sql::Settings),
    /// From CSV files in a folder.
    Csv(files::Settings),
    /// As JSON over HTTP.
    Json(http::Settings),
}

impl Settings {
    /// What rings when the source says that something changed, if it does.
    #[must_use]
    pub fn bell(&self) -> Option<sql::Bell> {
        match &self.reads {
            Reads::Sql(sql) => sql.bell(),
            Reads::Csv(_) | Reads::Json(_) => None,
        }
    }

    /// The source's name.
    #[must_use]
    pub fn name(&self) -> &SourceName {
        match &self.reads {
            Reads::Sql(sql) => &sql.name,
            Reads::Csv(files) => &files.name,
            Reads::Json(http) => &http.name,
        }
    }
}

/// What a source's values mean.
#[derive(Clone, Debug)]
pub struct Words {
    /// How starts are written.
    pub start: StartFormat,
    /// The zone of naive starts where a row has no `tz`; `None` means the office's own.
    pub naive_zone: Option<Tz>,
    /// The region of numbers without a country code where the office names none ("NO").
    pub region: String,
    /// Status words and what they mean. A word not listed keeps the old state and is reported.
    pub status: BTreeMap<String, Meaning>,
    /// Language words; `nb`, `nn` and `en` need no entry.
    pub languages: BTreeMap<String, Language>,
    /// Service words; identifiers of the directory need no entry.
    pub services: BTreeMap<String, ServiceId>,
    /// Office words; identifiers of the directory need no entry.
    pub offices: BTreeMap<String, OfficeId>,
    /// An address on more bookings than this is nobody's own, and is not used; `None` uses all.
    pub most_bookings_per_address: Option<u32>,
}

/// How a source writes the start of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFormat {
    /// Local wall-clock time without a zone: `2021-03-24 09:20`.
    Naive,
    /// UTC, with or without a `Z`: `2021-03-24 08:20:00`.
    Utc,
    /// With its offset: `2021-03-24T09:20:00+01:00`.
    Offset,
}

/// What a status word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// The person is expected.
    Active,
    /// The person must not come.
    Cancelled,
    /// The row says nothing: it is never a change and never gone.
    Ignore,
}
