//! A whole district closes for twenty-four days, the change of the clocks and Easter among them: announced, planned, held by
//! the brake, seen, released, told by SMS and e-mail, and whoever nothing reaches stands on the ring list.

use chrono::{Datelike, Days, NaiveDate};
use serde_json::Value;
use varsel::store::Desk;

use crate::support::campaign::rounds;
use crate::support::daemon::Daemon;
use crate::support::gateway::{Gateway, Sms};
use crate::support::mailbox::{Mail, Mailbox};
use crate::support::world::{World, passport};

/// Of a hundred people ten have an immigration appointment and an e-mail address, and one has nothing.
const BOOKINGS: &str = "UPDATE bookings SET
    start = date('2031-03-17', '+' || (rowid % 24) || ' days') || ' 09:20',
    office = CASE WHEN rowid % 10 = 0 THEN 'sentrum' WHEN rowid % 3 = 0 THEN 'ryen' ELSE 'gronland' END,
    service = CASE WHEN rowid % 10 = 0 THEN 'residence_permit' ELSE 'passport' END,
    email = CASE WHEN rowid % 10 = 0 THEN 'kari.' || id || '@example.org' END,
    phone = CASE WHEN rowid % 10 = 0 OR rowid % 100 = 1 THEN NULL ELSE phone END";

const REASONS: [&str; 2] = [
    "smittesituasjonen i Oslo og Viken",
    "the infection situation in Oslo and Viken",
];

/// Of the numbers every so many does not take the message.
const NOT_DELIVERED: usize = 50;

fn said(daemon: &Daemon, arguments: &[&str]) -> String {
    let output = daemon.verb(arguments);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    assert!(output.status.success(), "{arguments:?}: {text}");
    text
}

fn json(daemon: &Daemon, arguments: &[&str]) -> Value {
    let text = said(daemon, arguments);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

/// Releases what the brake holds as it is shown, the first people and then the rest; what changed meanwhile is
/// shown anew.
async fn release_all(daemon: &Daemon) {
    let mut released = false;
    daemon
        .until("everything is released", async || {
            let held = json(daemon, &["hold", "list", "--json"]);
            let Some(batch) = held["batches"].as_array().unwrap().first() else {
                return released;
            };
            if batch["releasing"] == false {
                let batch = json(daemon, &["hold", "show", "1", "--json"]);
                let seen = format!("{}:{}", batch["version"], batch["people"]);
                let words = ["hold", "release", "1", "--reason", "announced", "--seen"];
                daemon.verb(&[&words[..], &[&seen]].concat());
                released = true;
            }
            false
        })
        .await;
}

/// The gateway reports on everything it took; how many it could not deliver.
async fn report(daemon: &Daemon, taken: &[Sms]) -> usize {
    let mut lost = 0;
    for (turn, sms) in taken.iter().enumerate() {
        let delivered = turn % NOT_DELIVERED != 0;
        lost += usize::from(!delivered);
        let state = if delivered {
            "delivered"
        } else {
            "undelivered"
        };
        let path = sms.callback_url.splitn(4, '/').nth(3).unwrap();
        let answer = daemon.get(&format!("/{path}?state={state}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    lost
}

/// Fewer may pass than there are: what an announcement got wrong is a person's to see.
fn announce(daemon: &Daemon) {
    let words = "closing add --district oslo --from 2031-03-17 --to 2031-04-09 --kind reduced --next book --max 1";
    let reasons = ["--reason-nb", REASONS[0], "--reason-en", REASONS[1]];
    let words: Vec<&str> = words.split(' ').chain(reasons).collect();
    said(daemon, &words);
}

/// Every SMS says until when, and every e-mail why, in both languages.
fn the_words_are_right(taken: &[Sms], mails: &[Mail], by_email: usize) {
    for sms in taken {
        let until = ["9. april", "9 April"];
        assert!(
            until.iter().all(|day| sms.text.contains(day)),
            "{}",
            sms.text
        );
    }
    assert_eq!(mails.len(), by_email);
    for mail in mails {
        let text = mail.text();
        assert!(REASONS.iter().all(|reason| text.contains(reason)), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_district_that_closes_tells_everybody_or_has_them_phoned() {
    let people = rounds(1_200, 12_000) as usize;
    let (gateway, relay) = (Gateway::start().await, Mailbox::start().await);
    let mut daemon = Daemon::prepare(people as u32, &gateway.url(), "").await;
    daemon.configure("port = 1\n", &format!("port = {}\n", relay.address.port()));
    let mut register = daemon.register().await;
    sqlx::query(BOOKINGS).execute(&mut register).await.unwrap();
    daemon.start().await;
    announce(&daemon);
    daemon.signal("TERM");
    assert!(daemon.wait().success());

    // Planned: beside nobody, before anything leaves.
    daemon.cancel_everybody().await;
    let plan = json(&daemon, &["plan", "--json", "--rate", "50"]);
    assert_eq!(plan["people"].as_array().unwrap().len(), people);
    assert!(gateway.taken().is_empty() && relay.taken().is_empty());

    // Held, seen and released.
    daemon.start().await;
    release_all(&daemon).await;

    // Told.
    let (by_email, nobody) = (people / 10, people / 100);
    let taken = gateway.wait_for(people - by_email - nobody).await;
    let store = daemon.store().await;
    let tally = async || store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    daemon
        .until("every e-mail is handed over", async || {
            tally().await.email as usize == by_email
        })
        .await;
    the_words_are_right(&taken, &relay.taken(), by_email);

    // Nobody is forgotten: who has no address and whom the network did not reach are to be phoned.
    let lost = report(&daemon, &taken).await;
    daemon
        .until("the ring list has the rest", async || {
            tally().await.must_be_phoned as usize == nobody + lost
        })
        .await;
    let tally = tally().await;
    assert_eq!(tally.told as usize, people - nobody - lost, "{tally:?}");
    assert_eq!(
        (tally.people() as usize, tally.waiting, tally.too_late),
        (people, 0, 0)
    );
    let list = json(&daemon, &["call-list", "--json"]);
    let calls = list["calls"].as_array().unwrap();
    assert_eq!(calls.len(), nobody + lost);
    println!(
        "{people} people: {} SMS, {by_email} e-mails, {} to be phoned",
        taken.len(),
        calls.len()
    );
}

/// 17 March to 9 April 2021: the clocks change on the 28th, and Easter is from the 1st to the 5th of April.
#[tokio::test]
async fn the_closing_of_the_spring_of_2021_gets_every_day_right() {
    let days: Vec<(String, String, String)> = (0..24)
        .map(|n| {
            let day = NaiveDate::from_ymd_opt(2021, 3, 17).unwrap() + Days::new(n);
            let month = if day.month() == 3 {
                ["mars", "March"]
            } else {
                ["april", "April"]
            };
            let (number, [nb, en]) = (day.day(), month);
            let said = format!("{number}. {nb} kl. 09.20|{number} {en} at 09:20");
            (format!("d{n}"), format!("{day} 09:20"), said)
        })
        .collect();
    let bookings: Vec<_> = days
        .iter()
        .map(|(id, start, _)| {
            let mut booking = passport(id.clone().leak());
            booking.start = start.clone().leak();
            booking
        })
        .collect();
    let mut world = World::with(&bookings).await;
    world.close_oslo_for(24).await;
    for (id, ..) in &days {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), days.len(), "each is told once");
    for (id, _, said) in &days {
        let of_it = taken
            .iter()
            .filter(|sms| said.split('|').all(|part| sms.text.contains(part)));
        assert_eq!(of_it.count(), 1, "{id}: {said}");
    }
    // Who was to come within two days is told not to; everybody else, how to go on.
    let saying = |words: &str| taken.iter().filter(|sms| sms.text.contains(words)).count();
    assert_eq!(
        (
            saying("Ikke møt opp."),
            saying("Bestill ny etter 9. april.")
        ),
        (2, 22)
    );
}
