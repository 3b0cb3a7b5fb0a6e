//! What could not leave before the appointment began is not sent afterwards, and is called what it
//! is: too late.

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
