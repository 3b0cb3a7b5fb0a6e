//! Personal data stays where it belongs: a whole run with an accepted, a refused and an unreadable
//! contact leaves no number and no address in the log, in the metrics, or in what `explain` says.

use std::process::Command;

use varsel::store::Desk;

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;

/// What must never appear outside the store's person tables and the wire.
const CANARIES: [&str; 5] = ["40000000", "4740000000", "kanari", "canary@", "88 77 66"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_canary_leaves_its_cage() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(3, &gateway.url(), "").await;
    let mut register = daemon.register().await;
    for change in [
        "UPDATE bookings SET email = 'canary@kanari.example' WHERE id = 'b0'",
        "UPDATE bookings SET phone = '88 77 66 canary', email = 'canary@@kanari' WHERE id = 'b1'",
        "UPDATE bookings SET status = 'canary@kanari' WHERE id = 'b2'",
    ] {
        sqlx::query(change).execute(&mut register).await.unwrap();
    }
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(1).await;
    let store = daemon.store().await;
    daemon
        .until("the outcomes are written", async || {
            store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap().sms == 1
        })
        .await;

    let metrics = daemon.get("/metrics").await;
    let explain = Command::new(env!("CARGO_BIN_EXE_varsel"))
        .args(["explain", "register/b0", "--json", "-c"])
        .arg(daemon.path("varsel.toml"))
        .output()
        .unwrap();
    daemon.signal("TERM");
    daemon.wait();
    let explain = String::from_utf8(explain.stdout).unwrap();
    assert!(explain.contains("accepted"), "{explain}");
    for (place, text) in [
        ("log", daemon.log()),
        ("metrics", metrics),
        ("explain", explain),
    ] {
        for canary in CANARIES {
            assert!(
                !text.contains(canary),
                "{canary} got into the {place}:\n{text}"
            );
        }
    }
}
