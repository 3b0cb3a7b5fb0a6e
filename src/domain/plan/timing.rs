//! Until when the call list must have been reached: while somebody of the office can still pick up a
//! phone. The hours are those of the last day, where they change on the way to it.

use chrono::{DateTime, TimeDelta, Utc};

use super::RungTime;
use crate::domain::directory::{Office, ServiceKind};

/// So much of the office's telephone hours is left to the callers before `due_by`.
const STAFFED: TimeDelta = TimeDelta::hours(1);

/// The last instant at which the call list may be reached so that an hour of the office's telephone
/// hours is left before `due_by`, or as much as there still is. `None` where nobody answers any more
/// before then, or the directory does not say when somebody does.
fn call_by(
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

/// When a rung must have had its last try, so that its report can be waited for, and the call list
/// reached while somebody answers; `None` as for [`call_by`].
pub(super) fn last_try(
    office: &Office,
    kind: ServiceKind,
    (now, due_by): (DateTime<Utc>, DateTime<Utc>),
    time: &RungTime,
) -> Option<DateTime<Utc>> {
    let call_by = call_by(office, kind, now, due_by)?;
    let least = TimeDelta::from_std(time.least).unwrap_or(TimeDelta::MAX);
    let last = call_by.checked_sub_signed(least);
    Some(last.unwrap_or(DateTime::<Utc>::MIN_UTC))
}
