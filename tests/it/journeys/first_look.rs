//! The first look at a booking system is written down in parts, and counts when the last one is: a daemon
//! that dies in its middle begins anew, and tells nobody about what was there before.

use chrono::DateTime;
use varsel::domain::appointment::{BookingKey, SourceName};
use varsel::store::Ledger;

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;

/// More than two parts hold.
const PEOPLE: u32 = 4_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_look_that_is_broken_off_is_no_baseline() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    daemon.spawn(&[("VARSEL_CRASH_AT", "intake.after_chunk:1")]);
    let status = daemon.until_ended().await;
    assert_eq!(status.code(), None, "it was killed: {status}");
    let (store, register) = (daemon.store().await, SourceName("register".to_owned()));
    let keys = [7, PEOPLE - 7].map(|n| BookingKey(format!("b{n}")));
    let known = store.known(&register, &keys).await.unwrap();
    assert_eq!(
        known.len(),
        1,
        "one part was written down, and not the other"
    );
    let watched = store.watched(&register, DateTime::UNIX_EPOCH).await;
    assert!(!watched.unwrap().baseline, "it does not count");
    store.close().await;

    // In a part that was written down, and in one that was not.
    daemon.set_status([7, PEOPLE - 7], "cancelled").await;
    daemon.start().await;
    assert_eq!(gateway.taken().len(), 0, "what was there before is history");

    // From now on every change counts, whichever part it is in.
    daemon.set_status([8, PEOPLE - 8], "cancelled").await;
    let told = gateway.wait_for(2).await;
    let mut numbers: Vec<_> = told.iter().map(|sms| sms.to.clone()).collect();
    numbers.sort();
    assert_eq!(numbers, ["+4740000008", "+4740004492"]);
    daemon.set_status([7], "booked").await;
    assert_eq!(gateway.wait_for(3).await[2].to, "+4740000007", "reinstated");
    let answer = daemon.verb(&["db", "verify"]);
    assert!(answer.status.success(), "{answer:?}");
}
