//! A PostgreSQL whose commits wait for a standby: one that is missing, one whose wait is cancelled,
//! and one that takes the primary's place.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use varsel::domain::message::{Channel, MessageState};
use varsel::store::{
    Access, Claim, Database, Desk, Outbox, Place, StoreError, StoreResult, postgres::Address,
};

use super::fixtures::*;
use crate::support::postgres::{Db, Postgres};

/// The store with so much patience for what touches few rows.
async fn patient(db: &Db, patience: Duration) -> Database {
    let address = Address::parse(&db.url()).unwrap().with_patience(patience);
    let place = Place::Postgres(Box::new(address));
    Database::open(&place, Access::Daemon).await.unwrap()
}

/// Sessions of this database whose COMMIT waits for a standby.
const COMMITTING: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event = 'SyncRep'";

async fn until(db: &Db, sql: &str, wanted: i64) {
    let mut conn = db.raw().await;
    loop {
        let number = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        let number: i64 = number.fetch_one(&mut conn).await.unwrap();
        if number == wanted {
            return;
        }
    }
}

async fn claim(store: &Database) -> StoreResult<Vec<Claim>> {
    store.claim(&ask(Channel::Sms)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_claim_that_waits_for_a_missing_standby_is_in_doubt_and_disowned() {
    let server = Postgres::start();
    let db = server.database().await;
    let store = patient(&db, Duration::from_secs(1)).await;
    cancel(&store, 1).await;
    server.wait_for_standby("absent").await;
    let failed = claim(&store).await.unwrap_err();
    assert!(matches!(failed, StoreError::InDoubt(_)), "{failed}");
    // Who reads now finds nothing: it is not committed, and will be.
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    store.disown(&ask(Channel::Sms), now()).await.unwrap_err();
    server.wait_for_standby("").await;
    until(&db, COMMITTING, 0).await;
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    let returned = store.disown(&ask(Channel::Sms), now()).await.unwrap();
    assert_eq!(returned, 1);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_commit_whose_wait_was_cancelled_is_in_doubt_although_the_server_says_done() {
    let server = Postgres::start();
    let db = server.database().await;
    let store = patient(&db, Duration::from_secs(30)).await;
    cancel(&store, 1).await;
    server.wait_for_standby("absent").await;
    let claiming = {
        let store = store.clone();
        tokio::spawn(async move { claim(&store).await })
    };
    until(&db, COMMITTING, 1).await;
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity
                  WHERE datname = current_database() AND wait_event = 'SyncRep'";
    until(&db, cancel, 1).await;
    let failed = claiming.await.unwrap().unwrap_err();
    assert!(matches!(failed, StoreError::InDoubt(_)), "{failed}");
    assert!(failed.to_string().contains("standby"), "{failed}");
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    server.wait_for_standby("").await;
    store.disown(&ask(Channel::Sms), now()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    assert_eq!(
        claim(&store).await.unwrap().len(),
        0,
        "its number is disowned"
    );
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.waiting, tally.possible_duplicates), (1, 0));
}
