//! A very large booking system beside a small one: how long a look takes that finds nothing new, and in
//! how much memory, and that nobody waits while it is read for the first time.
//!
//! The figures are those of a release build, which `VARSEL_BINARY` names: with it a million bookings are
//! held to their limits. Without it the same is lived with a few thousand.
//!
//! ```text
//! cargo build --release
//! VARSEL_BINARY=$PWD/target/release/varsel cargo test --test it -- a_million --nocapture
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use varsel::clock::{Clock, Mono};
use varsel::domain::appointment::SourceName;
use varsel::store::{Access, Database, Ledger, Watched};

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::world::REGISTER;

/// A look at a million bookings that finds nothing new takes no longer, in seconds.
const MOST_SECONDS: f64 = 6.0;
/// Nor does the process take more memory for it, in MiB.
const MOST_MIB: u64 = 128;
/// Even a first look at a million bookings comes to an end.
const PATIENCE: Duration = Duration::from_secs(900);
/// How often the store is asked.
const ASK_AGAIN: Duration = Duration::from_millis(5);
/// How many people the small register holds.
const PEOPLE: u32 = 20;

const LARGE: &str = r#"
[[source]]
name = "large"
path = "large.db"
every = "200ms"
zone = "Europe/Oslo"
region = "NO"
start = "naive"
statement_timeout = "300s"
query = "SELECT id, status, start, office, service, phone, email, language FROM bookings"
[source.status]
active = ["booked"]
cancelled = ["cancelled"]
"#;

async fn large(daemon: &Daemon) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(daemon.path("large.db"))
        .create_if_missing(true);
    options.connect().await.unwrap()
}

async fn run(connection: &mut SqliteConnection, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::query(sql).execute(connection).await.unwrap();
}

async fn watched(store: &Database) -> Watched {
    let source = SourceName("large".to_owned());
    store.watched(&source, Clock::system().now()).await.unwrap()
}

/// Waits until a look has been recorded that began after `since`.
async fn looked_at(store: &Database, since: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let asking = async {
        loop {
            let at = watched(store).await.snapshot_at;
            if let Some(at) = at.filter(|at| since.is_none_or(|since| since < *at)) {
                return at;
            }
            Clock::system().pause(ASK_AGAIN).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap()
}

/// So many bookings in a register of their own.
async fn fill(daemon: &Daemon, rows: u32) -> SqliteConnection {
    let mut register = large(daemon).await;
    run(&mut register, REGISTER).await;
    run(&mut register, "CREATE TABLE other (n INTEGER)").await;
    let bookings = format!(
        "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {rows})
         INSERT INTO bookings SELECT 'large-' || n, 'booked', '2031-03-24 09:20', 'gronland',
           'passport', 40000000 + n, 'person' || n || '@example.com', 'nb' FROM n"
    );
    run(&mut register, &bookings).await;
    register
}

/// Whoever is cancelled in the small register is told while the large one is read for the first time;
/// whether that was still under way.
async fn first_look(daemon: &mut Daemon, gateway: &Gateway) -> bool {
    let begun = Mono::now();
    daemon.spawn(&[]);
    let path = daemon.path("varsel.db");
    let small = SourceName("register".to_owned());
    daemon
        .until("the small register is known", async || {
            let Ok(store) = Database::sqlite(&path, Access::ReadOnly).await else {
                return false;
            };
            let watched = store.watched(&small, Clock::system().now()).await;
            watched.is_ok_and(|watched| watched.baseline)
        })
        .await;
    let store = daemon.store().await;
    let cancelled = Mono::now();
    daemon.cancel_everybody().await;
    gateway.wait_for(PEOPLE as usize).await;
    let told = cancelled.elapsed().as_secs_f64();
    let meanwhile = !watched(&store).await.baseline;
    looked_at(&store, None).await;
    let (baseline, peak) = (begun.elapsed().as_secs_f64(), daemon.peak_memory_mib());
    println!(
        "the first look: {baseline:.1} s, {peak} MiB; {PEOPLE} people of another source were told \
         {told:.1} s after their cancellation, before it was over: {meanwhile}"
    );
    meanwhile
}

/// How long a look takes that finds nothing new, though somebody has written what concerns nobody: the
/// source cannot say that nothing changed.
async fn a_calm_look(store: &Database, register: &mut SqliteConnection) -> Duration {
    let last = watched(store).await.snapshot_at;
    run(register, "INSERT INTO other VALUES (1)").await;
    let begun = Mono::now();
    // The look under way may have begun before.
    let last = looked_at(store, last).await;
    looked_at(store, Some(last)).await;
    begun.elapsed()
}

#[tokio::test]
async fn a_million_bookings_that_say_nothing_new_are_looked_at_in_little_time_and_memory() {
    let long = std::env::var_os("VARSEL_BINARY").is_some();
    let rows = if long { 1_000_000 } else { 5_000 };
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), LARGE).await;
    let mut register = fill(&daemon, rows).await;
    let meanwhile = first_look(&mut daemon, &gateway).await;
    assert!(meanwhile || !long, "nobody was told meanwhile");
    daemon.signal("TERM");
    assert!(daemon.wait().success());

    // Another process, which knows only what the store knows.
    let store = daemon.store().await;
    let before = watched(&store).await.snapshot_at;
    let begun = Mono::now();
    daemon.spawn(&[]);
    looked_at(&store, before).await;
    let began = begun.elapsed().as_secs_f64();
    println!("the first look of another process at {rows} bookings: {began:.1} s");
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        longest = longest.max(a_calm_look(&store, &mut register).await);
    }
    let (seconds, peak) = (longest.as_secs_f64(), daemon.peak_memory_mib());
    println!("a look that finds nothing new: {seconds:.2} s; at most {peak} MiB");
    let told = gateway.taken().len();
    assert_eq!(told, PEOPLE as usize, "and nobody is told anything new");
    if long {
        assert!(seconds <= MOST_SECONDS, "{seconds} s");
        assert!(peak <= MOST_MIB, "{peak} MiB");
    }
}
