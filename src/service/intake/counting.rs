//! Which differences count now, and which of them leave without a person's word.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Offset, TimeDelta, Utc};
use chrono_tz::Tz;

use super::admit::admit;
use super::decide::{differs, gone};
use super::reading::Read;
use super::{Intake, count};
use crate::domain::appointment::{Appointment, BookingKey};
use crate::domain::brake::{Braked, PollCounts, Shift, brake, shifted_alike};
use crate::domain::change::ChangeKind;
use crate::domain::closing::Announced;
use crate::domain::diff::ABSENT_BEFORE_GONE;
use crate::domain::directory::Directory;
use crate::domain::marks::Marks;
use crate::sabotage::{self, Guard};
use crate::source::Source;
use crate::store::{Entry, Known, Ledger, NewBatch, Watched};

/// What a poll found, as the brake looks at it.
pub(super) struct Poll {
    /// What was found in the hour before.
    pub(super) lately: u32,
    /// Why what differs may not be a change of the world, if it may not.
    pub(super) remapped: Option<Braked>,
    /// Standing appointments that the source does not show any more, whether believed gone or not.
    pub(super) missing: BTreeSet<BookingKey>,
}

impl Poll {
    /// How many are missing that no closing announced.
    fn missing_unannounced(&self, decided: &[Entry]) -> usize {
        let admitted = decided.iter().filter(|entry| entry.admitted_by.is_some());
        let announced = admitted.filter(|entry| self.missing.contains(&entry.appointment.key));
        self.missing.len() - announced.count()
    }
}

/// By how much an appointment was moved, against what its person believes.
fn shift(entry: &Entry, directory: &Directory) -> Option<Shift> {
    let notice = entry.notices.first().filter(|_| entry.supersede)?;
    let moved = matches!(notice.change.kind, ChangeKind::Moved { time: true, .. });
    let (old, new) = (&notice.change.old, &notice.change.new);
    let zone = directory
        .offices
        .get(&old.office)
        .map_or(Tz::UTC, |o| o.zone);
    let from_utc = old.start.with_timezone(&zone).offset().fix();
    moved.then(|| Shift {
        by: new.start - old.start,
        from_utc: TimeDelta::seconds(from_utc.local_minus_utc().into()),
    })
}

impl<S: Source, L: Ledger> Intake<S, L> {
    /// Why what differs may not be a change of the world: the rows get their meaning from another
    /// mapping than before, or an older state of the store was put back.
    pub(super) fn is_remapped(&self, watched: &Watched) -> Option<Braked> {
        if watched.is_restored() {
            return Some(Braked::Restored);
        }
        let now = self.source.mapping();
        let remapped = watched.mapping.is_some() && now.is_some() && watched.mapping != now;
        remapped.then_some(Braked::MappingChanged)
    }

    /// Whether nothing that this look found missing can still be the doing of a new mapping: what it hides
    /// was missing from the first look on.
    pub(super) fn is_settled(&self, all_there: bool) -> bool {
        all_there || self.remapped_looks.saturating_add(1) >= ABSENT_BEFORE_GONE
    }

    /// Counts a look by a mapping that was not recorded before, once all that it found is.
    pub(super) fn count_remapped(&mut self, poll: &Poll, looked: bool) {
        self.remapped_looks = match poll.remapped {
            None => 0,
            Some(_) => self.remapped_looks.saturating_add(looked.into()),
        };
    }

    /// Takes out what has to wait still. It is not recorded, so the next look finds it again.
    pub(super) fn settle(
        &mut self,
        now: DateTime<Utc>,
        known: &[Known],
        read: &Read,
        touched: &mut Vec<Appointment>,
        lost: &mut Vec<BookingKey>,
    ) {
        let known: BTreeMap<&BookingKey, &Known> = known
            .iter()
            .map(|known| (&known.appointment.key, known))
            .collect();
        let (settling, waits) = (&mut self.settling, &self.watch.waits);
        let mut different = BTreeSet::new();
        let mut may_count = |row: &Appointment, known: &Known| {
            if !differs(row, known) {
                return true;
            }
            let awaiting = read.awaiting.contains(&row.key);
            let waits = settling.must_wait(&row.key, &row.state, awaiting, waits, now);
            if waits {
                different.insert(row.key.clone());
            }
            !waits
        };
        touched.retain(|row| {
            known
                .get(&row.key)
                .is_none_or(|known| may_count(row, known))
        });
        lost.retain(|key| {
            known
                .get(key)
                .is_none_or(|known| may_count(&gone(known), known))
        });
        settling.keep(|key| different.contains(key));
    }

    /// The batch that holds what was decided, if it must not leave without a person's word. What an
    /// announcement admits is marked, and does not count.
    pub(super) fn braked(
        &self,
        poll: &Poll,
        decided: &mut [Entry],
        announced: &[Announced],
    ) -> Option<NewBatch> {
        let known = self.known.as_ref();
        let moved = |entry: &Entry| shift(entry, &self.shared.directory);
        let mut counts = PollCounts {
            changes: count(decided.iter().filter(|entry| entry.is_change()).count()),
            lately: poll.lately,
            known: count(known.map_or(0, Marks::len)),
            standing: count(known.map_or(0, Marks::standing)),
            missing: count(poll.missing.len()),
            shifted: shifted_alike(decided.iter().filter_map(moved)),
            rows: self.last.rows,
        };
        let braked = if poll.remapped.is_some() {
            poll.remapped.filter(|_| counts.changes > 0)
        } else {
            // No closing empties a table or moves everything alike, whatever was announced.
            if counts.unbelievable().is_none() {
                counts.changes -= admit(decided, announced, &self.shared.directory);
                counts.missing = count(poll.missing_unannounced(decided));
            }
            brake(counts, &self.shared.brake)
        };
        let braked = braked.filter(|_| !sabotage::is_off(Guard::Brake));
        braked.map(|braked| NewBatch {
            braked,
            changes: counts.changes,
            known: counts.known,
        })
    }
}
