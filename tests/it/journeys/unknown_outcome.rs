//! A hand-over without an answer is unknown, and nobody guesses: after quarantine it is repeated
//! once, marked, where the rule says so; then the next rung takes over.

use crate::support::gateway::Behaviour;
use crate::support::world::{World, passport};

#[tokio::test]
async fn no_answer_is_unknown_and_repeated_once_under_the_same_key() {
    let mut booking = passport("b1");
    booking.email = None;
    let mut world = World::with(&[booking]).await;
    world.sms.behave(Behaviour::TakeAndHang);
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert_eq!(world.tally().await.unknown, 1);

    world.tend_until_resolved().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2);
    assert_eq!(taken[0].key, taken[1].key);
    assert_eq!(taken[0].text, taken[1].text, "byte for byte");
    assert_eq!(world.tally().await.possible_duplicates, 1);

    world.tend_until_resolved().await;
    world.tend().await;
    world.send().await;
    assert_eq!(world.sms.taken().len(), 2, "at most one extra hand-over");
    assert_eq!(world.word("b1").await, "must_be_phoned");
}
