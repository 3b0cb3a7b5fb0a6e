//! Two daemons on one SQLite file: the second one is refused, however it is configured; it sends
//! nothing and takes nothing away from the first. When the first one is gone, it may start.

use varsel::store::Desk;

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;

const PEOPLE: u32 = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_is_refused_and_each_person_is_told_once() {
    let gateway = Gateway::start().await;
    let mut first = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    first.start().await;
    let stopped = first.verb(&["hold", "add", "--all", "--reason", "wait"]);
    assert_eq!(stopped.status.code(), Some(0));
    first.cancel_everybody().await;
    let store = first.store().await;
    let tally = async || store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    let waits = async || tally().await.held == PEOPLE;
    first.until("everybody waits", waits).await;

    // Another folder, another name, another journal, another port: the same file.
    let mut second = Daemon::prepare(0, &gateway.url(), "").await;
    for file in ["register.db", "varsel.db"] {
        let there = first.path(file).display().to_string();
        match file {
            "register.db" => second.configure("path = \"register.db\"", &format!("path = \"{there}\"")),
            _ => second.configure(
                "[upkeep]",
                &format!(
                    "[node]\nname = \"second\"\n[store]\npath = \"{there}\"\njournal = \"second.attempts\"\n[upkeep]"
                ),
            ),
        }
    }
    let refused = second.verb(&["run"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(69), "{said}");
    assert!(said.contains("another daemon uses this store"), "{said}");
    let again = first.verb(&["run"]);
    assert_eq!(again.status.code(), Some(69), "nor the same one twice");

    let freed = first.verb(&["hold", "release", "h1", "--reason", "go"]);
    assert_eq!(freed.status.code(), Some(0));
    let told = async || tally().await.sms == PEOPLE;
    first.until("everybody was handed over", told).await;
    assert_eq!(gateway.taken().len(), PEOPLE as usize, "once each");

    first.kill();
    second.start().await;
    assert_eq!(gateway.taken().len(), PEOPLE as usize, "and no more");
}
