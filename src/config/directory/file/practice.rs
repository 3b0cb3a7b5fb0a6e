//! The shape of what offices and districts tell of their work: hours, bookings, passports,
//! guidelines.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveTime, Weekday};
use serde::Deserialize;
use toml::Spanned;

use super::{PerLanguageLines, Words, day};
use crate::domain::directory::{Application, BookingWay};
use crate::domain::hours::Hours;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config::directory) struct GuidelinesToml {
    pub(in crate::config::directory) version: Spanned<String>,
    pub(in crate::config::directory) districts: Vec<Spanned<String>>,
    pub(in crate::config::directory) distance_metres: u32,
    #[serde(default)]
    pub(in crate::config::directory) local: BTreeMap<Spanned<String>, PerLanguageLines>,
    #[serde(default, deserialize_with = "day")]
    pub(in crate::config::directory) from: Option<Spanned<NaiveDate>>,
    #[serde(default, deserialize_with = "day")]
    pub(in crate::config::directory) until: Option<Spanned<NaiveDate>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config::directory) struct PassportsToml {
    pub(in crate::config::directory) fee_from_16: Option<Spanned<FeeToml>>,
    pub(in crate::config::directory) fee_under_16: Option<Spanned<FeeToml>>,
    #[serde(default)]
    pub(in crate::config::directory) cash: bool,
    #[serde(default)]
    pub(in crate::config::directory) number_required: bool,
    pub(in crate::config::directory) production_time: Option<Spanned<Words>>,
    #[serde(default)]
    pub(in crate::config::directory) emergency: bool,
    #[serde(default, deserialize_with = "day")]
    pub(in crate::config::directory) from: Option<Spanned<NaiveDate>>,
    #[serde(default, deserialize_with = "day")]
    pub(in crate::config::directory) until: Option<Spanned<NaiveDate>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config::directory) struct FeeToml {
    pub(in crate::config::directory) amount: u32,
    pub(in crate::config::directory) currency: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::config::directory) struct BookingToml {
    pub(in crate::config::directory) way: BookingWayToml,
    pub(in crate::config::directory) how: Option<Spanned<Words>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config::directory) enum BookingWayToml {
    Online,
    Phone,
    Email,
    Invitation,
}

impl From<BookingWayToml> for BookingWay {
    fn from(way: BookingWayToml) -> Self {
        match way {
            BookingWayToml::Online => Self::Online,
            BookingWayToml::Phone => Self::Phone,
            BookingWayToml::Email => Self::Email,
            BookingWayToml::Invitation => Self::Invitation,
        }
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config::directory) enum ApplicationToml {
    New,
    Replacement,
    Emergency,
}

impl From<ApplicationToml> for Application {
    fn from(application: ApplicationToml) -> Self {
        match application {
            ApplicationToml::New => Self::New,
            ApplicationToml::Replacement => Self::Replacement,
            ApplicationToml::Emergency => Self::Emergency,
        }
    }
}

/// "09:00-15:00", from Monday to Friday, or with its days: "Sun-Thu 08:30-16:00",
/// "Mon, Wed 10:00-14:00".
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::config::directory) struct HoursToml(pub(in crate::config::directory) Hours);

impl FromStr for HoursToml {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" are no hours: write \"09:00-15:00\" (Monday to Friday) or \
                 \"Sun-Thu 08:30-16:00\""
            )
        };
        let (days, times) = match text.trim().rsplit_once(' ') {
            Some((days, times)) => (Some(days), times),
            None => (None, text.trim()),
        };
        let (from, to) = times.split_once(['-', '–']).ok_or_else(wrong)?;
        let time = |part: &str| NaiveTime::parse_from_str(part, "%H:%M").map_err(|_| wrong());
        let (from, to) = (time(from)?, time(to)?);
        if to <= from {
            return Err(format!(
                "\"{text}\" are no hours: they end before they begin"
            ));
        }
        let mut hours = Hours::workdays(from, to);
        if let Some(days) = days {
            hours.week = week(days).ok_or_else(wrong)?;
        }
        Ok(Self(hours))
    }
}

impl TryFrom<String> for HoursToml {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// "Sun-Thu" or "Mon, Wed".
fn week(days: &str) -> Option<Vec<Weekday>> {
    let day = |text: &str| text.trim().parse::<Weekday>().ok();
    let mut week = Vec::new();
    for part in days.split(',') {
        let (first, last) = match part.split_once(['-', '–']) {
            Some((first, last)) => (day(first)?, day(last)?),
            None => (day(part)?, day(part)?),
        };
        let run = std::iter::successors(Some(first), |day| Some(day.succ())).take(7);
        let length = 1 + run.clone().position(|day| day == last)?;
        week.extend(run.take(length));
    }
    let mut seen = week.clone();
    seen.sort_by_key(Weekday::num_days_from_monday);
    seen.dedup();
    (seen.len() == week.len()).then_some(week)
}
