//! Which differences count now, and which of them leave without a person's word.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::admit::admit;
use super::decide::{differs, gone};
use super::reading::Read;
use super::{Intake, count};
use crate::domain::appointment::{Appointment, BookingKey};
use crate::domain::brake::{Braked, PollCounts, brake};
use crate::domain::closing::Announced;
use crate::sabotage::{self, Guard};
use crate::source::Source;
use crate::store::{Entry, Known, Ledger, Marks, NewBatch};

impl<S: Source, L: Ledger> Intake<S, L> {
    /// Whether the rows get their meaning from another mapping than before.
    pub(super) fn is_remapped(&self, marks: &Marks) -> bool {
        let now = self.source.mapping();
        marks.mapping.is_some() && now.is_some() && marks.mapping != now
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
        remapped: bool,
        known: u32,
        decided: &mut [Entry],
        announced: &[Announced],
    ) -> Option<NewBatch> {
        let told = |entry: &&Entry| entry.supersede && !entry.notices.is_empty();
        let mut counts = PollCounts {
            changes: count(decided.iter().filter(told).count()),
            known,
            rows: self.last.rows,
        };
        let braked = if remapped {
            (counts.changes > 0).then_some(Braked::MappingChanged)
        } else {
            // An empty table is no closing, whatever was announced.
            if counts.rows > 0 {
                counts.changes -= admit(decided, announced, &self.shared.directory);
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
