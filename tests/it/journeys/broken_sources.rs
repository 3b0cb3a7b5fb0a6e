//! Booking systems that break in every way beside one that works: nobody's state changes on their account, and the one
//! that works is told of, also by a daemon that starts while they are broken.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::world::REGISTER;

/// What breaks a booking system, what mends it, and what the log says of it.
struct Trouble {
    name: &'static str,
    breaks: &'static str,
    mends: &'static str,
    says: &'static str,
}

const TROUBLES: [Trouble; 5] = [
    Trouble {
        name: "down",
        breaks: "",
        mends: "",
        says: "source \"down\" cannot be read",
    },
    Trouble {
        name: "slow",
        breaks: "INSERT INTO stuck VALUES (1); UPDATE bookings SET status = 'cancelled'",
        mends: "DELETE FROM stuck; UPDATE bookings SET status = 'booked'",
        says: "took longer than 0.5 s",
    },
    Trouble {
        name: "empty",
        breaks: "CREATE TABLE kept AS SELECT * FROM bookings; DELETE FROM bookings",
        mends: "INSERT INTO bookings SELECT * FROM kept",
        says: "the brake holds this batch",
    },
    Trouble {
        name: "migrated",
        breaks: "BEGIN; UPDATE bookings SET status = 'cancelled'; ALTER TABLE bookings RENAME COLUMN status TO state; COMMIT",
        mends: "BEGIN; ALTER TABLE bookings RENAME COLUMN state TO status; UPDATE bookings SET status = 'booked'; COMMIT",
        says: "no such column",
    },
    Trouble {
        name: "wordy",
        breaks: "UPDATE bookings SET status = 'kansellert'",
        mends: "UPDATE bookings SET status = 'booked'",
        says: "\"kansellert\" is not mapped",
    },
];

/// A booking system with three bookings, of which nobody is to be told while it is broken.
async fn build(daemon: &Daemon, number: usize, name: &str) {
    run(daemon, name, REGISTER).await;
    run(daemon, name, "CREATE TABLE stuck (yes INTEGER)").await;
    for n in 0..3 {
        let row = format!(
            "INSERT INTO bookings VALUES ('{name}{n}', 'booked', '2031-03-24 09:20', 'gronland', 'passport',
             '410{number}000{n}', NULL, 'nb')"
        );
        run(daemon, name, &row).await;
    }
}

async fn run(daemon: &Daemon, name: &str, sql: &str) {
    let options = SqliteConnectOptions::new().filename(daemon.path(&format!("{name}.db")));
    let options = options.create_if_missing(true);
    let mut writer: SqliteConnection = options.connect().await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut writer).await.unwrap();
}

fn table(name: &str) -> String {
    format!(
        r#"
[[source]]
name = "{name}"
path = "{name}.db"
every = "100ms"
statement_timeout = "500ms"
zone = "Europe/Oslo"
region = "NO"
start = "naive"
query = """
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
  SELECT id, status, start, office, service, phone, email, language FROM bookings
  WHERE NOT EXISTS (SELECT 1 FROM stuck) OR (SELECT max(i) FROM n) > 0
"""
[source.status]
active = ["booked"]
cancelled = ["cancelled"]
"#
    )
}

async fn break_them(daemon: &Daemon) {
    for trouble in &TROUBLES {
        match trouble.breaks {
            "" => std::fs::rename(daemon.path("down.db"), daemon.path("away")).unwrap(),
            sql => run(daemon, trouble.name, sql).await,
        }
    }
}

async fn mend_them(daemon: &Daemon) {
    for trouble in &TROUBLES {
        match trouble.mends {
            "" => std::fs::rename(daemon.path("away"), daemon.path("down.db")).unwrap(),
            sql => run(daemon, trouble.name, sql).await,
        }
    }
}

/// Who was told, sorted.
fn told(gateway: &Gateway) -> Vec<String> {
    let mut told: Vec<_> = gateway.taken().into_iter().map(|sms| sms.to).collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_booking_system_changes_nobodys_state_and_the_others_go_on() {
    let gateway = Gateway::start().await;
    let more: String = TROUBLES.iter().map(|trouble| table(trouble.name)).collect();
    let mut daemon = Daemon::prepare(3, &gateway.url(), &more).await;
    for (number, trouble) in TROUBLES.iter().enumerate() {
        build(&daemon, number, trouble.name).await;
    }
    daemon.start().await;
    break_them(&daemon).await;
    for trouble in &TROUBLES {
        daemon
            .until(trouble.says, async || daemon.log().contains(trouble.says))
            .await;
    }
    daemon.set_status([0], "cancelled").await;
    gateway.wait_for(1).await;

    // A daemon that starts now goes on without them, and says so before.
    daemon.signal("TERM");
    assert!(daemon.wait().success(), "{}", daemon.log());
    let checked = daemon.verb(&["check", "--json"]);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert_eq!(
        said.matches("the daemon runs without it").count(),
        2,
        "{said}"
    );
    daemon.spawn(&[]);
    daemon.set_status([1], "cancelled").await;
    gateway.wait_for(2).await;
    assert_eq!(told(&gateway), ["+4740000000", "+4740000001"]);

    // Mended, each is read as before: what it says now is told, and nothing of what it seemed to say.
    mend_them(&daemon).await;
    daemon
        .until("nothing is held any more", async || {
            let held = daemon.verb(&["hold", "list", "--json"]);
            let held: serde_json::Value = serde_json::from_slice(&held.stdout).unwrap();
            held["batches"] == serde_json::json!([])
        })
        .await;
    for trouble in &TROUBLES {
        let name = trouble.name;
        let cancel = format!("UPDATE bookings SET status = 'cancelled' WHERE id = '{name}2'");
        run(&daemon, name, &cancel).await;
    }
    gateway.wait_for(2 + TROUBLES.len()).await;
    daemon.set_status([2], "cancelled").await;
    gateway.wait_for(3 + TROUBLES.len()).await;
    let numbers: Vec<_> = (0..TROUBLES.len())
        .map(|n| format!("+47410{n}0002"))
        .collect();
    let own = (0..3).map(|n| format!("+474000000{n}"));
    let expected: Vec<String> = own.chain(numbers).collect();
    assert_eq!(told(&gateway), expected);
}
