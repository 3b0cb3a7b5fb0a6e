//! Less than 48 hours before: immigration gets the short-notice e-mail and the neutral SMS beside
//! it; a passport gets the SMS that says not to come.

use crate::support::world::{World, passport, residence};

#[tokio::test]
async fn immigration_at_short_notice_gets_both_channels_at_once() {
    let mut booking = residence("b1");
    booking.start = "2021-03-17 10:00";
    booking.service = "citizenship";
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;

    let (mails, sms) = (world.mail.taken(), world.sms.taken());
    assert_eq!((mails.len(), sms.len()), (1, 1));
    assert!(
        mails[0].subject().starts_with("Cancelled at short notice:"),
        "{}",
        mails[0].subject()
    );
    assert!(
        mails[0]
            .text()
            .contains("We are sorry that you are told so late.")
    );
    let text = &sms[0].text;
    assert!(
        text.starts_with("Cancelled: your appointment 17 March at 10:00"),
        "{text}"
    );
    for word in ["citizenship", "statsborger", "residence", "opphold"] {
        assert!(
            !text.to_lowercase().contains(word),
            "an SMS never says what kind of case: {text}"
        );
    }
}

#[tokio::test]
async fn a_passport_tomorrow_says_do_not_come() {
    let mut booking = passport("b1");
    booking.start = "2021-03-17 10:00";
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert!(
        world.sms.taken()[0]
            .text
            .contains("Ikke møt opp. Kritisk reise?")
    );
}

#[tokio::test]
async fn quiet_hours_yield_when_the_appointment_is_near_and_only_then() {
    let mut soon = passport("soon");
    soon.start = "2021-03-17 09:00";
    let mut world = World::with(&[soon, passport("later")]).await;
    world.at("2021-03-16T22:00:00Z"); // 23:00 in Oslo
    world.set("soon", "status", "cancelled").await;
    world.set("later", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    assert_eq!(
        world.sms.taken().len(),
        1,
        "only the one for tomorrow morning leaves at night"
    );
    assert!(world.sms.taken()[0].text.contains("17. mars"));

    world.at("2021-03-17T07:00:00Z"); // 08:00 in Oslo
    world.send().await;
    assert_eq!(world.sms.taken().len(), 2);
}
