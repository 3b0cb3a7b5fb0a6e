//! Cancelled and reinstated before it leaves: silence. After it left, or while it is leaving: a
//! message, and never a cancellation without its reinstatement.

use crate::support::gateway::Behaviour;
use crate::support::world::{World, passport};

#[tokio::test]
async fn reinstated_before_sending_is_silence() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.set("b1", "status", "booked").await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(world.word("b1").await, "left_out");
}

#[tokio::test]
async fn reinstated_after_sending_is_told() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.set("b1", "status", "booked").await;
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2);
    assert!(
        taken[1].text.starts_with("Gjelder likevel: timen for pass"),
        "{}",
        taken[1].text
    );
}

#[tokio::test]
async fn reinstated_while_the_cancellation_is_leaving_waits_and_is_told_after_it() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.sms.behave(Behaviour::TakeAndWait);
    world.start_sending().await;
    world.sms.wait_for(1).await;

    world.set("b1", "status", "booked").await;
    world.look().await;
    world.start_sending().await;
    assert_eq!(
        world.sms.taken().len(),
        1,
        "not while the older one is in the air"
    );

    world.sms.behave(Behaviour::Accept);
    world.sms.let_go();
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2);
    assert!(taken[0].text.starts_with("Avlyst:"));
    assert!(taken[1].text.starts_with("Gjelder likevel:"));
}

#[tokio::test]
async fn a_cancellation_that_did_not_leave_is_not_sent_after_its_reinstatement() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.sms.behave(Behaviour::Answer(503));
    world.send().await;
    world.set("b1", "status", "booked").await;
    world.look().await;
    world.sms.behave(Behaviour::Accept);
    world.at("2021-03-16T15:00:00Z");
    world.send().await;
    assert!(world.sms.taken().is_empty(), "{:?}", world.sms.taken());
}
