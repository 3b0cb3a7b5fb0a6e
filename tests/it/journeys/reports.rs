//! Delivery reports: believed when they carry the token we made, and only then.

use varsel::inbound::routes::Taken;

use crate::support::world::{World, passport};

#[tokio::test]
async fn only_a_report_says_delivered() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert_eq!(
        world.word("b1").await,
        "waiting",
        "accepted is not delivered"
    );
    world.report_all_delivered().await;
    assert_eq!(world.word("b1").await, "told");
}

#[tokio::test]
async fn a_forged_token_changes_nothing() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    let forged = world.report("1.AAAAAAAAAAAAAAAAAAAA", "delivered").await;
    assert_eq!(forged, Taken::Unknown);
    assert_eq!(world.word("b1").await, "waiting");
}

#[tokio::test]
async fn contradictions_and_repeats_do_no_harm() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    for state in ["delivered", "undelivered", "delivered", "sent"] {
        world.report_all(state).await;
    }
    world.tend().await;
    assert_eq!(world.word("b1").await, "told");
}

#[tokio::test]
async fn a_report_for_an_attempt_we_do_not_know_is_kept_and_moves_nothing() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    let token = world.token_of_no_attempt();
    assert_eq!(world.report(&token, "delivered").await, Taken::Kept);
    assert_eq!(world.word("b1").await, "waiting");
}
