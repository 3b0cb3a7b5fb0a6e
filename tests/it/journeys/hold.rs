//! A person's word on a held batch, by the real binary: the brake holds, a verb shows and releases
//! while the daemon runs, and the people are told.

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;

const PEOPLE: u32 = 12;

/// A daemon whose brake has just stopped twelve cancellations.
async fn braked(gateway: &Gateway) -> Daemon {
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    daemon.configure("max_changes = 1000", "max_changes = 5");
    daemon.start().await;
    daemon.cancel_everybody().await;
    daemon
        .until("the brake holds the batch", async || {
            json(&daemon, &["hold", "list", "--json"])["batches"]
                .as_array()
                .is_some_and(|batches| batches.len() == 1)
        })
        .await;
    daemon
}

fn said(daemon: &Daemon, arguments: &[&str]) -> (i32, String, String) {
    let output = daemon.verb(arguments);
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

fn json(daemon: &Daemon, arguments: &[&str]) -> Value {
    let (_, out, err) = said(daemon, arguments);
    serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}{err}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_batch_is_seen_released_and_told_while_the_daemon_runs() {
    let gateway = Gateway::start().await;
    let daemon = braked(&gateway).await;
    assert!(gateway.taken().is_empty());
    let batch = json(&daemon, &["hold", "show", "1", "--json"]);
    assert_eq!(batch["people"], 12);
    assert_eq!(batch["why"], "too_many");
    assert_eq!(batch["offices"]["gronland"], 12);
    assert_eq!(batch["purposes"]["cancellation"], 12);
    assert_eq!(batch["first_due_by"], "2031-03-24T08:20:00Z");
    // The windows are always open here, so the last good moment is midnight in Oslo.
    assert_eq!(batch["release_by"], "2031-03-23T23:00:00Z");
    let (code, shown, _) = said(&daemon, &["hold", "show", "1"]);
    assert_eq!(code, 0);
    let seen = format!("{}:12", batch["version"]);
    for part in [
        "12 people",
        "Avlyst: timen for pass",
        &format!("--seen {seen}"),
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("4000"), "no number is shown:\n{shown}");

    let stale = [
        "hold",
        "release",
        "1",
        "--seen",
        "1:11",
        "--reason",
        "announced",
    ];
    let (code, anew, refused) = said(&daemon, &stale);
    assert_eq!(code, 1, "{refused}");
    assert!(refused.contains("has changed"), "{refused}");
    assert!(anew.contains(&format!("--seen {seen}")), "{anew}");
    assert!(gateway.taken().is_empty());

    let release = [
        "hold",
        "release",
        "1",
        "--seen",
        &seen,
        "--reason",
        "announced",
    ];
    let (code, done, refused) = said(&daemon, &release);
    assert_eq!(code, 0, "{refused}");
    assert!(done.contains("12 people"), "{done}");
    let (again, ..) = said(&daemon, &release);
    assert_eq!(again, 0, "the same word twice is one act");
    gateway.wait_for(PEOPLE as usize).await;
    daemon
        .until("the batch has ended", async || {
            json(&daemon, &["hold", "list", "--json"])["batches"] == serde_json::json!([])
        })
        .await;
    assert_eq!(gateway.taken().len(), PEOPLE as usize);
    let (_, story, _) = said(&daemon, &["explain", "register/b0"]);
    assert!(
        story.contains("kari") && story.contains("announced"),
        "{story}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_people_of_a_batch_are_told_before_the_rest() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    daemon.configure("max_changes = 1000", "max_changes = 5\ncanary = 4");
    daemon.start().await;
    daemon.cancel_everybody().await;
    let held = async || json(&daemon, &["hold", "list", "--json"])["batches"].clone();
    let holds = |batches: &Value, people: u32| {
        batches[0]["people"] == people && batches[0]["releasing"] == false
    };
    daemon
        .until("the brake holds the batch", async || {
            holds(&held().await, 12)
        })
        .await;
    let release = |seen: String| {
        let words = ["hold", "release", "1", "--reason", "announced", "--seen"];
        said(&daemon, &[&words[..], &[&seen]].concat())
    };
    let version = held().await[0]["version"].clone();
    let (code, done, refused) = release(format!("{version}:12"));
    assert_eq!(code, 0, "{refused}");
    assert!(
        done.contains("4 people with the earliest deadlines"),
        "{done}"
    );
    assert!(done.contains("The other 8 follow after 10min"), "{done}");
    gateway.wait_for(4).await;
    daemon
        .until("the rest is shown as held", async || {
            holds(&held().await, 8)
        })
        .await;
    let (_, shown, _) = said(&daemon, &["hold", "show", "1"]);
    assert!(
        shown.contains("The first people of it left as batch 2"),
        "{shown}"
    );
    let metrics = daemon.get("/metrics").await;
    assert!(
        metrics.contains("varsel_held_release_by_seconds{source="),
        "{metrics}"
    );
    let (code, anew, refused) = release(format!("{version}:12"));
    assert_eq!(code, 1, "the same word, and eight are held: {refused}");
    assert!(refused.contains("has changed"), "{refused}");
    let version = held().await[0]["version"].clone();
    assert!(anew.contains(&format!("--seen {version}:8")), "{anew}");
    assert_eq!(
        release(format!("{version}:12")).0,
        1,
        "four have left since"
    );
    assert_eq!(gateway.taken().len(), 4);
    assert_eq!(release(format!("{version}:8")).0, 0);
    gateway.wait_for(PEOPLE as usize).await;
    assert_eq!(gateway.taken().len(), PEOPLE as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_discarded_without_a_daemon() {
    let gateway = Gateway::start().await;
    let mut daemon = braked(&gateway).await;
    daemon.signal("TERM");
    daemon.wait();
    let batch = json(&daemon, &["hold", "show", "1", "--json"]);
    let seen = format!("{}:{}", batch["version"], batch["people"]);
    let unnamed = ["hold", "discard", "1", "--seen", &seen, "--reason", " "];
    assert_eq!(said(&daemon, &unnamed).0, 2, "a reason is needed");
    let discard = [
        "hold", "discard", "1", "--seen", &seen, "--actor", "Ola", "--reason", "reload",
    ];
    let (code, done, refused) = said(&daemon, &discard);
    assert_eq!(code, 0, "{refused}");
    assert!(done.contains("left out"), "{done}");
    assert_eq!(json(&daemon, &["status", "--json"])["left_out"], 12);
    assert_eq!(
        said(&daemon, &["hold", "show", "1"]).0,
        1,
        "nothing is held"
    );
    assert!(gateway.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_stops_an_office_and_lifts_it_again() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    daemon.start().await;
    let stop = [
        "hold", "add", "--office", "gronland", "--reason", "checking",
    ];
    let (code, stopped, refused) = said(&daemon, &stop);
    assert_eq!(code, 0, "{refused}");
    assert!(
        stopped.contains("Hold h1 stops office gronland"),
        "{stopped}"
    );
    daemon.cancel_everybody().await;
    daemon
        .until("everybody is held", async || {
            json(&daemon, &["status", "--json"])["held"] == 12
        })
        .await;
    assert!(gateway.taken().is_empty());
    let holds = &json(&daemon, &["hold", "list", "--json"])["holds"];
    assert_eq!(
        (&holds[0]["hold"], &holds[0]["messages"]),
        (&"h1".into(), &12.into())
    );
    assert!(
        daemon
            .get("/metrics")
            .await
            .contains("varsel_operator_holds 1")
    );
    let (code, ..) = said(&daemon, &["hold", "release", "1", "--reason", "x"]);
    assert_eq!(code, 2, "a batch needs --seen");
    let (code, ..) = said(&daemon, &["hold", "add", "--reason", "x"]);
    assert_eq!(code, 2, "hold what?");
    let (code, ..) = said(&daemon, &["hold", "add", "--batch", "9", "--reason", "x"]);
    assert_eq!(code, 1, "there is no such batch");
    let lift = ["hold", "release", "h1", "--reason", "checked"];
    let (code, _, refused) = said(&daemon, &lift);
    assert_eq!(code, 0, "{refused}");
    gateway.wait_for(PEOPLE as usize).await;
    assert_eq!(said(&daemon, &lift).0, 1, "it is lifted");
}
