//! The model store behind gates: each call waits before it happens and, if it wrote, once more
//! before its caller learns of it (a crash after a call that wrote nothing is one before it). Calls may fail, or leave it in doubt whether they happened.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::Future;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use chrono::{DateTime, Utc};
use varsel::domain::alarm::{Alarm, AlarmId};
use varsel::domain::appointment::{BookingKey, SourceName};
use varsel::domain::closing::Announced;
use varsel::domain::marks::Marks;
use varsel::domain::message::Channel;
use varsel::domain::rate::Rate;
use varsel::store::model::Model;
use varsel::store::{
    AttemptId, Claim, ClaimAsk, Cluster, Known, Lease, LeaseAsk, Ledger, Lock, Outbox, Page,
    Record, Recorded, Remembered, Report, ReportEffect, Settled, Settlement, Sighting, Standing,
    StoreError, StoreResult, SweepLimits, Swept, Unresolved, Watched,
};

use super::calls::{Call, said};
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

    /// What happens in the store is kept, whoever is told of it.
    async fn kept<T: Debug>(
        &self,
        call: impl FnOnce() -> Call,
        work: impl Future<Output = StoreResult<T>>,
    ) -> StoreResult<T> {
        let answer = work.await;
        self.truth.keep(|| (call(), said(&answer)));
        answer
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
pub(super) fn number(record: &Record) -> u64 {
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
        let call = || Call::Marks(source.clone(), floor);
        let work = self.kept(call, self.model.marks(source, floor));
        self.read("marks", work).await
    }

    async fn watched(&self, source: &SourceName, now: DateTime<Utc>) -> StoreResult<Watched> {
        let call = || Call::Watched(source.clone(), now);
        let work = self.kept(call, self.model.watched(source, now));
        self.read("watched", work).await
    }

    async fn known(&self, source: &SourceName, keys: &[BookingKey]) -> StoreResult<Vec<Known>> {
        let call = || Call::Known(source.clone(), keys.to_vec());
        let work = self.kept(call, self.model.known(source, keys));
        self.read("known", work).await
    }

    async fn released(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.kept(|| Call::Released(page), self.model.released(page))
            .await
    }

    async fn climbable(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.kept(|| Call::Climbable(page), self.model.climbable(page))
            .await
    }

    async fn asked(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.kept(|| Call::Asked(page), self.model.asked(page))
            .await
    }

    async fn listed(&self, source: &SourceName) -> StoreResult<BTreeSet<BookingKey>> {
        self.model.listed(source).await
    }

    async fn closings(&self, now: DateTime<Utc>) -> StoreResult<Vec<Announced>> {
        self.model.closings(now).await
    }

    async fn lease(&self, ask: &LeaseAsk) -> StoreResult<Option<Lease>> {
        let work = self.kept(|| Call::Lease(ask.clone()), self.model.lease(ask));
        self.write("lease", work, |_| false).await
    }

    async fn record(&self, record: Record) -> StoreResult<Recorded> {
        self.watch_brake(&record);
        let place = (self.door.node, self.door.line);
        self.truth.lock().recording.insert(place, number(&record));
        let call = Call::Record(Box::new(record.clone()));
        let work = self.kept(|| call, self.model.record(record));
        let recorded = self.write("record", work, |_| true).await?;
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
            let call = || Call::Claim(Box::new(ask.clone()));
            let claims = self.kept(call, self.model.claim(ask)).await?;
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
            let call = || Call::Disown(Box::new(ask.clone()), at);
            let taken = self.kept(call, self.model.disown(ask, at)).await?;
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
            let call = || Call::Settle(settlements.to_vec());
            let moved = self.kept(call, self.model.settle(settlements)).await?;
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
            let call = || Call::Report(reports.to_vec());
            let effects = self.kept(call, self.model.report(reports)).await?;
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
        let sweeping = self.kept(|| Call::Sweep(now, limits), self.model.sweep(now, limits));
        self.write("sweep", sweeping, Swept::any).await
    }

    async fn tried(&self, now: DateTime<Utc>, gap: Duration) -> StoreResult<DateTime<Utc>> {
        self.model.tried(now, gap).await
    }

    async fn stopped(&self, node: &str, gateway: &str) -> StoreResult<BTreeSet<AttemptId>> {
        self.model.stopped(node, gateway).await
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
        self.kept(|| Call::Join(node.to_owned()), self.model.join(node))
            .await
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
