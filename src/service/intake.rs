//! Intake: `source.snapshot ─▶ diff ─▶ change ─▶ brake ─▶ plan ─▶ render ─▶ ledger.record`.
//!
//! One line per source. It concludes nothing from a read that did not run to its end, and where the
//! store says that a belief no longer stood, it reads everything again.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::domain::appointment::{Appointment, BookingKey};
use crate::domain::brake::{PollCounts, brake};
use crate::domain::diff::{Diff, diff, same_again};
use crate::source::{Look, RowFault, Snapshot, Source, SourceError};
use crate::store::{
    Entry, FAULTS_KEPT, Ledger, Marks, NewBatch, NewFault, Record, Recorded, SnapshotMark,
    StoreError,
};

use self::admit::admit;
use self::decide::{DECISION, Decide, quiet_entry};

mod admit;
mod decide;

/// How many appointments one transaction of the baseline writes.
const BASELINE_CHUNK: usize = 2_000;

/// No more faults of one snapshot are written to the log one by one; the rest are counted.
const FAULTS_LOGGED: usize = 20;

/// The line of one source.
pub struct Intake<S, L> {
    shared: Arc<Shared>,
    source: S,
    ledger: L,
    every: Duration,
    /// Some booking was missing in the last snapshot, or nothing is known yet: an unchanged source
    /// still has something to say.
    unsettled: bool,
    /// What the last complete snapshot showed; an unchanged source shows the same again.
    last: SnapshotMark,
}

/// Why a step of intake could not be done; nobody's state changed.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What one step came to.
#[derive(Debug, Default)]
pub struct IntakeStep {
    /// What was recorded.
    pub recorded: Recorded,
    /// What could not be understood or decided; each is an alarm.
    pub faults: Vec<RowFault>,
}

impl<S: Source, L: Ledger> Intake<S, L> {
    /// A line that looks at `source` every `every`.
    pub fn new(shared: Arc<Shared>, source: S, ledger: L, every: Duration) -> Self {
        Self {
            shared,
            source,
            ledger,
            every,
            unsettled: true,
            last: SnapshotMark { rows: 0, faults: 0 },
        }
    }

    /// Looks again and again until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let now = self.shared.clock.now();
            match self.step(now).await {
                Ok(step) => self.note(&step),
                Err(error) => self.note_failure(&error),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.shared.wakes.intake.notified() => {}
                () = self.shared.clock.pause(self.every) => {}
            }
        }
    }

    /// Looks once, decides, and records.
    ///
    /// # Errors
    /// [`IntakeError`]; nobody's state has changed, and the next step reads everything.
    pub async fn step(&mut self, now: DateTime<Utc>) -> Result<IntakeStep, IntakeError> {
        let step = self.look(now).await;
        let again = step.as_ref().map_or(true, |s| {
            !s.recorded.conflicts.is_empty()
                || s.faults.iter().any(|fault| fault.column == DECISION)
        });
        if again {
            // What was not recorded must be found again, even if the source stays silent.
            self.source.forget();
            self.unsettled = true;
        }
        step
    }

    async fn look(&mut self, now: DateTime<Utc>) -> Result<IntakeStep, IntakeError> {
        let look = self.source.snapshot(now).await?;
        if look == Look::Unchanged && !self.unsettled {
            let recorded = self.ledger.record(self.empty(now)).await?;
            return Ok(IntakeStep {
                recorded,
                faults: Vec::new(),
            });
        }
        let marks = self.ledger.marks(self.source.name(), now).await?;
        let (diff, snapshot) = match look {
            Look::Unchanged => (same_again(&marks.marks), None),
            Look::Snapshot(snapshot) => {
                let rows = snapshot.rows.clone();
                (
                    diff(&marks.marks, rows, &snapshot.unreadable),
                    Some(snapshot),
                )
            }
        };
        self.unsettled = !diff.newly_absent.is_empty();
        match snapshot {
            None if !marks.baseline => {
                // Nothing is known yet, so "unchanged" says nothing: everything is read next time.
                self.source.forget();
                self.unsettled = true;
                Ok(IntakeStep::default())
            }
            Some(snapshot) if !marks.baseline => self.baseline(now, diff, snapshot).await,
            snapshot => self.changes(now, &marks, diff, snapshot).await,
        }
    }

    /// The first snapshot: everything is written down in chunks, and nobody is told about history.
    /// It is valid from the last chunk on; an interrupted one starts again.
    async fn baseline(
        &mut self,
        now: DateTime<Utc>,
        diff: Diff,
        snapshot: Snapshot,
    ) -> Result<IntakeStep, IntakeError> {
        let keys: Vec<BookingKey> = diff.touched.iter().map(|row| row.key.clone()).collect();
        let known = self.ledger.known(self.source.name(), &keys).await?;
        let entry = |row: Appointment| {
            let known = known.iter().find(|known| known.appointment.key == row.key);
            quiet_entry(row, known, 0)
        };
        let mut entries: Vec<Entry> = diff.touched.into_iter().map(entry).collect();
        while entries.len() > BASELINE_CHUNK {
            let chunk = entries.split_off(entries.len() - BASELINE_CHUNK);
            let record = Record {
                entries: chunk,
                snapshot: None,
                ..self.empty(now)
            };
            self.ledger.record(record).await?;
        }
        self.last = mark(&snapshot);
        let record = Record {
            entries,
            snapshot: Some(self.last),
            faults: Some(to_keep(&snapshot.faults)),
            ..self.empty(now)
        };
        let recorded = self.ledger.record(record).await?;
        Ok(IntakeStep {
            recorded,
            faults: snapshot.faults,
        })
    }

    async fn changes(
        &mut self,
        now: DateTime<Utc>,
        marks: &Marks,
        mut diff: Diff,
        snapshot: Option<Snapshot>,
    ) -> Result<IntakeStep, IntakeError> {
        if let Some(snapshot) = &snapshot {
            self.last = mark(snapshot);
        }
        // An unchanged source is as little understood as before.
        let all_seen = snapshot.is_some();
        let mut faults = snapshot.map(|snapshot| snapshot.faults).unwrap_or_default();
        let gone = self.look_up(&mut diff, &mut faults).await?;
        let keys: Vec<_> = diff
            .touched
            .iter()
            .map(|row| row.key.clone())
            .chain(gone)
            .collect();
        let known = self.ledger.known(self.source.name(), &keys).await?;
        let announced = self.ledger.closings(now).await?;
        let closings: Vec<_> = announced.iter().map(|a| a.closing.clone()).collect();
        let decide = Decide {
            shared: &self.shared,
            closings: &closings,
            now,
        };
        let mut decided = decide.all(diff.touched, &known, &keys, &mut faults);
        let told = |entry: &&Entry| entry.supersede && !entry.notices.is_empty();
        let mut counts = PollCounts {
            changes: count(decided.iter().filter(told).count()),
            known: count(marks.marks.len()),
            rows: self.last.rows,
        };
        // An empty table is no closing, whatever was announced.
        if counts.rows > 0 {
            counts.changes -= admit(&mut decided, &announced, &self.shared.directory);
        }
        let batch = brake(counts, &self.shared.brake).map(|braked| NewBatch {
            braked,
            changes: counts.changes,
            known: counts.known,
        });
        let mut recorded = Recorded::default();
        if batch.is_some() {
            // What was announced flows; only the rest is held.
            let admitted = decided.extract_if(.., |entry| entry.admitted_by.is_some());
            let flows = Record {
                snapshot: None,
                entries: admitted.collect(),
                ..self.empty(now)
            };
            if !flows.entries.is_empty() {
                recorded = self.ledger.record(flows).await?;
            }
        }
        let record = Record {
            snapshot: Some(self.last),
            absent: diff.newly_absent,
            back: diff.back,
            entries: decided,
            batch,
            faults: all_seen.then(|| to_keep(&faults)),
            ..self.empty(now)
        };
        recorded.add(self.ledger.record(record).await?);
        Ok(IntakeStep { recorded, faults })
    }

    /// Asks the source for the rows that were missing often enough. Those it finds are rows like
    /// any other; those it does not find are gone, and their keys are returned.
    async fn look_up(
        &mut self,
        diff: &mut Diff,
        faults: &mut Vec<RowFault>,
    ) -> Result<Vec<BookingKey>, IntakeError> {
        if diff.missing.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.source.look_up(&diff.missing).await?;
        faults.append(&mut found.faults);
        let is_there = |key: &BookingKey| {
            found.unreadable.contains(key) || found.rows.iter().any(|row| row.key == *key)
        };
        let (there, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut diff.missing)
            .into_iter()
            .partition(is_there);
        diff.back.extend(there);
        diff.touched.append(&mut found.rows);
        Ok(gone)
    }

    fn empty(&self, now: DateTime<Utc>) -> Record {
        Record {
            source: self.source.name().clone(),
            at: now,
            snapshot: Some(self.last),
            absent: Vec::new(),
            back: Vec::new(),
            entries: Vec::new(),
            batch: None,
            faults: None,
        }
    }

    fn note(&self, step: &IntakeStep) {
        let source = self.source.name();
        for fault in step.faults.iter().take(FAULTS_LOGGED) {
            tracing::warn!(source = %source, "not understood, old state kept: {fault}");
        }
        let more = step.faults.len().saturating_sub(FAULTS_LOGGED);
        if more > 0 {
            tracing::warn!(source = %source, "and {more} more values were not understood");
        }
        for _ in &step.faults {
            self.shared.metrics.fault(source);
        }
        let recorded = &step.recorded;
        if recorded.written > 0 {
            tracing::info!(
                source = %source,
                appointments = recorded.written,
                notices = recorded.notices,
                superseded = recorded.superseded,
                conflicts = recorded.conflicts.len(),
                "snapshot recorded"
            );
        }
        if let Some(batch) = recorded.batch {
            tracing::warn!(source = %source, batch = batch.0, "the brake holds this batch until a person releases it");
        }
        self.shared.wakes.messages();
    }

    fn note_failure(&self, error: &IntakeError) {
        let source = self.source.name();
        tracing::error!(source = %source, "nobody's state changed: {error}");
        self.shared.metrics.fault(source);
    }
}

/// What is remembered of faults, for `status` and `explain`.
fn to_keep(faults: &[RowFault]) -> Vec<NewFault> {
    let keep = |fault: &RowFault| NewFault {
        key: fault.key.clone(),
        column: fault.column.clone(),
        problem: fault.problem.clone(),
    };
    faults.iter().take(FAULTS_KEPT).map(keep).collect()
}

fn mark(snapshot: &Snapshot) -> SnapshotMark {
    let rows = snapshot.rows.len() + snapshot.unreadable.len();
    SnapshotMark {
        rows: count(rows),
        faults: count(snapshot.faults.len()),
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
