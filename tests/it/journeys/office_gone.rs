//! An office leaves the directory while its people wait: nothing can be written for them any more, so
//! somebody is asked to phone, and their data goes in time.

use varsel::store::{Act, Deed, Desk};

use crate::support::gateway::Behaviour;
use crate::support::world::{World, passport};

async fn refused() -> World {
    let mut world = World::with(&[passport("b1")]).await;
    world.sms.behave(Behaviour::Answer(422));
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.forget_office("gronland").await;
    world
}

#[tokio::test]
async fn what_cannot_be_written_any_more_is_phoned() {
    let mut world = refused().await;
    assert_eq!(world.tend().await.climbed, 1);
    assert_eq!(world.tend().await.climbed, 0);
    assert_eq!(world.word("b1").await, "must_be_phoned");
    assert_eq!(world.reason("b1").await, "not_writable");
    let list = world.verb(&["call-list"]);
    assert!(list.contains("Could not be written"), "{list}");
}

#[tokio::test]
async fn a_released_batch_whose_office_is_gone_is_phoned() {
    let ids: Vec<String> = (0..12).map(|n| format!("b{n}")).collect();
    let bookings = ids.iter().map(|id| passport(id.clone().leak()));
    let mut world = World::with(&bookings.collect::<Vec<_>>()).await;
    for id in &ids {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    let seen = world.store.batches().await.unwrap()[0].seen();
    world.forget_office("gronland").await;
    let act = Act {
        actor: "Kari Nordmann".to_owned(),
        reason: "seen".to_owned(),
        idempotency_key: "release".to_owned(),
        at: world.now,
        deed: Deed::Release(seen),
    };
    world.store.act(&act).await.unwrap();
    assert_eq!(world.tend().await.released, 12);
    let tally = world.tally().await;
    assert_eq!((tally.must_be_phoned, tally.held), (12, 0));
    assert_eq!(world.store.batches().await.unwrap().len(), 0);
}

#[tokio::test]
async fn their_data_is_erased_like_everybody_elses() {
    let mut world = refused().await;
    world.tend().await;
    world.at("2021-03-25T00:00:00Z");
    world.tend().await;
    world.at("2021-05-10T02:00:00Z");
    assert_eq!(world.tend().await.erased, 1);
}
