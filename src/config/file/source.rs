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
    /// The address of a PostgreSQL or MySQL database, without a password, or of a JSON list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The file with the account's password; absent: none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// The file with the secret that signs requests to wake it; absent: none are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wake_secret_file: Option<PathBuf>,
    /// The channel on which a PostgreSQL database notifies us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
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
    /// An address on more bookings than this is not used; 0 uses all.
    #[serde(default = "twenty")]
    pub most_bookings_per_address: u32,
    /// One SELECT whose named columns are the mapping; for databases only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
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
    /// The file with the token that is sent to a JSON source; absent: none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// How a JSON list is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json: Option<Json>,
    /// How CSV files are read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<Csv>,
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
    /// CSV files in a folder.
    Csv,
    /// JSON over HTTP.
    Json,
}

/// `[source.json]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Json {
    /// Where in an answer the list stands (RFC 6901).
    pub items: String,
    /// Our columns = where in an item they stand.
    pub columns: BTreeMap<String, String>,
    /// How a list of several pages is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paging: Option<Paging>,
    /// Where one booking is asked for, with `:id` for its key; absent: the list is read again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub look_up: Option<String>,
    /// Where in that answer the booking stands.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub look_up_item: String,
    /// A connection must stand within this.
    #[serde(default = "ten_seconds")]
    pub connect_timeout: Length,
    /// No answer may take longer.
    #[serde(default = "thirty_seconds")]
    pub timeout: Length,
    /// No answer is longer.
    #[serde(default = "sixteen_mebibytes")]
    pub max_body_bytes: usize,
}

/// `[source.json.paging]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paging {
    /// Where in a page the address of the next one stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Or the parameter that takes a page's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The number of the first page.
    #[serde(default = "one")]
    pub first: u32,
    /// Where in each page the number of all items stands.
    pub total: String,
    /// No list has more pages.
    #[serde(default = "a_thousand")]
    pub max_pages: u32,
}

fn one() -> u32 {
    1
}

fn a_thousand() -> u32 {
    1_000
}

fn ten_seconds() -> Length {
    Length(std::time::Duration::from_secs(10))
}

fn thirty_seconds() -> Length {
    Length(std::time::Duration::from_secs(30))
}

fn sixteen_mebibytes() -> usize {
    16 * 1024 * 1024
}

/// `[source.csv]`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Csv {
    /// Which files of the folder: a name with at most one `*`.
    #[serde(default = "every_csv")]
    pub files: String,
    /// How a whole file is known.
    pub whole: Whole,
    /// What a file says of the bookings that it does not name.
    pub scope: Scope,
    /// Its characters.
    #[serde(default)]
    pub encoding: Encoding,
    /// What stands between two fields.
    #[serde(default = "semicolon")]
    pub separator: char,
    /// The folder for files that were recorded; absent: they stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<PathBuf>,
    /// A full file older than this is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Length>,
    /// No file is longer.
    #[serde(default = "a_gibibyte")]
    pub max_file_bytes: u64,
    /// Our columns = their headers; not needed where they agree.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
}

/// How a whole file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whole {
    /// It is written under another name and then renamed.
    Rename,
    /// A file `NAME.sha256` beside it holds its checksum.
    Checksum,
}

/// What a file says of the bookings that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// They are gone.
    Full,
    /// Nothing.
    Delta,
}

/// The characters of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// ISO 8859-1.
    #[serde(rename = "latin1")]
    Latin1,
    /// Windows-1252.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

fn every_csv() -> String {
    "*.csv".to_owned()
}

fn semicolon() -> char {
    ';'
}

fn a_gibibyte() -> u64 {
    1024 * 1024 * 1024
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

fn twenty() -> u32 {
    20
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
