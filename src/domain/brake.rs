//! The brake: stops a batch that is too big to be believed until a person confirms it.
//!
//! An empty table, a wrong database or a changed word looks exactly like "everyone is cancelled".

use chrono::{DateTime, NaiveTime, Utc};
use chrono_tz::Tz;

use super::calendar::{self, SendWindow};

/// The limits of one source and poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrakeLimits {
    /// More changes than this in one poll are held.
    pub max_changes: u32,
    /// More than this share of the known future appointments, in (0, 1], is held...
    pub max_share: f64,
    /// ...but never fewer changes than this.
    pub min_changes: u32,
}

/// What one poll found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollCounts {
    /// Appointments whose people would be told something.
    pub changes: u32,
    /// Future appointments known before the poll.
    pub known: u32,
    /// Rows in the snapshot.
    pub rows: u32,
}

/// Why a batch is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Braked {
    /// More changes than the absolute limit.
    TooMany,
    /// A larger share of the appointments than the limit.
    TooLargeAShare,
    /// The source suddenly shows no row at all.
    ZeroRows,
    /// The mapping was changed: what differs may be the mapping's doing.
    MappingChanged,
}

super::message::words!(Braked {
    TooMany => "too_many",
    TooLargeAShare => "too_large_a_share",
    ZeroRows => "zero_rows",
    MappingChanged => "mapping_changed",
});

/// Whether the changes of a poll must wait for a person.
#[must_use]
pub fn brake(counts: PollCounts, limits: &BrakeLimits) -> Option<Braked> {
    if counts.changes == 0 {
        return None;
    }
    if counts.rows == 0 && counts.known > 0 {
        return Some(Braked::ZeroRows);
    }
    if counts.changes > limits.max_changes {
        return Some(Braked::TooMany);
    }
    let share = f64::from(counts.changes) / f64::from(counts.known.max(1));
    let enough = counts.changes > limits.min_changes;
    (enough && share > limits.max_share).then_some(Braked::TooLargeAShare)
}

/// Until when a release still makes sense: the last moment of the send window before the day of
/// the first deadline. What is released on Monday morning is too late for Monday's appointments:
/// people are on their way before a message is read, or before anybody can call them.
#[must_use]
pub fn release_by(first_due_by: DateTime<Utc>, window: SendWindow, zone: Tz) -> DateTime<Utc> {
    let day = calendar::local_day(first_due_by, zone);
    let midnight = calendar::instant(day.and_time(NaiveTime::MIN), zone);
    calendar::last_open(window, zone, midnight)
}
