//! Trial mode lets nothing out but to the listed addresses, SMS and e-mail alike; the rest is left
//! out, counted apart, and stays unsent when the gateway goes live.

use varsel::domain::contact::{Address, Email, Phone};
use varsel::service::{Allowed, Mode};

use crate::support::world::{Booking, World, passport, residence};

#[tokio::test]
async fn no_sms_leaves_but_to_the_list_and_nothing_follows_later() {
    let mut other = passport("b2");
    other.phone = Some("40 00 00 02");
    let listed = Allowed::Address(Address::Phone(Phone::from_stored("+4740000002")));
    let mode = Mode::Trial(vec![listed]);
    let mut world = World::on_trial(&[passport("b1"), other], mode).await;
    cancelled(&mut world, &["b1", "b2"]).await;
    assert_eq!(numbers(&world), ["+4740000002"]);
    assert_eq!(world.word("b1").await, "left_out");
    assert_eq!(world.tally().await.trial, 1);
    // Nobody is written to for silence: what comes later comes from the other one.
    world.report_all_delivered().await;

    nothing_follows(&mut world).await;
    assert_eq!(numbers(&world), ["+4740000002"]);
    assert!(mailed(&world).is_empty(), "and the next rung is silent too");
    assert_eq!(world.word("b1").await, "left_out");
}

#[tokio::test]
async fn no_mail_leaves_but_to_the_list_and_nothing_follows_later() {
    let to = |id, email| Booking {
        email: Some(email),
        ..residence(id)
    };
    let bookings = [
        to("by-address", "kari@example.org"),
        to("by-domain", "ola@example.com"),
        to("not", "kari@example.net"),
    ];
    let mode = Mode::Trial(vec![
        Allowed::Address(Address::Email(Email::read("kari@example.org").unwrap())),
        Allowed::MailDomain("example.com".to_owned()),
    ]);
    let mut world = World::on_trial(&bookings, mode).await;
    cancelled(&mut world, &["by-address", "by-domain", "not"]).await;
    let listed = ["kari@example.org", "ola@example.com"];
    assert_eq!(mailed(&world), listed);
    assert_eq!(world.word("not").await, "left_out");
    assert_eq!(world.word("by-domain").await, "told");
    assert_eq!(world.tally().await.trial, 1);

    nothing_follows(&mut world).await;
    assert_eq!(mailed(&world), listed);
    assert!(
        world.sms.taken().is_empty(),
        "and the next rung is silent too"
    );
    assert_eq!(world.word("not").await, "left_out");
    assert_eq!(world.tally().await.must_be_phoned, 0);
}

async fn cancelled(world: &mut World, ids: &[&str]) {
    for id in ids {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    world.tend().await;
}

/// The gateways go live, and a day later everything is looked at once more.
async fn nothing_follows(world: &mut World) {
    world.go_live();
    world.at("2021-03-17T13:00:00Z");
    world.touch().await;
    world.look().await;
    world.tend().await;
    world.send().await;
}

fn numbers(world: &World) -> Vec<String> {
    world.sms.taken().into_iter().map(|sms| sms.to).collect()
}

/// The addresses that got a mail, sorted.
fn mailed(world: &World) -> Vec<String> {
    let mails = world.mail.taken().into_iter();
    let mut to: Vec<String> = mails.map(|mail| mail.to).collect();
    to.sort();
    to
}
