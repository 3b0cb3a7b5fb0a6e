//! The brake: stops a batch that is too big to be believed until a person confirms it.
//!
//! An empty table, a wrong database, a changed word or a broken time zone looks exactly like
//! "everyone is cancelled" or "everyone is moved". Nothing here reads a clock or a store: what was
//! found before this poll is given as a number.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::calendar::{self, SendWindow};
use super::directory::{Directory, OfficeId};
use super::message::{Channel, MessageState};

/// What was found so recently counts together with what a poll finds: many small polls must not
/// pass where one large one is stopped.
pub const LATELY: TimeDelta = TimeDelta::hours(1);

/// So many appointments moved by the same length may be all that a source has, and are suspicious.
const SHIFT_LEAST: u32 = 2;

/// The limits of one source: per poll, and per hour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BrakeLimits {
    /// More changes than this in one poll are held.
    pub max_changes: u32,
    /// More than this share of the known future appointments, in (0, 1], is held...
    pub max_share: f64,
    /// ...but never fewer changes than this.
    pub min_changes: u32,
    /// More changes than this within an hour are held.
    pub max_changes_per_hour: u32,
    /// More than this share of the known future appointments within an hour, in (0, 1], is held.
    pub max_share_per_hour: f64,
    /// What a poll finds while more than this share of the standing appointments, in (0, 1], is
    /// missing from the source is held.
    pub max_shrink: f64,
}

/// What one poll found, beside what was found just before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollCounts {
    /// Appointments whose people would be told something.
    pub changes: u32,
    /// Changes of the hour before that nobody has looked at: those that flowed, and those that the
    /// limits of the hour held.
    pub lately: u32,
    /// Future appointments known before the poll.
    pub known: u32,
    /// Those of them that stood.
    pub standing: u32,
    /// Those of the standing that the source does not show any more and nothing announced.
    pub missing: u32,
    /// The largest number of appointments that were moved by one and the same length.
    pub shifted: u32,
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
    /// More changes within the hour than the absolute limit.
    TooManyInAnHour,
    /// A larger share of the appointments within the hour than the limit.
    TooLargeAShareInAnHour,
    /// More of the source is missing than the limit.
    Shrunk,
    /// All times were moved by the same length: a zone or a clock is more likely than a decision.
    UniformShift,
    /// The source suddenly shows no row at all.
    ZeroRows,
    /// The mapping was changed: what differs may be the mapping's doing.
    MappingChanged,
    /// An older state of the store was put back: what differs may have been told already.
    Restored,
}

super::message::words!(Braked {
    TooMany => "too_many",
    TooLargeAShare => "too_large_a_share",
    TooManyInAnHour => "too_many_in_an_hour",
    TooLargeAShareInAnHour => "too_large_a_share_in_an_hour",
    Shrunk => "shrunk",
    UniformShift => "uniform_shift",
    ZeroRows => "zero_rows",
    MappingChanged => "mapping_changed",
    Restored => "restored",
});

impl Braked {
    /// Whether the hour stopped it and not the poll alone. What is held so goes on counting, so that
    /// a trickle does not start to flow again while it lasts.
    #[must_use]
    pub fn is_of_the_hour(self) -> bool {
        matches!(self, Self::TooManyInAnHour | Self::TooLargeAShareInAnHour)
    }
}

impl PollCounts {
    /// Whether no announcement can explain what the source shows: it has no rows, or every time in
    /// it was moved by the same length. That is held at any size.
    #[must_use]
    pub fn unbelievable(&self) -> Option<Braked> {
        if self.changes == 0 {
            return None;
        }
        if self.rows == 0 && self.known > 0 {
            return Some(Braked::ZeroRows);
        }
        // One in ten may have been cancelled, moved otherwise or not understood at the same time.
        let nearly_all = u64::from(self.shifted) * 10 >= u64::from(self.standing) * 9;
        (self.shifted >= SHIFT_LEAST && nearly_all).then_some(Braked::UniformShift)
    }
}

/// Whether the changes of a poll must wait for a person.
#[must_use]
pub fn brake(counts: PollCounts, limits: &BrakeLimits) -> Option<Braked> {
    if counts.changes == 0 {
        return None;
    }
    let hour = counts.lately.saturating_add(counts.changes);
    let is_share = |part: u32, of: u32, most: f64| {
        part > limits.min_changes && f64::from(part) / f64::from(of.max(1)) > most
    };
    let held = [
        (
            is_share(counts.missing, counts.standing, limits.max_shrink),
            Braked::Shrunk,
        ),
        (counts.changes > limits.max_changes, Braked::TooMany),
        (
            is_share(counts.changes, counts.known, limits.max_share),
            Braked::TooLargeAShare,
        ),
        (hour > limits.max_changes_per_hour, Braked::TooManyInAnHour),
        (
            is_share(hour, counts.known, limits.max_share_per_hour),
            Braked::TooLargeAShareInAnHour,
        ),
    ];
    let first = held.into_iter().find(|(held, _)| *held);
    counts.unbelievable().or(first.map(|(_, why)| why))
}

/// How far an appointment was moved in time, and how far its office's clocks were from UTC at the old
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    /// The new start less the old one.
    pub by: TimeDelta,
    /// East of Greenwich it is more than nothing.
    pub from_utc: TimeDelta,
}

/// How many of the moves are alike: the largest group by length, or by what is left of the length where
/// local times have come to be read as UTC or the other way round, which moves those of the winter by
/// another length than those of the summer. A move of the office alone has no length.
#[must_use]
pub fn shifted_alike(moves: impl IntoIterator<Item = Shift>) -> u32 {
    let mut groups: [BTreeMap<TimeDelta, u32>; 3] = Default::default();
    for Shift { by, from_utc } in moves.into_iter().filter(|shift| !shift.by.is_zero()) {
        for (group, length) in groups.iter_mut().zip([by, by - from_utc, by + from_utc]) {
            *group.entry(length).or_default() += 1;
        }
    }
    let sizes = groups.iter().flat_map(BTreeMap::values);
    sizes.copied().max().unwrap_or(0)
}

/// How the first people of a released batch fared, whose messages leave before the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// Some message is still on its way to a gateway.
    Waits,
    /// A gateway took every message.
    Fine,
    /// Some message failed, came back or is unknown: only a person lets the rest go.
    Failed,
}

super::message::words!(Canary {
    Waits => "waits",
    Fine => "fine",
    Failed => "failed",
});

/// How a canary stands, by its messages. The call list says nothing of gateways and texts, and what
/// was superseded or kept back on trial shows nothing: as long as no gateway took anything, it waits.
#[must_use]
pub fn canary(messages: impl IntoIterator<Item = (Channel, MessageState)>) -> Canary {
    use MessageState as S;
    let (mut taken, mut on_its_way) = (false, false);
    for (_, state) in messages.into_iter().filter(|(c, _)| *c != Channel::Phone) {
        match state {
            S::Accepted | S::Delivered | S::Unconfirmed => taken = true,
            S::Superseded | S::Suppressed => {}
            S::Ready | S::Sending | S::Held => on_its_way = true,
            S::Unknown | S::Failed | S::Undelivered | S::Expired => return Canary::Failed,
        }
    }
    if taken && !on_its_way {
        Canary::Fine
    } else {
        Canary::Waits
    }
}

/// Until when a release of a batch still makes sense: that of the office where the moment comes
/// first. An office that the directory does not know is read in `zone`.
#[must_use]
pub fn release_batch_by<'a>(
    first_due_by: DateTime<Utc>,
    offices: impl IntoIterator<Item = &'a OfficeId>,
    directory: &Directory,
    window: SendWindow,
    zone: Tz,
) -> Option<DateTime<Utc>> {
    let zone_of = |office| directory.offices.get(office).map_or(zone, |o| o.zone);
    let zones = offices.into_iter().map(zone_of);
    zones
        .map(|zone| release_by(first_due_by, window, zone))
        .min()
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
