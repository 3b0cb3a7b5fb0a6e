//! The real binary on a real PostgreSQL: two nodes on one database, and a database that stops in
//! mid-flight.

use std::collections::BTreeMap;

use chrono::DateTime;
use varsel::store::{Access, Desk, Tally};

use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};
use crate::support::link::{Fault, Link};
use crate::support::postgres::{Db, Postgres, database};

/// A daemon on this database, under a name of its own.
async fn node(name: &str, people: u32, gateway: &Gateway, db: &Db) -> Daemon {
    node_at(name, people, gateway, &db.url()).await
}

async fn node_at(name: &str, people: u32, gateway: &Gateway, url: &str) -> Daemon {
    let daemon = Daemon::prepare(people, &gateway.url(), "").await;
    let tables = format!("[node]\nname = \"{name}\"\n[store]\nurl = \"{url}\"\n[upkeep]");
    daemon.configure("[upkeep]", &tables);
    daemon
}

/// Two nodes on this database that watch the same register.
async fn two_nodes(people: u32, gateway: &Gateway, db: &Db) -> (Daemon, Daemon) {
    let one = node("one", people, gateway, db).await;
    let two = node("two", 0, gateway, db).await;
    let register = one.path("register.db").display().to_string();
    two.configure("path = \"register.db\"", &format!("path = \"{register}\""));
    (one, two)
}

/// How often each number was told.
fn times(gateway: &Gateway) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for sms in gateway.taken() {
        *times.entry(sms.to).or_default() += 1;
    }
    times
}

async fn until_all_told(daemon: &Daemon, db: &Db, people: u32) -> Tally {
    let store = db.open(Access::ReadOnly).await;
    let tally = async || store.tally(DateTime::UNIX_EPOCH).await.unwrap();
    daemon
        .until("everybody was handed over", async || {
            let tally = tally().await;
            tally.sms == people && tally.unknown == 0
        })
        .await;
    tally().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn two_nodes_tell_each_person_once() {
    const PEOPLE: u32 = 300;
    let gateway = Gateway::start().await;
    let db = database().await;
    let (mut one, mut two) = two_nodes(PEOPLE, &gateway, &db).await;
    one.start().await;
    two.start().await;
    one.cancel_everybody().await;
    let tally = until_all_told(&one, &db, PEOPLE).await;
    let times = times(&gateway);
    assert_eq!(times.len(), PEOPLE as usize, "nobody is lost");
    assert!(times.values().all(|n| *n == 1), "each is told once");
    assert_eq!((tally.possible_duplicates, tally.held), (0, 0));
    assert_eq!(tally.people(), PEOPLE, "each has one notice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_database_that_stops_in_mid_flight_loses_nobody() {
    const PEOPLE: u32 = 120;
    let gateway = Gateway::start().await;
    let server = Postgres::start();
    let db = server.database().await;
    let mut daemon = node("one", PEOPLE, &gateway, &db).await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(20).await;
    server.stop_at_once();
    server.start_again();
    let tally = until_all_told(&daemon, &db, PEOPLE).await;
    let times = times(&gateway);
    assert_eq!(times.len(), PEOPLE as usize, "nobody is lost");
    let repeated = times.values().filter(|n| **n > 1).count();
    assert!(
        repeated <= tally.possible_duplicates as usize,
        "no second hand-over without a mark"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_hold_stops_what_two_nodes_have_in_hand() {
    const PEOPLE: u32 = 60;
    /// What the two may have on the wire; each holds as many again that wait for it.
    const ON_THE_WIRE: u32 = 2 * 8;
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::TakeAndWait);
    let db = database().await;
    let (mut one, mut two) = two_nodes(PEOPLE, &gateway, &db).await;
    one.start().await;
    two.start().await;
    one.cancel_everybody().await;
    let store = db.open(Access::ReadOnly).await;
    gateway.wait_for(ON_THE_WIRE as usize).await;
    let hold = ["hold", "add", "--all", "--reason", "the text is wrong"];
    let output = two.verb(&hold);
    assert!(output.status.success(), "{output:?}");
    // Nobody has answered yet: what is called back does not wait for the wire to be free.
    one.until("what waited for the wire has come back", async || {
        store.holds().await.unwrap()[0].messages == PEOPLE - ON_THE_WIRE
    })
    .await;
    gateway.let_go();
    one.until("what was on the wire has its outcome", async || {
        store.tally(DateTime::UNIX_EPOCH).await.unwrap().sms == ON_THE_WIRE
    })
    .await;
    assert_eq!(
        gateway.taken().len(),
        ON_THE_WIRE as usize,
        "nothing more has left"
    );
    let output = one.verb(&["hold", "release", "h1", "--reason", "it was right"]);
    assert!(output.status.success(), "{output:?}");
    let tally = until_all_told(&one, &db, PEOPLE).await;
    assert!(
        times(&gateway).values().all(|n| *n == 1),
        "each is told once"
    );
    assert_eq!((tally.possible_duplicates, tally.held), (0, 0));
}

/// Both nodes watch; the first has just read what everybody is to be told, and stays there.
async fn reader_is_caught(how: &str) -> (Db, Gateway, Daemon, Daemon) {
    const PEOPLE: u32 = 3;
    let gateway = Gateway::start().await;
    let db = database().await;
    let (mut one, mut two) = two_nodes(PEOPLE, &gateway, &db).await;
    one.spawn(&[(how, "intake.before_record:1")]);
    one.until_ready().await;
    two.start().await;
    one.cancel_everybody().await;
    // In a bounded time: the rest of a lease and a look.
    until_all_told(&two, &db, PEOPLE).await;
    let times = times(&gateway);
    assert_eq!(times.len(), PEOPLE as usize);
    assert!(times.values().all(|n| *n == 1), "each is told once");
    (db, gateway, one, two)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn another_node_reads_on_when_the_reader_dies() {
    let (_db, _gateway, mut one, _two) = reader_is_caught("VARSEL_CRASH_AT").await;
    assert!(!one.wait().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn what_a_paused_reader_had_read_is_not_recorded() {
    let (db, gateway, mut one, mut two) = reader_is_caught("VARSEL_STOP_AT").await;
    // Only what is told anew would be told once more: the other is out of the way.
    two.signal("TERM");
    assert!(two.wait().success());
    let told = gateway.taken().len();
    one.signal("CONT");
    one.until("the paused node has noticed", async || {
        one.log().contains("another node has gone on with it")
    })
    .await;
    let store = db.open(Access::ReadOnly).await;
    let tally = store.tally(DateTime::UNIX_EPOCH).await.unwrap();
    assert_eq!(tally.people(), 3, "each has one notice");
    one.signal("TERM");
    assert!(one.wait().success(), "{}", one.log());
    assert_eq!(gateway.taken().len(), told);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn one_of_two_nodes_killed_in_mid_flight_loses_nobody_and_marks_every_repeat() {
    const PEOPLE: u32 = 80;
    /// What one node may hold: connections + claim_ahead of the daemon's configuration.
    const IN_FLIGHT: usize = 16;
    let gateway = Gateway::start().await;
    let db = database().await;
    let (mut one, mut two) = two_nodes(PEOPLE, &gateway, &db).await;
    for node in [&one, &two] {
        let profile = include_str!("../../../config/gateways/sandbox.toml");
        let quick = profile.replace("\ntimeout_seconds = 10", "\ntimeout_seconds = 3");
        std::fs::write(node.path("quick.toml"), quick).unwrap();
        node.configure("profile = \"sandbox\"", "profile = \"quick.toml\"");
        node.configure("lease = \"15s\"", "lease = \"6s\"");
    }
    gateway.hang_after(20);
    one.start().await;
    two.start().await;
    one.cancel_everybody().await;
    // Each has eight connections: more than those of one hang.
    gateway.wait_for(20 + 12).await;
    two.kill();
    gateway.behave(Behaviour::Accept);
    let tally = until_all_told(&one, &db, PEOPLE).await;
    let times = times(&gateway);
    assert_eq!(times.len(), PEOPLE as usize, "nobody is lost");
    assert!(times.values().all(|n| *n <= 2), "at most one extra");
    let repeated = times.values().filter(|n| **n > 1).count();
    let flagged = tally.possible_duplicates as usize;
    assert!(repeated <= flagged, "no second hand-over without a mark");
    // Those of the one were in the air and got no answer; those of the other were all it held.
    assert!(flagged <= 2 * IN_FLIGHT, "{flagged}");
}

/// Everybody is told although the database goes away in mid-flight, as `failing` has it.
async fn survives(
    people: u32,
    link: &Link,
    db: &Db,
    failing: impl AsyncFnOnce(),
) -> (Daemon, Tally) {
    let gateway = Gateway::start().await;
    let mut daemon = node_at("one", people, &gateway, &db.url_over(link)).await;
    // A read that a dead link had swallowed may be waited for before it ends.
    daemon.configure("limit = \"20s\"", "limit = \"60s\"");
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(20).await;
    failing().await;
    let tally = until_told(&daemon, people).await;
    let times = times(&gateway);
    assert_eq!(times.len(), people as usize, "nobody is lost");
    let repeated = times.values().filter(|n| **n > 1).count();
    assert!(
        repeated <= tally.possible_duplicates as usize,
        "no second hand-over without a mark"
    );
    (daemon, tally)
}

/// The same as the daemon itself counts it, wherever its database is by now.
async fn until_told(daemon: &Daemon, people: u32) -> Tally {
    let tally = || {
        let status = daemon.verb(&["status", "--json"]);
        serde_json::from_slice::<serde_json::Value>(&status.stdout).unwrap_or_default()
    };
    daemon
        .until("everybody was handed over", async || {
            let tally = tally();
            tally["sms"] == people && tally["unknown"] == 0
        })
        .await;
    let tally = tally();
    Tally {
        possible_duplicates: u32::try_from(tally["possible_duplicates"].as_u64().unwrap()).unwrap(),
        ..Tally::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_synchronous_standby_that_is_promoted_loses_nobody() {
    let server = Postgres::start();
    let db = server.database().await;
    server.start_standby();
    server.wait_for_standby("standby").await;
    let link = db.link().await;
    let (mut daemon, _) = survives(120, &link, &db, async || {
        server.stop_at_once();
        server.promote_standby();
        link.lead_to(db.standby());
    })
    .await;
    daemon.signal("TERM");
    assert!(daemon.wait().success(), "it needed no restart of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs tests/servers/fetch"]
async fn a_link_that_swallows_replies_in_mid_flight_loses_nobody() {
    let db = database().await;
    let link = db.link().await;
    let (mut daemon, _) = survives(120, &link, &db, async || {
        link.set(Fault::NoRepliesFrom(b"COMMIT\0"));
        link.sprung().await;
        link.forget();
        link.set(Fault::None);
    })
    .await;
    daemon.signal("TERM");
    assert!(daemon.wait().success(), "it needed no restart of its own");
}
