//! SIGTERM in mid-send: what is in the air lands and is written down, nothing new starts, and
//! nothing stays unknown. A second signal ends the process at once.

use varsel::store::Desk;

use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clean_stop_leaves_nothing_unknown() {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::TakeAndWait);
    let mut daemon = Daemon::prepare(40, &gateway.url(), "").await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(8).await;

    daemon.signal("TERM");
    gateway.let_go();
    let status = daemon.wait();
    assert_eq!(status.code(), Some(0), "{}", daemon.log());

    let tally = daemon
        .store()
        .await
        .tally(chrono::DateTime::UNIX_EPOCH)
        .await
        .unwrap();
    assert_eq!(tally.unknown, 0);
    assert_eq!(
        tally.sms as usize,
        gateway.taken().len(),
        "every hand-over is written down"
    );
    assert_eq!(tally.people(), 40, "nobody is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_that_passes_its_limit_says_try_again() {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::TakeAndHang);
    let mut daemon = Daemon::prepare(8, &gateway.url(), "").await;
    daemon.configure("limit = \"20s\"", "limit = \"100ms\"");
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(8).await;
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(75), "{}", daemon.log());
    let log = daemon.log();
    assert!(
        log.contains("the drain limit passed before every answer had come"),
        "{log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once() {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::TakeAndHang);
    let mut daemon = Daemon::prepare(8, &gateway.url(), "").await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(8).await;
    daemon.signal("INT");
    daemon
        .until("it drains", async || daemon.log().contains("asked to end"))
        .await;
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(75), "{}", daemon.log());
}
