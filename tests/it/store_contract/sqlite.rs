//! What only the SQLite file must keep: its lock, its settings, its durability, its privacy.

use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use varsel::domain::message::{Channel, MessageState};
use varsel::store::{Access, Database, Settled};
use varsel::store::{Cluster, Desk, Ledger, Outbox, ReportState, StoreError};

use super::fixtures::*;

struct File {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn file() -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    File {
        _folder: folder,
        path,
    }
}

async fn daemon(path: &Path) -> Database {
    Database::sqlite(path, Access::Daemon).await.unwrap()
}

async fn raw(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path);
    options.connect().await.unwrap()
}

async fn run(path: &Path, sql: &'static str) -> Result<(), sqlx::Error> {
    let mut conn = raw(path).await;
    let result = sqlx::query(sql).execute(&mut conn).await;
    conn.close().await.unwrap();
    result.map(|_| ())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_daemon_is_refused() {
    let file = file();
    let first = daemon(&file.path).await;
    let refused = Database::sqlite(&file.path, Access::Daemon)
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Taken(_)), "{refused}");
    let said = refused.to_string();
    assert!(
        said.contains("varsel.db.lock") && said.contains("running daemon"),
        "{said}"
    );
    first.close().await;
    daemon(&file.path).await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_writes_while_the_daemon_runs() {
    let file = file();
    let daemon = daemon(&file.path).await;
    cancel(&daemon, 1).await;
    let verb = Database::sqlite(&file.path, Access::Verb).await.unwrap();
    baseline_more(&verb).await;
    assert_eq!(known(&daemon, 2).await.appointment, active(2));
    assert_eq!(claim_one(&daemon, &ask(Channel::Sms)).await.attempts, 1);
    assert_eq!(state(&verb, 1).await, MessageState::Sending);
}

async fn baseline_more(store: &Database) {
    store.record(record(vec![new_booking(2)])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_reads_only() {
    let file = file();
    let daemon = daemon(&file.path).await;
    cancel(&daemon, 1).await;
    let reader = Database::sqlite(&file.path, Access::ReadOnly)
        .await
        .unwrap();
    assert_eq!(reader.tally(now()).await.unwrap().waiting, 1);
    let refused = reader.beat("reader").await.unwrap_err();
    assert!(matches!(refused, StoreError::Unfit(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_daemon_creates_the_file() {
    let file = file();
    for access in [Access::Verb, Access::ReadOnly] {
        let missing = Database::sqlite(&file.path, access).await.unwrap_err();
        assert!(matches!(missing, StoreError::Unavailable(_)), "{missing}");
        assert!(missing.to_string().contains("does not exist"), "{missing}");
        assert!(!file.path.exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_in_write_ahead_mode() {
    let file = file();
    daemon(&file.path).await.close().await;
    let mut conn = raw(&file.path).await;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(mode, "wal");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_a_newer_release_is_left_alone() {
    let file = file();
    daemon(&file.path).await.close().await;
    run(&file.path, "UPDATE schema SET writes = 9, reads = 9")
        .await
        .unwrap();
    let refused = Database::sqlite(&file.path, Access::Daemon)
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Unfit(_)), "{refused}");
    assert!(refused.to_string().contains("newer release"), "{refused}");
    run(&file.path, "UPDATE schema SET reads = 1")
        .await
        .unwrap();
    daemon(&file.path).await.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_database_is_named() {
    let file = file();
    std::fs::write(&file.path, "this is a letter, not a database".repeat(100)).unwrap();
    let refused = Database::sqlite(&file.path, Access::Daemon)
        .await
        .unwrap_err();
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    assert!(refused.to_string().contains("varsel.db"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_outlives_the_process() {
    let file = file();
    let store = daemon(&file.path).await;
    cancel(&store, 3).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    settle_one(&store, &claims[0], accepted()).await;
    let secret = store.secret("reports").await.unwrap();
    let (before, tally) = (known(&store, 1).await, store.tally(now()).await.unwrap());
    let story = store.explain("B1").await.unwrap();
    store.close().await;
    let store = daemon(&file.path).await;
    assert_eq!(known(&store, 1).await, before);
    assert_eq!(store.tally(now()).await.unwrap(), tally);
    assert_eq!(store.explain("B1").await.unwrap(), story);
    assert_eq!(store.secret("reports").await.unwrap(), secret);
    assert_eq!(store.join("node-a").await.unwrap(), 2);
    let swept = store.sweep(now(), limits()).await.unwrap();
    assert_eq!(swept.leases_ended, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_waits_for_nobody_who_still_holds_the_store() {
    let file = file();
    let store = daemon(&file.path).await;
    let left = store.clone();
    let waiting: Vec<_> = (1..=20)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move { store.record(record(vec![new_booking(n)])).await })
        })
        .collect();
    store.close().await;
    let refused = left.beat("node-a").await.unwrap_err();
    assert!(refused.to_string().contains("closed"), "{refused}");
    let store = daemon(&file.path).await;
    let marks = store.marks(&source(), now()).await.unwrap();
    for (n, task) in (1..).zip(waiting) {
        let written = task.await.unwrap().is_ok();
        assert_eq!(marks.contains(&key(n)), written, "answered honestly");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_request_takes_no_other_with_it() {
    let file = file();
    let store = daemon(&file.path).await;
    baseline(&store, 1).await;
    let trigger = "CREATE TRIGGER broken BEFORE INSERT ON appointment WHEN NEW.key = 'B99'
                   BEGIN SELECT RAISE(ABORT, 'this row breaks'); END";
    run(&file.path, trigger).await.unwrap();
    let good = (2..=60).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.record(record(vec![new_booking(n)])).await })
    });
    let good: Vec<_> = good.collect();
    let bad = record(vec![new_booking(98), new_booking(99)]);
    let refused = store.record(bad).await;
    assert!(
        matches!(refused, Err(StoreError::Unavailable(_))),
        "{refused:?}"
    );
    for task in good {
        assert_eq!(task.await.unwrap().unwrap().written, 1);
    }
    let marks = store.marks(&source(), now()).await.unwrap();
    assert_eq!(marks.len(), 60, "of the broken request nothing is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn history_and_attempts_are_append_only() {
    let file = file();
    let store = daemon(&file.path).await;
    cancel(&store, 1).await;
    claim_one(&store, &ask(Channel::Sms)).await;
    for sql in [
        "UPDATE history SET actor = 'nobody'",
        "DELETE FROM history",
        "DELETE FROM attempt",
    ] {
        let refused = run(&file.path, sql).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

/// Every cell of every table, as text, by table.
async fn dump(path: &Path) -> Vec<(String, String)> {
    let mut conn = raw(path).await;
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap();
    let mut dump = Vec::new();
    for table in tables {
        let sql = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let cells = columns.iter().map(|c| format!("CAST(\"{c}\" AS TEXT)"));
        let row = cells.collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT concat_ws('|', {row}) FROM {table}");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let text = rows.iter().map(|row| row.get::<Vec<u8>, _>(0));
        let text: Vec<_> = text
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .collect();
        dump.push((table, text.join("\n")));
    }
    dump
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn personal_data_stands_in_its_own_tables_and_can_be_erased() {
    let file = file();
    let store = daemon(&file.path).await;
    let canaries = [
        "+4740000001",
        "p1@example.com",
        "Timen din er avlyst. Ref 1.",
    ];
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, accepted()).await;
    store
        .report(&[report(&claim, ReportState::Delivered)])
        .await
        .unwrap();
    let tables = dump(&file.path).await;
    let mut found = 0;
    for canary in canaries {
        for (table, text) in &tables {
            let there = text.contains(canary);
            assert!(
                !there || table.ends_with("_person"),
                "{canary} stands in {table}"
            );
            found += usize::from(there);
        }
    }
    assert_eq!(
        found, 4,
        "both tables hold the number, one the address, one the text"
    );
    store.erase(start(1) + hours(1), 10).await.unwrap();
    for (table, text) in dump(&file.path).await {
        for canary in canaries {
            assert!(!text.contains(canary), "{canary} is left in {table}");
        }
    }
    store.close().await;
    let bytes = std::fs::read(&file.path).unwrap();
    for canary in canaries {
        let left = bytes.windows(canary.len()).any(|w| w == canary.as_bytes());
        assert!(!left, "{canary} is left in the free pages of the file");
    }
}

/// A cell that nobody understands, written behind our back: its neighbours' outcomes are written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_nobody_understands_spoils_no_neighbours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    cancel(&store, 3).await;
    let claims = store.claim(&ask_briefly()).await.unwrap();
    let spoil = "UPDATE message SET told_on = 'maybe' WHERE gateway_key = 'gk-2-0'";
    let mut conn = raw(&path).await;
    sqlx::query(spoil).execute(&mut conn).await.unwrap();
    let settlements: Vec<_> = claims.iter().map(|c| settle(c, accepted())).collect();
    let settled = store.settle(&settlements).await.unwrap();
    assert_eq!(
        (&settled[0], &settled[2]),
        (&Settled::Moved, &Settled::Moved)
    );
    assert!(
        matches!(&settled[1], Settled::SetAside(why) if why.contains("told_on")),
        "{settled:?}"
    );
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    let swept = store.sweep(now(), limits()).await.unwrap();
    assert_eq!((swept.set_aside, swept.leases_ended), (1, 0));
    let mend = "UPDATE message SET told_on = 'delivered' WHERE gateway_key = 'gk-2-0'";
    sqlx::query(mend).execute(&mut conn).await.unwrap();
    let settled = store.settle(&settlements[1..2]).await.unwrap();
    assert_eq!(settled, [Settled::Moved]);
}
