//! Simulated lives once more on real databases: the same calls of the store, one after the other, must
//! come to the same answers, and to the same books at the end.
//!
//! A database's clock cannot be told to pass. What it keeps on that clock (leases, windows) is set
//! back instead, by as much as passed in the simulated world and not in ours.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, SqliteConnection};
use tokio::runtime::{Builder, Runtime};
use varsel::domain::appointment::BookingKey;
use varsel::store::model::Model;
use varsel::store::{Access, Database, Store};

use super::calls::Call;
use super::chaos::live_on;
use super::house::{beginning, source_name};
use crate::support::postgres;

/// Lives of an ordinary run, and of a long one.
const LIVES: (u64, u64) = (10, 100);

/// No life has more bookings.
const BOOKINGS: u32 = 6;

/// A connection beside the store's.
enum Beside {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Beside {
    async fn now(&mut self) -> i64 {
        let row = match self {
            Self::Sqlite(conn) => {
                let sql = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
                sqlx::query_scalar(sql).fetch_one(conn).await
            }
            Self::Postgres(conn) => {
                let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
                sqlx::query_scalar(sql).fetch_one(conn).await
            }
        };
        row.unwrap()
    }

    async fn run(&mut self, sql: String) {
        match self {
            Self::Sqlite(conn) => {
                sqlx::query(AssertSqlSafe(sql)).execute(conn).await.unwrap();
            }
            Self::Postgres(conn) => {
                sqlx::query(AssertSqlSafe(sql)).execute(conn).await.unwrap();
            }
        }
    }
}

/// Keeps a database's times as far from its clock as those of the model are from the model's.
struct Clock {
    beside: Beside,
    /// When the times were set last.
    at: i64,
}

impl Clock {
    async fn new(mut beside: Beside) -> Self {
        let at = beside.now().await;
        Self { beside, at }
    }

    /// In the model only whole seconds pass, so what a call took of our time is what is over.
    async fn set(&mut self, passed_ms: i64) {
        let (old, new) = (self.at, self.beside.now().await);
        let back = new - passed_ms;
        let whole = |column: &str| format!("{back} + (({column} - {old}) / 1000) * 1000");
        // A gateway's memory ends in the middle of a second.
        let half = format!("{back} + ((dedup_until - {old} + 500) / 1000) * 1000 - 500");
        let lease = whole("lease_until");
        self.beside
            .run(format!(
                "UPDATE message SET lease_until = {lease}, dedup_until = {half}"
            ))
            .await;
        self.beside
            .run(format!("UPDATE source SET lease_until = {lease}"))
            .await;
        self.at = new;
    }
}

/// One life as the model lived it.
struct Lived {
    seed: u64,
    calls: Vec<(Call, String)>,
    model: Model,
}

/// A simulated life has runtimes of its own, so it is lived outside of any.
fn lived(seed: u64) -> Lived {
    let (_, calls, model) = live_on(seed, true);
    Lived { seed, calls, model }
}

async fn replay(lived: &Lived, store: Database, beside: Beside) {
    let Lived { seed, calls, model } = lived;
    let mut clock = Clock::new(beside).await;
    let mut now = beginning();
    for (number, (call, expected)) in calls.iter().enumerate() {
        let passed = match call {
            Call::Pass(length) => i64::try_from(length.as_millis()).unwrap(),
            _ => 0,
        };
        now += chrono::TimeDelta::milliseconds(passed);
        clock.set(passed).await;
        let answer = call.on(&store).await;
        assert_eq!(answer, *expected, "seed {seed}, call {number}: {call:?}");
    }
    let (real, expected) = (books(&store, now).await, books(model, now).await);
    assert_eq!(real, expected, "the books of seed {seed}");
    let breaches = store.verify().await.unwrap();
    assert_eq!(breaches, [], "the store is whole after seed {seed}");
    println!("seed {seed}: {} calls, each answered alike", calls.len());
}

/// Everything that people can read.
async fn books<S: Store>(store: &S, now: DateTime<Utc>) -> Vec<String> {
    let keys: Vec<_> = (1..=BOOKINGS)
        .map(|n| BookingKey(format!("B{n}")))
        .collect();
    let mut known = store.known(&source_name(), &keys).await.unwrap();
    known.sort_by_key(|known| known.cursor);
    let mut books = vec![
        format!("{:?}", store.tally(now).await.unwrap()),
        format!("{:?}", store.gauges(now).await.unwrap()),
        format!("{:?}", store.batches().await.unwrap()),
        format!("{:?}", store.calls().await.unwrap()),
        format!("{:?}", store.must_be_phoned(now, 100).await.unwrap()),
        format!("{:?}", store.marks(&source_name(), now).await.unwrap()),
        format!("{:?}", store.watched(&source_name(), now).await.unwrap()),
    ];
    books.extend(known.iter().map(|known| format!("{known:?}")));
    for key in keys {
        let mut stories = store.explain(&key.0).await.unwrap();
        // What one write did at one instant to several messages stands in no order that means anything.
        for story in &mut stories {
            story
                .lines
                .sort_by_key(|line| (line.at, line.notice, line.channel));
        }
        books.extend(stories.iter().map(|story| format!("{story:?}")));
    }
    books
}

fn lives() -> u64 {
    match std::env::var_os("VARSEL_LONG") {
        Some(_) => LIVES.1,
        None => LIVES.0,
    }
}

fn runtime() -> Runtime {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(1).enable_all().build().unwrap()
}

#[test]
fn sqlite_answers_as_the_model_did() {
    for seed in 0..lives() {
        let lived = lived(seed);
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("varsel.db");
            let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
            let options = SqliteConnectOptions::new().filename(&path);
            let beside = Beside::Sqlite(options.connect().await.unwrap());
            replay(&lived, store, beside).await;
        });
    }
}

#[test]
#[ignore = "needs tests/servers/fetch"]
fn postgres_answers_as_the_model_did() {
    for seed in 0..lives() {
        let lived = lived(seed);
        runtime().block_on(async {
            let db = postgres::database().await;
            let store = db.open(Access::Daemon).await;
            let beside = Beside::Postgres(db.raw().await);
            replay(&lived, store, beside).await;
        });
    }
}
