//! Trial mode lets nothing out but to the listed addresses; the rest is left out, counted apart,
//! and stays unsent when the gateway goes live.

use varsel::domain::contact::{Address, Phone};
use varsel::service::{Allowed, Mode};

use crate::support::world::{World, passport};

#[tokio::test]
async fn nothing_leaves_but_to_the_list_and_nothing_follows_later() {
    let mut other = passport("b2");
    other.phone = Some("40 00 00 02");
    let listed = Allowed::Address(Address::Phone(Phone::from_stored("+4740000002")));
    let mode = Mode::Trial(vec![listed]);
    let mut world = World::on_trial(&[passport("b1"), other], mode).await;
    world.set("b1", "status", "cancelled").await;
    world.set("b2", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.tend().await;
    assert_eq!(world.sms.taken().len(), 1);
    assert_eq!(world.sms.taken()[0].to, "+4740000002");
    assert_eq!(world.word("b1").await, "left_out");
    assert_eq!(world.tally().await.trial, 1);

    world.go_live();
    world.at("2021-03-17T13:00:00Z");
    world.tend().await;
    world.send().await;
    assert!(world.mail.taken().iter().all(|mail| mail.to != "b1"));
    assert_eq!(
        world
            .sms
            .taken()
            .iter()
            .filter(|sms| sms.to == "+4740000001")
            .count(),
        0
    );
}
