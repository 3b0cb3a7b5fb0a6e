//! The ladder: refused or undelivered on one rung, the next takes over at once; the last is the
//! phone.

use crate::support::gateway::Behaviour;
use crate::support::world::{World, passport};

#[tokio::test]
async fn a_refused_sms_is_followed_by_the_email() {
    let mut world = World::with(&[passport("b1")]).await;
    world.sms.behave(Behaviour::Answer(422));
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.tend().await;
    world.send().await;
    let story = world.story("b1").await;
    assert_eq!(world.mail.taken().len(), 1, "{story:#?}");
    assert_eq!(world.word("b1").await, "told");
}

#[tokio::test]
async fn an_undelivered_sms_without_an_address_stands_on_the_call_list() {
    let mut booking = passport("b1");
    booking.email = None;
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.report_all("undelivered").await;
    world.tend().await;
    assert_eq!(world.word("b1").await, "must_be_phoned");
    assert_eq!(world.reason("b1").await, "rungs_ended");
}

#[tokio::test]
async fn no_report_in_time_opens_the_next_rung() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.at("2021-03-17T13:00:00Z");
    world.tend().await;
    world.tend().await;
    world.send().await;
    assert_eq!(
        world.mail.taken().len(),
        1,
        "unconfirmed where reports decide: the e-mail follows"
    );
}
