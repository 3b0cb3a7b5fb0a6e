//! The brake: a batch too big to be believed waits for a person, who releases or discards exactly
//! what they saw.

use varsel::store::{Act, ActError, Deed, Desk, SeenBatch};

use crate::support::world::{Booking, World, passport, residence};

async fn braked() -> World {
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

fn act(world: &World, key: &str, deed: Deed) -> Act {
    Act {
        actor: "Kari Nordmann".into(),
        reason: "announced".into(),
        idempotency_key: key.into(),
        at: world.now,
        deed,
    }
}

#[tokio::test]
async fn nothing_leaves_until_a_person_releases_what_they_saw() {
    let mut world = braked().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    let batch = world.store.batches().await.unwrap().remove(0);
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
        batch: batch.id,
        version: batch.version,
        people: 11,
    };
    let refused = world
        .store
        .act(&act(&world, "one", Deed::Release(stale)))
        .await;
    assert!(
        matches!(refused, Err(ActError::Changed { people: 12, .. })),
        "{refused:?}"
    );

    let seen = SeenBatch {
        people: 12,
        ..stale
    };
    world
        .store
        .act(&act(&world, "two", Deed::Release(seen)))
        .await
        .unwrap();
    world.tend().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 12);
    world.tend().await;
    assert!(world.store.batches().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_discarded_batch_is_left_out() {
    let mut world = braked().await;
    let batch = world.store.batches().await.unwrap().remove(0);
    let seen = SeenBatch {
        batch: batch.id,
        version: batch.version,
        people: batch.people,
    };
    world
        .store
        .act(&act(&world, "one", Deed::Discard(seen)))
        .await
        .unwrap();
    world.tend().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(world.tally().await.left_out, 12);
}

#[tokio::test]
async fn a_release_after_the_night_is_written_anew() {
    let mut world = braked().await;
    world.at("2021-03-23T07:30:00Z"); // the day before: short notice now
    let batch = world.store.batches().await.unwrap().remove(0);
    let seen = SeenBatch {
        batch: batch.id,
        version: batch.version,
        people: batch.people,
    };
    world
        .store
        .act(&act(&world, "one", Deed::Release(seen)))
        .await
        .unwrap();
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
    let batch = world.store.batches().await.unwrap().remove(0);
    let seen = SeenBatch {
        batch: batch.id,
        version: batch.version,
        people: batch.people,
    };
    world
        .store
        .act(&act(&world, "one", Deed::Release(seen)))
        .await
        .unwrap();
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
