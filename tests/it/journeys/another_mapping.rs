//! The rows of a source get another meaning: by other words, another zone, another query, another
//! database. What they say differently then is not a change of the world, and waits for a person.

use varsel::source::{Meaning, sql};

use crate::support::world::{World, passport};

/// Five people, fewer than the brake cares about by itself.
async fn five() -> World {
    let people = ["b1", "b2", "b3", "b4", "b5"].map(passport);
    World::with(&people).await
}

async fn polls(world: &mut World, looks: u32) {
    for _ in 0..looks {
        world.touch().await;
        world.look().await;
        world.send().await;
    }
}

#[tokio::test]
async fn what_rows_come_to_say_by_another_mapping_waits_for_a_person() {
    let otherwise: [fn(&mut sql::Settings); 3] = [
        |settings| settings.words.naive_zone = Some(chrono_tz::Europe::London),
        |settings| {
            let booked = settings.words.status.get_mut("booked").unwrap();
            *booked = Meaning::Cancelled;
        },
        |settings| settings.query += " WHERE id > 'b5'",
    ];
    for change in otherwise {
        let mut world = five().await;
        world.map_otherwise(change).await;
        polls(&mut world, 4).await;
        assert!(world.sms.taken().is_empty(), "{:?}", world.sms.taken());
        assert_eq!(world.tally().await.held, 5);
    }
}

/// The file of last week, with fewer bookings, in the place of today's.
#[tokio::test]
async fn what_another_database_shows_waits_for_a_person() {
    let mut world = World::with(&["b1", "b2", "b3"].map(passport)).await;
    let place = sql::Place::Sqlite(world.copied_register().await);
    for booking in ["b4", "b5"].map(passport) {
        world.book(&booking).await;
    }
    polls(&mut world, 1).await;
    world.map_otherwise(|settings| settings.place = place).await;
    polls(&mut world, 4).await;
    assert!(world.sms.taken().is_empty(), "{:?}", world.sms.taken());
    assert_eq!(world.tally().await.held, 2);
}

/// Somewhere somebody always deletes a booking, and each is missing for the first time in some look. What
/// the new mapping hides was missing from its first look on; what is deleted later is deleted.
#[tokio::test]
async fn a_busy_source_does_not_stay_held_for_ever() {
    let mut world = five().await;
    for booking in ["b6", "b7", "b8"].map(passport) {
        world.book(&booking).await;
    }
    polls(&mut world, 1).await;
    world
        .map_otherwise(|settings| settings.query += " WHERE id > 'b1'")
        .await;
    for id in ["b2", "b3", "b4", "b5"] {
        world.delete(id).await;
        polls(&mut world, 1).await;
    }
    polls(&mut world, 2).await;
    // The first one that was deleted was missing as early as what the mapping hides.
    assert_eq!(world.tally().await.held, 2);
    assert_eq!(world.sms.taken().len(), 3);
}

/// What was not written down in one look is missing for the first time in the next.
#[tokio::test]
async fn a_look_that_was_not_written_down_settles_nothing() {
    let mut world = five().await;
    world
        .map_otherwise(|settings| settings.query += " WHERE id > 'b1'")
        .await;
    world.look_in_vain().await;
    polls(&mut world, 4).await;
    assert!(world.sms.taken().is_empty(), "{:?}", world.sms.taken());
    assert_eq!(world.tally().await.held, 1);
}

/// A silent source shows the same once more, and what changes afterwards is a change.
#[tokio::test]
async fn a_silent_source_comes_to_rest_too() {
    let mut world = five().await;
    world
        .map_otherwise(|settings| settings.query += " WHERE id > 'b1'")
        .await;
    for _ in 0..3 {
        world.look().await;
    }
    assert_eq!(world.tally().await.held, 1);
    world.set("b2", "status", "cancelled").await;
    polls(&mut world, 1).await;
    assert_eq!(world.sms.taken().len(), 1);
}
