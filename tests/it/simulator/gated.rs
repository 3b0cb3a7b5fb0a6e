//! The model store behind gates: each call waits before it happens and, if it wrote, once more
//! before its caller learns of it (a crash after a call that wrote nothing is one before it). Calls may fail, or leave it in doubt whether they happened.

use std::collections::BTreeSet;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use chrono::{DateTime, Utc};
use varsel::domain::alarm::{Alarm, AlarmId};
use varsel::domain::appointment::{BookingKey, SourceName};
use varsel::domain::closing::Announced;
use varsel::domain::message::Channel;
use varsel::domain::rate::Rate;
use varsel::store::model::Model;
use varsel::store::{
    Claim, ClaimAsk, Cluster, Known, Lease, LeaseAsk, Ledger, Lock, Marks, Outbox, Page, Record,
    Recorded, Remembered, Report, ReportEffect, Settled, Settlement, Sighting, Standing,
    StoreError, StoreResult, SweepLimits, Swept, Unresolved,
};

use super::gates::{Door, Point, Word};
use super::house::MAX_CHANGES;
use super::truth::Truth;

/// The store as one line of one node reaches it.
#[derive(Clone)]
pub(super) struct Gated {
    pub(super) model: Model,
    pub(super) door: Door,
    pub(super) truth: Truth,
    /// Whether reads wait, too.
    pub(super) reads: bool,
}

impl Gated {
    async fn read<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        if self.reads && self.door.wait(Point::Read(name)).await != Word::Go {
            return Err(self.failed());
        }
        work.await
    }

    async fn write<T>(
        &self,
        name: &'static str,
        work: impl Future<Output = StoreResult<T>>,
        wrote: impl FnOnce(&T) -> bool,
    ) -> StoreResult<T> {
        match self.door.wait(Point::Before(name)).await {
            Word::Fail => return Err(self.failed()),
            Word::DoubtUndone => return Err(self.in_doubt()),
            Word::DoubtDone => {
                work.await?;
                return Err(self.in_doubt());
            }
            Word::Go | Word::Fate(_) | Word::Lost => {}
        }
        let answer = work.await?;
        if wrote(&answer) {
            self.door.wait(Point::After(name)).await;
        }
        Ok(answer)
    }

    fn failed(&self) -> StoreError {
        self.truth.lock().words.insert("store failed".to_owned());
        StoreError::Unavailable("simulated".to_owned())
    }

    fn in_doubt(&self) -> StoreError {
        self.truth.lock().words.insert("store in doubt".to_owned());
        StoreError::InDoubt("simulated".to_owned())
    }

    /// The brake is checked where its word becomes durable.
    fn watch_brake(&self, record: &Record) {
        let changes = record.entries.iter();
        let changes = changes
            .filter(|entry| entry.supersede && !entry.notices.is_empty())
            .count();
        if changes > MAX_CHANGES as usize && record.batch.is_none() {
            let broken = format!("{changes} changes of one poll were recorded unbraked");
            self.truth.lock().broken.push(broken);
        }
    }
}

/// What a record decides, without what was drawn by lot.
fn number(record: &Record) -> u64 {
    let mut hash = DefaultHasher::new();
    for entry in &record.entries {
        let believed = format!("{:?}", entry.believed);
        (believed, entry.revision, entry.supersede).hash(&mut hash);
        for notice in &entry.notices {
            let rungs: Vec<u8> = notice.messages.iter().map(|m| m.rung).collect();
            (notice.purpose, rungs).hash(&mut hash);
        }
    }
    hash.finish()
}

impl Ledger for Gated {
    async fn marks(&self, source: &SourceName, floor: DateTime<Utc>) -> StoreResult<Marks> {
        self.read("marks", self.model.marks(source, floor)).await
    }

    async fn known(&self, source: &SourceName, keys: &[BookingKey]) -> StoreResult<Vec<Known>> {
        self.read("known", self.model.known(source, keys)).await
    }

    async fn released(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.model.released(page).await
    }

    async fn climbable(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.model.climbable(page).await
    }

    async fn listed(&self, source: &SourceName) -> StoreResult<BTreeSet<BookingKey>> {
        self.model.listed(source).await
    }

    async fn closings(&self, now: DateTime<Utc>) -> StoreResult<Vec<Announced>> {
        self.model.closings(now).await
    }

    async fn lease(&self, ask: &LeaseAsk) -> StoreResult<Option<Lease>> {
        self.write("lease", self.model.lease(ask), |_| false).await
    }

    async fn record(&self, record: Record) -> StoreResult<Recorded> {
        self.watch_brake(&record);
        let place = (self.door.node, self.door.line);
        self.truth.lock().recording.insert(place, number(&record));
        let recorded = self
            .write("record", self.model.record(record), |_| true)
            .await?;
        let mut happened = self.truth.lock();
        happened.recording.remove(&place);
        if !recorded.conflicts.is_empty() {
            happened.words.insert("conflict".to_owned());
        }
        if recorded.batch.is_some() {
            happened.words.insert("braked".to_owned());
        }
        Ok(recorded)
    }
}

impl Outbox for Gated {
    async fn claim(&self, ask: &ClaimAsk) -> StoreResult<Vec<Claim>> {
        let claiming = async {
            let claims = self.model.claim(ask).await?;
            self.truth.claimed(self.door.node, &claims, ask.lease);
            Ok(claims)
        };
        let claimed = self.write("claim", claiming, |claims| !claims.is_empty());
        let claims = claimed.await?;
        let mut happened = self.truth.lock();
        for claim in &claims {
            if let Some(truth) = happened.claims.get_mut(&claim.attempt) {
                truth.heard = true;
            }
        }
        Ok(claims)
    }

    async fn disown(&self, ask: &ClaimAsk, at: DateTime<Utc>) -> StoreResult<u32> {
        let disowning = async {
            let taken = self.model.disown(ask, at).await?;
            let mut happened = self.truth.lock();
            happened.words.insert("disowned".to_owned());
            let node = self.door.node;
            let claims = happened.claims.values_mut();
            for claim in claims.filter(|c| (c.node, c.nonce) == (node, ask.nonce)) {
                claim.settled = true;
            }
            Ok(taken)
        };
        self.write("disown", disowning, |taken| *taken > 0).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> StoreResult<Vec<Settled>> {
        let settling = async {
            let moved = self.model.settle(settlements).await?;
            let mut happened = self.truth.lock();
            for settlement in settlements {
                let word = format!("outcome {}", settlement.outcome.word());
                happened.words.insert(word);
                if let Some(claim) = happened.claims.get_mut(&settlement.attempt) {
                    claim.settled = true;
                }
            }
            Ok(moved)
        };
        self.write("settle", settling, |_| true).await
    }

    async fn report(&self, reports: &[Report]) -> StoreResult<Vec<ReportEffect>> {
        let reporting = async {
            let effects = self.model.report(reports).await?;
            let mut happened = self.truth.lock();
            for (report, effect) in reports.iter().zip(&effects) {
                happened.words.insert(format!("report {effect:?}"));
                happened.reported.insert((report.attempt, report.state));
            }
            Ok(effects)
        };
        self.write("report", reporting, |_| true).await
    }

    async fn sweep(&self, now: DateTime<Utc>, limits: SweepLimits) -> StoreResult<Swept> {
        let sweeping = self.model.sweep(now, limits);
        self.write("sweep", sweeping, Swept::any).await
    }

    async fn to_ask(&self, gateway: &str, limit: u32) -> StoreResult<Vec<Unresolved>> {
        self.model.to_ask(gateway, limit).await
    }

    async fn erase(&self, before: DateTime<Utc>, limit: u32) -> StoreResult<u32> {
        self.model.erase(before, limit).await
    }

    async fn next_due(&self, channel: Channel) -> StoreResult<Option<DateTime<Utc>>> {
        self.model.next_due(channel).await
    }

    async fn next_tokens(&self, gateway: &str, rate: Rate) -> StoreResult<Duration> {
        self.read("next_tokens", self.model.next_tokens(gateway, rate))
            .await
    }

    async fn secret(&self, name: &str) -> StoreResult<[u8; 32]> {
        self.model.secret(name).await
    }
}

impl Cluster for Gated {
    async fn join(&self, node: &str) -> StoreResult<u32> {
        self.truth.joined(self.door.node);
        self.model.join(node).await
    }

    async fn beat(&self, node: &str) -> StoreResult<Option<Duration>> {
        self.model.beat(node).await
    }

    async fn raise(&self, sighting: &Sighting) -> StoreResult<Vec<Alarm>> {
        self.model.raise(sighting).await
    }

    async fn alarms_told(&self, told: &[AlarmId], again: DateTime<Utc>) -> StoreResult<()> {
        self.model.alarms_told(told, again).await
    }

    async fn standing(&self, node: &str, remembered: Option<Remembered>) -> StoreResult<Standing> {
        self.model.standing(node, remembered).await
    }

    async fn lock(&self, lock: &Lock) -> StoreResult<()> {
        self.model.lock(lock).await
    }

    async fn woken(&self) {
        self.model.woken().await;
    }
}
