//! The brake: a batch too big to be believed waits for a person, who releases or discards exactly
//! what they saw.

use varsel::sandbox::mail::readable;
use varsel::store::{Act, ActError, Batch, Deed, Desk, SeenBatch};

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
