//! A line whose gateway has a rate: it drains at that rate, wakes for its tokens by itself, and does
//! not ask the store again and again meanwhile.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use varsel::clock::Mono;
use varsel::domain::message::Channel;
use varsel::domain::rate::Rate;
use varsel::service::dispatch::Dispatch;
use varsel::store::{
    Access, AttemptId, Claim, ClaimAsk, Database, Outbox, Report, ReportEffect, Settled,
    Settlement, StoreResult, SweepLimits, Swept, Unresolved,
};

use super::fixtures::*;
use crate::support::gateway::Gateway;
use crate::support::world::sending_node;

/// The real store, and how often it was asked for messages.
struct Counted {
    store: Database,
    claims: Arc<AtomicUsize>,
}

impl Outbox for Counted {
    async fn claim(&self, ask: &ClaimAsk) -> StoreResult<Vec<Claim>> {
        self.claims.fetch_add(1, Ordering::Relaxed);
        self.store.claim(ask).await
    }

    async fn disown(&self, ask: &ClaimAsk, at: DateTime<Utc>) -> StoreResult<u32> {
        self.store.disown(ask, at).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> StoreResult<Vec<Settled>> {
        self.store.settle(settlements).await
    }

    async fn report(&self, reports: &[Report]) -> StoreResult<Vec<ReportEffect>> {
        self.store.report(reports).await
    }

    async fn sweep(&self, now: DateTime<Utc>, limits: SweepLimits) -> StoreResult<Swept> {
        self.store.sweep(now, limits).await
    }

    async fn tried(&self, now: DateTime<Utc>, gap: Duration) -> StoreResult<DateTime<Utc>> {
        self.store.tried(now, gap).await
    }

    async fn stopped(&self, node: &str, gateway: &str) -> StoreResult<BTreeSet<AttemptId>> {
        self.store.stopped(node, gateway).await
    }

    async fn to_ask(&self, gateway: &str, limit: u32) -> StoreResult<Vec<Unresolved>> {
        self.store.to_ask(gateway, limit).await
    }

    async fn erase(&self, before: DateTime<Utc>, limit: u32) -> StoreResult<u32> {
        self.store.erase(before, limit).await
    }

    async fn next_due(&self, channel: Channel) -> StoreResult<Option<DateTime<Utc>>> {
        self.store.next_due(channel).await
    }

    async fn next_tokens(&self, gateway: &str, rate: Rate) -> StoreResult<Duration> {
        self.store.next_tokens(gateway, rate).await
    }

    async fn secret(&self, name: &str) -> StoreResult<[u8; 32]> {
        self.store.secret(name).await
    }
}

#[tokio::test]
async fn a_backlog_drains_at_the_rate_and_the_store_is_left_in_peace() {
    const PEOPLE: usize = 15;
    const RATE: Rate = Rate {
        per_second: 10,
        burst: 2,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    cancel(&store, PEOPLE as u32).await;
    let gateway = Gateway::start().await;
    // By itself it would look once an hour: only the tokens wake it.
    let mut parts = sending_node(&store, &gateway, Duration::from_secs(3600)).await;
    let mut way = parts.gateways.remove(0);
    way.rate = Some(RATE);
    // However busy the machine is, an answer comes in time.
    way.longest_send = Duration::from_secs(20);
    way.lease = Duration::from_secs(60);
    let claims = Arc::new(AtomicUsize::new(0));
    let counted = Counted {
        store: store.clone(),
        claims: Arc::clone(&claims),
    };
    let line = Dispatch::new(parts.shared, counted, way);
    let (stop, began) = (CancellationToken::new(), Mono::now());
    let running = tokio::spawn(line.run(stop.clone()));
    let taken = tokio::time::timeout(Duration::from_secs(30), gateway.wait_for(PEOPLE)).await;
    assert_eq!(taken.expect("nobody waits for long").len(), PEOPLE);
    let least = Duration::from_millis(100) * (PEOPLE - 2) as u32;
    let took = began.elapsed();
    assert!(took >= least, "{took:?} is faster than the rate");
    stop.cancel();
    running.await.unwrap();
    // Once for each message that comes, once for each that has left, and a little.
    let claims = claims.load(Ordering::Relaxed);
    assert!(claims <= 4 * PEOPLE, "asked {claims} times");
}
