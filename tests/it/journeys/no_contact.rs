//! A booking without a usable phone or address is not dropped: somebody must pick up a phone, and
//! the reason stands there.

use crate::support::world::{World, passport};

#[tokio::test]
async fn without_number_and_address_it_stands_on_the_list_with_the_reason() {
    let mut booking = passport("b1");
    (booking.phone, booking.email) = (None, None);
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    assert_eq!(world.word("b1").await, "must_be_phoned");
    assert_eq!(world.reason("b1").await, "no_contact");
}

#[tokio::test]
async fn an_unusable_number_says_so() {
    let mut booking = passport("b1");
    (booking.phone, booking.email) = (Some("spør mor"), None);
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    assert_eq!(world.word("b1").await, "must_be_phoned");
    assert_eq!(world.reason("b1").await, "unusable_contact");
}

#[tokio::test]
async fn without_a_number_the_next_channel_is_taken() {
    let mut booking = passport("b1");
    booking.phone = None;
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert_eq!(world.mail.taken().len(), 1);
    assert_eq!(world.word("b1").await, "told");
}
