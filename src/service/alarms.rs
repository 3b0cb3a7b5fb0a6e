//! Alarms: `look ─▶ concerns ─▶ store.raise ● ─▶ tell ─▶ store.alarms_told`.
//!
//! One line. What is wrong is decided by `domain::alarm`; which node tells of it, and when again, by
//! the store. While the store itself cannot be used, that is told without it.

mod duty;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use tokio_util::sync::CancellationToken;

pub use self::duty::{Duty, Recipient, To, Way};
use super::Shared;
use crate::clock::Mono;
use crate::domain::alarm::{
    Alarm, AlarmId, AlarmKind, AlarmLimits, Concern, HeldBatch, Sight, concerns,
};
use crate::domain::appointment::SourceName;
use crate::domain::brake;
use crate::store::{Batch, Cluster, Desk, Sighting, StoreError};

/// So long no other node tells of an alarm that this one was given to tell.
const TELLING: Duration = Duration::from_secs(120);

/// The store is in trouble when so many looks in a row have failed, or found that it cannot be written.
const LOOKS_FAILED: u32 = 3;

/// How alarms are told.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How often this line looks.
    pub every: Duration,
    /// An alarm that nobody acknowledges is told again after this.
    pub repeat: Duration,
    /// When a figure becomes an alarm.
    pub limits: AlarmLimits,
    /// The agency's own zone, in which mails name times.
    pub zone: Tz,
}

/// The line of alarms.
pub struct Alarms<S> {
    shared: Arc<Shared>,
    store: S,
    duty: Duty,
    pace: Pace,
    started: Mono,
    failed: u32,
    store_told: Option<Mono>,
}

impl<S: Desk + Cluster> Alarms<S> {
    /// The line over `store`.
    pub fn new(shared: Arc<Shared>, store: S, duty: Duty, pace: Pace) -> Self {
        Self {
            shared,
            store,
            duty,
            pace,
            started: Mono::now(),
            failed: 0,
            store_told: None,
        }
    }

    /// Looks again and again until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let now = self.shared.clock.now();
            self.look_once(now, &stop).await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.shared.clock.pause(self.pace.every) => {}
            }
        }
    }

    async fn look_once(&mut self, now: DateTime<Utc>, stop: &CancellationToken) {
        let unwritten = self.shared.sending.unwritten().is_some();
        match self.step(now, stop).await {
            Ok(_) => {
                self.failed = match unwritten {
                    true => self.failed.saturating_add(1),
                    false => 0,
                };
                self.store_told = None;
            }
            Err(error) => {
                tracing::error!("alarms will be looked at again: {error}");
                self.failed = self.failed.saturating_add(1);
                self.without_store(now, &error, stop).await;
            }
        }
    }

    /// Looks once, and tells what is to be told; at `stop` it tells no further. The answer is how
    /// many alarms somebody was told of.
    ///
    /// # Errors
    /// When the store fails; what was not written down as told is told again.
    pub async fn step(
        &mut self,
        now: DateTime<Utc>,
        stop: &CancellationToken,
    ) -> Result<usize, StoreError> {
        let sight = self.sight(now).await?;
        let concerns = concerns(&sight, &self.pace.limits);
        self.shared.metrics.alarms(&concerns);
        let given = self
            .store
            .raise(&Sighting {
                node: self.shared.node.clone(),
                now,
                concerns,
                telling: TELLING,
            })
            .await?;
        let told = self.tell(&given, stop).await;
        if !told.is_empty() {
            let repeat = TimeDelta::from_std(self.pace.repeat).unwrap_or(TimeDelta::MAX);
            self.store.alarms_told(&told, now + repeat).await?;
        }
        Ok(told.len())
    }

    async fn tell(&self, alarms: &[Alarm], stop: &CancellationToken) -> Vec<AlarmId> {
        let telling = self.duty.tell(&self.shared, alarms);
        stop.run_until_cancelled(telling).await.unwrap_or_default()
    }

    async fn sight(&self, now: DateTime<Utc>) -> Result<Sight, StoreError> {
        let gauges = self.store.gauges(now).await?;
        let held = match gauges.held_batches {
            0 => Vec::new(),
            _ => self.store.batches().await?,
        };
        let holds = match gauges.operator_holds {
            0 => Vec::new(),
            _ => self.store.holds().await?,
        };
        let mut faults: BTreeMap<SourceName, u32> = BTreeMap::new();
        for fault in self.store.faults().await? {
            *faults.entry(fault.source).or_default() += 1;
        }
        let within = self.pace.limits.untold_within;
        let within = TimeDelta::from_std(within).unwrap_or(TimeDelta::MAX);
        let unread = self.shared.sources.iter().map(|source| {
            let age = gauges.snapshot_age_seconds.get(source).copied();
            let age = age.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
            (
                source.clone(),
                age.unwrap_or_else(|| self.started.elapsed()),
            )
        });
        Ok(Sight {
            call_list_people: gauges.call_list_people,
            held: held
                .iter()
                .filter(|b| !b.releasing)
                .map(|b| self.held(b))
                .collect(),
            operator_holds: holds.iter().map(|hold| hold.id.0).collect(),
            untold_people: self.store.untold(now, within).await?,
            unread: unread.collect(),
            faults,
            paused: self.shared.pauses.all(),
            locked: self.shared.sending.locked(),
            unwritten: self.unwritten(),
        })
    }

    /// What has not been written for some looks. A store that is away for a moment is nobody's alarm.
    fn unwritten(&self) -> Option<String> {
        let unwritten = self.shared.sending.unwritten();
        unwritten.filter(|_| self.failed.saturating_add(1) >= LOOKS_FAILED)
    }

    fn held(&self, batch: &Batch) -> HeldBatch {
        let zones = batch.offices.keys();
        let offices = &self.shared.directory.offices;
        let zones = zones.map(|id| offices.get(id).map_or(Tz::UTC, |office| office.zone));
        let window = self.shared.rules.windows.sms;
        let by = |due| {
            let each = zones.map(|zone| (brake::release_by(due, window, zone), zone));
            each.min_by_key(|(by, _)| *by)
        };
        HeldBatch {
            number: batch.id.0,
            source: batch.source.clone(),
            people: batch.people,
            release_by: batch.first_due_by.and_then(by),
        }
    }

    /// The store cannot be used: nobody can write down that somebody was told, or knows.
    async fn without_store(
        &mut self,
        now: DateTime<Utc>,
        error: &StoreError,
        stop: &CancellationToken,
    ) {
        let told = self
            .store_told
            .is_some_and(|at| at.elapsed() < self.pace.repeat);
        if self.failed < LOOKS_FAILED || told {
            return;
        }
        let what = match error {
            StoreError::Unavailable(_) => "it is not available",
            StoreError::InDoubt(_) => "it does not say whether it wrote",
            StoreError::Taken(_) => "another daemon uses it",
            StoreError::Unfit(_) => "it is not fit for use",
            StoreError::Corrupt(_) => "it holds what it should not",
            StoreError::Overtaken(_) => "another node has overtaken this one",
        };
        let alarm = Alarm {
            id: AlarmId(0),
            concern: Concern {
                kind: AlarmKind::Store,
                subject: String::new(),
                text: format!("the store cannot be used, nothing is sent: {what}; see the log"),
                amount: 0,
            },
            node: self.shared.node.clone(),
            since: now,
            told: 1,
            acknowledged: None,
        };
        if !self.tell(&[alarm], stop).await.is_empty() {
            self.store_told = Some(Mono::now());
        }
    }
}
