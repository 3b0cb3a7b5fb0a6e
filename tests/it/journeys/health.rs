//! Health and figures as the daemon has them: a gateway's trouble is no illness, a store or a baseline
//! that is missing is, and a dispatch that stands still is death. systemd is told the same.

use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::time::Duration;

use varsel::clock::simulated;
use varsel::inbound::routes::Vital;
use varsel::service::announce::sign_of_life;
use varsel::service::vital::Health;
use varsel::store::{Access, Database};

use crate::support::daemon::Daemon;
use crate::support::gateway::Behaviour;
use crate::support::world::{Booking, World, announced, passport};

fn health(world: &World) -> Health<Database> {
    Health::new(Arc::clone(&world.shared), world.store.clone())
}

#[tokio::test]
async fn a_gateway_that_refuses_or_hangs_is_no_illness() {
    let mut world = World::with(&[passport("b1"), passport("b2")]).await;
    let health = health(&world);
    assert_eq!(health.ready().await, Ok(()));
    for (id, behaviour) in [
        ("b1", Behaviour::Answer(503)),
        ("b2", Behaviour::LoseAndHang),
    ] {
        world.sms.behave(behaviour);
        world.set(id, "status", "cancelled").await;
        world.look().await;
        world.start_sending().await;
        assert_eq!(health.ready().await, Ok(()), "{behaviour:?}");
        assert_eq!(health.live(), Ok(()), "{behaviour:?}");
    }
}

#[tokio::test]
async fn without_a_baseline_or_a_store_nobody_is_ready() {
    let world = World::with(&[passport("b1")]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let new = Database::sqlite(&path, Access::Daemon).await.unwrap();
    let early = Health::new(Arc::clone(&world.shared), new.clone());
    let why = early.ready().await.unwrap_err();
    assert!(
        why.contains("\"register\" has not been read completely"),
        "{why}"
    );
    new.close().await;

    let health = health(&world);
    assert_eq!(health.ready().await, Ok(()));
    world.store.clone().close().await;
    assert!(health.ready().await.is_err(), "its store is away");
}

#[tokio::test]
async fn a_dispatch_that_stands_still_is_not_alive_and_starves_the_watchdog() {
    let world = World::with(&[]).await;
    let health = health(&world);
    let pulse = &world.shared.pulse;
    let at = |seconds| simulated::show(Some((announced(), Duration::from_secs(seconds))));
    at(1_000_000);
    pulse.beat("sms");
    at(1_000_030);
    assert_eq!(health.live(), Ok(()));
    assert!(sign_of_life(pulse).is_some());
    at(1_000_031);
    let why = health.live().unwrap_err();
    assert_eq!(why, "dispatch has not gone round for 31 seconds");
    assert!(sign_of_life(pulse).is_none(), "systemd would never notice");
    pulse.beat("mail");
    assert!(
        health.live().is_err(),
        "one line does not speak for another"
    );
    pulse.beat("sms");
    assert_eq!(health.live(), Ok(()));
    at(1_000_060);
    pulse.beat("mail");
    pulse.rest("sms");
    at(1_000_080);
    assert_eq!(health.live(), Ok(()), "who has ended is not waited for");
    simulated::show(None);
}

#[tokio::test]
async fn the_figures_count_who_waits_what_is_due_and_what_is_held() {
    let names: &[&'static str] = &[
        "b0", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",
    ];
    let tomorrow = |id: &&'static str| Booking {
        start: "2021-03-17 09:20",
        ..passport(id)
    };
    let bookings: Vec<Booking> = names.iter().map(tomorrow).collect();
    let mut world = World::with(&bookings).await;
    world.set("b0", "status", "cancelled").await;
    world.look().await;
    for id in &names[1..] {
        world.set(id, "status", "cancelled").await;
    }
    world.look().await;

    world.at("2021-03-16T13:01:30Z");
    let figures = health(&world).metrics().await;
    for (name, expected) in [
        ("varsel_untold_people{horizon=\"24h\"}", 13.0),
        ("varsel_held_batches", 1.0),
        ("varsel_oldest_due_seconds", 90.0),
        ("varsel_snapshot_age_seconds{source=\"register\"}", 90.0),
    ] {
        let mut lines = figures.lines();
        let shown = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let shown: f64 = shown.expect(name).parse().unwrap();
        assert!((shown - expected).abs() < 0.5, "{name} is {shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn systemd_is_told_that_it_stands_lives_and_drains() {
    let mut daemon = Daemon::prepare(1, "http://127.0.0.1:9/", "").await;
    let path = daemon.path("notify");
    let systemd = UnixDatagram::bind(&path).unwrap();
    systemd
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let hear = || {
        let mut heard = [0; 256];
        let length = systemd.recv(&mut heard).expect("systemd is told in time");
        String::from_utf8_lossy(&heard[..length]).trim().to_owned()
    };
    let socket = path.to_str().unwrap();
    daemon.spawn(&[("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", "90000")]);
    let mut heard = Vec::new();
    while !heard.contains(&"READY=1".to_owned()) || heard.last().unwrap() != "WATCHDOG=1" {
        heard.push(hear());
    }
    daemon.signal("TERM");
    while heard.last().unwrap() != "STOPPING=1" {
        heard.push(hear());
    }
    assert_eq!(daemon.wait().code(), Some(0), "{}", daemon.log());
    let ready = heard.iter().filter(|word| *word == "READY=1").count();
    assert_eq!(ready, 1, "{heard:?}");
}
