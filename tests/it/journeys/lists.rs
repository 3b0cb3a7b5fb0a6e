//! Signed lists by the real binary: what a list names is cancelled although the booking system still
//! shows it, and stands again when the list is lifted; a bad list changes nothing.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::Value;
use varsel::domain::appointment::{BookingKey, SourceName};
use varsel::domain::list::Named;
use varsel::store::{Deed, Desk, NewList};

use super::brake::act;
use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::world::{Booking, World, passport};

fn keys() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap()
}

fn configured() -> String {
    let public = STANDARD.encode(keys().public_key());
    format!("\n[[list_key]]\nname = \"ola\"\npublic_key = \"{public}\"\n")
}

fn write(daemon: &Daemon, list: &str, signature: &[u8]) -> (PathBuf, PathBuf) {
    let (file, beside) = (daemon.path("list.csv"), daemon.path("list.sig"));
    std::fs::write(&file, list).unwrap();
    std::fs::write(&beside, signature).unwrap();
    (file, beside)
}

/// What `list add` says of this file with this signature.
fn add(daemon: &Daemon, list: &str, signature: &[u8]) -> (i32, String) {
    let (file, beside) = write(daemon, list, signature);
    let (file, beside) = (file.to_str().unwrap(), beside.to_str().unwrap());
    let reason = ["--reason", "the calendar is read-only"];
    let words = ["list", "add", file, "--signature", beside];
    said(daemon, &[&words[..], &reason].concat())
}

fn said(daemon: &Daemon, words: &[&str]) -> (i32, String) {
    let output = daemon.verb(words);
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

fn lists(daemon: &Daemon) -> usize {
    let (_, text) = said(daemon, &["list", "list", "--json"]);
    let json: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"));
    json["lists"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_list_cancels_until_it_is_lifted() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(3, &gateway.url(), &configured()).await;
    daemon.start().await;
    let list = "source,key\nregister,b0\nregister,b9\n";
    let signature = keys().sign(list.as_bytes());
    let in_base64 = STANDARD.encode(signature.as_ref());
    let explained = || said(&daemon, &["explain", "register/b0"]).1;
    assert!(!explained().contains("list"), "{}", explained());
    let (code, text) = add(&daemon, list, in_base64.as_bytes());
    assert_eq!(code, 0, "{text}");
    for part in ["signed by ola", "2 appointments", "register/b9"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert!(!text.contains("register/b0"), "it is known:\n{text}");
    let taken = gateway.wait_for(1).await;
    assert!(taken[0].text.starts_with("Avlyst:"), "{}", taken[0].text);
    assert_eq!(add(&daemon, list, signature.as_ref()).0, 0);
    assert_eq!(lists(&daemon), 1, "the same list is one list");
    let lift = ["list", "lift", "1", "--reason", "entered in the calendar"];
    assert_eq!(said(&daemon, &lift).0, 0);
    let taken = gateway.wait_for(2).await;
    let text = &taken[1].text;
    assert!(text.starts_with("Gjelder likevel:"), "{text}");
    assert_eq!(said(&daemon, &lift).0, 1, "it was lifted");

    let story = explained();
    let places = [
        "list added: list 1 (list.csv), signed by ola, cancels this booking: the calendar is read-only",
        "recorded",
        "list lifted: list 1 (list.csv) no longer cancels this booking: entered in the calendar",
    ]
    .map(|part| story.find(part).unwrap_or_else(|| panic!("{part} is not in\n{story}")));
    assert!(places.is_sorted(), "{story}");
    let line = |part: &str| story.lines().find(|line| line.contains(part)).unwrap();
    for part in ["list added", "list lifted"] {
        assert!(
            line(part).contains("  kari  "),
            "who did it: {}",
            line(part)
        );
    }
    let (_, other) = said(&daemon, &["explain", "register/b1"]);
    assert!(!other.contains("list"), "it was not named:\n{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_is_not_good_changes_nothing() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(1, &gateway.url(), &configured()).await;
    daemon.start().await;
    let list = "key\nb0\n";
    let good = keys().sign(list.as_bytes());
    let (code, text) = add(&daemon, "key\nb0\n\n", good.as_ref());
    assert_eq!(
        (code, text.contains("is not signed by ola")),
        (1, true),
        "{text}"
    );
    let mut bent = good.as_ref().to_vec();
    bent[3] ^= 1;
    assert_eq!(add(&daemon, list, &bent).0, 1);
    assert_eq!(add(&daemon, list, b"").0, 1);
    let stranger = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    assert_eq!(
        add(&daemon, list, stranger.sign(list.as_bytes()).as_ref()).0,
        1
    );
    let wrong = "source,key\nregister,b0\nregistre,b0\n";
    let (code, text) = add(&daemon, wrong, keys().sign(wrong.as_bytes()).as_ref());
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("line 3: no source is called"), "{text}");
    assert_eq!(lists(&daemon), 0);
    let (code, _) = said(
        &daemon,
        &[
            "list",
            "add",
            "nowhere.csv",
            "--signature",
            "x",
            "--reason",
            "r",
        ],
    );
    assert_eq!(code, 69);
    assert!(gateway.taken().is_empty());
}

/// The booking was moved by making another one, and the list names it as `explain` does.
#[tokio::test]
async fn a_list_may_name_an_appointment_by_its_first_row() {
    let mut world = World::with(&[passport("b1")]).await;
    world
        .map_otherwise(|settings| {
            settings.query =
                "SELECT *, CASE id WHEN 'b2' THEN 'b1' END AS replaces FROM bookings".to_owned();
        })
        .await;
    world.look().await;
    world.set("b1", "status", "cancelled").await;
    let later = Booking {
        start: "2021-03-25 11:00",
        ..passport("b2")
    };
    world.book(&later).await;
    world.look().await;
    world.send().await;
    let moved = world.sms.taken().remove(0).text;
    assert!(moved.starts_with("Flyttet"), "{moved}");

    let list = list_of("b1");
    let add = act(&world, "list", Deed::AddList(list));
    world.store.act(&add).await.unwrap();
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2, "{taken:?}");
    assert!(taken[1].text.starts_with("Avlyst"), "{}", taken[1].text);
}

fn list_of(key: &str) -> NewList {
    let source = SourceName("register".to_owned());
    NewList {
        file: "list.csv".to_owned(),
        digest: "one".to_owned(),
        signed_by: "ola".to_owned(),
        named: Named::from([(source, BookingKey(key.to_owned()))]),
    }
}

#[tokio::test]
async fn the_text_says_that_the_appointment_can_still_be_seen() {
    let by_mail = |id| Booking {
        phone: None,
        ..passport(id)
    };
    let mut world = World::with(&[by_mail("b1"), by_mail("b2")]).await;
    let add = act(&world, "list", Deed::AddList(list_of("b1")));
    world.store.act(&add).await.unwrap();
    world.look().await; // the source is silent
    world.send().await;
    let mails = world.mail.taken();
    assert_eq!(mails.len(), 1);
    let text = mails[0].text();
    assert!(
        text.contains("even if you can still see it where you booked it"),
        "{text}"
    );
    assert!(
        text.contains("selv om du fortsatt ser den der du bestilte den"),
        "{text}"
    );
    // What the source itself cancels meanwhile is no change to the person.
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    let id = world.store.lists().await.unwrap()[0].id;
    let lift = act(&world, "lift", Deed::LiftList(id));
    world.store.act(&lift).await.unwrap();
    world.look().await;
    world.send().await;
    assert_eq!(world.mail.taken().len(), 1);
}
