//! Whether a store is whole: what `verify` finds, by number, in a file that somebody has changed.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use varsel::domain::message::Channel;
use varsel::store::{Access, Breach, Database, Outbox};

use super::fixtures::*;

/// A change by hand, and what is then said of message or notice 1.
const BROKEN: [(&str, &str); 9] = [
    ("DELETE FROM attempt", "were handed over without an attempt"),
    (
        "UPDATE message SET attempts = 3",
        "count other attempts than they have",
    ),
    (
        "UPDATE message SET state = 'sending', lease_until = NULL",
        "are being sent without a lease",
    ),
    (
        "UPDATE message SET state = 'held'",
        "are held without a reason",
    ),
    (
        "UPDATE message SET state = 'held', reason = 'brake'",
        "are held by the brake without a batch that waits",
    ),
    (
        "UPDATE message SET state = 'lost'",
        "stand in no known state",
    ),
    (
        "DELETE FROM message_person",
        "have no text, though their notice is not erased",
    ),
    (
        "UPDATE message SET state = 'failed'",
        "have no verdict, and nothing of them is in motion",
    ),
    (
        "UPDATE notice SET due_by = due_by + 1",
        "have another deadline than their notice",
    ),
];

async fn by_hand(path: &std::path::Path, sql: &str) {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(false);
    let mut conn: SqliteConnection = options.connect().await.unwrap();
    sqlx::raw_sql("DROP TRIGGER IF EXISTS attempt_is_kept")
        .execute(&mut conn)
        .await
        .unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut conn)
        .await
        .unwrap();
}

async fn verified(path: &std::path::Path) -> Vec<Breach> {
    let store = Database::sqlite(path, Access::ReadOnly).await.unwrap();
    let breaches = store.verify().await.unwrap();
    store.close().await;
    breaches
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_changed_by_hand_is_found_by_number() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.db");
    let store = Database::sqlite(&whole, Access::Daemon).await.unwrap();
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, accepted()).await;
    assert!(store.claim(&ask(Channel::Sms)).await.unwrap().is_empty());
    store.close().await;
    assert_eq!(verified(&whole).await, []);
    for (number, (sql, law)) in BROKEN.into_iter().enumerate() {
        let path = folder.path().join(format!("{number}.db"));
        std::fs::copy(&whole, &path).unwrap();
        by_hand(&path, sql).await;
        let breaches = verified(&path).await;
        let found = breaches.iter().find(|breach| breach.law == law);
        let found = found.unwrap_or_else(|| panic!("after {sql}: {breaches:?}"));
        assert_eq!((found.count, found.rows.as_slice()), (1, &[1][..]), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reference_to_nothing_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    cancel(&store, 1).await;
    store.close().await;
    by_hand(&path, "DELETE FROM appointment").await;
    let breaches = verified(&path).await;
    let broken: Vec<_> = breaches
        .iter()
        .map(|breach| breach.table.as_str())
        .collect();
    assert!(broken.contains(&"notice"), "{breaches:?}");
}
