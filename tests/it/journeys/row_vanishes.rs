//! Many systems delete the row. It is gone after two complete snapshots without it and a look-up by
//! its key, and a silent source confirms it as well as a busy one.

use varsel::domain::brake::Braked;
use varsel::store::Desk;

use crate::support::world::{World, passport, residence};

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

/// Three bookings whose rows are gone, and held.
async fn wiped() -> World {
    let bookings: Vec<_> = ["a", "b", "c"].into_iter().map(passport).collect();
    let mut world = World::with(&bookings).await;
    for id in ["a", "b", "c"] {
        world.delete(id).await;
    }
    world.look().await;
    world.look().await;
    assert_eq!(world.tally().await.held, 3);
    world
}

#[tokio::test]
async fn a_row_that_comes_back_and_is_not_understood_is_not_gone_either() {
    let mut world = wiped().await;
    for (id, column, value) in [
        ("a", "status", "gjenopprettet"),
        ("b", "office", "a tower nobody has built"),
        ("c", "start", "soon"),
    ] {
        world.book(&passport(id)).await;
        world.set(id, column, value).await;
    }
    world.restart().await;
    let step = world.look().await;
    assert_eq!(
        step.faults.len(),
        3,
        "somebody must see them: {:?}",
        step.faults
    );
    world.tend().await;
    assert!(
        world.store.batches().await.unwrap().is_empty(),
        "there is nothing left to release"
    );
    // Understood again, they say what they said before.
    world.set("a", "status", "booked").await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(world.tally().await.left_out, 3);
    // And what is gone once more, alone this time, is told.
    world.delete("a").await;
    world.look().await;
    world.look().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
}

#[tokio::test]
async fn of_some_that_come_back_only_the_others_stay_held() {
    let mut world = wiped().await;
    world.book(&passport("a")).await;
    world.set("a", "status", "gjenopprettet").await;
    world.look().await;
    world.tend().await;
    let batch = world.store.batches().await.unwrap().remove(0);
    assert_eq!(batch.people, 2);
}

#[tokio::test]
async fn who_was_told_that_it_is_gone_is_told_otherwise_only_by_a_row_that_is_understood() {
    let mut world = World::with(&[passport("b1"), passport("b2")]).await;
    world.delete("b1").await;
    world.look().await;
    world.look().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
    world.book(&passport("b1")).await;
    world.set("b1", "status", "gjenopprettet").await;
    world.look().await;
    world.look().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1, "nobody knows what it says");
    world.set("b1", "status", "booked").await;
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2);
    assert!(!taken[1].text.starts_with("Avlyst:"), "{}", taken[1].text);
}

#[tokio::test]
async fn a_row_that_says_cancelled_and_then_nothing_clear_stays_cancelled() {
    let bookings: Vec<_> = ["a", "b", "c"].into_iter().map(passport).collect();
    let mut world = wiped().await;
    for booking in &bookings {
        world.book(booking).await;
        world.set(booking.id, "status", "cancelled").await;
    }
    world.look().await;
    for id in ["a", "b", "c"] {
        world.set(id, "status", "gjenopprettet").await;
    }
    world.look().await;
    world.tend().await;
    assert_eq!(
        world.tally().await.held,
        3,
        "the old state was a word, and is kept"
    );
}

#[tokio::test]
async fn whoever_was_told_that_it_stands_again_is_not_sent_away_by_a_row_that_nobody_understands() {
    // A relay's acceptance is enough to know that they were told both.
    let mut world = World::with(&[residence("a"), passport("b"), passport("c")]).await;
    for word in ["cancelled", "booked"] {
        world.set("a", "status", word).await;
        world.look().await;
        world.send().await;
    }
    assert_eq!(world.mail.taken().len(), 2, "cancelled, and after all not");
    for id in ["a", "b", "c"] {
        world.delete(id).await;
    }
    world.look().await;
    world.look().await;
    assert_eq!(world.tally().await.held, 3);
    world.book(&residence("a")).await;
    world.set("a", "status", "gjenopprettet").await;
    world.look().await;
    world.tend().await;
    let batch = world.store.batches().await.unwrap().remove(0);
    assert_eq!(batch.people, 2);
}

#[tokio::test]
async fn a_word_that_is_to_be_left_out_brings_nothing_back() {
    let mut world = wiped().await;
    world.book(&passport("a")).await;
    world.set("a", "status", "archived").await;
    world.look().await;
    world.tend().await;
    let batch = world.store.batches().await.unwrap().remove(0);
    assert_eq!(batch.people, 3);
}
