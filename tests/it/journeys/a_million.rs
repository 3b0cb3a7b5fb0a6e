//! A very large booking system beside a small one: how long a look takes that finds nothing new, and in
//! how much memory, and that nobody waits while it is read for the first time.
//!
//! The figures are those of a release build with `VARSEL_LONG=1`, which asks for a million bookings and
//! holds them to their limits; an ordinary run lives the same with a few thousand:
//!
//! ```text
//! cargo build --release
//! VARSEL_LONG=1 VARSEL_BINARY=target/release/varsel cargo test --test it -- a_million --nocapture
//! ```

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use varsel::clock::{Clock, Mono};
use varsel::domain::appointment::SourceName;
use varsel::store::{Access, Database, Ledger, Watched};

use crate::support::campaign::rounds;
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

#[tokio::test]
async fn a_million_bookings_that_say_nothing_new_are_looked_at_in_little_time_and_memory() {
    let rows = rounds(5_000, 1_000_000);
    let long = rows == 1_000_000;
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), LARGE).await;
    let mut register = large(&daemon).await;
    run(&mut register, REGISTER).await;
    run(&mut register, "CREATE TABLE other (n INTEGER)").await;
    run(
        &mut register,
        &format!(
            "WITH RECURSIVE n(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n + 1 < {rows})
             INSERT INTO bookings SELECT 'large-' || n, 'booked', '2031-03-24 09:20', 'gronland',
               'passport', 40000000 + n, 'person' || n || '@example.com', 'nb' FROM n"
        ),
    )
    .await;

    // While the large one is read for the first time, whoever is cancelled in the small one is told.
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
    let baseline = begun.elapsed().as_secs_f64();
    let peak = daemon.peak_memory_mib();
    println!(
        "a first look at {rows} bookings: {baseline:.1} s, {peak} MiB; {PEOPLE} people of another \
         source were told {told:.1} s after their cancellation{}",
        if meanwhile {
            ", before it was over"
        } else {
            ""
        }
    );
    assert!(
        meanwhile || !long,
        "nobody was told while the large one was read"
    );
    daemon.signal("TERM");
    assert!(daemon.wait().success());

    // Another process, which knows only what the store knows.
    let before = watched(&store).await.snapshot_at;
    let begun = Mono::now();
    daemon.spawn(&[]);
    let mut last = looked_at(&store, before).await;
    println!(
        "the first look of another process: {:.1} s",
        begun.elapsed().as_secs_f64()
    );

    // Somebody writes what concerns nobody: the source cannot say that nothing changed.
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        run(&mut register, "INSERT INTO other VALUES (1)").await;
        let begun = Mono::now();
        // The look under way may have begun before.
        last = looked_at(&store, Some(last)).await;
        last = looked_at(&store, Some(last)).await;
        longest = longest.max(begun.elapsed());
    }
    let (seconds, peak) = (longest.as_secs_f64(), daemon.peak_memory_mib());
    println!(
        "a look at {rows} bookings that finds nothing new: {seconds:.2} s; at most {peak} MiB"
    );
    assert_eq!(gateway.taken().len(), PEOPLE as usize);
    if long {
        assert!(
            seconds <= MOST_SECONDS,
            "{seconds} s are more than {MOST_SECONDS}"
        );
        assert!(peak <= MOST_MIB, "{peak} MiB are more than {MOST_MIB}");
    }
}
