//! A gateway that is down loses nobody: what certainly was not sent is tried again and told once.

use crate::support::gateway::Behaviour;
use crate::support::world::{World, passport};

#[tokio::test]
async fn what_was_not_sent_is_sent_when_the_gateway_is_back() {
    let mut world = World::with(&[passport("b1"), passport("b2")]).await;
    world.set("b1", "status", "cancelled").await;
    world.set("b2", "status", "cancelled").await;
    world.look().await;
    world.sms.behave(Behaviour::Answer(503));
    world.send().await;
    assert_eq!(world.word("b1").await, "waiting");

    world.sms.behave(Behaviour::Accept);
    world.at("2021-03-16T13:30:00Z");
    world.send().await;
    world.report_all_delivered().await;
    assert_eq!(world.sms.taken().len(), 2);
    assert_eq!(world.tally().await.told, 2);
}

#[tokio::test]
async fn a_gateway_that_refuses_us_is_paused_and_nobody_else_hears_the_same() {
    let ids: [&'static str; 3] = ["b1", "b2", "b3"];
    let mut world = World::with(&ids.map(passport)).await;
    world.sms.behave(Behaviour::Answer(401));
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.sms.behave(Behaviour::Accept);
    world.set("b2", "status", "cancelled").await;
    world.set("b3", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty(), "the gateway is left alone");
    assert_eq!(
        world.tally().await.waiting,
        3,
        "and nobody is lost or given up"
    );
}
