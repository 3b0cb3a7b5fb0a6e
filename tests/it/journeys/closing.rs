//! An announced closing by the real binary: a verb announces it beside the running daemon, and the
//! mass cancellation flows through the brake with its reason and its next step.

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;

fn said(daemon: &Daemon, arguments: &[&str]) -> (i32, String) {
    let output = daemon.verb(arguments);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

fn closings(daemon: &Daemon) -> Vec<Value> {
    let (_, text) = said(daemon, &["closing", "list", "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    json["closings"].as_array().unwrap().clone()
}

const ADD: [&str; 16] = [
    "closing",
    "add",
    "--district",
    "oslo",
    "--from",
    "2031-03-17",
    "--to",
    "2031-04-09",
    "--kind",
    "reduced",
    "--next",
    "book",
    "--reason-nb",
    "smittesituasjonen i Oslo og Viken",
    "--reason-en",
    "the infection situation in Oslo and Viken",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_announced_closing_lets_its_cancellations_flow() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(12, &gateway.url(), "").await;
    daemon.configure("max_changes = 1000", "max_changes = 5");
    daemon.start().await;
    assert_eq!(said(&daemon, &ADD).0, 2, "how many?");
    let add = [&ADD[..], &["--max", "12"]].concat();
    let (code, text) = said(&daemon, &add);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Up to 12 changes pass the brake"), "{text}");
    let (code, again) = said(&daemon, &add);
    assert_eq!(
        (code, again.contains("stands already")),
        (0, true),
        "{again}"
    );
    daemon.cancel_everybody().await;
    let taken = gateway.wait_for(12).await;
    assert!(
        taken[0].text.contains("Bestill ny etter 9. april."),
        "{}",
        taken[0].text
    );
    let announced = closings(&daemon);
    assert_eq!(announced.len(), 1);
    assert_eq!(
        (&announced[0]["admitted"], &announced[0]["actor"]),
        (&12.into(), &"kari".into())
    );
    let (code, web) = said(&daemon, &["closing", "notice", "1"]);
    assert_eq!(code, 0, "{web}");
    for part in [
        "Vi avlyser timer fra og med 17. mars til og med 9. april",
        "We are cancelling appointments from 17 March up to and including 9 April",
        "smittesituasjonen i Oslo og Viken",
    ] {
        assert!(web.contains(part), "{part} is not in\n{web}");
    }
    let call = ["closing", "notice", "c1", "--call", "--language", "nb"];
    let (_, call) = said(&daemon, &call);
    assert!(
        call.contains("Den er avlyst, så du skal ikke møte opp"),
        "{call}"
    );
    assert!(
        call.contains("Du kan bestille ny time etter 9. april"),
        "{call}"
    );
    assert_eq!(said(&daemon, &["closing", "notice", "9"]).0, 1);
    let end = ["closing", "end", "1", "--reason", "open again"];
    assert_eq!(said(&daemon, &end).0, 0);
    assert_eq!(closings(&daemon).len(), 0);
    assert_eq!(said(&daemon, &end).0, 1, "it has ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_announcement_is_refused_with_the_remedy() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(1, &gateway.url(), "").await;
    daemon.start().await;
    let with = |old: &str, new: &'static str| {
        let mut words: Vec<&str> = ADD
            .iter()
            .map(|w| if *w == old { new } else { *w })
            .collect();
        words.extend(["--max", "1"]);
        said(&daemon, &words)
    };
    let (code, text) = with("oslo", "olso");
    assert_eq!(
        (code, text.contains("did you mean \"oslo\"?")),
        (2, true),
        "{text}"
    );
    let (code, text) = with("2031-04-09", "2031-03-09");
    assert_eq!((code, text.contains("lies before")), (2, true), "{text}");
    assert_eq!(with("reduced", "smaller").0, 2);
    assert_eq!(closings(&daemon).len(), 0);
}
