//! What intake would do now, without doing it: the same line over a ledger that keeps what it is told
//! to record for itself.
//!
//! Nothing is recorded and nothing is sent. Changes need not settle, and a row that is missing is
//! looked up at once, so what is shown is what a few quiet minutes would come to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use super::chance::Chance;
use super::intake::{Intake, IntakeError, Watch};
use super::pauses::Pauses;
use super::{Pulse, Shared, ToldOnByChannel, Trust, Wakes};
use crate::clock::Clock;
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::brake::BrakeLimits;
use crate::domain::closing::Announced;
use crate::domain::diff::ABSENT_BEFORE_GONE;
use crate::domain::directory::Directory;
use crate::domain::marks::Marks;
use crate::domain::message::ToldOn;
use crate::domain::plan::Rules;
use crate::domain::retry::RetryPolicy;
use crate::source::{AnySource, RowFault, Settings};
use crate::store::{
    Entry, Known, Lease, LeaseAsk, Ledger, NewBatch, Page, Record, Recorded, StoreResult,
    SweepLimits, Watched,
};
use crate::telemetry::Metrics;
use crate::template::Templates;

/// What a poll of one source would come to now.
#[derive(Debug)]
pub struct Rehearsed {
    /// The source.
    pub source: SourceName,
    /// Whether the source has been read before. Without a baseline nobody is told anything.
    pub baseline: bool,
    /// Rows in the snapshot.
    pub rows: u32,
    /// What would be recorded.
    pub entries: Vec<Entry>,
    /// The batch that the brake would hold; what a closing admits is not part of it.
    pub batch: Option<NewBatch>,
    /// What could not be understood or decided.
    pub faults: Vec<RowFault>,
}

/// What is needed to decide and to write, without a service.
pub struct Means {
    /// The agency's directory.
    pub directory: Arc<Directory>,
    /// The texts.
    pub templates: Arc<Templates>,
    /// The rules of planning.
    pub rules: Rules,
    /// When the brake stops a poll.
    pub brake: BrakeLimits,
}

/// Looks at one source as the daemon would at `now`.
///
/// # Errors
/// [`IntakeError`] when the source or the store cannot be read.
pub async fn rehearse<L: Ledger + Clone + 'static>(
    means: Means,
    settings: Settings,
    ledger: L,
    now: DateTime<Utc>,
) -> Result<Rehearsed, IntakeError> {
    let source = settings.name().clone();
    let watch = Watch {
        tell_own: settings.tell_own,
        ..Watch::default()
    };
    let every = settings.every;
    let open = AnySource::open(settings, Arc::clone(&means.directory)).await?;
    let shared = Arc::new(shared(means));
    let kept = Arc::new(Mutex::new(Vec::new()));
    let baseline = ledger.watched(&source, now).await?.baseline;
    let ledger = Rehearsing {
        ledger,
        kept: Arc::clone(&kept),
    };
    let mut intake = Intake::new(shared, open, ledger, every).watching(watch);
    let step = intake.step(now).await?;
    let records = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
    let mut rehearsed = Rehearsed {
        source,
        baseline,
        rows: 0,
        entries: Vec::new(),
        batch: None,
        faults: step.faults,
    };
    for record in records {
        let rows = record.snapshot.map_or(0, |snapshot| snapshot.rows);
        rehearsed.rows = rehearsed.rows.max(rows);
        rehearsed.batch = rehearsed.batch.or(record.batch);
        rehearsed.entries.extend(record.entries);
    }
    Ok(rehearsed)
}

fn shared(means: Means) -> Shared {
    let (rung_time, quiet_reserve) = (means.rules.rung_time, means.rules.quiet_reserve);
    Shared {
        node: "rehearsal".to_owned(),
        clock: Clock::system(),
        chance: Chance::system(),
        sources: Vec::new(),
        directory: means.directory,
        templates: means.templates,
        rules: means.rules,
        brake: means.brake,
        retry: RetryPolicy {
            base: std::time::Duration::from_secs(1),
            cap: std::time::Duration::from_secs(1),
        },
        sweep: SweepLimits {
            batch: 1,
            parked: std::time::Duration::ZERO,
            canary_wait: std::time::Duration::ZERO,
            rung_time,
            quiet_reserve,
            tried_since: None,
        },
        told_on: ToldOnByChannel {
            sms: ToldOn::Delivered,
            email: ToldOn::Accepted,
        },
        // Nothing leaves, so nothing is signed.
        mail_secret: [0; 32],
        report_secret: [0; 32],
        metrics: Metrics::default(),
        wakes: Wakes::default(),
        pauses: Pauses::default(),
        pulse: Pulse::default(),
        trust: Trust::default(),
        sending: Arc::default(),
        look_again: std::time::Duration::from_secs(1),
    }
}

/// Reads through to a ledger, and keeps for itself what it is told to record.
#[derive(Clone)]
struct Rehearsing<L> {
    ledger: L,
    kept: Arc<Mutex<Vec<Record>>>,
}

impl<L: Ledger> Ledger for Rehearsing<L> {
    /// As they stand, but whatever is missing now was missing before: it is looked up at once.
    async fn marks(&self, source: &SourceName, floor: DateTime<Utc>) -> StoreResult<Marks> {
        let mut marks = self.ledger.marks(source, floor).await?;
        marks.take_for_missing(ABSENT_BEFORE_GONE - 1);
        Ok(marks)
    }

    async fn watched(&self, source: &SourceName, now: DateTime<Utc>) -> StoreResult<Watched> {
        self.ledger.watched(source, now).await
    }

    async fn known(&self, source: &SourceName, keys: &[BookingKey]) -> StoreResult<Vec<Known>> {
        self.ledger.known(source, keys).await
    }

    /// Nobody is kept from reading by somebody who only looks.
    async fn lease(&self, ask: &LeaseAsk) -> StoreResult<Option<Lease>> {
        Ok(Some(Lease {
            fence: 0,
            length: ask.length,
        }))
    }

    async fn listed(&self, source: &SourceName) -> StoreResult<BTreeSet<BookingKey>> {
        self.ledger.listed(source).await
    }

    async fn released(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.ledger.released(page).await
    }

    async fn climbable(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.ledger.climbable(page).await
    }

    async fn asked(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.ledger.asked(page).await
    }

    async fn closings(&self, now: DateTime<Utc>) -> StoreResult<Vec<Announced>> {
        self.ledger.closings(now).await
    }

    async fn record(&self, record: Record) -> StoreResult<Recorded> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push(record);
        Ok(Recorded::default())
    }
}

/// Messages of one gateway, as they would leave at a steady rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// When the last one leaves.
    pub last: DateTime<Utc>,
    /// How many leave after their deadline.
    pub late: u32,
}

/// How messages leave one after another, `per_second` of them, the earliest deadline first: each
/// with the moment from which it may leave and its deadline. `None` where there are none.
#[must_use]
pub fn pace(
    now: DateTime<Utc>,
    per_second: u32,
    messages: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Option<Pace> {
    let mut messages = messages.to_vec();
    // What may leave later leaves later, whatever its deadline: nobody waits for it meanwhile.
    messages.sort_by_key(|(not_before, due_by)| ((*not_before).max(now), *due_by));
    let gap = TimeDelta::microseconds(1_000_000 / i64::from(per_second.max(1)));
    let mut free = now;
    let mut pace = None;
    for (not_before, due_by) in messages {
        let leaves = free.max(not_before);
        free = leaves + gap;
        let late = pace.map_or(0, |pace: Pace| pace.late) + u32::from(due_by < leaves);
        pace = Some(Pace { last: leaves, late });
    }
    pace
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_leave_at_their_pace_and_those_that_come_too_late_are_counted() {
        let now: DateTime<Utc> = "2021-03-16T13:00:00Z".parse().unwrap();
        let second = TimeDelta::seconds(1);
        assert_eq!(pace(now, 10, &[]), None);
        let soon = (now, now + second);
        let three = [soon; 3];
        let slow = pace(now, 1, &three).unwrap();
        assert_eq!((slow.last, slow.late), (now + second * 2, 1));
        let fast = pace(now, 10, &three).unwrap();
        assert_eq!(fast.late, 0);
        let morning = now + TimeDelta::hours(17);
        let held_back = pace(now, 10, &[(morning, morning + second)]).unwrap();
        assert_eq!((held_back.last, held_back.late), (morning, 0));
    }
}
