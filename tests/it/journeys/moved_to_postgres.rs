//! A store moves from its file to PostgreSQL: everybody stays told, nobody is told twice, and the file
//! that was left behind sends nothing more.

use chrono::DateTime;
use sqlx::Connection;
use varsel::store::{Access, Desk};

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::link::Fault;
use crate::support::postgres::database;

const PEOPLE: u32 = 5;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a verb prints on both streams, after it ended with this code.
fn said(daemon: &Daemon, arguments: &[&str], code: i32) -> String {
    let output = daemon.verb(arguments);
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_store_moves_and_its_file_is_the_past() {
    let gateway = Gateway::start().await;
    let db = database().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    let file = std::fs::read_to_string(daemon.path("varsel.toml")).unwrap();
    let other = format!("[store]\nurl = \"{}\"\n[upkeep]", db.url());
    let other = file.replace("[upkeep]", &other);
    std::fs::write(daemon.path("postgres.toml"), &other).unwrap();
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(PEOPLE as usize).await;

    let to = daemon.path("postgres.toml").display().to_string();
    let copy = ["db", "copy", "--to", to.as_str()];
    said(&daemon, &copy, 69);
    daemon.signal("TERM");
    assert!(daemon.wait().success());
    said(&daemon, &["db", "verify"], 0);
    let done = daemon.verb(&copy);
    let (copied, progress) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{progress}");
    assert!(copied.contains("counts and contents agree"), "{copied}");
    // Where no bar can be drawn, lines say how far it is; the last one, that it is all.
    let rows = copied.split(' ').nth(1).unwrap();
    let all = format!("{rows} of {rows} rows");
    assert_eq!(progress.lines().last(), Some(all.as_str()), "{progress}");
    let again = said(&daemon, &copy, 78);
    assert!(
        again.contains("a copy has locked this file before"),
        "{again}"
    );

    // The file: it is read, and nothing leaves.
    let mut register = daemon.register().await;
    sqlx::query("UPDATE bookings SET status = 'booked'")
        .execute(&mut register)
        .await
        .unwrap();
    daemon.spawn(&[]);
    let locked = async || daemon.get("/readyz").await.contains("locked");
    daemon.until("it is locked", locked).await;
    let why = said(&daemon, &["recover"], 75);
    assert!(why.contains("copied into another database"), "{why}");
    assert_eq!(gateway.taken().len(), PEOPLE as usize, "nothing was sent");
    daemon.kill();

    // The database: it goes on where the file ended.
    std::fs::write(daemon.path("varsel.toml"), &other).unwrap();
    std::fs::remove_file(daemon.path("varsel.db.attempts")).unwrap();
    daemon.start().await;
    gateway.wait_for(2 * PEOPLE as usize).await;
    said(&daemon, &["db", "verify"], 0);
    let store = db.open(Access::ReadOnly).await;
    let tally = store.tally(DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(tally.people(), PEOPLE, "as many as before");
    assert_eq!(gateway.taken().len(), 2 * PEOPLE as usize, "each once");
}

/// Where the verb is killed while its last word is under way, the file is the past already: whether the
/// database has become whole or is still empty, no two can send.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_copy_that_is_killed_at_its_last_word_leaves_no_two_that_send() {
    for (fault, is_whole) in [
        (Fault::NoRepliesFrom(b"COMMIT TRANSACTION"), true),
        (Fault::SilenceFrom(b"COMMIT TRANSACTION"), false),
    ] {
        let gateway = Gateway::start().await;
        let db = database().await;
        let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
        daemon.start().await;
        daemon.signal("TERM");
        assert!(daemon.wait().success());
        // The schema is made by transactions of its own, whose last words are no part of the fault.
        db.open(Access::Daemon).await.close().await;
        let link = db.link().await;
        link.set(fault);
        let file = std::fs::read_to_string(daemon.path("varsel.toml")).unwrap();
        let other = format!("[store]\nurl = \"{}\"\n[upkeep]", db.url_over(&link));
        let other = file.replace("[upkeep]", &other);
        std::fs::write(daemon.path("postgres.toml"), &other).unwrap();
        let to = daemon.path("postgres.toml").display().to_string();
        let mut copying = daemon
            .command(&["db", "copy", "--to", &to])
            .spawn()
            .unwrap();
        link.sprung().await;
        copying.kill().unwrap();
        copying.wait().unwrap();
        drop(link);
        let again = said(&daemon, &["db", "copy", "--to", &to], 78);
        assert!(again.contains("`varsel recover` lets it go on"), "{again}");
        let why = said(&daemon, &["recover"], 75);
        assert!(why.contains("copied into another database"), "{why}");
        let mut target = db.raw().await;
        // A transaction that has lost its client ends by itself; until then its rows are nobody's.
        let free = "LOCK TABLE node IN EXCLUSIVE MODE";
        let mut waiting = target.begin().await.unwrap();
        sqlx::query(free).execute(&mut *waiting).await.unwrap();
        let count = "SELECT count(*) FROM appointment";
        let rows: i64 = sqlx::query_scalar(count)
            .fetch_one(&mut *waiting)
            .await
            .unwrap();
        assert_eq!(rows == i64::from(PEOPLE), is_whole, "{rows}");
    }
}
