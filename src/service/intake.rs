//! Intake: `source.snapshot ─▶ diff ─▶ change ─▶ brake ─▶ plan ─▶ render ─▶ ledger.record`.
//!
//! One line per source. It concludes nothing from a read that did not run to its end, and where the
//! store says that a belief no longer stood, it reads everything again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::clock::{Mono, Steady};
use crate::domain::appointment::{Appointment, BookingKey, SourceName};
use crate::domain::diff::{Diff, same_again};
use crate::domain::marks::Marks;
use crate::domain::settle::{Settling, Waits};
use crate::sabotage;
use crate::source::{Look, RowFault, Source, SourceError};
use crate::store::{
    Entry, FAULTS_KEPT, Known, Ledger, NewFault, Record, Recorded, SnapshotMark, StoreError,
    StoreResult, Watched,
};

use self::counting::Poll;
use self::decide::{DECISION, Decide, not_gone, quiet_entry};
use self::reading::Read;
use self::turn::Turn;

mod admit;
mod counting;
mod decide;
mod knowing;
mod reading;
mod turn;

/// How many appointments one transaction of the baseline writes.
const BASELINE_CHUNK: usize = 2_000;

/// No more faults of one snapshot are written to the log one by one; the rest are counted.
const FAULTS_LOGGED: usize = 20;

/// No more links of rows that are past are kept; where there are more, they are looked up anew.
const MOST_EARLIER: usize = 100_000;

/// Wake-ups make the source looked at this long after the last look at the earliest: whoever writes there
/// often writes more than once.
const BETWEEN_WAKE_UPS: Duration = Duration::from_millis(300);

/// How a source is watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// How long changes wait before they count.
    pub waits: Waits,
    /// People are told what they did themselves.
    pub tell_own: bool,
}

/// What the line of a source is called.
#[must_use]
pub fn line(source: &SourceName) -> String {
    format!("intake {source}")
}

/// The line of one source.
pub struct Intake<S, L> {
    shared: Arc<Shared>,
    source: S,
    ledger: L,
    every: Duration,
    /// Some booking was missing in the last snapshot, or nothing is known yet: an unchanged source
    /// still has something to say.
    unsettled: bool,
    /// What the ledger knows, as long as nobody else can have written it; read anew when it is `None`.
    known: Option<Marks>,
    /// What the last complete snapshot showed; an unchanged source shows the same again.
    last: SnapshotMark,
    watch: Watch,
    turn: Turn,
    /// The changes that do not count yet. After a restart they are found again, and wait again.
    settling: Settling,
    /// What lists cancel, whatever the source shows.
    listed: BTreeSet<BookingKey>,
    /// What rows that are past stand in for.
    earlier: BTreeMap<BookingKey, Option<BookingKey>>,
    /// Looks in a row by a mapping that is not recorded yet, each complete and written down.
    remapped_looks: u8,
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

impl<S: Source, L: Ledger + Clone + 'static> Intake<S, L> {
    /// A line that looks at `source` every `every`.
    pub fn new(shared: Arc<Shared>, source: S, ledger: L, every: Duration) -> Self {
        let turn = Turn::new(source.name(), &shared.node, shared.chance.nonce());
        Self {
            shared,
            source,
            ledger,
            turn,
            every,
            unsettled: true,
            known: None,
            last: SnapshotMark { rows: 0, faults: 0 },
            watch: Watch::default(),
            settling: Settling::default(),
            listed: BTreeSet::new(),
            earlier: BTreeMap::new(),
            remapped_looks: 0,
        }
    }

    /// The same line, watching like this.
    #[must_use]
    pub fn watching(mut self, watch: Watch) -> Self {
        self.watch = watch;
        self
    }

    /// Looks again and again until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let bell = self.shared.wakes.of(self.source.name());
        let mut steady = Steady::default();
        let mut woken = false;
        while !stop.is_cancelled() {
            let now = steady.read(self.shared.clock.now(), Mono::now());
            match self.step(now).await {
                Ok(step) => {
                    self.shared.pulse.round(line(self.source.name()));
                    self.note(&step);
                }
                Err(error) => self.note_failure(&error),
            }
            let looked = Mono::now();
            // Who wakes us may do so a moment before what changed can be seen.
            let pause = match std::mem::take(&mut woken) {
                true => BETWEEN_WAKE_UPS.min(self.every),
                false => self.every,
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = bell.notified() => {
                    woken = true;
                    let early = BETWEEN_WAKE_UPS.saturating_sub(looked.elapsed());
                    self.shared.clock.pause(early).await;
                }
                () = self.shared.clock.pause(pause) => {}
            }
        }
        self.give_up_turn().await;
    }

    /// Looks once, decides, and records.
    ///
    /// # Errors
    /// [`IntakeError`]; nobody's state has changed, and the next step reads everything.
    pub async fn step(&mut self, now: DateTime<Utc>) -> Result<IntakeStep, IntakeError> {
        if self.shared.sending.locked().is_some() {
            // What was recorded by an older state of the store is not to be built upon yet.
            self.forget();
            return Ok(IntakeStep::default());
        }
        let step = self.look(now).await;
        if step.is_err() {
            // What was not recorded is missing for the first time again.
            self.remapped_looks = 0;
        }
        let again = step.as_ref().map_or(true, |s| {
            !self.settling.is_empty()
                || !s.recorded.conflicts.is_empty()
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
        if !self.take_turn().await? {
            return Ok(IntakeStep::default());
        }
        let _turn = self.keep_turn();
        let listed = self.ledger.listed(self.source.name()).await?;
        if listed != self.listed {
            // The same rows mean something else now, even if the source stays silent.
            self.listed = listed;
            self.source.forget();
            self.unsettled = true;
            self.want_listed();
        }
        let watched = self.ledger.watched(self.source.name(), now).await?;
        if watched.is_restored() {
            self.forget();
        }
        let mut known = self.take_known(now).await?;
        let look = self.source.sift(now, &mut known).await;
        let known = self.known.insert(known);
        let look = look?;
        if look == Look::Unchanged && !self.unsettled {
            let recorded = self.write(self.empty(now)).await?;
            return Ok(IntakeStep {
                recorded,
                faults: Vec::new(),
            });
        }
        let (diff, read) = match look {
            Look::Unchanged => {
                known.begin(now);
                (same_again(known), Read::default())
            }
            Look::Snapshot(snapshot) => self.read(snapshot, watched.baseline).await?,
        };
        self.unsettled = !diff.newly_absent.is_empty();
        if watched.baseline {
            return self.changes(now, &watched, diff, read).await;
        }
        if read.all_seen {
            return self.baseline(now, diff, read).await;
        }
        // Nothing is known yet, so "unchanged" says nothing: everything is read next time.
        self.source.forget();
        self.unsettled = true;
        Ok(IntakeStep::default())
    }

    /// The first snapshot: everything is written down in chunks, and nobody is told about history.
    /// It is valid from the last chunk on; an interrupted one starts again.
    async fn baseline(
        &mut self,
        now: DateTime<Utc>,
        diff: Diff,
        read: Read,
    ) -> Result<IntakeStep, IntakeError> {
        let mut rows = diff.touched;
        while rows.len() > BASELINE_CHUNK {
            let chunk = rows.split_off(rows.len() - BASELINE_CHUNK);
            let record = Record {
                entries: self.unsaid(chunk).await?,
                snapshot: None,
                ..self.empty(now)
            };
            self.write(record).await?;
            sabotage::point("intake.after_chunk");
        }
        let record = Record {
            entries: self.unsaid(rows).await?,
            snapshot: Some(self.last),
            mapping: self.source.mapping(),
            // Rows that an interrupted baseline has left behind may be gone by now.
            absent: diff.newly_absent,
            faults: Some(to_keep(&read.faults)),
            ..self.empty(now)
        };
        let recorded = self.write(record).await?;
        Ok(IntakeStep {
            recorded,
            faults: read.faults,
        })
    }

    /// Rows to be written down of which nobody is told.
    async fn unsaid(&self, rows: Vec<Appointment>) -> StoreResult<Vec<Entry>> {
        let keys: Vec<BookingKey> = rows.iter().map(|row| row.key.clone()).collect();
        let known = self.ledger.known(self.source.name(), &keys).await?;
        let known: BTreeMap<&BookingKey, &Known> = known
            .iter()
            .map(|known| (&known.appointment.key, known))
            .collect();
        let entry = |row: Appointment| {
            let known = known.get(&row.key).copied();
            quiet_entry(row, known, 0)
        };
        Ok(rows.into_iter().map(entry).collect())
    }

    /// The rows that are there again and were not understood. A word that is to be left out was; and a list
    /// goes on cancelling what it names.
    fn there_again(&self, diff: &mut Diff, read: &Read) -> BTreeSet<BookingKey> {
        let refused = read.faults.iter().filter_map(|fault| fault.key.as_ref());
        let refused: BTreeSet<&BookingKey> = refused.collect();
        let there = std::mem::take(&mut diff.not_gone).into_iter();
        there
            .filter(|key| refused.contains(key) && !self.listed.contains(key))
            .collect()
    }

    async fn changes(
        &mut self,
        now: DateTime<Utc>,
        watched: &Watched,
        mut diff: Diff,
        mut read: Read,
    ) -> Result<IntakeStep, IntakeError> {
        let remapped = self.is_remapped(watched);
        let mut lost = self.look_up(&mut diff, &mut read).await?;
        let missing = diff.newly_absent.iter().chain(&lost).cloned().collect();
        let there = self.there_again(&mut diff, &read);
        let keys = diff.touched.iter().map(|row| row.key.clone());
        let keys: Vec<_> = keys
            .chain(lost.iter().cloned())
            .chain(there.iter().cloned())
            .collect();
        let known = self.ledger.known(self.source.name(), &keys).await?;
        let again = |known: &&Known| there.contains(&known.appointment.key);
        diff.touched
            .extend(known.iter().filter(again).filter_map(not_gone));
        if remapped.is_none() {
            self.settle(now, &known, &read, &mut diff.touched, &mut lost);
        }
        let keys = diff.touched.iter().map(|row| row.key.clone());
        let keys: Vec<_> = keys.chain(lost).collect();
        let announced = self.ledger.closings(now).await?;
        let closings: Vec<_> = announced.iter().map(|a| a.closing.clone()).collect();
        let decide = Decide {
            shared: &self.shared,
            closings: &closings,
            now,
            by_person: match self.watch.tell_own {
                true => BTreeSet::new(),
                false => std::mem::take(&mut read.by_person),
            },
        };
        let mut faults = read.faults;
        let mut decided = decide.all(diff.touched, &known, &keys, &mut faults);
        let poll = Poll {
            lately: watched.lately,
            remapped,
            missing,
        };
        let batch = self.braked(&poll, &mut decided, &announced);
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
                recorded = self.write(flows).await?;
            }
        }
        // A source that is silent since a complete look shows the same once more.
        let looked = read.all_seen || self.remapped_looks > 0;
        let settled = looked && self.is_settled(diff.newly_absent.is_empty());
        let record = Record {
            snapshot: Some(self.last),
            mapping: settled.then(|| self.source.mapping()).flatten(),
            absent: diff.newly_absent,
            back: diff.back,
            entries: decided,
            batch,
            faults: read.all_seen.then(|| to_keep(&faults)),
            ..self.empty(now)
        };
        sabotage::point("intake.before_record");
        recorded.add(self.write(record).await?);
        self.count_remapped(&poll, looked);
        sabotage::point("intake.after_record");
        Ok(IntakeStep { recorded, faults })
    }

    fn empty(&self, now: DateTime<Utc>) -> Record {
        Record {
            source: self.source.name().clone(),
            at: now,
            lease: self.turn.lease,
            snapshot: Some(self.last),
            mapping: None,
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

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
