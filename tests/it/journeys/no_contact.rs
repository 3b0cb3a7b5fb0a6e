//! A booking without a usable phone or address is not dropped: somebody must pick up a phone, and
//! the reason stands there.

use crate::support::world::{Booking, World, passport};

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

/// An interpreter stands on many bookings by trade, and is told of each.
#[tokio::test]
async fn an_interpreter_is_no_crowd() {
    let mut world = World::with(&["b1", "b2", "b3"].map(passport)).await;
    world
        .map_otherwise(|settings| {
            settings.query =
                "SELECT *, '40 00 00 77' AS interpreter_phone FROM bookings".to_owned();
            settings.words.most_bookings_per_address = Some(2);
        })
        .await;
    for id in ["b1", "b2", "b3"] {
        world.touch().await;
        world.look().await;
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    let told = taken.iter().filter(|sms| sms.to.ends_with("40000077"));
    assert!(told.count() > 0, "{taken:?}");
}

/// The number of a front desk, or of somebody who books for many: whoever it stood on alone was told
/// nothing yet, so from now on it is used for nobody.
#[tokio::test]
async fn a_number_that_comes_to_stand_on_too_many_bookings_is_used_for_nobody() {
    let booking = |id, phone| Booking {
        phone: Some(phone),
        email: None,
        ..passport(id)
    };
    let desk = "40 00 00 07";
    let known = [
        booking("b1", desk),
        booking("b2", desk),
        booking("b3", "40 00 00 08"),
    ];
    let mut world = World::with(&known).await;
    world
        .map_otherwise(|settings| settings.words.most_bookings_per_address = Some(2))
        .await;
    for _ in 0..2 {
        world.touch().await;
        world.look().await;
    }
    // The third one makes it a crowd, and nothing changed in the rows of the others.
    world.book(&booking("b4", desk)).await;
    world.look().await;
    for id in ["b1", "b3", "b4"] {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    assert_eq!(
        world.sms.taken().len(),
        1,
        "only a number of one's own is written to"
    );
    world.report_all_delivered().await;
    assert_eq!(world.word("b3").await, "told");
    for id in ["b1", "b4"] {
        assert_eq!(world.word(id).await, "must_be_phoned");
        assert_eq!(world.reason(id).await, "unusable_contact");
    }
}
