//! `--at`: every reading verb shows how things stand at another time, and nothing else.

use serde_json::Value;

use super::brake::braked;
use crate::support::world::{World, passport};

/// What a verb says at this time.
fn at(world: &mut World, time: &str, words: &[&str]) -> String {
    world.at(time);
    world.verb(words)
}

const BEFORE: &str = "2021-03-16T13:00:00Z";
/// The day after the appointments.
const AFTER: &str = "2021-03-25T13:00:00Z";

#[tokio::test]
async fn status_and_explain_count_against_the_time_asked_for() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    for (time, word) in [(BEFORE, "waiting"), (AFTER, "too_late")] {
        let status = at(&mut world, time, &["status", "--json"]);
        let status: Value = serde_json::from_str(&status).unwrap();
        let told = ["waiting", "too_late"].map(|key| status[key].as_u64().unwrap());
        let expected = ["waiting", "too_late"].map(|key| u64::from(key == word));
        assert_eq!(told, expected, "{status}");
        let story = at(&mut world, time, &["explain", "b1"]).to_lowercase();
        assert!(story.contains(&word.replace('_', " ")), "{story}");
    }
}

#[tokio::test]
async fn a_held_batch_is_shown_with_the_time_that_is_left_then() {
    let mut world = braked().await;
    let batch = super::brake::only_batch(&world).await.id.0.to_string();
    for words in [&["hold", "list"][..], &["hold", "show", &batch]] {
        // The last good moment is the evening before 24 March, 09:20.
        let early = at(&mut world, "2021-03-23T18:58:00Z", words);
        assert!(
            early.contains("23 Mar 2021 21:00, in 1 h 02 min"),
            "{early}"
        );
        let late = at(&mut world, "2021-03-23T20:01:00Z", words);
        let passed = "at once: the last good moment was Tue 23 Mar 2021 21:00";
        assert!(late.contains(passed), "{late}");
    }
}

#[tokio::test]
async fn a_closing_is_listed_until_it_has_passed() {
    let mut world = World::with(&[passport("b1")]).await;
    world.close_oslo().await;
    let listed = at(&mut world, BEFORE, &["closing", "list"]);
    assert!(listed.contains("2021-03-17 to 2021-04-09"), "{listed}");
    let last_day = at(&mut world, "2021-04-09T21:59:00Z", &["closing", "list"]);
    assert!(last_day.contains("2021-03-17 to 2021-04-09"), "{last_day}");
    let passed = at(&mut world, "2021-04-11T13:00:00Z", &["closing", "list"]);
    assert!(passed.contains("No closing is announced."), "{passed}");
}
