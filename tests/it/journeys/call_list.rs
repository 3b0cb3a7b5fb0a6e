//! The phone channel by the real binary: whom nothing else reaches stands on a list with the number
//! in clear, a person ticks them off, and the figures follow.

use serde_json::Value;

use crate::support::daemon::Daemon;
use crate::support::gateway::{Behaviour, Gateway};

/// Two people whose SMS is refused, one whose language is English, and one without a number.
async fn three_to_phone() -> (Gateway, Daemon) {
    let gateway = Gateway::start().await;
    gateway.behave(Behaviour::Answer(422));
    let mut daemon = Daemon::prepare(3, &gateway.url(), "").await;
    let mut register = daemon.register().await;
    for change in [
        "UPDATE bookings SET start = '2031-03-20 10:00', language = 'en' WHERE id = 'b1'",
        "UPDATE bookings SET phone = NULL WHERE id = 'b2'",
    ] {
        sqlx::query(change).execute(&mut register).await.unwrap();
    }
    daemon.start().await;
    daemon.cancel_everybody().await;
    daemon
        .until("three people stand on the call list", async || {
            calls(&daemon, &[]).len() == 3
        })
        .await;
    (gateway, daemon)
}

fn said(daemon: &Daemon, arguments: &[&str]) -> (i32, String) {
    let output = daemon.verb(arguments);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

fn calls(daemon: &Daemon, filter: &[&str]) -> Vec<Value> {
    let (_, text) = said(daemon, &[&["call-list", "--json"], filter].concat());
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    json["calls"].as_array().unwrap().clone()
}

/// The list with what differs from run to run taken out.
fn steady(text: &str, calls: &[Value]) -> String {
    let mut text = text.to_owned();
    for call in calls {
        let reference = call["reference"].as_str().unwrap();
        text = text.replace(reference, "XXXXXX");
    }
    let lines = text.lines().map(|line| match line.split_once("as of ") {
        Some((head, _)) => format!("{head}as of NOW"),
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_must_be_phoned_is_printed_and_ticked_off() {
    let (_gateway, daemon) = three_to_phone().await;
    let listed = calls(&daemon, &[]);
    let (code, list) = said(&daemon, &["call-list"]);
    assert_eq!(code, 0);
    assert!(
        list.lines().all(|line| line.chars().count() <= 80),
        "{list}"
    );
    let (_, door) = said(
        &daemon,
        &[
            "call-list",
            "--door",
            "--office",
            "gronland",
            "--day",
            "2031-03-24",
        ],
    );
    let (_, csv) = said(&daemon, &["call-list", "--csv"]);
    let printed = format!("{list}\n--- door\n{door}\n--- csv\n{csv}");
    insta::assert_snapshot!(steady(&printed, &listed));
    assert_eq!(calls(&daemon, &["--office", "sentrum"]).len(), 0);
    assert_eq!(calls(&daemon, &["--day", "2031-03-20"]).len(), 1);
    assert_eq!(said(&daemon, &["call-list", "--door"]).0, 2, "whose door?");
    for verb in ["call-list", "commitments"] {
        let (code, slip) = said(&daemon, &[verb, "--office", "gronlnad"]);
        assert_eq!(code, 2, "{slip}");
        assert!(slip.contains("gronland"), "not \"nobody\": {slip}");
    }

    let metrics = daemon.get("/metrics").await;
    assert!(metrics.contains("varsel_call_list_people 3"), "{metrics}");
    let first = listed[0]["reference"].as_str().unwrap();
    let machine = [
        "call-list",
        "tick",
        first,
        "--by",
        "Ola",
        "--answering-machine",
    ];
    assert_eq!(said(&daemon, &machine).0, 0);
    assert_eq!(calls(&daemon, &[])[0]["answering_machines"], 1);
    let (code, told) = said(&daemon, &["call-list", "tick", first, "--by", "Ola"]);
    assert_eq!(code, 0, "{told}");
    assert_eq!(calls(&daemon, &[]).len(), 2);
    let (_, status) = said(&daemon, &["status", "--json"]);
    let status: Value = serde_json::from_str(&status).unwrap();
    assert_eq!(
        (&status["told"], &status["must_be_phoned"]),
        (&1.into(), &2.into())
    );
    let (_, story) = said(&daemon, &["explain", first]);
    assert!(story.contains("Ola"), "{story}");
    assert_eq!(said(&daemon, &["call-list", "tick", "what?"]).0, 2);
    let metrics = daemon.get("/metrics").await;
    assert!(metrics.contains("varsel_call_list_people 2"), "{metrics}");
    assert!(
        !daemon.log().contains("4000000"),
        "never logged:\n{}",
        daemon.log()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tick_of_what_has_changed_says_so() {
    let (_gateway, daemon) = three_to_phone().await;
    let listed = calls(&daemon, &[]);
    let first = listed[0]["reference"].as_str().unwrap();
    let mut register = daemon.register().await;
    sqlx::query("UPDATE bookings SET status = 'booked' WHERE id = 'b1'")
        .execute(&mut register)
        .await
        .unwrap();
    daemon
        .until("the reinstated booking has left the list", async || {
            calls(&daemon, &[]).len() == 2
        })
        .await;
    let (code, vain) = said(&daemon, &["call-list", "tick", first]);
    assert_eq!(code, 1);
    assert!(vain.contains("call again"), "{vain}");
    assert!(vain.contains(&format!("explain {first}")), "{vain}");
}

/// A hold on an office takes its people off the list, and no word that lists or counts leaves that out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_a_hold_hides_from_the_list_is_said() {
    let (_gateway, daemon) = three_to_phone().await;
    assert!(!said(&daemon, &["call-list"]).1.contains("hidden"));
    let add = [
        "hold", "add", "--office", "gronland", "--reason", "checking",
    ];
    let (code, added) = said(&daemon, &add);
    assert_eq!(code, 0);
    let lines: Vec<&str> = added.lines().collect();
    assert!(lines[0].contains("3 messages waiting now"), "{added}");
    assert!(
        lines[1].contains("3 of these stand on the call list"),
        "{added}"
    );
    daemon
        .until("nobody stands on the list", async || {
            calls(&daemon, &[]).is_empty()
        })
        .await;
    let hidden = "3 entries more are hidden from the call list by a hold";
    for verb in [&["call-list"][..], &["call-list", "--csv"], &["status"]] {
        let (_, text) = said(&daemon, verb);
        assert!(text.contains(hidden), "{verb:?}: {text}");
    }
    let json = |words: &[&str]| -> Value { serde_json::from_str(&said(&daemon, words).1).unwrap() };
    assert_eq!(json(&["call-list", "--json"])["stopped"], 3);
    let status = json(&["status", "--json"]);
    assert_eq!(
        (&status["calls_stopped"], &status["holds"][0]["calls"]),
        (&3.into(), &3.into())
    );
    let elsewhere = ["call-list", "--json", "--office", "sentrum"];
    assert_eq!(json(&elsewhere)["stopped"], 0, "they are not theirs");
    let (_, held) = said(&daemon, &["hold", "list"]);
    assert!(
        held.contains("3 messages waiting, 3 of them calls"),
        "{held}"
    );

    assert_eq!(
        said(&daemon, &["hold", "release", "h1", "--reason", "checked"]).0,
        0
    );
    daemon
        .until("they stand there again", async || {
            calls(&daemon, &[]).len() == 3
        })
        .await;
    assert!(!said(&daemon, &["status"]).1.contains("hidden"));
}
