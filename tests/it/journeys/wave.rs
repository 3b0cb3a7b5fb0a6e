//! The office takes bookings again: those whose appointments were cancelled are invited, as many as
//! it can receive, on the way on which they were told.

use chrono::TimeDelta;
use serde_json::Value;
use varsel::domain::closing::NextStep;
use varsel::domain::notice::Purpose;
use varsel::store::{Act, Deed, Desk, NewWave};

use crate::support::daemon::Daemon;
use crate::support::gateway::Gateway;
use crate::support::world::{Booking, World, passport, residence};

fn said(daemon: &Daemon, arguments: &[&str]) -> (i32, String, String) {
    let output = daemon.verb(arguments);
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wave_is_planned_started_and_told_while_the_daemon_runs() {
    let gateway = Gateway::start().await;
    let mut daemon = Daemon::prepare(5, &gateway.url(), "").await;
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(5).await;
    let json = |words: &[&str]| -> Value {
        let (_, out, err) = said(&daemon, words);
        serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}{err}"))
    };
    daemon
        .until("everything is settled", async || {
            json(&["status", "--json"])["sms"] == 5
        })
        .await;
    let size = [
        "--office",
        "gronland",
        "--capacity",
        "3",
        "--until",
        "2031-04-23",
    ];
    let with = |words: &[&str], more: &[&str]| -> (i32, String, String) {
        said(&daemon, &[words, &size, more].concat())
    };
    let (code, shown, refused) = with(&["wave", "plan"], &[]);
    assert_eq!(code, 0, "{refused}");
    for part in [
        "would invite 3 people",
        "2  wait for a later wave",
        "Du kan bestille ny time",
    ] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("4000"), "no number is shown:\n{shown}");
    let (_, plan, _) = with(&["wave", "plan", "--json"], &[]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    let seen = plan["seen"].as_str().unwrap();
    let start = |seen: &str| with(&["wave", "start"], &["--reason", "open", "--seen", seen]);
    assert_eq!(start("3:00000000").0, 1, "what was seen must be so");
    let (code, done, refused) = start(seen);
    assert_eq!(code, 0, "{refused}");
    assert!(done.contains("3 people are invited"), "{done}");
    assert_eq!(start(seen).0, 0, "the same word twice is one act");
    let taken = gateway.wait_for(8).await;
    let invited: Vec<&str> = taken[5..].iter().map(|sms| sms.text.as_str()).collect();
    assert!(
        invited
            .iter()
            .all(|text| text.starts_with("Du kan bestille ny time for pass"))
    );
    assert!(invited[0].contains("innen 23. april"), "{}", invited[0]);
    let (_, plan, _) = with(&["wave", "plan", "--json"], &[]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(
        (&plan["people"], &plan["left_out"]["invited"]),
        (&2.into(), &3.into())
    );
    let late = [
        "wave",
        "plan",
        "--office",
        "gronland",
        "--capacity",
        "3",
        "--until",
        "2021-04-23",
    ];
    assert_eq!(said(&daemon, &late).0, 2, "that day has passed");
    assert_eq!(gateway.taken().len(), 8, "nobody is invited twice");
}

#[tokio::test]
async fn what_a_closing_promised_is_listed_until_it_is_kept() {
    let mut world = World::with(&[passport("b1"), residence("b2")]).await;
    world.announce(NextStep::WeInvite).await;
    for id in ["b1", "b2"] {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;
    world.send().await;
    let promise = "Du får SMS når du kan bestille ny.";
    assert!(world.sms.taken()[0].text.contains(promise));
    world.now += TimeDelta::minutes(5);
    let listed = world.verb(&["commitments"]);
    assert!(
        listed.contains("Grønland passkontor wait for an invitation"),
        "{listed}"
    );
    assert!(
        !listed.contains("b2"),
        "who may submit online was promised nothing: {listed}"
    );
    world.report_all_delivered().await;
    assert_eq!(invite(&world).await, 1);
    world.tend().await;
    world.send().await;
    assert!(world.verb(&["commitments"]).contains("under way"));
    let sms = world.sms.taken().pop().unwrap();
    let token = sms.callback_url.rsplit('/').next().unwrap().to_owned();
    world.report(&token, "delivered").await;
    assert_eq!(world.verb(&["commitments"]), "Every promise is kept.\n");
}

async fn invite(world: &World) -> u32 {
    let wave = NewWave {
        offices: vec!["gronland".into()],
        services: Vec::new(),
        capacity: 10,
        until: "2021-04-23".parse().unwrap(),
    };
    let seen = world.store.wave(&wave, 1).await.unwrap().seen;
    let act = Act {
        actor: "kari".to_owned(),
        reason: "open again".to_owned(),
        idempotency_key: format!("wave-{}", seen.code),
        at: world.now,
        deed: Deed::StartWave(wave, seen),
    };
    world.store.act(&act).await.unwrap().count
}

async fn told_of_its_cancellation(booking: Booking) -> World {
    let mut world = World::with(&[booking]).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world.send().await;
    world.report_all_delivered().await;
    world
}

#[tokio::test]
async fn an_invitation_climbs_its_ladder_after_the_appointment_has_passed() {
    let mut world = told_of_its_cancellation(passport("b1")).await;
    world.at("2021-04-12T08:00:00Z");
    assert_eq!(invite(&world).await, 1);
    assert_eq!(world.tend().await.asked, 1);
    assert_eq!(world.tend().await.asked, 0);
    world.send().await;
    let sms = world.sms.taken().pop().unwrap();
    let token = sms.callback_url.rsplit('/').next().unwrap().to_owned();
    world.report(&token, "undelivered").await;
    world.tend().await;
    world.send().await;
    let mail = world.mail.taken().pop().unwrap();
    assert!(
        mail.text().contains("Bestill innen 23. april"),
        "{}",
        mail.text()
    );
    let story = world.story("b1").await;
    assert_eq!(story.notices.last().unwrap().purpose, Purpose::Rebooking);
    assert_eq!(story.notices.len(), 2, "one invitation, on two rungs");
}

#[tokio::test]
async fn a_new_number_reaches_an_invitation_that_waits() {
    let mut world = told_of_its_cancellation(passport("b1")).await;
    // At night nothing leaves.
    world.at("2021-03-16T22:00:00Z");
    invite(&world).await;
    world.tend().await;
    world.set("b1", "phone", "40 00 00 02").await;
    world.look().await;
    world.at("2021-03-17T09:00:00Z");
    world.send().await;
    let sms = world.sms.taken().pop().unwrap();
    assert!(sms.to.ends_with("40000002"), "{}", sms.to);
    assert!(
        sms.text.starts_with("Du kan bestille ny time"),
        "{}",
        sms.text
    );
}

#[tokio::test]
async fn whose_appointment_stands_again_is_not_invited() {
    let mut world = told_of_its_cancellation(passport("b1")).await;
    invite(&world).await;
    world.set("b1", "status", "booked").await;
    world.look().await;
    world.tend().await;
    world.send().await;
    let texts: Vec<String> = world.sms.taken().into_iter().map(|sms| sms.text).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[1].starts_with("Gjelder likevel"), "{}", texts[1]);
    assert!(
        world.store.explain("register/b1").await.unwrap()[0]
            .notices
            .len()
            == 2
    );
}

#[tokio::test]
async fn a_second_cancellation_apologises() {
    let booking = Booking {
        phone: None,
        ..passport("b1")
    };
    let mut world = World::with(&[booking]).await;
    for status in ["cancelled", "booked", "cancelled"] {
        world.set("b1", "status", status).await;
        world.look().await;
        world.send().await;
    }
    let mails: Vec<String> = world.mail.taken().iter().map(|mail| mail.text()).collect();
    let sorry = "Vi beklager at dette skjer på nytt.";
    let says: Vec<bool> = mails.iter().map(|mail| mail.contains(sorry)).collect();
    assert_eq!(says, [false, false, true]);
}
