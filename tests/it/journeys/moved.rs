//! A moved appointment: one message that names the old and the new; moved twice before it leaves,
//! still one; moved and moved back, none.

use crate::support::world::{World, passport};

#[tokio::test]
async fn a_move_in_time_names_both_times() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "start", "2021-03-25 11:00").await;
    world.look().await;
    world.send().await;
    let text = world.sms.taken()[0].text.clone();
    assert!(
        text.starts_with("Flyttet: timen for pass 24. mars kl. 09.20"),
        "{text}"
    );
    assert!(
        text.contains("Ny tid: torsdag 25. mars kl. 11.00"),
        "{text}"
    );
}

#[tokio::test]
async fn a_move_to_another_office_names_the_place() {
    let mut world = World::with(&[passport("b1")]).await;
    let other = world.another_passport_office();
    world.set("b1", "office", &other).await;
    world.look().await;
    world.send().await;
    let text = world.sms.taken()[0].text.clone();
    assert!(
        text.starts_with("Nytt sted: timen for pass onsdag 24. mars kl. 09.20"),
        "{text}"
    );
}

#[tokio::test]
async fn moved_twice_before_it_leaves_is_one_message_about_the_last() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "start", "2021-03-25 11:00").await;
    world.look().await;
    world.set("b1", "start", "2021-03-26 12:00").await;
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 1);
    assert!(
        taken[0].text.contains("24. mars kl. 09.20"),
        "from what the person knew"
    );
    assert!(
        taken[0].text.contains("fredag 26. mars kl. 12.00"),
        "to what is"
    );
}

#[tokio::test]
async fn moved_and_moved_back_before_it_leaves_is_silence() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "start", "2021-03-25 11:00").await;
    world.look().await;
    world.set("b1", "start", "2021-03-24 09:20").await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(world.word("b1").await, "left_out");
}

#[tokio::test]
async fn moved_after_a_told_move_starts_from_what_was_told() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "start", "2021-03-25 11:00").await;
    world.look().await;
    world.send().await;
    world.report_all_delivered().await;
    world.set("b1", "start", "2021-03-26 12:00").await;
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 2);
    assert!(
        taken[1].text.contains("25. mars kl. 11.00"),
        "{}",
        taken[1].text
    );
}
