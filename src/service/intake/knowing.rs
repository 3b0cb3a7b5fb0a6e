//! What the ledger knows, kept in memory from look to look: as long as this process alone reads the
//! source, and everything that it records is noted, nothing else can have changed it.
//!
//! Where that is not sure (another node may have looked, a write failed, the clock was set back), it is
//! read anew.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Intake;
use crate::domain::appointment::{BookingKey, Standing};
use crate::domain::diff::ABSENT_BEFORE_GONE;
use crate::domain::marks::{Mark, Marks};
use crate::service::bundling::bundle;
use crate::source::Source;
use crate::store::{Entry, Ledger, Record, Recorded, StoreResult};

/// What a record says of the bookings that are known, kept while it is written.
struct Noted {
    entries: Vec<(BookingKey, Mark)>,
    absent: Vec<BookingKey>,
    back: Vec<BookingKey>,
}

impl Noted {
    fn of(record: &Record) -> Self {
        let entry = |entry: &Entry| {
            let appointment = &entry.appointment;
            let mark = Mark {
                fingerprint: entry.seen.unwrap_or_else(|| appointment.fingerprint()),
                absent: if entry.gone { ABSENT_BEFORE_GONE } else { 0 },
                cancelled: appointment.state.standing == Standing::Cancelled,
                start: appointment.state.start,
            };
            (appointment.key.clone(), mark)
        };
        Self {
            entries: record.entries.iter().map(entry).collect(),
            absent: record.absent.clone(),
            back: record.back.clone(),
        }
    }

    /// What was written; of a conflict nothing was.
    fn note(self, marks: &mut Marks, recorded: &Recorded) {
        self.absent.iter().for_each(|key| marks.missed(key));
        self.back.iter().for_each(|key| marks.found(key));
        let conflicts: BTreeSet<&BookingKey> = recorded.conflicts.iter().collect();
        let written = self.entries.iter();
        let written = written.filter(|(key, _)| !conflicts.contains(key));
        written.for_each(|(key, mark)| marks.set(key, mark));
    }
}

impl<S: Source, L: Ledger> Intake<S, L> {
    /// What is known, to be put back after the read.
    pub(super) async fn take_known(&mut self, now: DateTime<Utc>) -> StoreResult<Marks> {
        if self
            .known
            .as_ref()
            .is_some_and(|known| known.is_ahead_of(now))
        {
            self.forget();
        }
        if let Some(known) = self.known.take() {
            return Ok(known);
        }
        let known = self.ledger.marks(self.source.name(), now).await?;
        self.known = Some(known);
        self.want_listed();
        Ok(self.known.take().unwrap_or_default())
    }

    /// The rows of what lists cancel are looked at in any case.
    pub(super) fn want_listed(&mut self) {
        if let Some(known) = &mut self.known {
            self.listed.iter().for_each(|key| known.want(key));
        }
    }

    /// Records, and notes what was recorded.
    pub(super) async fn write(&mut self, mut record: Record) -> StoreResult<Recorded> {
        bundle(&self.shared, &mut record.entries);
        let noted = Noted::of(&record);
        let known = self.known.take();
        let recorded = self.ledger.record(record).await?;
        self.known = known.map(|mut known| {
            noted.note(&mut known, &recorded);
            known
        });
        Ok(recorded)
    }

    /// Forgets what the source last showed and what the ledger knows: both are read anew.
    pub(super) fn forget(&mut self) {
        self.source.forget();
        self.known = None;
        self.unsettled = true;
        self.remapped_looks = 0;
    }
}
