//! The store as plain maps in memory: the meaning of every store, for the contract suite and the
//! simulator. It loses everything with its process and must never serve a real one.
//!
//! It is deterministic. Its own clock, on which leases are measured, stands still until it is
//! told to move.

mod alarms;
pub mod audit;
mod claims;
mod desk;
mod disown;
mod erase;
mod faults;
mod leases;
mod rates;
mod reads;
mod recover;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::due::{Due, SweepTimes};
use super::listing::Lifted;
use super::outbox::Tried;
use super::rows::{AppointmentId, BatchState, DbTime, Hand, MessageRow, Millis, ReportStanding};
use super::tables::Tables;
use super::{
    AttemptId, BatchId, Claim, ClaimAsk, Known, Lease, LeaseAsk, Ledger, Lock, NewList, Outbox,
    Page, Record, Recorded, Report, ReportEffect, Settled, Settlement, SnapshotMark, StandingList,
    StoreResult, SweepLimits, Swept, Unresolved, Watched,
};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::brake::{Canary, LATELY};
use crate::domain::closing::{Announced, ClosingId};
use crate::domain::marks::Marks;
use crate::domain::message::{Channel, MessageState};
use crate::domain::rate::{Bucket, Rate};

/// A store in memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Model {
    state: Arc<Mutex<State>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    tables: Tables,
    sources: BTreeMap<SourceName, SourceRow>,
    closings: BTreeMap<ClosingId, (Announced, bool)>,
    acts: BTreeMap<String, u32>,
    faults: BTreeMap<(SourceName, String, String), (String, DateTime<Utc>)>,
    found: Vec<Found>,
    lists: Vec<(StandingList, NewList)>,
    lifted: Vec<(StandingList, NewList, Lifted)>,
    next_list: i64,
    next_attempt: i64,
    next_hold: i64,
    alarms: Vec<alarms::AlarmRow>,
    next_alarm: i64,
    db_now: DbTime,
    buckets: BTreeMap<String, Bucket>,
    disowned: BTreeSet<(String, u32)>,
    nodes: BTreeSet<String>,
    locks: Vec<Lock>,
    recoveries: u32,
    waves: u32,
    tried: Option<Tried>,
}

/// Changes that count against the limits of an hour.
#[derive(Clone, Debug)]
struct Found {
    source: SourceName,
    at: DateTime<Utc>,
    changes: u32,
    batch: Option<BatchId>,
}

/// What is remembered of a source; `snapshot` also means that its baseline is complete.
#[derive(Clone, Debug, Default)]
struct SourceRow {
    snapshot: Option<(SnapshotMark, DateTime<Utc>)>,
    mapping: Option<String>,
    reader: leases::Reader,
}

impl Model {
    /// Moves the clock on which leases and quarantines are measured.
    pub fn advance(&self, length: Duration) {
        let mut state = self.state();
        state.db_now = state.db_now.plus(Millis::of(length));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic in another test's thread leaves whole rows behind, never half of one.
        self.state
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn most(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl Ledger for Model {
    async fn marks(&self, source: &SourceName, now: DateTime<Utc>) -> StoreResult<Marks> {
        Ok(self.state().marks(source, now))
    }

    async fn watched(&self, source: &SourceName, now: DateTime<Utc>) -> StoreResult<Watched> {
        Ok(self.state().watched(source, now))
    }

    async fn known(&self, source: &SourceName, keys: &[BookingKey]) -> StoreResult<Vec<Known>> {
        let state = self.state();
        let find = |key: &BookingKey| state.tables.keys.get(&(source.clone(), key.clone()));
        let mut ids: Vec<AppointmentId> = keys.iter().filter_map(find).copied().collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(state.known(ids))
    }

    async fn released(&self, page: Page) -> StoreResult<Vec<Known>> {
        let state = self.state();
        let batches = state.tables.batches.iter();
        let releasing = batches.filter(|(_, b)| b.state == BatchState::Releasing);
        let held = releasing.flat_map(|(id, _)| state.tables.braked(*id));
        let owner = |m: &MessageRow| Some(state.tables.notices.get(&m.notice)?.appointment);
        let ids = held.filter_map(|(_, m)| owner(m)).collect();
        Ok(state.page(ids, page))
    }

    async fn climbable(&self, page: Page) -> StoreResult<Vec<Known>> {
        let state = self.state();
        let notices = state.tables.notices.values().filter(|n| n.climb);
        let ids = notices.map(|n| n.appointment).collect();
        Ok(state.page(ids, page))
    }

    async fn asked(&self, page: Page) -> StoreResult<Vec<Known>> {
        let state = self.state();
        let rows = state.tables.appointments.iter();
        let asked = rows.filter(|(_, row)| row.can_be_written());
        let ids = asked.map(|(id, _)| *id).collect();
        Ok(state.page(ids, page))
    }

    async fn listed(&self, source: &SourceName) -> StoreResult<BTreeSet<BookingKey>> {
        let state = self.state();
        let named = state.lists.iter().flat_map(|(_, list)| &list.named);
        let of_it = named.filter(|(of, _)| of == source);
        Ok(of_it.map(|(_, key)| key.clone()).collect())
    }

    async fn closings(&self, now: DateTime<Utc>) -> StoreResult<Vec<Announced>> {
        let day = (now - chrono::TimeDelta::days(1)).date_naive();
        let state = self.state();
        let open = state.closings.values().filter(|(_, ended)| !ended);
        let open = open.filter(|(announced, _)| announced.closing.to >= day);
        Ok(open.map(|(announced, _)| announced.clone()).collect())
    }

    async fn lease(&self, ask: &LeaseAsk) -> StoreResult<Option<Lease>> {
        Ok(self.state().lease(ask))
    }

    async fn record(&self, record: Record) -> StoreResult<Recorded> {
        let mut state = self.state();
        state.check_lease(&record)?;
        Ok(state.record(&record))
    }
}

impl State {
    fn known(&self, ids: impl IntoIterator<Item = AppointmentId>) -> Vec<Known> {
        ids.into_iter()
            .filter_map(|id| self.tables.known(id))
            .collect()
    }

    fn page(&self, mut ids: Vec<AppointmentId>, page: Page) -> Vec<Known> {
        ids.retain(|id| id.0 > page.after.0);
        ids.sort_unstable();
        ids.dedup();
        ids.truncate(most(page.limit));
        self.known(ids)
    }

    fn record(&mut self, record: &Record) -> Recorded {
        let source = self.sources.entry(record.source.clone()).or_default();
        let baseline = source.snapshot.is_some();
        if let Some(snapshot) = record.snapshot {
            source.snapshot = Some((snapshot, record.at));
        }
        if let Some(mapping) = &record.mapping {
            source.mapping = Some(mapping.clone());
        }
        for key in &record.absent {
            self.set_absent(record, key, |absent| absent.saturating_add(1));
        }
        for key in &record.back {
            self.set_absent(record, key, |_| 0);
        }
        let recorded = self.tables.record(record, baseline);
        self.keep_faults(record);
        let changes = record.counted(&recorded);
        if changes > 0 {
            let old = record.at - LATELY;
            self.found
                .retain(|f| f.source != record.source || f.at > old);
            self.found.push(Found {
                source: record.source.clone(),
                at: record.at,
                changes,
                batch: recorded.batch,
            });
        }
        for (id, count) in &recorded.admitted {
            if let Some((announced, _)) = self.closings.get_mut(id) {
                announced.admitted += count;
            }
        }
        self.done();
        recorded
    }

    fn set_absent(&mut self, record: &Record, key: &BookingKey, next: fn(u8) -> u8) {
        let id = self.tables.keys.get(&(record.source.clone(), key.clone()));
        if let Some(row) = id.and_then(|id| self.tables.appointments.get_mut(id)) {
            row.absent = next(row.absent);
        }
    }

    /// Ends an operation: nothing is left to be saved.
    fn done(&mut self) {
        self.tables.touched = super::tables::Touched::default();
    }
}

impl Outbox for Model {
    async fn claim(&self, ask: &ClaimAsk) -> StoreResult<Vec<Claim>> {
        let mut state = self.state();
        let claims = state.claim(ask);
        state.done();
        Ok(claims)
    }

    async fn disown(&self, ask: &ClaimAsk, at: DateTime<Utc>) -> StoreResult<u32> {
        let mut state = self.state();
        let disowned = state.disown(ask, at);
        state.done();
        Ok(disowned)
    }

    async fn settle(&self, settlements: &[Settlement]) -> StoreResult<Vec<Settled>> {
        let mut state = self.state();
        let moved = settlements.iter().map(|s| state.tables.settle(s)).collect();
        state.done();
        Ok(moved)
    }

    async fn report(&self, reports: &[Report]) -> StoreResult<Vec<ReportEffect>> {
        let mut state = self.state();
        let effects = reports.iter().map(|r| state.tables.report(r)).collect();
        state.done();
        Ok(effects)
    }

    async fn sweep(&self, now: DateTime<Utc>, limits: SweepLimits) -> StoreResult<Swept> {
        let mut state = self.state();
        let swept = state.sweep(now, limits);
        state.done();
        Ok(swept)
    }

    async fn tried(&self, now: DateTime<Utc>, gap: Duration) -> StoreResult<DateTime<Utc>> {
        let mut state = self.state();
        let tried = Tried::on(state.tried, now, gap);
        state.tried = Some(tried);
        Ok(tried.since)
    }

    async fn stopped(&self, node: &str, gateway: &str) -> StoreResult<BTreeSet<AttemptId>> {
        Ok(self.state().stopped(node, gateway))
    }

    async fn to_ask(&self, gateway: &str, limit: u32) -> StoreResult<Vec<Unresolved>> {
        let state = self.state();
        let messages = state.tables.messages.iter();
        let mut asked: Vec<_> = messages
            .filter_map(|(id, row)| {
                let unresolved = state.tables.unresolved(*id, gateway, state.db_now)?;
                Some((row.quarantine_end(), *id, unresolved))
            })
            .collect();
        asked.sort_unstable_by_key(|(end, id, _)| (*end, *id));
        asked.truncate(most(limit));
        Ok(asked.into_iter().map(|(_, _, asked)| asked).collect())
    }

    async fn erase(&self, before: DateTime<Utc>, limit: u32) -> StoreResult<u32> {
        let mut state = self.state();
        let erased = state.erase(before, most(limit));
        state.done();
        Ok(erased)
    }

    async fn next_due(&self, channel: Channel) -> StoreResult<Option<DateTime<Utc>>> {
        let state = self.state();
        let ready = |m: &&MessageRow| m.channel == channel && m.state == MessageState::Ready;
        let ready = state.tables.messages.values().filter(ready);
        Ok(ready.map(|m| m.not_before).min())
    }

    async fn next_tokens(&self, gateway: &str, rate: Rate) -> StoreResult<Duration> {
        Ok(self.state().next_tokens(gateway, rate))
    }

    async fn secret(&self, name: &str) -> StoreResult<[u8; 32]> {
        Ok(Sha256::digest(name.as_bytes()).into())
    }
}

impl State {
    fn sweep(&mut self, now: DateTime<Utc>, limits: SweepLimits) -> Swept {
        let times = SweepTimes::new(now, self.db_now, &limits);
        let mut ids = Vec::new();
        for due in Due::ALL {
            let messages = self.tables.messages.keys();
            let found = messages.filter(|id| self.tables.due(**id, &times) == Some(due));
            ids.extend(found.take(most(limits.batch)).copied());
        }
        let mut swept = self.tables.sweep(&ids, &times);
        self.tables.unpark(&Hand::part("upkeep", now));
        swept.let_go = self.let_go(limits.parked_before(now), most(limits.batch));
        self.release_rests(limits.canaries_before(now), now);
        let batches = self.tables.batches.iter();
        let open =
            batches.filter(|(_, b)| matches!(b.state, BatchState::Held | BatchState::Releasing));
        let empty: Vec<BatchId> = open
            .map(|(id, _)| *id)
            .filter(|id| self.tables.braked(*id).next().is_none())
            .collect();
        self.tables.end_empty_batches(&empty, now);
        swept
    }

    fn release_rests(&mut self, before: DateTime<Utc>, now: DateTime<Utc>) {
        let batches = &self.tables.batches;
        let over = |canary: &BatchId| {
            let batch = batches.get(canary);
            batch.is_some_and(|b| {
                b.state != BatchState::Releasing && b.released_at.is_some_and(|at| at <= before)
            })
        };
        let pairs = batches.iter().filter_map(|(id, b)| Some((*id, b.canary?)));
        let over: Vec<_> = pairs.filter(|(_, canary)| over(canary)).collect();
        for (id, canary) in over {
            if self.tables.canary_of(canary) == Canary::Fine {
                self.tables.release_rest(id, now);
            }
        }
    }

    fn let_go(&mut self, before: DateTime<Utc>, limit: usize) -> u32 {
        let reports = self.tables.reports.iter();
        let mut old: Vec<_> = reports
            .filter(|(_, r)| r.standing == ReportStanding::Parked && r.at <= before)
            .map(|(id, r)| (r.at, *id))
            .collect();
        old.sort_unstable();
        old.truncate(limit);
        for (_, id) in &old {
            if let Some(row) = self.tables.reports.get_mut(id) {
                row.standing = ReportStanding::LetGo;
            }
        }
        count(old.len())
    }
}
