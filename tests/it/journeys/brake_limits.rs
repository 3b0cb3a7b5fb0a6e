//! The brake's limits one by one, on a real register: an hour of small polls, a table that shrinks,
//! times that all move alike, and an announced closing that none of this keeps from flowing.

use chrono::TimeDelta;
use varsel::domain::brake::Braked;
use varsel::store::{Deed, Desk};

use super::brake::{act, only_batch};
use crate::support::world::{Booking, World, passport};

/// A name for booking `n` that lives as long as the test.
fn id(n: usize) -> &'static str {
    Box::leak(format!("b{n:03}").into_boxed_str())
}

async fn world_of(bookings: usize) -> (World, Vec<&'static str>) {
    let ids: Vec<_> = (0..bookings).map(id).collect();
    let bookings: Vec<_> = ids.iter().map(|id| passport(id)).collect();
    (World::with(&bookings).await, ids)
}

async fn cancel(world: &mut World, ids: &[&str]) {
    for id in ids {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
}

async fn why(world: &World) -> Vec<Braked> {
    let batches = world.store.batches().await.unwrap();
    batches.iter().map(|batch| batch.braked).collect()
}

#[tokio::test]
async fn many_small_polls_do_not_pass_not_even_over_a_restart() {
    let (mut world, ids) = world_of(45).await;
    for poll in ids[..32].chunks(8) {
        cancel(&mut world, poll).await;
        world.now += TimeDelta::minutes(2);
        world.restart().await; // what is counted stands in the store
    }
    assert_eq!(
        why(&world).await,
        [Braked::TooManyInAnHour],
        "24 flowed, 8 more are too many"
    );
    cancel(&mut world, &ids[32..36]).await;
    assert_eq!(
        why(&world).await.len(),
        2,
        "while the trickle lasts it stays held"
    );
    world.send().await;
    assert_eq!(world.sms.taken().len(), 24);

    // A person's word does not count against the hour, and after an hour small polls flow again.
    let batches = world.store.batches().await.unwrap();
    for batch in &batches {
        let key = format!("release {}", batch.id.0);
        let release = act(&world, &key, Deed::Release(batch.seen()));
        world.store.act(&release).await.unwrap();
    }
    world.tend().await;
    cancel(&mut world, &ids[36..42]).await;
    assert!(why(&world).await.is_empty(), "24 flowed, 6 more make 30");
    world.now += TimeDelta::hours(1);
    cancel(&mut world, &ids[42..]).await;
    world.send().await;
    assert!(why(&world).await.is_empty());
    assert_eq!(world.sms.taken().len(), 45);
}

#[tokio::test]
async fn a_table_that_shrinks_holds_whatever_is_found_beside_it() {
    let (mut world, ids) = world_of(20).await;
    for id in &ids[..19] {
        world.delete(id).await;
    }
    cancel(&mut world, &ids[19..]).await;
    assert_eq!(
        why(&world).await,
        [Braked::Shrunk],
        "nothing is believed gone yet"
    );
    for id in &ids[..19] {
        world.book(&passport(id)).await;
    }
    world.set(ids[19], "status", "booked").await;
    world.look().await;
    world.tend().await;
    assert!(why(&world).await.is_empty(), "the rows came back");
    world.send().await;
    assert!(world.sms.taken().is_empty());
}

/// A zone read wrongly moves everything by an hour; so few bookings that no other limit sees it.
#[tokio::test]
async fn times_that_all_move_alike_are_held_at_any_size() {
    let (mut world, ids) = world_of(2).await;
    world.close_oslo_for(100).await;
    for id in &ids {
        world.set(id, "start", "2021-03-24 10:20").await;
    }
    world.look().await;
    assert_eq!(
        why(&world).await,
        [Braked::UniformShift],
        "whatever was announced"
    );
    assert_eq!(only_batch(&world).await.people, 2);
    for id in &ids {
        world.set(id, "start", "2021-03-24 09:20").await;
    }
    world.look().await;
    world.tend().await;
    assert!(why(&world).await.is_empty(), "the zone was mended");
    world.set(ids[0], "start", "2021-03-24 10:20").await;
    world.look().await;
    world.send().await;
    assert_eq!(
        world.sms.taken().len(),
        1,
        "one of two that moves is a move"
    );
}

#[tokio::test]
async fn an_announced_closing_flows_by_deletion_and_leaves_the_hour_to_others() {
    let (mut world, ids) = world_of(40).await;
    let later: Vec<_> = (100..106).map(id).collect();
    for id in &later {
        let start = "2021-04-12 09:20";
        world
            .book(&Booking {
                start,
                ..passport(id)
            })
            .await;
    }
    world.look().await;
    world.close_oslo_for(40).await;
    for id in &ids {
        world.delete(id).await;
    }
    world.look().await;
    world.look().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 40);
    cancel(&mut world, &later).await;
    assert!(why(&world).await.is_empty());
}
