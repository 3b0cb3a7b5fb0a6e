//! What `status` and `explain` say in words: who must be phoned and why, what a message waits for,
//! and what of a source is not understood.

use serde_json::Value;
use varsel::service::Mode;
use varsel::store::{Deed, Desk};

use super::brake::{act, braked, only_batch};
use crate::support::gateway::Behaviour;
use crate::support::world::{World, passport};

/// The line of what a verb printed in which this stands, trimmed.
fn line<'a>(said: &'a str, part: &str) -> &'a str {
    let found = said.lines().find(|line| line.contains(part));
    found
        .unwrap_or_else(|| panic!("\"{part}\" is missing:\n{said}"))
        .trim()
}

async fn cancelled(status: &[(&'static str, Option<&'static str>)]) -> World {
    let booking = |(id, phone): &(&'static str, Option<&'static str>)| {
        let mut booking = passport(id);
        (booking.phone, booking.email) = (*phone, None);
        booking
    };
    let mut world = World::with(&status.iter().map(booking).collect::<Vec<_>>()).await;
    for (id, _) in status {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn status_names_who_must_be_phoned() {
    let bookings = [
        ("b1", None),
        ("b2", Some("spør mor")),
        ("b3", Some("40 00 00 03")),
    ];
    let mut world = cancelled(&bookings).await;
    world.send().await;
    world.report_all("undelivered").await;
    world.tend().await;
    let said = world.verb(&["status"]);
    assert_eq!(
        line(&said, "register/b3").matches("+47•••03").count(),
        1,
        "{said}"
    );
    assert!(
        !said.contains("4000000") && !said.contains("40 00 00 03"),
        "{said}"
    );
    let people = said
        .lines()
        .filter(|line| line.contains("cancelled"))
        .count();
    assert_eq!(people, 3, "{said}");
    for why in [
        "No phone number. No e-mail address",
        "Phone number not usable: it is no personal number. No e-mail address",
        "SMS not delivered. No e-mail address",
    ] {
        assert_eq!(line(&said, why), why);
    }
    assert!(
        line(&said, "passport:").starts_with("Wed 24 Mar 2021 09:20 at"),
        "{said}"
    );

    let json: Value = serde_json::from_str(&world.verb(&["status", "--json"])).unwrap();
    assert_eq!(json["must_be_phoned"], 3);
    let keys: Vec<_> = json["to_phone"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["key"])
        .collect();
    assert_eq!(keys, ["b1", "b2", "b3"]);
    assert_eq!(json["to_phone"][0]["why"][0], "No phone number");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_is_cut_and_says_so() {
    let names: Vec<String> = (0..10).map(|n| format!("b{n}")).collect();
    let bookings: Vec<_> = names.iter().map(|n| (&*n.clone().leak(), None)).collect();
    let mut world = cancelled(&bookings).await;
    let mut late = passport("late");
    (late.phone, late.email, late.start) = (None, None, "2021-03-25 10:00");
    world.book(&late).await;
    world.look().await;
    world.set("late", "status", "cancelled").await;
    world.look().await;
    let said = world.verb(&["status"]);
    assert_eq!(line(&said, "more;"), "and 1 more; --json names all");
    assert!(
        !said.contains("register/late"),
        "the last deadline is cut: {said}"
    );
    let json: Value = serde_json::from_str(&world.verb(&["status", "--json"])).unwrap();
    assert_eq!(json["to_phone"].as_array().unwrap().len(), 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_when_the_window_opens() {
    let mut world = World::with(&[passport("b1")]).await;
    world.at("2021-03-16T22:00:00Z"); // 23:00 in Oslo
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    let said = world.verb(&["explain", "b1"]);
    assert_eq!(
        line(&said, "window opens"),
        "the send window opens Wed 17 Mar 2021 08:00:00"
    );
    world.at("2021-03-17T09:00:00Z");
    let said = world.verb(&["explain", "b1"]);
    line(&said, "it may leave now, and is next for its gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_when_the_next_attempt_follows() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.sms.behave(Behaviour::Answer(503));
    world.send().await;
    let said = world.verb(&["explain", "b1"]);
    let waits = line(&said, "attempt 2");
    assert!(
        waits.starts_with("not sent (") && waits.contains("503"),
        "{waits}"
    );
    assert!(waits.contains("follows Tue 16 Mar 2021 14:0"), "{waits}");
    assert!(
        waits.contains("the next channel takes over after"),
        "{waits}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_what_the_gateway_still_owes() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    let said = world.verb(&["explain", "b1"]);
    line(
        &said,
        "the gateway took it; its report is awaited until Tue 16 Mar 2021",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_names_the_batch_that_holds() {
    let world = braked().await;
    let batch = only_batch(&world).await;
    let said = world.verb(&["explain", "a"]);
    assert_eq!(
        line(&said, "the brake holds"),
        "the brake holds batch 1 since Tue 16 Mar 2021 14:00:00, until a person releases it"
    );
    let release = act(&world, "one", Deed::Release(batch.seen()));
    world.store.act(&release).await.unwrap();
    let said = world.verb(&["explain", "a"]);
    line(
        &said,
        "batch 1 is released, and its messages are being written anew",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_says_that_trial_mode_kept_it_in() {
    let mut world = World::on_trial(&[passport("b1")], Mode::Trial(Vec::new())).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    let said = world.verb(&["explain", "b1"]);
    line(
        &said,
        "the gateway is in trial mode, and the address is not on its list",
    );
    let counted: serde_json::Value =
        serde_json::from_str(&world.verb(&["status", "--json"])).unwrap();
    assert_eq!(counted["trial"], 1, "counted apart: {counted}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_never_seen_is_named_with_its_time_until_it_is_understood() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "avlyst?").await;
    world.look().await;
    let since = "since Tue 16 Mar 2021 14:00";
    world.at("2021-03-16T15:00:00Z");
    world.touch().await;
    world.look().await;
    let status = world.verb(&["status"]);
    line(
        &status,
        "1 value of the sources is not understood; the old state is kept",
    );
    assert!(line(&status, "\"avlyst?\"").ends_with(since), "{status}");
    line(&status, "\"explain register/b1\" says what was told of it");

    let said = world.verb(&["explain", "register/b1"]);
    let fault = line(
        &said,
        "Not understood: register/b1, column status: \"avlyst?\"",
    );
    assert!(
        fault.ends_with(&format!("{since}; the state above is kept")),
        "{fault}"
    );
    line(&said, "(stands) · revision 0");
    let json: Value = serde_json::from_str(&world.verb(&["explain", "b1", "--json"])).unwrap();
    assert_eq!(
        json[0]["not_understood"][0]["since"],
        "2021-03-16T13:00:00Z"
    );

    world.set("b1", "status", "cancelled").await;
    world.look().await;
    assert!(!world.verb(&["status"]).contains("not understood"));
    assert!(!world.verb(&["explain", "b1"]).contains("Not understood"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_booking_never_understood_is_explained_as_such() {
    let mut world = World::with(&[passport("b1")]).await;
    let mut strange = passport("b2");
    strange.status = "hm";
    world.book(&strange).await;
    world.look().await;
    let said = world.verb(&["explain", "b2"]);
    assert!(
        line(&said, "\"hm\"").ends_with("nothing was known of it before"),
        "{said}"
    );
}
