//! Cron schedules in civil time: enumerated in local wall time, then resolved in the zone.
//!
//! The crate `cron` steps through instants and so skips a run whose local time the spring change
//! leaves out and repeats one that autumn repeats. Here a skipped time runs right after the gap,
//! and a repeated one runs once.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::calendar;

/// A schedule of five fields (minute, hour, day of month, month, weekday by name) in one zone.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: cron::Schedule,
    zone: Tz,
}

/// Why an expression is not a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It has not five fields.
    #[error("a schedule has five fields: minute, hour, day of month, month, weekday; this has {0}")]
    Fields(usize),
    /// Weekdays are numbered.
    #[error("name the weekday (Mon, Tue, …): its numbers mean different days in different systems")]
    NumberedWeekday,
    /// It does not parse.
    #[error("not a schedule: {0}")]
    Syntax(String),
}

impl Schedule {
    /// Reads an expression such as `30 3 * * *` or `0 8 * * Mon-Fri`.
    ///
    /// # Errors
    /// [`ScheduleError`] says what is wrong.
    pub fn new(expression: &str, zone: Tz) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        if fields.len() != 5 {
            return Err(ScheduleError::Fields(fields.len()));
        }
        if fields[4].chars().any(|c| c.is_ascii_digit()) {
            return Err(ScheduleError::NumberedWeekday);
        }
        // The crate wants seconds first.
        let cron = cron::Schedule::from_str(&format!("0 {}", fields.join(" ")));
        let cron = cron.map_err(|error| ScheduleError::Syntax(error.to_string()))?;
        Ok(Self { cron, zone })
    }

    /// The first run after `at`; `None` when there is none ever.
    #[must_use]
    pub fn after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Local wall time dressed as UTC: no gap and no fold while enumerating. Starting a day
        // early finds the runs that a fold or gap moved across `at`.
        let wall =
            at.with_timezone(&self.zone).naive_local().and_utc() - chrono::TimeDelta::days(1);
        let runs = self
            .cron
            .after(&wall)
            .map(|run| calendar::instant(run.naive_utc(), self.zone));
        runs.take(MOST_RUNS).find(|run| *run > at)
    }
}

/// Two days of runs every minute: more than any expression has between a day before and the next.
const MOST_RUNS: usize = 2 * 24 * 60 + 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn oslo(expression: &str) -> Schedule {
        Schedule::new(expression, chrono_tz::Europe::Oslo).unwrap()
    }

    #[test]
    fn a_time_that_spring_skips_runs_right_after_the_gap() {
        let next = oslo("30 2 * * *").after(utc("2021-03-27T12:00:00Z"));
        assert_eq!(next, Some(utc("2021-03-28T01:00:00Z")));
    }

    #[test]
    fn a_time_that_autumn_repeats_runs_once() {
        let nightly = oslo("30 2 * * *");
        let first = nightly.after(utc("2021-10-30T12:00:00Z")).unwrap();
        assert_eq!(first, utc("2021-10-31T00:30:00Z"));
        assert_eq!(nightly.after(first), Some(utc("2021-11-01T01:30:00Z")));
    }

    #[test]
    fn weekdays_go_by_name() {
        let monday = oslo("0 8 * * Mon").after(utc("2021-03-16T13:00:00Z"));
        assert_eq!(monday, Some(utc("2021-03-22T07:00:00Z")));
        let numbered = Schedule::new("0 8 * * 1", chrono_tz::Europe::Oslo).unwrap_err();
        assert_eq!(numbered, ScheduleError::NumberedWeekday);
    }

    #[test]
    fn other_forms_are_refused() {
        let zone = chrono_tz::Europe::Oslo;
        assert_eq!(
            Schedule::new("0 30 3 * * *", zone).unwrap_err(),
            ScheduleError::Fields(6)
        );
        assert!(matches!(
            Schedule::new("61 3 * * *", zone),
            Err(ScheduleError::Syntax(_))
        ));
    }
}
