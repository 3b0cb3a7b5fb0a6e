//! The ladder: refused or undelivered on one rung, the next takes over at once; the last is the
//! phone.

use chrono::TimeDelta;

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

/// The gateway's account is locked: it is left alone, and what waits for it is not tried at all.
#[tokio::test]
async fn behind_a_paused_gateway_nobody_waits_past_their_rung() {
    let mut bookings = vec![passport("b1"), passport("b2"), passport("b3")];
    bookings[2].email = None;
    for booking in &mut bookings {
        booking.start = "2021-03-19 09:20";
    }
    let mut world = World::with(&bookings).await;
    world.sms.behave(Behaviour::Answer(401));
    for id in ["b1", "b2", "b3"] {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    // A quarter of the 67 hours that are left is over in the night; the morning is tried, too.
    for _ in 0..(19 * 12) {
        world.now += TimeDelta::minutes(5);
        world.tend().await;
    }
    world.send().await;
    assert_eq!(world.sms.taken().len(), 0);
    assert_eq!(world.mail.taken().len(), 2);
    for id in ["b1", "b2"] {
        assert_eq!(world.word(id).await, "told");
    }
    assert_eq!(world.word("b3").await, "must_be_phoned");
}

#[tokio::test]
async fn a_daemon_that_was_down_tries_before_it_gives_up() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.tend().await;
    world.at("2021-03-19T10:00:00Z");
    world.tend().await;
    world.tend().await;
    world.send().await;
    assert_eq!((world.sms.taken().len(), world.mail.taken().len()), (1, 0));
}
