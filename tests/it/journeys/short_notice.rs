//! Less than 48 hours before: immigration gets the short-notice e-mail and the neutral SMS beside
//! it; a passport gets the SMS that says not to come.

use std::time::Duration;

use varsel::clock::{Clock, Mono};
use varsel::domain::rate::Rate;

use crate::support::world::{Booking, World, passport, residence};

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

/// Nobody's morning begins with everybody's messages: what waited leaves at the gateway's rate, the
/// nearest appointments first, in whatever order it was found.
#[tokio::test]
async fn what_waited_for_the_morning_leaves_by_deadline_at_the_gateways_rate() {
    let days = ["29", "24", "26", "31", "25", "30"];
    let keys = ["p29", "p24", "p26", "p31", "p25", "p30"];
    let starts = keys.map(|key| format!("2021-03-{} 09:20", &key[1..]).leak() as &str);
    let bookings = [0, 1, 2, 3, 4, 5].map(|n| Booking {
        start: starts[n],
        ..passport(keys[n])
    });
    let mut world = World::with(&bookings).await;
    world.pace(Rate {
        per_second: 4,
        burst: 2,
    });
    world.at("2021-03-16T22:00:00Z"); // 23:00 in Oslo
    for key in keys {
        world.set(key, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    assert!(world.sms.taken().is_empty(), "it is night");

    world.at("2021-03-17T07:00:00Z"); // 08:00 in Oslo
    let (began, mut first) = (Mono::now(), 0);
    while world.sms.taken().len() < 6 {
        world.send().await;
        first = if first == 0 {
            world.sms.taken().len()
        } else {
            first
        };
        let most = 2 + began.elapsed().as_millis() * 4 / 1000 + 1;
        assert!(
            world.sms.taken().len() as u128 <= most,
            "faster than its rate"
        );
        Clock::system().pause(Duration::from_millis(50)).await;
    }
    assert!(first >= 2, "a burst at once");
    let said: Vec<String> = world
        .sms
        .taken()
        .iter()
        .map(|sms| sms.text.clone())
        .collect();
    let mut in_order = days;
    in_order.sort_unstable();
    for (text, day) in said.iter().zip(in_order) {
        assert!(text.contains(&format!("{day}. mars")), "{day}: {said:?}");
    }
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
