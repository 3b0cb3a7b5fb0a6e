//! A batch that was wrong and was released all the same: those it had reached are told, once and on
//! the same channel, that their appointment stands; the rest is never told.

use chrono::TimeDelta;
use serde_json::Value;
use varsel::domain::notice::Purpose;
use varsel::store::{Act, BatchId, Deed, Desk};

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::world::{Booking, World, passport};

const PEOPLE: u32 = 12;

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

fn release(daemon: &Daemon, batch: &str) {
    let shown = json(daemon, &["hold", "show", batch, "--json"]);
    let seen = format!("{}:{}", shown["version"], shown["people"]);
    let words = ["hold", "release", batch, "--reason", "x", "--seen", &seen];
    let (code, _, refused) = said(daemon, &words);
    assert_eq!(code, 0, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_batch_is_corrected_where_it_was_told_and_only_there() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    daemon.configure("max_changes = 1000", "max_changes = 5\ncanary = 4");
    daemon.start().await;
    daemon.cancel_everybody().await;
    let held = async || json(&daemon, &["hold", "list", "--json"])["batches"].clone();
    daemon
        .until("the brake holds the batch", async || {
            held().await[0]["people"] == 12
        })
        .await;
    let (code, _, refused) = said(&daemon, &["correct", "1"]);
    assert_eq!(code, 1, "nobody was told anything yet: {refused}");
    release(&daemon, "1");
    gateway.wait_for(4).await;
    daemon
        .until("the first have gone", async || {
            held().await[0]["people"] == 8 && json(&daemon, &["status", "--json"])["sms"] == 4
        })
        .await;

    // The first four left as a batch of their own. Somebody sees that the table was half loaded.
    let wrong = json(&daemon, &["correct", "2", "--json"]);
    assert_eq!((&wrong["people"], &wrong["stand"]), (&4.into(), &0.into()));
    assert_eq!(wrong["channels"]["sms"], 4);
    let (code, shown, _) = said(&daemon, &["correct", "2"]);
    assert_eq!(code, 0);
    let seen = format!("{}:4", wrong["version"]);
    for part in [
        "4 people may have got its wrong word",
        "Beklager, vi tok feil",
        &format!("--seen {seen}"),
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("4000"), "no number is shown:\n{shown}");
    let correct = |seen: &str| {
        let words = ["correct", "2", "--reason", "half loaded", "--seen", seen];
        said(&daemon, &words)
    };
    assert_eq!(correct("1:9").0, 1, "what was seen must be so");
    let (code, done, refused) = correct(&seen);
    assert_eq!(code, 0, "{refused}");
    assert!(done.contains("4 people will be told"), "{done}");
    assert_eq!(correct(&seen).0, 0, "the same word twice is one act");

    // The booking system is mended, and everybody's appointment stands again. Eight were never told.
    daemon.set_status(0..PEOPLE, "booked").await;
    let taken = gateway.wait_for(8).await;
    daemon
        .until("nothing waits", async || {
            let tally = json(&daemon, &["status", "--json"]);
            tally["sms"] == 8 && held().await == serde_json::json!([])
        })
        .await;
    let texts: Vec<&str> = taken.iter().map(|sms| sms.text.as_str()).collect();
    let (first, then) = texts.split_at(4);
    assert!(first.iter().all(|text| text.starts_with("Avlyst:")));
    assert!(
        then.iter()
            .all(|text| text.starts_with("Beklager, vi tok feil:"))
    );
    let to = |taken: &[crate::support::gateway::Sms]| {
        let mut to: Vec<String> = taken.iter().map(|sms| sms.to.clone()).collect();
        to.sort();
        to
    };
    assert_eq!(to(&taken[..4]), to(&taken[4..]), "the same four people");
    assert_eq!(gateway.taken().len(), 8, "nobody else hears of it");
    assert_eq!(json(&daemon, &["correct", "2", "--json"])["people"], 0);
}

/// Cancels bookings by a batch that a person releases.
async fn cancelled_by_a_released_batch(bookings: &[Booking]) -> World {
    let mut world = World::with(bookings).await;
    world.map_otherwise(|sql| sql.query.push(' ')).await;
    for booking in bookings {
        world.set(booking.id, "status", "cancelled").await;
    }
    world.look().await;
    world.look().await;
    let batch = world.store.batches().await.unwrap().remove(0);
    act(&world, "go", Deed::Release(batch.seen())).await;
    world.tend().await;
    world
}

async fn act(world: &World, key: &str, deed: Deed) -> u32 {
    let act = Act {
        actor: "kari".to_owned(),
        reason: "checked".to_owned(),
        idempotency_key: key.to_owned(),
        at: world.now,
        deed,
    };
    world.store.act(&act).await.unwrap().count
}

async fn correct(world: &World) -> u32 {
    let wrong = world.store.wrong(BatchId(1), 9).await.unwrap().unwrap();
    act(world, "wrong", Deed::Correct(wrong.seen())).await
}

#[tokio::test]
async fn a_correction_takes_the_place_of_a_reinstatement_that_has_not_left() {
    let mut world = cancelled_by_a_released_batch(&[passport("b1")]).await;
    world.send().await;
    world.set("b1", "status", "booked").await;
    world.look().await;
    assert_eq!(correct(&world).await, 1);
    assert_eq!(world.tend().await.asked, 1);
    assert_eq!(world.tend().await.asked, 0);
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2, "one message, not a reinstatement beside it");
    assert!(
        taken[1].text.starts_with("Beklager, vi tok feil:"),
        "{}",
        taken[1].text
    );
    world.report_all_delivered().await;
    assert_eq!(world.word("b1").await, "told");
    let story = world.story("b1").await;
    let correction = story.notices.last().unwrap();
    assert_eq!(correction.purpose, Purpose::Correction);
    assert_eq!(correction.occasion, 1, "it names the batch");
    // It goes on as any change does: cancelled once more is told once more.
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken()[2].text.starts_with("Avlyst:"));
}

#[tokio::test]
async fn a_reinstatement_that_is_under_way_is_left_to_itself() {
    let mut world = cancelled_by_a_released_batch(&[passport("b1")]).await;
    world.send().await;
    world.set("b1", "status", "booked").await;
    world.look().await;
    world.send().await;
    assert_eq!(correct(&world).await, 1, "it may not have arrived");
    world.tend().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 2);
}

#[tokio::test]
async fn who_comes_back_at_another_time_is_told_the_time_and_not_that_nothing_changed() {
    let mut world = cancelled_by_a_released_batch(&[passport("b1")]).await;
    world.send().await;
    correct(&world).await;
    world.set("b1", "status", "booked").await;
    world.set("b1", "start", "2021-03-26 10:00").await;
    world.look().await;
    world.tend().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2);
    assert!(
        taken[1].text.starts_with("Gjelder likevel:"),
        "{}",
        taken[1].text
    );
}

#[tokio::test]
async fn a_correction_climbs_its_ladder_as_itself() {
    let mut world = cancelled_by_a_released_batch(&[passport("b1")]).await;
    world.send().await;
    correct(&world).await;
    world.set("b1", "status", "booked").await;
    world.look().await;
    world.send().await;
    world.report_all("undelivered").await;
    world.now += TimeDelta::minutes(1);
    world.tend().await;
    world.send().await;
    let mail = world.mail.taken().pop().unwrap();
    let text = mail.text();
    assert!(text.contains("Det var feil"), "{text}");
    let story = world.story("b1").await;
    let corrections = story
        .notices
        .iter()
        .filter(|n| n.purpose == Purpose::Correction);
    assert_eq!(
        corrections.count(),
        1,
        "one notice climbs; it is not written twice"
    );
}
