//! What only PostgreSQL must keep: its settings, many nodes at once, and its own restarts and links.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use tokio_util::sync::CancellationToken;
use varsel::domain::message::{Channel, MessageState};
use varsel::store::{
    Access, Claim, ClaimAsk, Cluster, Database, Deed, Desk, HoldOn, Outbox, Place, Settled,
    StoreError, postgres::Address,
};

use super::fixtures::*;
use crate::support::gateway::Gateway;
use crate::support::link::{Fault, Link};
use crate::support::postgres::{Db, Postgres, database};
use crate::support::world::sms_line;

async fn refusal(db: &Db, access: Access) -> StoreError {
    let address = Address::parse(&db.url()).unwrap();
    let place = Place::Postgres(Box::new(address));
    Database::open(&place, access).await.unwrap_err()
}

/// The store over a link, with little patience.
async fn over(db: &Db, link: &Link) -> Database {
    let address = Address::parse(&db.url_over(link)).unwrap();
    let address = address.with_patience(Duration::from_secs(1));
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

/// Sessions are asked only when they begin: what they were found with must hold for as long as they live.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_reload_cannot_make_open_sessions_forgetful() {
    let server = Postgres::start();
    let db = server.database().await;
    let store = db.open(Access::Daemon).await;
    cancel(&store, 1).await;
    // What the commit of a claim was synced with is seen from within its session.
    let watched = "CREATE TABLE seen (value text);
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$;
        CREATE TRIGGER see BEFORE INSERT ON attempt FOR EACH ROW EXECUTE FUNCTION see()";
    run(&db, watched).await.unwrap();
    let mut other = db.raw().await;
    sqlx::query("ALTER SYSTEM SET synchronous_commit = off")
        .execute(&mut other)
        .await
        .unwrap();
    sqlx::query("SELECT pg_reload_conf()")
        .execute(&mut other)
        .await
        .unwrap();
    // The other session has heard of it; the store's have, once they wake.
    let mut now = String::new();
    while now != "off" {
        let asked = sqlx::query_scalar("SHOW synchronous_commit");
        now = asked.fetch_one(&mut other).await.unwrap();
    }
    claim_one(&store, &ask(Channel::Sms)).await;
    let kept = number(&db, "SELECT count(*) FROM seen WHERE value = 'on'").await;
    let all = number(&db, "SELECT count(*) FROM seen").await;
    assert_eq!((kept, all), (1, 1), "an intent was synced");
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

/// A number that the database is asked for.
async fn number(db: &Db, sql: &str) -> i64 {
    let mut conn = db.raw().await;
    let number = sqlx::query_scalar(AssertSqlSafe(sql));
    number.fetch_one(&mut conn).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_node_that_may_still_live_keeps_its_leases_for_a_while() {
    let db = database().await;
    let first = db.open(Access::Daemon).await;
    cancel(&first, 1).await;
    assert_eq!(first.join("node-a").await.unwrap(), 0);
    let trust = first.beat("node-a").await.unwrap().unwrap();
    let mut ask = ask(Channel::Sms);
    ask.lease = Duration::from_secs(3600);
    claim_one(&first, &ask).await;
    // Its session is gone, and it does not know yet.
    run(&db, END_NAMES).await.unwrap();
    let second = db.open(Access::Daemon).await;
    let beat = number(&db, "SELECT beat_at FROM node").await;
    assert_eq!(joined(&second, "node-a").await, 1);
    let end = number(&db, "SELECT lease_until FROM message").await;
    assert_eq!(end - beat, i64::try_from(trust.as_millis()).unwrap());
    assert!(!sweep(&second).await.any(), "nobody takes it for unknown");
    // Who has just started and has had the name all the while need not wait for anybody.
    second.join("node-a").await.unwrap();
    assert_eq!(sweep(&second).await.leases_ended, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_node_that_a_recovery_has_forgotten_may_still_live() {
    let db = database().await;
    let first = db.open(Access::Daemon).await;
    cancel(&first, 1).await;
    first.join("node-a").await.unwrap();
    let mut ask = ask(Channel::Sms);
    ask.lease = Duration::from_secs(3600);
    claim_one(&first, &ask).await;
    run(&db, END_NAMES).await.unwrap();
    run(&db, "DELETE FROM node").await.unwrap();
    let second = db.open(Access::Daemon).await;
    assert_eq!(joined(&second, "node-a").await, 1);
    assert!(!sweep(&second).await.any(), "nobody takes it for unknown");
}

/// Ends the sessions that hold names, as a restart of the server or a broken link does.
const END_NAMES: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// Joins as soon as the server has noticed the end of the session before.
async fn joined(store: &Database, node: &str) -> u32 {
    loop {
        match store.join(node).await {
            Ok(ended) => return ended,
            Err(StoreError::Taken(_)) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

async fn sweep(store: &Database) -> varsel::store::Swept {
    store.sweep(now(), limits()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_lost_name_is_taken_again_or_known_to_be_anothers() {
    let server = Postgres::start();
    let db = server.database().await;
    let (first, second) = (db.open(Access::Daemon).await, db.open(Access::Daemon).await);
    first.join("one").await.unwrap();
    server.stop_at_once();
    let failed = first.beat("one").await.unwrap_err();
    assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
    server.start_again();
    first.beat("one").await.unwrap();
    let refused = second.join("one").await.unwrap_err();
    assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
    server.stop_at_once();
    server.start_again();
    second.join("one").await.unwrap();
    let lost = first.beat("one").await.unwrap_err();
    assert!(matches!(lost, StoreError::Taken(_)), "{lost}");
    assert!(lost.to_string().contains("another [node] name"), "{lost}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_node_is_not_kept_from_its_name_by_its_own_dead_session() {
    let db = database().await;
    let link = db.link().await;
    let store = over(&db, &link).await;
    store.join("one").await.unwrap();
    link.set(Fault::Silence);
    store.beat("one").await.unwrap_err();
    link.set(Fault::None);
    let beaten = async {
        while let Err(error) = store.beat("one").await {
            assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
        }
    };
    tokio::time::timeout(Duration::from_secs(30), beaten)
        .await
        .unwrap();
}

/// Waits until so many sessions of this database wait for a lock.
async fn waiting(db: &Db, sessions: i64) {
    let sql = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while number(db, sql).await != sessions {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_hold_that_stands_is_seen_by_a_claim_under_way() {
    let db = database().await;
    let (node, desk) = (db.open(Access::Daemon).await, db.open(Access::Verb).await);
    cancel(&node, 2).await;
    let mut first = ask(Channel::Sms);
    first.limit = 1;
    // The claim has chosen its message and waits for its own row.
    let mut other = db.raw().await;
    let row = format!(
        "BEGIN; INSERT INTO claim (node, nonce, at) VALUES ('{}', {}, 0)",
        first.node, first.nonce
    );
    sqlx::raw_sql(AssertSqlSafe(row))
        .execute(&mut other)
        .await
        .unwrap();
    let claiming = {
        let (node, first) = (node.clone(), first.clone());
        tokio::spawn(async move { node.claim(&first).await.unwrap().len() })
    };
    waiting(&db, 1).await;
    let holding = tokio::spawn(async move {
        let hold = act("h", Deed::AddHold(HoldOn::All));
        desk.act(&hold).await.unwrap();
    });
    tokio::select! {
        () = waiting(&db, 2) => {}
        () = async { while !holding.is_finished() { tokio::task::yield_now().await } } => {}
    }
    let stood = holding.is_finished();
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let taken = claiming.await.unwrap();
    assert!(
        taken == 0 || !stood,
        "{taken} left although a hold stood already"
    );
    holding.await.unwrap();
    first.nonce += 1;
    assert_eq!(node.claim(&first).await.unwrap().len(), 0);
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
    let direct = db.open(Access::Verb).await;
    cancel(&direct, 1).await;
    link.set(Fault::NoReplies);
    for _ in 0..6 {
        let failed = claim(&store, 1).await.unwrap_err();
        assert!(matches!(failed, StoreError::Unavailable(_)), "{failed}");
    }
    let failed = store.tally(now()).await.unwrap_err();
    assert!(failed.to_string().contains("no answer within"), "{failed}");
    link.set(Fault::None);
    // Nothing was taken before, and no lock was left behind.
    assert_eq!(soon(&store, 1).await, 1);
    assert_eq!(state(&direct, 1).await, MessageState::Sending);
}

/// Claims as soon as the store answers in time, which a busy machine may not at once.
async fn soon(store: &Database, limit: u32) -> usize {
    let claiming = async {
        loop {
            match claim(store, limit).await {
                Ok(claims) => return claims.len(),
                Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
            }
        }
    };
    let claimed = tokio::time::timeout(Duration::from_secs(30), claiming).await;
    claimed.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_commit_whose_reply_is_lost_is_in_doubt() {
    let db = database().await;
    let link = db.link().await;
    let store = over(&db, &link).await;
    let direct = db.open(Access::Verb).await;
    cancel(&direct, 1).await;
    link.set(Fault::NoRepliesFrom(b"COMMIT\0"));
    let failed = claim(&store, 1).await.unwrap_err();
    assert!(matches!(failed, StoreError::InDoubt(_)), "{failed}");
    link.set(Fault::None);
    assert_eq!(state(&direct, 1).await, MessageState::Sending);
    let given_back = store.disown(&ask(Channel::Sms), now()).await.unwrap();
    assert_eq!(given_back, 1);
    assert_eq!(state(&direct, 1).await, MessageState::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_line_that_stops_leaves_no_claim_in_doubt() {
    let db = database().await;
    let link = db.link().await;
    let store = over(&db, &link).await;
    let direct = db.open(Access::Verb).await;
    cancel(&direct, 1).await;
    let gateway = Gateway::start().await;
    let mut line = sms_line(&store, &gateway).await;
    link.set(Fault::NoRepliesFrom(b"COMMIT\0"));
    let failed = line.step(now()).await.unwrap_err();
    assert!(matches!(failed, StoreError::InDoubt(_)), "{failed}");
    link.set(Fault::None);
    assert_eq!(state(&direct, 1).await, MessageState::Sending);
    let stop = CancellationToken::new();
    stop.cancel();
    line.run(stop).await;
    assert_eq!(state(&direct, 1).await, MessageState::Ready);
    assert_eq!(gateway.taken().len(), 0, "nothing of it was sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn connections_that_a_router_has_forgotten_cost_no_write() {
    let db = database().await;
    let link = db.link().await;
    let address = Address::parse(&db.url_over(&link)).unwrap();
    let place = Place::Postgres(Box::new(address));
    let store = Database::open(&place, Access::Daemon).await.unwrap();
    cancel(&store, 8).await;
    let claims = (0..4).map(|nonce| {
        let store = store.clone();
        let one = ClaimAsk {
            limit: 1,
            nonce,
            ..ask(Channel::Sms)
        };
        tokio::spawn(async move { store.claim(&one).await.unwrap().len() })
    });
    for claimed in claims.collect::<Vec<_>>() {
        assert_eq!(claimed.await.unwrap(), 1);
    }
    link.forget();
    assert_eq!(claim(&store, 1).await.unwrap().len(), 1);
    assert_eq!(claim(&store, 9).await.unwrap().len(), 3);
}
