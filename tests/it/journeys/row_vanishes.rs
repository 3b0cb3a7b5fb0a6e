//! Many systems delete the row. It is gone after two complete snapshots without it and a look-up by
//! its key, and a silent source confirms it as well as a busy one.

use varsel::domain::brake::Braked;
use varsel::store::Desk;

use crate::support::world::{World, passport};

#[tokio::test]
async fn a_deleted_row_is_told_after_the_second_snapshot() {
    let mut world = World::with(&[passport("b1"), passport("b2")]).await;
    world.delete("b1").await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty(), "missing once proves nothing");
    world.look().await; // the source is silent: the same snapshot once more
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].text.starts_with("Avlyst:"));
}

#[tokio::test]
async fn a_row_that_comes_back_in_between_is_silence() {
    let mut world = World::with(&[passport("b1"), passport("b2")]).await;
    world.delete("b1").await;
    world.look().await;
    world.book(&passport("b1")).await;
    world.look().await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
}

#[tokio::test]
async fn a_row_that_only_passed_is_not_gone() {
    let mut world = World::with(&[passport("b1"), passport("b2")]).await;
    world.at("2021-03-24T09:00:00Z");
    world.touch().await;
    world.look().await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
}

#[tokio::test]
async fn an_emptied_table_is_held_by_the_brake() {
    let bookings: Vec<_> = ["a", "b", "c"].into_iter().map(passport).collect();
    let mut world = World::with(&bookings).await;
    for id in ["a", "b", "c"] {
        world.delete(id).await;
    }
    world.look().await;
    let step = world.look().await;
    assert!(step.recorded.batch.is_some());
    let batch = world.store.batches().await.unwrap().remove(0);
    assert_eq!(
        batch.braked,
        Braked::ZeroRows,
        "even so few, and even when the source is silent"
    );
    world.send().await;
    assert!(world.sms.taken().is_empty());
}
