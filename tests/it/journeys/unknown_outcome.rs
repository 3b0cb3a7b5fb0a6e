//! A hand-over without an answer is unknown, and nobody guesses: after quarantine it is repeated
//! once, marked, where the rule says so; then the next rung takes over.

use serde_json::{Value, json};

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
    assert_eq!(
        unclear(&world),
        "register/b1 · sms through sms · 1 attempt · tell before Wed 24 Mar 2021 09:20 · is being found out"
    );

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
    assert!(
        unclear(&world)
            .ends_with("2 attempts · tell before Wed 24 Mar 2021 09:20 · is not sent again")
    );
    let json: Value = serde_json::from_str(&world.verb(&["status", "--json"])).unwrap();
    let listed = &json["unclear"][0];
    assert_eq!(
        (&listed["key"], &listed["settled"]),
        (&json!("b1"), &json!(true))
    );
}

/// The line of `status` about the one message of which nothing is known.
fn unclear(world: &World) -> String {
    let said = world.verb(&["status"]);
    let mut lines = said.lines().map(str::trim);
    lines
        .find(|line| line.starts_with("Not known whether"))
        .unwrap_or_else(|| panic!("no list of unknowns in\n{said}"));
    lines.next().unwrap().to_owned()
}
