//! How long a rung is tried before the next one takes over, and until when the call list must have
//! been reached: while somebody of the office can still pick up a phone.

use chrono::{DateTime, TimeDelta, Utc};

use super::RungTime;
use crate::domain::directory::{Office, ServiceKind};

/// So much of the office's telephone hours is left to the callers before `due_by`.
const STAFFED: TimeDelta = TimeDelta::hours(1);

/// The last instant at which the call list may be reached so that an hour of the office's telephone
/// hours is left before `due_by`, or as much as there still is. `None` where nobody answers any more
/// before then, or the directory does not say when somebody does.
pub(super) fn call_by(
    office: &Office,
    kind: ServiceKind,
    now: DateTime<Utc>,
    due_by: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let line = office.line(kind).map(|line| &line.hours);
    let hours = line.or(office.practice.opening.as_ref())?;
    hours.last_chance(
        &office.practice.holidays,
        office.zone,
        (now, due_by),
        STAFFED,
    )
}

/// `open`, when a window opens; but `now` where waiting for it would cost telephone hours.
pub(super) fn unless_too_late(
    open: DateTime<Utc>,
    now: DateTime<Utc>,
    call_by: Option<DateTime<Utc>>,
    time: &RungTime,
) -> DateTime<Utc> {
    let too_late = |call_by| open > last_try(call_by, time).max(now);
    if call_by.is_some_and(too_late) {
        now
    } else {
        open
    }
}

/// A rung has a share of the time that is left, within its bounds, never past `due_by`, and never so
/// long that the report of its last try could not be waited for before `call_by`.
pub(super) fn give_up_at(
    from: DateTime<Utc>,
    due_by: DateTime<Utc>,
    call_by: Option<DateTime<Utc>>,
    time: &RungTime,
) -> DateTime<Utc> {
    let left = (due_by - from).to_std().unwrap_or_default();
    let share = left
        .mul_f64(time.share.clamp(0.0, 1.0))
        .max(time.least)
        .min(time.most);
    let end = call_by.map_or(due_by, |call_by| last_try(call_by, time));
    (from + share).min(end.max(from))
}

/// After a try that was accepted, its report is waited for at least `least`.
fn last_try(call_by: DateTime<Utc>, time: &RungTime) -> DateTime<Utc> {
    let least = TimeDelta::from_std(time.least).unwrap_or(TimeDelta::MAX);
    call_by
        .checked_sub_signed(least)
        .unwrap_or(DateTime::<Utc>::MIN_UTC)
}
