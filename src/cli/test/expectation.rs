//! A file of expectations: given this appointment and this clock, these notices and these texts.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use crate::config::ConfigError;

/// One case.
pub(super) struct Case {
    /// What it shows, in a sentence.
    pub(super) name: String,
    /// Where it stands in its file.
    pub(super) line: usize,
    /// The same, as bytes.
    pub(super) span: Range<usize>,
    /// What is given.
    pub(super) given: Given,
    /// What is expected; nothing means that nobody is told.
    pub(super) expected: Vec<Expected>,
}

/// What is given: an appointment, what happens to it, and the time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    name: Spanned<String>,
    /// The time at the office.
    pub(super) now: Moment,
    pub(super) office: String,
    pub(super) service: String,
    /// The start, at the office.
    pub(super) start: Moment,
    pub(super) happens: Happens,
    pub(super) new_start: Option<Moment>,
    pub(super) new_office: Option<String>,
    /// The person's own language; left out, it is not known.
    pub(super) language: Option<String>,
    /// Whom it concerns; left out, the applicant.
    pub(super) role: Option<String>,
    #[serde(default = "yes")]
    pub(super) has_phone: bool,
    #[serde(default = "yes")]
    pub(super) has_email: bool,
    pub(super) closing: Option<GivenClosing>,
    #[serde(default)]
    expect: Vec<Spanned<ExpectToml>>,
}

/// What happens to the appointment.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Happens {
    /// It is cancelled.
    Cancelled,
    /// It is moved, to `new_start`, `new_office` or both.
    Moved,
    /// It stands after all.
    Reinstated,
}

/// A closing that covers the office.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenClosing {
    pub(super) kind: String,
    pub(super) from: Day,
    pub(super) to: Day,
    pub(super) next: String,
    #[serde(default)]
    pub(super) reason: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectToml {
    purpose: String,
    channel: String,
    text: Option<String>,
    subject: Option<String>,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    lacks: Vec<String>,
    parts: Option<usize>,
}

/// One message that is expected.
pub(super) struct Expected {
    pub(super) line: usize,
    pub(super) purpose: String,
    pub(super) channel: String,
    /// The whole text; `{ref}` stands for the reference.
    pub(super) text: Option<String>,
    pub(super) subject: Option<String>,
    /// What the text has in it.
    pub(super) contains: Vec<String>,
    /// What it must not have.
    pub(super) lacks: Vec<String>,
    pub(super) parts: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Given>,
}

fn yes() -> bool {
    true
}

/// A local time, "2021-03-24T09:20:00".
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Datetime")]
pub(super) struct Moment(pub(super) NaiveDateTime);

/// A day, "2021-03-24".
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "Datetime")]
pub(super) struct Day(pub(super) NaiveDate);

impl TryFrom<Datetime> for Moment {
    type Error = &'static str;

    fn try_from(written: Datetime) -> Result<Self, Self::Error> {
        let time = written.time.filter(|_| written.offset.is_none());
        let time = time.and_then(|time| {
            let second = time.second.unwrap_or_default();
            NaiveTime::from_hms_opt(time.hour.into(), time.minute.into(), second.into())
        });
        let moment = day(&written).zip(time);
        let moment = moment.map(|(day, time)| Self(day.and_time(time)));
        moment.ok_or("a time is written 2021-03-24T09:20:00, as the office's clock shows it")
    }
}

impl TryFrom<Datetime> for Day {
    type Error = &'static str;

    fn try_from(written: Datetime) -> Result<Self, Self::Error> {
        let day = day(&written).filter(|_| written.time.is_none());
        day.map(Self)
            .ok_or("a day is written 2021-03-24, without a time")
    }
}

fn day(written: &Datetime) -> Option<NaiveDate> {
    let date = written.date?;
    NaiveDate::from_ymd_opt(date.year.into(), date.month.into(), date.day.into())
}

/// The cases of a file.
///
/// # Errors
/// The first thing in it that is wrong, at its place.
pub(super) fn read(name: &str, text: &str) -> Result<Vec<Case>, ConfigError> {
    let file: File = toml::from_str(text).map_err(|error| {
        let help = "templates/README.md says how expectations are written";
        let span = error.span().unwrap_or(0..0);
        ConfigError::new(error.message(), help).at(name, text, span)
    })?;
    let line = |offset: usize| {
        let before = text.get(..offset).unwrap_or_default();
        before.matches('\n').count() + 1
    };
    let expected = |toml: Spanned<ExpectToml>| {
        // The span of a table begins at its header or at its first key.
        let line = line(toml.span().start);
        let toml = toml.into_inner();
        Expected {
            line,
            purpose: toml.purpose,
            channel: toml.channel,
            text: toml.text,
            subject: toml.subject,
            contains: toml.contains,
            lacks: toml.lacks,
            parts: toml.parts,
        }
    };
    let case = |mut given: Given| Case {
        name: given.name.get_ref().clone(),
        line: line(given.name.span().start),
        span: given.name.span(),
        expected: std::mem::take(&mut given.expect)
            .into_iter()
            .map(expected)
            .collect(),
        given,
    };
    Ok(file.case.into_iter().map(case).collect())
}
