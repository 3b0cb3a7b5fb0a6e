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
