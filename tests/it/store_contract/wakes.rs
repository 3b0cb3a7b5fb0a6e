//! What nodes on one PostgreSQL hear of each other, and that nothing rests on it.

use std::collections::BTreeSet;
use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;
use varsel::service::supervise;
use varsel::store::{Access, Cluster, Database};

use super::fixtures::*;
use crate::support::gateway::Gateway;
use crate::support::postgres::{Db, database};
use crate::support::world::sending_node;

/// Nothing here takes longer, unless a wake-up is lost.
const PATIENCE: Duration = Duration::from_secs(30);

async fn number(db: &Db, sql: &str) -> i64 {
    let mut conn = db.raw().await;
    let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
    number.fetch_one(&mut conn).await.unwrap()
}

async fn run(db: &Db, sql: &'static str) {
    let mut conn = db.raw().await;
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
}

/// Runs a node that looks by itself so seldom, until everybody was told.
async fn told(store: &Database, people: usize, look_again: Duration, then: impl AsyncFnOnce()) {
    let gateway = Gateway::start().await;
    let parts = sending_node(store, &gateway, look_again).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(supervise::run(parts, stop.clone()));
    then().await;
    let taken = tokio::time::timeout(PATIENCE, gateway.wait_for(people)).await;
    let taken = taken.expect("everybody is told in time");
    let numbers: BTreeSet<_> = taken.iter().map(|sms| &sms.to).collect();
    assert_eq!((numbers.len(), taken.len()), (people, people));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_write_through_one_node_wakes_another() {
    let db = database().await;
    let (one, two) = (db.open(Access::Daemon).await, db.open(Access::Daemon).await);
    // Once it listens, it looks at what was there before.
    one.woken().await;
    let hour = Duration::from_secs(3600);
    told(&one, 3, hour, async || drop(cancel(&two, 3).await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn what_was_there_before_drains_without_a_wake_up() {
    let db = database().await;
    let store = db.open(Access::Daemon).await;
    cancel(&store, 200).await;
    told(&store, 200, Duration::from_secs(3600), async || {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn what_nobody_announced_drains_at_full_speed() {
    const PEOPLE: u32 = 200;
    let db = database().await;
    let store = db.open(Access::Daemon).await;
    cancel(&store, PEOPLE).await;
    run(&db, "UPDATE message SET state = 'held', reason = 'brake'").await;
    // One look finds them; were each look to take no more than a claim, this would last a minute.
    let look_again = Duration::from_secs(5);
    told(&store, PEOPLE as usize, look_again, async || {
        run(&db, "UPDATE message SET state = 'ready', reason = NULL").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_lost_ear_grows_again() {
    const EARS: &str = "FROM pg_stat_activity
        WHERE datname = current_database() AND query ILIKE 'LISTEN%'";
    let db = database().await;
    let (one, two) = (db.open(Access::Daemon).await, db.open(Access::Verb).await);
    one.woken().await;
    let cut = format!("SELECT count(pg_terminate_backend(pid)) {EARS}");
    assert_eq!(number(&db, &cut).await, 1);
    // It says so itself: something may have been missed.
    tokio::time::timeout(PATIENCE, one.woken()).await.unwrap();
    assert_eq!(number(&db, &format!("SELECT count(*) {EARS}")).await, 1);
    let hour = Duration::from_secs(3600);
    told(&one, 2, hour, async || drop(cancel(&two, 2).await)).await;
}
