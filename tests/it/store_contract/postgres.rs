//! What only PostgreSQL must keep: its settings, many nodes at once, and its own restarts and links.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use varsel::domain::message::{Channel, MessageState};
use varsel::store::{
    Access, Claim, Cluster, Database, Desk, Outbox, Place, Settled, StoreError, postgres::Address,
};

use super::fixtures::*;
use crate::support::link::{Fault, Link};
use crate::support::postgres::{Db, Postgres, database};

async fn refusal(db: &Db, access: Access) -> StoreError {
    let address = Address::parse(&db.url()).unwrap();
    let place = Place::Postgres(Box::new(address));
    Database::open(&place, access).await.unwrap_err()
}

/// The store over a link, with little patience.
async fn over(db: &Db, link: &Link) -> Database {
    let address = Address::parse(&db.url_over(link)).unwrap();
    let address = address.with_patience(Duration::from_millis(700));
    let place = Place::Postgres(Box::new(address));
    Database::open(&place, Access::Daemon).await.unwrap()
}

async fn run(db: &Db, sql: &str) -> Result<(), sqlx::Error> {
    let mut conn = db.raw().await;
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut conn).await;
    done.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_server_that_may_forget_is_refused() {
    let server = Postgres::start();
    let db = server.database().await;
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        server.set(&format!("{setting} = off"));
        server.stop_at_once();
        server.start_again();
        let refused = refusal(&db, Access::Daemon).await;
        assert!(matches!(refused, StoreError::Unfit(_)), "{refused}");
        let remedy = format!("set {setting} = on");
        assert!(refused.to_string().contains(&remedy), "{refused}");
        server.set(&format!("{setting} = on"));
    }
    server.stop_at_once();
    server.start_again();
    db.open(Access::Daemon).await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_database_of_a_newer_release_is_left_alone() {
    let db = database().await;
    run(&db, "UPDATE schema SET writes = 9, reads = 9")
        .await
        .unwrap();
    let refused = refusal(&db, Access::Daemon).await;
    assert!(matches!(refused, StoreError::Unfit(_)), "{refused}");
    assert!(refused.to_string().contains("newer release"), "{refused}");
    run(&db, "UPDATE schema SET reads = 1").await.unwrap();
    db.open(Access::Daemon).await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_second_node_of_the_same_name_is_refused() {
    let db = database().await;
    let (first, second) = (db.open(Access::Daemon).await, db.open(Access::Daemon).await);
    first.join("one").await.unwrap();
    first.join("one").await.unwrap();
    let refused = second.join("one").await.unwrap_err();
    assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
    second.join("two").await.unwrap();
    first.close().await;
    let third = db.open(Access::Daemon).await;
    while third.join("one").await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn history_and_attempts_are_append_only() {
    let db = database().await;
    let store = db.open(Access::Daemon).await;
    cancel(&store, 1).await;
    claim_one(&store, &ask(Channel::Sms)).await;
    for sql in [
        "UPDATE history SET actor = 'nobody'",
        "DELETE FROM history",
        "TRUNCATE history",
        "DELETE FROM attempt",
    ] {
        let refused = run(&db, sql).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn two_nodes_take_each_message_once() {
    const BOOKINGS: u32 = 300;
    let db = database().await;
    let store = db.open(Access::Daemon).await;
    cancel(&store, BOOKINGS).await;
    let nodes = ["node-a", "node-b"].map(|node| {
        let url = db.url();
        tokio::spawn(async move {
            let address = Address::parse(&url).unwrap();
            let place = Place::Postgres(Box::new(address));
            let store = Database::open(&place, Access::Daemon).await.unwrap();
            drain(&store, node).await
        })
    });
    let mut taken = Vec::new();
    for node in nodes {
        taken.extend(node.await.unwrap());
    }
    assert_eq!(taken.len(), 300);
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 300, "none was taken twice");
    let tally = store.tally(now()).await.unwrap();
    assert_eq!(tally.sms, BOOKINGS);
}

/// Claims and settles until nothing is left; the answer is what was claimed.
async fn drain(store: &Database, node: &str) -> Vec<varsel::domain::message::MessageId> {
    let mut ask = ask(Channel::Sms);
    ask.node = node.to_owned();
    ask.limit = 16;
    let mut taken = Vec::new();
    loop {
        let claims = store.claim(&ask).await.unwrap();
        if claims.is_empty() {
            return taken;
        }
        taken.extend(claims.iter().map(|c| c.message));
        let settlements: Vec<_> = claims.iter().map(|c| settle(c, accepted())).collect();
        let moved = store.settle(&settlements).await.unwrap();
        assert!(moved.iter().all(|m| *m == Settled::Moved));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_restart_of_the_server_is_survived() {
    let server = Postgres::start();
    let db = server.database().await;
    let store = db.open(Access::Daemon).await;
    cancel(&store, 2).await;
    let first = claim(&store, 1).await.unwrap().remove(0);
    server.stop_at_once();
    for _ in 0..3 {
        let failed = claim(&store, 1).await.unwrap_err();
        assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
    }
    server.start_again();
    assert!(settle_one(&store, &first, accepted()).await);
    assert_eq!(claim(&store, 9).await.unwrap().len(), 1);
}

async fn claim(store: &Database, limit: u32) -> Result<Vec<Claim>, StoreError> {
    let mut ask = ask(Channel::Sms);
    ask.limit = limit;
    store.claim(&ask).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_link_that_swallows_replies_is_left_and_replaced() {
    let db = database().await;
    let link = db.link().await;
    let store = over(&db, &link).await;
    cancel(&store, 1).await;
    link.set(Fault::NoReplies);
    for _ in 0..6 {
        let failed = claim(&store, 1).await.unwrap_err();
        assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
        let failed = store.tally(now()).await.unwrap_err();
        assert!(failed.to_string().contains("no answer within"), "{failed}");
    }
    link.set(Fault::None);
    assert_eq!(
        claim(&store, 1).await.unwrap().len(),
        1,
        "nothing was taken before, and no lock was left behind"
    );
    assert_eq!(state(&store, 1).await, MessageState::Sending);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_commit_whose_reply_is_lost_is_in_doubt() {
    let db = database().await;
    let link = db.link().await;
    let store = over(&db, &link).await;
    cancel(&store, 1).await;
    link.set(Fault::NoRepliesFrom(b"COMMIT\0"));
    let failed = claim(&store, 1).await.unwrap_err();
    assert!(matches!(failed, StoreError::InDoubt(_)), "{failed}");
    link.set(Fault::None);
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    let given_back = store.disown(&ask(Channel::Sms), now()).await.unwrap();
    assert_eq!(given_back, 1);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
}
