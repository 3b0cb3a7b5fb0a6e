//! A gateway that fails again and again is left alone: the others wait untried, one at a time goes
//! ahead, and when it answers everybody is told once.

use std::time::Duration;

use varsel::domain::breaker::BreakerLimits;

use crate::support::gateway::Behaviour;
use crate::support::world::{Booking, World, passport};

const PEOPLE: usize = 24;

/// Fewer changes of one poll than the brake holds.
const AT_ONCE: usize = 8;

/// After so many failures it is left alone.
const FAILURES: usize = 5;

/// What may be on the wire when that is noticed, for one connection.
const ON_ITS_WAY: usize = 4;

fn limits(rest: Duration) -> BreakerLimits {
    BreakerLimits {
        failures: FAILURES as u32,
        within: Duration::from_secs(600),
        rest,
    }
}

/// People whose bookings are cancelled, and a gateway with one connection.
async fn cancelled(rest: Duration) -> World {
    let name = |n| -> &'static str { format!("b{n}").leak() };
    let bookings: Vec<Booking> = (0..PEOPLE).map(|n| passport(name(n))).collect();
    let mut world = World::with(&bookings).await;
    world.narrow();
    world.leave_alone(limits(rest));
    for some in bookings.chunks(AT_ONCE) {
        for booking in some {
            world.set(booking.id, "status", "cancelled").await;
        }
        world.look().await;
    }
    world
}

#[tokio::test]
async fn the_others_wait_untried_and_somebody_learns_of_it() {
    let mut world = cancelled(Duration::from_secs(60)).await;
    world.be_patient();
    world.sms.behave(Behaviour::Answer(503));
    world.send().await;
    let offered = world.sms.offered();
    assert!(
        (FAILURES..=FAILURES + ON_ITS_WAY).contains(&offered),
        "{offered}"
    );
    let why = world.shared.pauses.all();
    assert!(why["sms"].contains("503"), "{why:?}");
    let figures = world.shared.metrics.text();
    assert!(
        figures.contains("varsel_gateway_paused{gateway=\"sms\"} 1"),
        "{figures}"
    );

    // Hours later it is still left alone by this node, and nobody has been tried or given up by that.
    world.at("2021-03-16T13:05:00Z");
    world.send().await;
    assert_eq!(world.sms.offered(), offered);
    let tally = world.tally().await;
    assert_eq!((tally.waiting, tally.unknown), (PEOPLE as u32, 0));
}

#[tokio::test]
async fn one_at_a_time_goes_ahead_and_an_answer_brings_it_back() {
    let mut world = cancelled(Duration::ZERO).await;
    world.be_patient();
    world.sms.behave(Behaviour::Answer(503));
    world.send().await;
    assert!(world.shared.pauses.holds("sms"));
    assert_eq!(world.tally().await.waiting, PEOPLE as u32);

    world.sms.behave(Behaviour::Accept);
    world.at("2021-03-16T13:30:00Z");
    world.send().await;
    assert!(!world.shared.pauses.holds("sms"));
    world.report_all_delivered().await;
    let taken = world.sms.taken();
    assert_eq!(taken.len(), PEOPLE);
    let tally = world.tally().await;
    assert_eq!((tally.told, tally.possible_duplicates), (PEOPLE as u32, 0));
}

#[tokio::test]
async fn one_that_never_answers_makes_few_unknowns() {
    let mut world = cancelled(Duration::from_secs(60)).await;
    world.sms.behave(Behaviour::LoseAndHang);
    world.send().await;
    let unknown = world.tally().await.unknown as usize;
    assert!(
        (FAILURES..=FAILURES + ON_ITS_WAY).contains(&unknown),
        "{unknown}"
    );
    assert!(world.shared.pauses.holds("sms"));
}
