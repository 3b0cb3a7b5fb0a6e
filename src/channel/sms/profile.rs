//! The profile of a gateway: what its TOML file may say, checked once and compiled.
//!
//! A profile that compiles can be used for every SMS; what a file may hold and what follows from it
//! stands here and nowhere else. Nothing is fetched and no secret is read here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;

use super::answer::{Class, Table};
use super::compile;
use super::lookup::Lookup;
use super::openness::{OpenWay, open_way};
use super::placeholder::Fill;
use super::report::ReportTable;
use super::request::Form;

/// The profiles that come with Varsel, by name.
pub const BUILT_IN: &[(&str, &str)] = &[
    (
        "kannel",
        include_str!("../../../config/gateways/kannel.toml"),
    ),
    (
        "sandbox",
        include_str!("../../../config/gateways/sandbox.toml"),
    ),
];

/// How long a hand-over may take at most, whatever a profile says.
pub const TIMEOUT_LIMIT_SECONDS: u64 = 120;

/// What is wrong with a profile. The caller knows the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{key}: {problem}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct ProfileFault {
    /// The line, counted from 1, where it is known.
    pub line: Option<usize>,
    /// The key, with its path (`request.headers.X-To`).
    pub key: String,
    /// What is wrong and what to do.
    pub problem: String,
}

/// A compiled profile.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(super) name: String,
    pub(super) connect_timeout: Duration,
    pub(super) timeout: Duration,
    pub(super) keep_alive: Option<Duration>,
    pub(super) max_parts: usize,
    pub(super) form: Form,
    pub(super) table: Table,
    pub(super) report: Option<ReportTable>,
    pub(super) dedup: Option<Duration>,
    pub(super) lookup: Option<Lookup>,
}

impl Profile {
    /// Reads a profile. `name` is the gateway's name in callback URLs.
    ///
    /// # Errors
    /// [`ProfileFault`] with the place and the remedy.
    pub fn parse(name: &str, toml: &str) -> Result<Self, ProfileFault> {
        let settings: Settings = toml::from_str(toml).map_err(|error| ProfileFault {
            line: error.span().map(|span| line_at(toml, span.start)),
            key: "the profile".to_owned(),
            problem: error.message().trim().to_owned(),
        })?;
        compile::profile(name, settings).map_err(|fault| ProfileFault {
            line: line_of(toml, &fault.path),
            key: fault.path.join("."),
            problem: fault.problem,
        })
    }

    /// A profile that comes with Varsel.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, toml) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Some(Self::parse(name, toml).expect("the tests compile every profile that comes with us"))
    }

    /// The same profile at another address.
    ///
    /// # Errors
    /// When `url` is not an `http` or `https` URL.
    pub fn at_url(mut self, url: &str) -> Result<Self, ProfileFault> {
        self.form.url = compile::url(url).map_err(|problem| ProfileFault {
            line: None,
            key: "url".to_owned(),
            problem,
        })?;
        Ok(self)
    }

    /// The way to the gateway, where everybody on it could read what is sent.
    #[must_use]
    pub fn open_way(&self) -> Option<OpenWay> {
        let url = self.form.url.with(|_| "x".to_owned());
        open_way(&Url::parse(&url).ok()?)
    }

    /// The gateway's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the secrets that its texts use.
    #[must_use]
    pub fn secret_names(&self) -> BTreeSet<&str> {
        let asked = self.lookup.iter().flat_map(Lookup::fills);
        let fills = self.form.fills().into_iter().chain(asked);
        fills.flat_map(Fill::secrets).collect()
    }

    /// The longest one hand-over can take, from its start to its outcome.
    #[must_use]
    pub fn longest_send(&self) -> Duration {
        self.timeout
    }

    /// How long a report is waited for; `None` where the gateway gives none.
    #[must_use]
    pub fn report_within(&self) -> Option<Duration> {
        self.report.as_ref().map(|table| table.within)
    }

    /// Within this the gateway takes a message under the same key only once; `None` where it does
    /// not.
    #[must_use]
    pub fn dedup(&self) -> Option<Duration> {
        self.dedup
    }

    /// For so long the gateway is asked what became of an unknown; `None` where it cannot be asked.
    #[must_use]
    pub fn lookup_within(&self) -> Option<Duration> {
        self.lookup.as_ref().map(|lookup| lookup.within)
    }

    pub(super) fn report_table(&self) -> Option<&ReportTable> {
        self.report.as_ref()
    }
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) url: String,
    #[serde(default = "five")]
    pub(super) connect_timeout_seconds: u64,
    #[serde(default = "twenty")]
    pub(super) timeout_seconds: u64,
    /// How long an idle connection is kept; it must be shorter than the gateway keeps it, for one
    /// that the gateway closes under us turns a message into an unknown. Without it, none is kept.
    pub(super) keep_alive_seconds: Option<u64>,
    pub(super) max_parts: usize,
    pub(super) request: RequestSettings,
    pub(super) answer: Vec<AnswerSettings>,
    pub(super) report: Option<ReportSettings>,
    pub(super) dedup: Option<DedupSettings>,
    pub(super) lookup: Option<LookupSettings>,
}

/// The table `request`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestSettings {
    pub(super) method: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) body: BodySettings,
}

/// The table `request.body`: exactly one kind, or none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BodySettings {
    pub(super) text: Option<String>,
    pub(super) form: Option<BTreeMap<String, String>>,
    pub(super) json: Option<toml::Value>,
}

/// One `[[answer]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerSettings {
    /// A number, or a range as text: `"400..499"`, both ends included.
    pub(super) status: toml::Value,
    pub(super) body: Option<String>,
    pub(super) outcome: Class,
    pub(super) gateway_id: Option<String>,
    pub(super) cause: Option<String>,
}

/// The table `report`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReportSettings {
    pub(super) state: String,
    pub(super) words: BTreeMap<String, String>,
    pub(super) detail: Option<DetailSettings>,
    #[serde(default = "a_day")]
    pub(super) within_seconds: u64,
}

/// The table `dedup`: the gateway takes a message under the same key only once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DedupSettings {
    /// Counted from the first hand-over.
    pub(super) window_seconds: u64,
}

/// The table `lookup`: how the gateway is asked whether it knows our key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupSettings {
    /// On the host of `url`, such as `/messages/{key}`.
    pub(super) path: String,
    #[serde(default)]
    pub(super) query: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    pub(super) answer: Vec<AnswerSettings>,
    #[serde(default = "ten_minutes")]
    pub(super) within_seconds: u64,
}

/// The key `report.detail`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DetailSettings {
    pub(super) parameter: String,
    pub(super) keep: String,
}

fn five() -> u64 {
    5
}

fn twenty() -> u64 {
    20
}

fn ten_minutes() -> u64 {
    600
}

fn a_day() -> u64 {
    86_400
}

fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|byte| **byte == b'\n').count()
}

/// The line of a key path, or of the nearest table around it that the file names.
fn line_of(text: &str, path: &[String]) -> Option<usize> {
    use toml::de::{DeTable, DeValue};
    let table = DeTable::parse(text).ok()?;
    let mut here = DeValue::Table(table.into_inner());
    let mut line = None;
    for step in path {
        let next = match step.parse::<usize>() {
            Ok(row) if here.is_array() => here.get(row.checked_sub(1)?).cloned(),
            _ => here.get(step.as_str()).cloned(),
        };
        let Some(next) = next else { break };
        line = Some(line_at(text, next.span().start));
        here = next.into_inner();
    }
    line
}
