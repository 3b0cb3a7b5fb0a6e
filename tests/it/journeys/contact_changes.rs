//! Until the first attempt the newest contact is used; one that appears brings a person back from
//! the call list; one that vanishes with the cancellation is kept from our copy.

use crate::support::world::{World, passport};

#[tokio::test]
async fn a_corrected_number_is_used_for_a_message_that_has_not_left() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.set("b1", "phone", "40 00 00 99").await;
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].to, "+4740000099");
}

#[tokio::test]
async fn a_number_that_appears_takes_the_person_off_the_call_list() {
    let mut booking = passport("b1");
    (booking.phone, booking.email) = (None, None);
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.set("b1", "phone", "40 00 00 01").await;
    world.look().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
    world.report_all_delivered().await;
    assert_eq!(world.word("b1").await, "told");
}

#[tokio::test]
async fn a_contact_erased_with_the_cancellation_is_kept_from_our_copy() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "phone", "").await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
}
