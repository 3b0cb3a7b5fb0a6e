//! An old backup is put back under a daemon: it notices, sends nothing until a person has decided,
//! and sends nothing twice without a person's word.

use std::path::Path;

use chrono::DateTime;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};
use varsel::store::{Access, Database, Desk};

use crate::support::books::named;
use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};
use crate::support::postgres::{Db, Postgres};

const PEOPLE: u32 = 8;

/// What is wrong is looked for all the time.
const LOOKING: &str = "[alarms]\nevery = \"100ms\"\n";

/// A consistent copy of a SQLite file, as a backup makes it.
async fn back_up(from: &Path, to: &Path) {
    let options = SqliteConnectOptions::new().filename(from);
    let mut conn = options.connect().await.unwrap();
    let sql = format!("VACUUM INTO '{}'", to.display());
    sqlx::query(AssertSqlSafe(sql))
        .execute(&mut conn)
        .await
        .unwrap();
}

fn put_back(daemon: &Daemon, backup: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(daemon.path(&format!("varsel.db{ending}")));
    }
    std::fs::copy(backup, daemon.path("varsel.db")).unwrap();
}

async fn until_told(daemon: &Daemon, store: &Database, people: u32) {
    let told = async || store.tally(DateTime::UNIX_EPOCH).await.unwrap().sms == people;
    daemon.until("everybody was handed over", told).await;
}

async fn until_locked(daemon: &Daemon) {
    daemon
        .until("it is locked", async || {
            daemon
                .get("/readyz")
                .await
                .contains("locked, nothing is sent")
        })
        .await;
}

fn said(daemon: &Daemon, arguments: &[&str], code: i32) -> String {
    let output = daemon.verb(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}{complaint}");
    said
}

/// Releases every batch that waits, as it stands.
async fn release_all(daemon: &Daemon, store: &Database) {
    for batch in store.batches().await.unwrap() {
        let (number, seen) = (
            batch.id.0.to_string(),
            format!("{}:{}", batch.version, batch.people),
        );
        let reason = "the gateway has no record of them";
        let release = [
            "hold", "release", &number, "--seen", &seen, "--reason", reason,
        ];
        said(daemon, &release, 0);
    }
}

/// What is asked of a daemon that stands before an older state of its store, in which nobody was
/// told: it is locked, sends nothing, explains, and goes on at a person's word.
async fn is_locked_until_recovered(daemon: &Daemon, gateway: &Gateway, store: &Database) {
    until_locked(daemon).await;
    let metrics = daemon.get("/metrics").await;
    let figure = "varsel_sending_stopped{why=\"locked\"} 1";
    assert!(metrics.contains(figure), "{metrics}");
    assert!(said(daemon, &["status"], 0).contains("Locked since"));
    let alarm = async || said(daemon, &["alarm", "list"], 0).contains("locked, nothing is sent: ");
    daemon.until("an alarm stands", alarm).await;
    let why = said(daemon, &["recover"], 75);
    assert!(
        why.contains("an older state of the database was put back"),
        "{why}"
    );
    assert_eq!(gateway.taken().len(), PEOPLE as usize, "nothing was sent");

    said(
        daemon,
        &["recover", "--ask", "--reason", "the backup was put back"],
        0,
    );
    let held = async || {
        let batches = store.batches().await.unwrap();
        batches.iter().map(|batch| batch.people).sum::<u32>() == PEOPLE
    };
    daemon.until("everybody waits for a word", held).await;
    daemon
        .until("it is ready again", async || {
            daemon.get("/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
    assert_eq!(
        gateway.taken().len(),
        PEOPLE as usize,
        "still nothing was sent"
    );
    said(daemon, &["recover"], 0);

    release_all(daemon, store).await;
    until_told(daemon, store, PEOPLE).await;
    assert_eq!(
        gateway.taken().len(),
        2 * PEOPLE as usize,
        "at a person's word"
    );
}

/// At its first byte an attempt is written down outside the store: the gateway has it and has not answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_left_stands_in_the_journal() {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::TakeAndWait);
    let mut daemon = Daemon::prepare(20, &gateway.url(), "").await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    let taken = gateway.wait_for(8).await;
    let journal = std::fs::read_to_string(daemon.path("varsel.db.attempts")).unwrap();
    let last = journal.lines().last().unwrap();
    let newest: i64 = last.split(' ').nth(1).unwrap().parse().unwrap();
    for sms in &taken {
        let (attempt, _) = named(sms);
        assert!(
            attempt <= newest,
            "{attempt} is behind the journal's {newest}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_of_the_file_is_noticed_at_the_start() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), LOOKING).await;
    daemon.start().await;
    let backup = daemon.path("backup.db");
    back_up(&daemon.path("varsel.db"), &backup).await;
    daemon.cancel_everybody().await;
    until_told(&daemon, &daemon.store().await, PEOPLE).await;
    daemon.kill();
    put_back(&daemon, &backup);
    daemon.spawn(&[]);
    until_locked(&daemon).await;
    let store = daemon.store().await;
    is_locked_until_recovered(&daemon, &gateway, &store).await;
}

/// The backup holds messages that were about to leave: none of them leaves again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_in_the_backup_is_not_sent_again() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), LOOKING).await;
    daemon.start().await;
    let reason = ["--reason", "wait"];
    said(
        &daemon,
        &[&["hold", "add", "--all"], &reason[..]].concat(),
        0,
    );
    daemon.cancel_everybody().await;
    let store = daemon.store().await;
    let waits = async || store.tally(DateTime::UNIX_EPOCH).await.unwrap().held == PEOPLE;
    daemon.until("everybody waits", waits).await;
    let backup = daemon.path("backup.db");
    back_up(&daemon.path("varsel.db"), &backup).await;
    said(&daemon, &["hold", "release", "h1", "--reason", "go"], 0);
    until_told(&daemon, &store, PEOPLE).await;
    daemon.kill();
    drop(store);
    put_back(&daemon, &backup);
    daemon.spawn(&[]);
    until_locked(&daemon).await;
    said(
        &daemon,
        &["recover", "--ask", "--reason", "an old backup"],
        0,
    );
    daemon
        .until("it is ready again", async || {
            daemon.get("/readyz").await.starts_with("HTTP/1.1 200")
        })
        .await;
    let store = daemon.store().await;
    let tally = store.tally(DateTime::UNIX_EPOCH).await.unwrap();
    let marked = (tally.held, tally.possible_duplicates);
    assert_eq!(marked, (PEOPLE, PEOPLE), "each is held and marked");
    assert_eq!(gateway.taken().len(), PEOPLE as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_journal_is_gone_sends_nothing() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), LOOKING).await;
    daemon.start().await;
    daemon.kill();
    std::fs::remove_file(daemon.path("varsel.db.attempts")).unwrap();
    daemon.spawn(&[]);
    until_locked(&daemon).await;
    daemon.cancel_everybody().await;
    let why = said(&daemon, &["recover"], 75);
    assert!(why.contains("its journal of attempts"), "{why}");
    let reason = "only the disk of the journal was lost";
    said(
        &daemon,
        &["recover", "--as-it-stands", "--reason", reason],
        0,
    );
    until_told(&daemon, &daemon.store().await, PEOPLE).await;
    assert_eq!(gateway.taken().len(), PEOPLE as usize, "once each");
    daemon.kill();
    daemon.start().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn an_older_database_is_noticed_when_the_connection_is_back() {
    let gateway = Gateway::start().await;
    let server = Postgres::start();
    let db = server.database().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), LOOKING).await;
    let store = format!("[store]\nurl = \"{}\"\n[upkeep]", db.url());
    daemon.configure("[upkeep]", &store);
    daemon.start().await;
    daemon.signal("STOP");
    let old = server.copy(&db).await;
    daemon.signal("CONT");
    daemon.cancel_everybody().await;
    until_told(&daemon, &open(&db).await, PEOPLE).await;
    // The daemon runs on; its connections are cut, and the next ones find the older state.
    server.put_in_place(&old, &db).await;
    is_locked_until_recovered(&daemon, &gateway, &open(&db).await).await;
}

async fn open(db: &Db) -> Database {
    db.open(Access::ReadOnly).await
}
