//! kill -9 in mid-flight: nobody is lost; only what was in the air is unknown, and is repeated at
//! most once, marked.

use std::collections::BTreeMap;

use varsel::store::Desk;

use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};

const PEOPLE: u32 = 60;

/// What one node may hold: connections + claim_ahead of the daemon's configuration.
const IN_FLIGHT: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_in_mid_flight_loses_nobody_and_marks_every_repeat() {
    let gateway = Gateway::start().await;
    gateway.hang_after(20);
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(28).await;
    daemon.kill();

    let before = gateway.taken().len();
    gateway.behave(Behaviour::Accept);
    daemon.start().await;
    let store = daemon.store().await;
    daemon
        .until(
            "everybody was handed over and nothing is unknown",
            async || {
                let taken: std::collections::BTreeSet<_> =
                    gateway.taken().into_iter().map(|sms| sms.to).collect();
                let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
                taken.len() == PEOPLE as usize && tally.unknown == 0 && tally.sms == PEOPLE
            },
        )
        .await;

    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for sms in gateway.taken() {
        *times.entry(sms.to).or_default() += 1;
    }
    let repeated = times.values().filter(|count| **count > 1).count();
    let flagged = store
        .tally(chrono::DateTime::UNIX_EPOCH)
        .await
        .unwrap()
        .possible_duplicates;
    assert_eq!(times.len(), PEOPLE as usize, "nobody is lost");
    assert!(
        times.values().all(|count| *count <= 2),
        "at most one extra hand-over"
    );
    assert!(
        repeated <= flagged as usize,
        "no second hand-over without a mark"
    );
    assert!(
        flagged as usize <= IN_FLIGHT,
        "only what was in the air: {flagged} of {before}"
    );
}
