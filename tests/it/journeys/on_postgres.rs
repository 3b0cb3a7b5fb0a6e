//! The real binary on a real PostgreSQL: two nodes on one database, and a database that stops in
//! mid-flight.

use std::collections::BTreeMap;

use chrono::DateTime;
use varsel::store::{Access, Desk, Tally};

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::postgres::{Db, Postgres, database};

/// A daemon on this database, under a name of its own.
async fn node(name: &str, people: u32, gateway: &Gateway, db: &Db) -> Daemon {
    let daemon = Daemon::prepare(people, &gateway.url(), "").await;
    let url = db.url();
    let tables = format!("[node]\nname = \"{name}\"\n[store]\nurl = \"{url}\"\n[upkeep]");
    daemon.configure("[upkeep]", &tables);
    daemon
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
    let mut one = node("one", PEOPLE, &gateway, &db).await;
    let mut two = node("two", 0, &gateway, &db).await;
    let register = one.path("register.db").display().to_string();
    two.configure("path = \"register.db\"", &format!("path = \"{register}\""));
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
