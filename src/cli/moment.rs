//! The times that people type and read: in the agency's zone unless they say otherwise.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;

use super::{Exit, Failure, Reading};
use crate::clock::Clock;
use crate::domain::calendar;

/// The forms of a time without an offset.
const LOCAL_FORMS: [&str; 4] = [
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S",
];

impl Reading {
    /// The time to look at: what was asked for, or the present.
    pub(super) fn now(&self, zone: Tz) -> Result<DateTime<Utc>, Failure> {
        match &self.at {
            None => Ok(Clock::system().now()),
            Some(text) => read(text, zone).ok_or_else(|| {
                let help = "write 2021-03-16T14:00, 2021-03-16 (its midnight) or 2021-03-16T14:00:00+01:00";
                Failure::new(Exit::Usage, format!("\"{text}\" is not a time"), help)
            }),
        }
    }
}

fn read(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let mut forms = LOCAL_FORMS.iter();
    let local = forms.find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let midnight = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN));
    Some(calendar::instant(local.or_else(midnight)?, zone))
}

/// "Tue 16 Mar 2021 14:02:11".
pub(super) fn second(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .format("%a %-d %b %Y %H:%M:%S")
        .to_string()
}

/// "Tue 16 Mar 2021 14:02".
pub(super) fn minute(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone)
        .format("%a %-d %b %Y %H:%M")
        .to_string()
}

/// A day as it is typed.
///
/// # Errors
/// What to type instead, in words.
pub(super) fn day(text: &str) -> Result<NaiveDate, String> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    day.map_err(|_| "no such day; write it as 2021-03-17".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_in_the_zone_unless_it_has_an_offset() {
        let oslo = chrono_tz::Europe::Oslo;
        let noon: DateTime<Utc> = "2021-03-16T13:00:00Z".parse().unwrap();
        for text in [
            "2021-03-16T14:00",
            "2021-03-16 14:00:00",
            "2021-03-16T13:00:00Z",
        ] {
            assert_eq!(read(text, oslo), Some(noon), "{text}");
        }
        let midnight: DateTime<Utc> = "2021-03-15T23:00:00Z".parse().unwrap();
        assert_eq!(read("2021-03-16", oslo), Some(midnight));
        assert_eq!(read("16.03.2021", oslo), None);
    }
}
