//! A family on one telephone: its cancelled appointments of one day are one SMS, and each stays a
//! notice of its own.

use varsel::store::{Deed, Desk};

use super::brake::{act, only_batch};
use crate::support::gateway::Behaviour;
use crate::support::world::{Booking, World, passport, without_reference};

/// Three appointments of one family at one office on one day, and one of theirs on another.
async fn family() -> World {
    let member = |id, start, service| Booking {
        start,
        service,
        phone: Some("40 00 00 01"),
        ..passport(id)
    };
    let world = World::with(&[
        member("b1", "2021-03-24 09:00", "passport"),
        member("b2", "2021-03-24 09:30", "id_card"),
        member("b3", "2021-03-24 11:10", "passport"),
        member("b4", "2021-03-26 09:00", "passport"),
    ])
    .await;
    world.close_oslo().await;
    world
}

async fn cancel(world: &mut World, ids: &[&str]) {
    for id in ids {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
}

fn texts(world: &World) -> Vec<String> {
    let taken = world.sms.taken();
    assert!(taken.iter().all(|sms| sms.to == "+4740000001"));
    taken
        .iter()
        .map(|sms| without_reference(&sms.text))
        .collect()
}

const TOGETHER: &str = "Avlyst: 3 timer 24. mars kl. 09.00, 09.30 og 11.10, Grønland passkontor. \
     Bestill nye etter 9. april. Kritisk reise? Ring 00 00 00 00.\n\n\
     Cancelled: 3 appointments 24 March at 09:00, 09:30 and 11:10, Grønland passkontor. \
     Rebook after 9 April. Critical journey? Call 00 00 00 00. Politiet ref. XXXXXX";

#[tokio::test]
async fn a_family_is_told_by_one_sms_and_each_of_them_is_told() {
    let mut world = family().await;
    cancel(&mut world, &["b1", "b2", "b3", "b4"]).await;
    world.send().await;
    let texts = texts(&world);
    assert_eq!(texts.len(), 2, "another day is another message: {texts:?}");
    assert_eq!(texts[0], TOGETHER);
    assert!(texts[1].starts_with("Avlyst: timen for pass 26. mars kl. 09.00"));
    world.report_all_delivered().await;
    for id in ["b1", "b2", "b3", "b4"] {
        assert_eq!(world.word(id).await, "told");
    }
    let tally = world.tally().await;
    assert_eq!((tally.told, tally.sms), (4, 2));
}

#[tokio::test]
async fn the_reference_in_the_text_leads_the_phone_desk_to_all_of_them() {
    let mut world = family().await;
    cancel(&mut world, &["b1", "b2", "b3"]).await;
    world.send().await;
    let text = world.sms.taken()[0].text.clone();
    let reference = text.rsplit(' ').next().unwrap();
    let shown = world.verb(&["explain", reference]);
    for key in ["b1", "b2", "b3"] {
        assert!(shown.contains(&format!("/{key}")), "{shown}");
    }
}

#[tokio::test]
async fn who_stands_again_before_it_leaves_is_not_named() {
    let mut world = family().await;
    cancel(&mut world, &["b1", "b2", "b3"]).await;
    world.set("b2", "status", "booked").await;
    world.look().await;
    world.send().await;
    world.send().await;
    let texts = texts(&world);
    assert_eq!(texts.len(), 2);
    assert!(texts[0].starts_with("Avlyst: timen for pass 24. mars kl. 09.00"));
    assert!(texts[1].starts_with("Avlyst: timen for pass 24. mars kl. 11.10"));
    assert_eq!(world.word("b2").await, "left_out");
}

#[tokio::test]
async fn what_the_gateway_refuses_is_climbed_by_each() {
    let mut world = family().await;
    cancel(&mut world, &["b1", "b2"]).await;
    world.sms.behave(Behaviour::Answer(422));
    world.send().await;
    world.tend().await;
    world.send().await;
    assert_eq!(world.mail.taken().len(), 2, "an e-mail for each of them");
    assert_eq!(world.word("b1").await, "told");
    assert_eq!(world.word("b2").await, "told");
}

#[tokio::test]
async fn another_office_and_another_purpose_are_told_apart() {
    let mut world = family().await;
    for (id, column, value) in [
        ("b1", "status", "cancelled"),
        ("b2", "start", "2021-03-24 14:00"),
        ("b3", "office", "furuset"),
    ] {
        world.set(id, column, value).await;
    }
    world.look().await;
    world.send().await;
    let texts = texts(&world);
    let begins = |with: &str| texts.iter().filter(|text| text.starts_with(with)).count();
    assert_eq!(texts.len(), 3, "{texts:#?}");
    assert_eq!(
        begins("Avlyst: timen for pass 24. mars kl. 09.00, Grønland"),
        1
    );
    assert_eq!(begins("Flyttet: timen for ID-kort 24. mars kl. 09.30"), 1);
    assert_eq!(
        begins("Nytt sted: timen for pass onsdag 24. mars kl. 11.10"),
        1
    );
}

#[tokio::test]
async fn two_offices_of_one_day_are_two_messages() {
    let mut world = family().await;
    world.set("b3", "office", "furuset").await;
    world.look().await;
    world.send().await;
    world.report_all_delivered().await;
    let before = world.sms.taken().len();
    cancel(&mut world, &["b1", "b2", "b3"]).await;
    world.send().await;
    let texts = texts(&world).split_off(before);
    assert_eq!(texts.len(), 2, "{texts:#?}");
    assert!(texts[0].starts_with("Avlyst: 2 timer 24. mars kl. 09.00 og 09.30, Grønland"));
    assert!(texts[1].starts_with("Avlyst: timen for pass 24. mars kl. 11.10, Furuset"));
}

#[tokio::test]
async fn a_released_batch_tells_a_family_together() {
    let mut world = family().await;
    let others = ["c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    for id in others {
        world.book(&passport(id)).await;
    }
    world.look().await;
    let all: Vec<&str> = ["b1", "b2", "b3"].into_iter().chain(others).collect();
    cancel(&mut world, &all).await;
    world.send().await;
    assert!(world.sms.taken().is_empty());
    let seen = only_batch(&world).await.seen();
    let release = act(&world, "one", Deed::Release(seen));
    world.store.act(&release).await.unwrap();
    world.tend().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), 11, "ten, and a family");
    let together = taken.iter().filter(|sms| sms.to == "+4740000001");
    let together: Vec<_> = together.map(|sms| without_reference(&sms.text)).collect();
    assert_eq!(together, [TOGETHER]);
}
