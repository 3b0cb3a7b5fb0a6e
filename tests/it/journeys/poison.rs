//! A message that takes the daemon down each time it is touched: the attempt was counted before its
//! effect, so the daemon's next lives see it, and it is put aside instead of being tried for ever.

use std::path::Path;

use varsel::store::{Access, Database, Desk};

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;

/// The rule of a cancellation allows one more hand-over after an unknown; so the second life is the
/// last that it takes. (A gateway that de-duplicates allows more; `store_contract` counts those.)
const LIVES: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_crashes_the_daemon_is_put_aside_and_named() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(1, &gateway.url(), "").await;
    daemon.start().await;
    daemon.kill();
    daemon.cancel_everybody().await;
    let mut crashes = 0;
    loop {
        // It ends when the answer to its first message is there and is not written yet.
        daemon.spawn(&[("VARSEL_CRASH_AT", "dispatch.after_send:1")]);
        let path = daemon.path("varsel.db");
        if daemon.lives_until(async || is_put_aside(&path).await).await {
            break;
        }
        daemon.wait();
        crashes += 1;
        assert!(crashes <= LIVES, "it is tried for ever:\n{}", daemon.log());
    }
    assert_eq!((crashes, gateway.taken().len()), (LIVES, LIVES));
    let story = daemon.verb(&["explain", "register/b0"]);
    let story = String::from_utf8_lossy(&story.stdout).into_owned();
    assert!(story.contains("unknown"), "{story}");
}

/// Somebody must phone instead: the person is not forgotten.
async fn is_put_aside(path: &Path) -> bool {
    let store = Database::sqlite(path, Access::ReadOnly).await.unwrap();
    let tally = store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    store.close().await;
    tally.must_be_phoned == 1
}
