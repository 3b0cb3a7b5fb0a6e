//! What could not leave before the appointment began is not sent afterwards, and is called what it
//! is: too late.

use varsel::domain::message::MessageState;

use crate::support::gateway::Behaviour;
use crate::support::world::{World, passport};

#[tokio::test]
async fn a_message_past_its_time_is_not_sent_and_is_called_too_late() {
    let mut booking = passport("b1");
    (booking.start, booking.email) = ("2021-03-16 15:00", None);
    let mut world = World::with(&[booking]).await;
    world.sms.behave(Behaviour::Answer(503));
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;

    world.sms.behave(Behaviour::Accept);
    world.at("2021-03-16T14:00:01Z"); // 15:00:01 in Oslo
    world.tend().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(world.word("b1").await, "too_late");
}

#[tokio::test]
async fn every_sms_carries_how_long_it_is_worth_delivering() {
    let mut booking = passport("b1");
    booking.start = "2021-03-16 15:00";
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert_eq!(
        world.sms.taken()[0].validity_seconds,
        3600,
        "until the appointment begins"
    );
}

/// The gateway's only connection is taken up by the first one until the second is useless.
#[tokio::test]
async fn what_waited_for_the_wire_until_it_was_useless_is_not_sent() {
    let mut bookings = vec![passport("b1"), passport("b2")];
    for booking in &mut bookings {
        (booking.start, booking.email) = ("2021-03-16 15:00", None);
    }
    let mut world = World::with(&bookings).await;
    world.narrow();
    world.sms.behave(Behaviour::TakeAndWait);
    for id in ["b1", "b2"] {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.start_sending().await;
    world.sms.wait_for(1).await;
    world.at("2021-03-16T14:00:01Z");
    world.sms.let_go();
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
    world.tend().await;
    let story = world.story("b2").await;
    assert_eq!(
        story.notices[0].messages[0].state,
        MessageState::Expired,
        "{story:#?}"
    );
    assert_eq!(world.word("b2").await, "too_late");
}
