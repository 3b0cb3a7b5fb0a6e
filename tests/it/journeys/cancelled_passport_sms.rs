//! A cancelled passport appointment becomes one SMS in Norwegian and English, and no second one,
//! however often the source is read.

use crate::support::world::{World, passport, without_reference};

#[tokio::test]
async fn a_cancelled_row_becomes_one_sms_in_both_languages() {
    let mut world = World::with(&[passport("b1")]).await;
    world.close_oslo().await;
    world.set("b1", "status", "cancelled").await;

    world.look().await;
    world.send().await;
    world.look().await;
    world.send().await;

    let taken = world.sms.taken();
    assert_eq!(taken.len(), 1, "one decision, exactly once");
    assert_eq!(taken[0].to, "+4740000001");
    assert_eq!(taken[0].from, "Politiet");
    assert_eq!(
        without_reference(&taken[0].text),
        "Avlyst: timen for pass 24. mars kl. 09.20, Grønland passkontor. \
         Bestill ny etter 9. april. Kritisk reise? Ring 00 00 00 00.\n\n\
         Cancelled: passport appointment 24 March at 09:20, Grønland passkontor. \
         Rebook after 9 April. Critical journey? Call 00 00 00 00. Politiet ref. XXXXXX"
    );
}

#[tokio::test]
async fn the_persons_own_language_comes_first() {
    let mut english = passport("b1");
    english.language = "en";
    let mut world = World::with(&[english]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    let text = world.sms.taken()[0].text.clone();
    assert!(
        text.starts_with("Cancelled: passport appointment 24 March at 09:20"),
        "{text}"
    );
    assert!(
        text.contains("\n\nAvlyst: timen for pass 24. mars kl. 09.20"),
        "{text}"
    );
}

#[tokio::test]
async fn the_first_snapshot_tells_nobody_about_history() {
    let mut cancelled = passport("b1");
    cancelled.status = "cancelled";
    let mut world = World::with(&[cancelled, passport("b2")]).await;
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    assert_eq!(world.tally().await.people(), 0);
}

#[tokio::test]
async fn a_word_never_seen_keeps_the_old_state_and_raises_an_alarm() {
    let mut world = World::with(&[passport("b1")]).await;
    world.set("b1", "status", "avlyst?").await;
    let step = world.look().await;
    assert_eq!(step.faults.len(), 1);
    assert!(
        step.faults[0].to_string().contains("avlyst?"),
        "{}",
        step.faults[0]
    );
    world.send().await;
    assert!(world.sms.taken().is_empty());
}
