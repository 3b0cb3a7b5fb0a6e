//! Where the law allows it, the cancellation invites to apply online; at short notice the
//! invitation follows as a notice of its own. Citizenship never gets either.

use crate::support::world::{World, residence};

#[tokio::test]
async fn a_cancelled_residence_permit_is_told_how_to_apply_online() {
    let mut world = World::with(&[residence("b1")]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    let mails = world.mail.taken();
    assert_eq!(mails.len(), 1, "one notice carries both");
    assert!(
        mails[0]
            .subject()
            .contains("You can submit your application online")
    );
    assert!(mails[0].text().contains("How to submit online"));
    assert!(mails[0].text().contains("22 34 21 00"));
}

#[tokio::test]
async fn at_short_notice_the_invitation_follows_on_its_own() {
    let mut booking = residence("b1");
    booking.start = "2021-03-17 10:00";
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    let subjects: Vec<_> = world
        .mail
        .taken()
        .iter()
        .map(|mail| mail.subject())
        .collect();
    assert_eq!(subjects.len(), 2, "{subjects:?}");
    assert!(
        subjects
            .iter()
            .any(|s| s.starts_with("Cancelled at short notice:")),
        "{subjects:?}"
    );
    assert!(
        subjects
            .iter()
            .any(|s| s.starts_with("You can submit your application online"))
    );
    assert_eq!(world.word("b1").await, "told");
}

#[tokio::test]
async fn citizenship_is_never_invited() {
    for start in ["2021-03-17 10:00", "2021-03-24 10:00"] {
        let mut booking = residence("b1");
        booking.start = start;
        booking.service = "citizenship";
        let mut world = World::with(&[booking]).await;
        world.set("b1", "status", "cancelled").await;
        world.look().await;
        world.send().await;
        let mails = world.mail.taken();
        assert_eq!(mails.len(), 1);
        assert!(!mails[0].subject().contains("online"));
        assert!(!mails[0].text().contains("22 34 21 00"));
        assert!(!mails[0].text().contains("How to submit online"));
    }
}

#[tokio::test]
async fn an_invitation_that_reaches_nobody_puts_the_person_on_the_call_list() {
    let mut booking = residence("b1");
    (booking.start, booking.email) = ("2021-03-17 10:00", None);
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.report_all_delivered().await;
    assert_eq!(
        world.sms.taken().len(),
        1,
        "the cancellation is told by SMS"
    );
    assert_eq!(
        world.word("b1").await,
        "must_be_phoned",
        "the invitation has no other way"
    );
}
