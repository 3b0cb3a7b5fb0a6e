//! The brake: a batch too big to be believed waits for a person, who releases or discards exactly
//! what they saw.

use varsel::sandbox::mail::readable;
use varsel::store::{Act, ActError, Batch, Deed, Desk, Ledger, SeenBatch};

use crate::support::world::{Booking, World, passport, residence};

pub(super) async fn braked() -> World {
    braked_of(passport).await
}

async fn braked_of(booking: fn(&'static str) -> Booking) -> World {
    let names: &[&'static str] = &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let bookings: Vec<_> = names.iter().map(|id| booking(id)).collect();
    let mut world = World::with(&bookings).await;
    for id in names {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world
}

pub(super) fn act(world: &World, key: &str, deed: Deed) -> Act {
    Act {
        actor: "Kari Nordmann".into(),
        reason: "announced".into(),
        idempotency_key: key.into(),
        at: world.now,
        deed,
    }
}

pub(super) async fn only_batch(world: &World) -> Batch {
    let mut batches = world.store.batches().await.unwrap();
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

/// Somebody looks at the only batch and lets it go, or throws it away.
async fn decide(world: &World, deed: fn(SeenBatch) -> Deed) {
    let seen = only_batch(world).await.seen();
    world
        .store
        .act(&act(world, "one", deed(seen)))
        .await
        .unwrap();
}

#[tokio::test]
async fn nothing_leaves_until_a_person_releases_what_they_saw() {
    let mut world = braked().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    let batch = only_batch(&world).await;
    assert_eq!(batch.people, 12);
    assert_eq!(world.tally().await.held, 12);
    assert!(
        batch.samples[0]
            .content
            .starts_with("Avlyst: timen for pass"),
        "{:?}",
        batch.samples
    );

    let stale = SeenBatch {
        people: 11,
        ..batch.seen()
    };
    let refused = world
        .store
        .act(&act(&world, "one", Deed::Release(stale)))
        .await;
    assert!(
        matches!(refused, Err(ActError::Changed { people: 12, .. })),
        "{refused:?}"
    );

    let release = act(&world, "two", Deed::Release(batch.seen()));
    world.store.act(&release).await.unwrap();
    world.tend().await;
    assert!(
        world.store.batches().await.unwrap().is_empty(),
        "a released batch ends as soon as its messages are written anew"
    );
    world.send().await;
    assert_eq!(world.sms.taken().len(), 12);
}

#[tokio::test]
async fn a_discarded_batch_is_left_out() {
    let mut world = braked().await;
    decide(&world, Deed::Discard).await;
    world.tend().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(world.tally().await.left_out, 12);
}

#[tokio::test]
async fn a_release_after_the_night_is_written_anew() {
    let mut world = braked().await;
    world.at("2021-03-23T07:30:00Z"); // the day before: short notice now
    decide(&world, Deed::Release).await;
    world.tend().await;
    world.send().await;
    assert!(
        world
            .sms
            .taken()
            .iter()
            .all(|sms| sms.text.contains("Ikke møt opp."))
    );
    assert_eq!(world.sms.taken().len(), 12);
}

#[tokio::test]
async fn a_held_row_that_comes_back_dissolves() {
    let mut world = braked().await;
    for id in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"] {
        world.set(id, "status", "booked").await;
    }
    world.look().await;
    world.tend().await;
    assert!(world.store.batches().await.unwrap().is_empty());
    world.send().await;
    assert!(world.sms.taken().is_empty());
}

#[tokio::test]
async fn what_the_release_asks_for_beside_it_is_written_too() {
    let mut world = braked_of(residence).await;
    world.at("2021-03-23T07:30:00Z"); // short notice now: the invitation is a notice of its own
    decide(&world, Deed::Release).await;
    world.tend().await;
    world.send().await;
    let mails = world.mail.taken();
    let short = mails
        .iter()
        .filter(|m| m.subject().starts_with("Cancelled at short notice"));
    assert_eq!(short.count(), 12);
    let invited = mails
        .iter()
        .filter(|m| m.subject().starts_with("You can submit"));
    assert_eq!(invited.count(), 12);
}

#[tokio::test]
async fn a_sample_of_an_e_mail_is_what_a_person_would_read() {
    let mut world = braked_of(residence).await;
    world.tend().await;
    let batch = only_batch(&world).await;
    let [sample] = &batch.samples.iter().map(readable).collect::<Vec<_>>()[..] else {
        panic!("one purpose, channel and office: {:?}", batch.samples);
    };
    assert!(
        sample.starts_with("Cancelled: your appointment"),
        "{sample}"
    );
    assert!(sample.contains("\n\nHello\n"), "{sample}");
    assert!(sample.contains("søknaden"), "{sample}");
    for raw in [
        "Content-Type",
        "boundary",
        "=C3",
        "quoted-printable",
        "example.org",
    ] {
        assert!(!sample.contains(raw), "{raw}: {sample}");
    }
}

const TWELVE: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

async fn cancelled_after_announcing(max: u32) -> World {
    let bookings: Vec<_> = TWELVE.iter().map(|id| passport(id)).collect();
    let mut world = World::with(&bookings).await;
    world.close_oslo_for(max).await;
    for id in TWELVE {
        world.set(id, "status", "cancelled").await;
    }
    world
}

#[tokio::test]
async fn an_announced_mass_cancellation_flows() {
    let mut world = cancelled_after_announcing(12).await;
    world.look().await;
    assert!(world.store.batches().await.unwrap().is_empty());
    world.send().await;
    assert_eq!(world.sms.taken().len(), 12);
    let admitted = world.store.closings(world.now).await.unwrap()[0].admitted;
    assert_eq!(admitted, 12);
}

#[tokio::test]
async fn more_than_was_announced_is_held_as_a_whole() {
    let mut world = cancelled_after_announcing(11).await;
    world.look().await;
    assert_eq!(world.store.batches().await.unwrap()[0].people, 12);
    world.send().await;
    assert!(world.sms.taken().is_empty());
}

#[tokio::test]
async fn what_was_not_announced_is_held_beside_what_flows() {
    let mut world = cancelled_after_announcing(12).await;
    let after: Vec<String> = (0..11).map(|n| format!("later-{n}")).collect();
    for id in &after {
        let id: &'static str = Box::leak(id.clone().into_boxed_str());
        world
            .book(&Booking {
                start: "2021-04-12 09:20",
                ..passport(id)
            })
            .await;
    }
    for id in TWELVE {
        world.set(id, "status", "booked").await;
    }
    world.look().await;
    for id in TWELVE.into_iter().chain(after.iter().map(String::as_str)) {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    let batch = world.store.batches().await.unwrap().remove(0);
    assert_eq!(
        batch.people, 11,
        "the day after the closing is not announced"
    );
    world.send().await;
    assert_eq!(world.sms.taken().len(), 12);
}

#[tokio::test]
async fn an_empty_table_is_held_whatever_was_announced() {
    let mut world = cancelled_after_announcing(100).await;
    for id in TWELVE {
        world.delete(id).await;
    }
    for _ in 0..3 {
        world.look().await;
    }
    assert_eq!(world.store.batches().await.unwrap()[0].people, 12);
}
