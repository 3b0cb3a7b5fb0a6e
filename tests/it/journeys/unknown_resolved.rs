//! A gateway that loses replies: with a memory for keys, with an answer to questions, with both
//! ways closed. With either, each person is told exactly once and nothing is marked.

use std::collections::BTreeSet;

use varsel::domain::message::MessageState;

use crate::support::daemon::{Daemon, LOOKUP};
use crate::support::gateway::{Behaviour, Gateway};
use crate::support::world::{World, passport};

/// The sandbox's gateway, as one that takes a message under the same key only once.
const DEDUP: &str = "\n[dedup]\nwindow_seconds = 3600\n";

/// One cancelled booking without an e-mail address, and a gateway that has something more.
async fn cancelled_at(more: &str) -> World {
    let mut booking = passport("b1");
    booking.email = None;
    let mut world = World::with_gateway(&[booking], more).await;
    world.set("b1", "status", "cancelled").await;
    world.look().await;
    world
}

async fn state(world: &World) -> MessageState {
    world.story("b1").await.notices[0].messages[0].state
}

#[tokio::test]
async fn a_gateway_that_takes_each_key_once_is_given_it_until_it_answers() {
    let mut world = cancelled_at(DEDUP).await;
    world.sms.behave(Behaviour::TakeAndHang);
    for lost in 1..=3 {
        world.send().await;
        assert_eq!(world.sms.taken().len(), lost);
        assert_eq!(state(&world).await, MessageState::Unknown);
        world.tend_until_resolved().await;
        assert_eq!(state(&world).await, MessageState::Ready);
    }
    world.sms.behave(Behaviour::Accept);
    world.send().await;
    world.report_all_delivered().await;
    assert_eq!(world.word("b1").await, "told");
    let taken = world.sms.taken();
    let different: BTreeSet<_> = taken
        .iter()
        .map(|sms| (&sms.key, &sms.text, &sms.to))
        .collect();
    assert_eq!(
        (taken.len(), different.len()),
        (4, 1),
        "byte for byte the same"
    );
    assert_eq!(world.tally().await.possible_duplicates, 0);
}

#[tokio::test]
async fn a_gateway_that_knows_the_message_has_it_and_gets_it_once() {
    let mut world = cancelled_at(LOOKUP).await;
    world.sms.behave(Behaviour::TakeAndHang);
    world.send().await;
    assert_eq!(state(&world).await, MessageState::Unknown);
    world
        .ask_until("the gateway has told", async |world| {
            state(world).await == MessageState::Accepted
        })
        .await;
    assert_eq!(world.sms.taken().len(), 1);
    world.report_all_delivered().await;
    assert_eq!(world.word("b1").await, "told");
    assert_eq!(world.tally().await.possible_duplicates, 0);
}

#[tokio::test]
async fn a_gateway_that_does_not_know_the_message_gets_it_once() {
    let mut world = cancelled_at(LOOKUP).await;
    world.sms.behave(Behaviour::LoseAndHang);
    world.send().await;
    assert_eq!(state(&world).await, MessageState::Unknown);
    world
        .ask_until("the gateway has denied", async |world| {
            state(world).await == MessageState::Ready
        })
        .await;
    assert!(world.sms.taken().is_empty());
    world.sms.behave(Behaviour::Accept);
    world.at("2021-03-16T13:10:00Z");
    world.send().await;
    assert_eq!(world.sms.taken().len(), 1);
    assert_eq!(world.tally().await.possible_duplicates, 0);
}

#[tokio::test]
async fn a_gateway_that_answers_no_question_leaves_it_to_the_rule() {
    let brief = LOOKUP.replace("3600", "1");
    let mut world = cancelled_at(&brief).await;
    world.sms.behave(Behaviour::TakeAndHang);
    world.sms.answer_questions(false);
    world.send().await;
    world
        .ask_until("it was asked in vain", async |world| world.sms.asked() > 0)
        .await;
    assert_eq!(state(&world).await, MessageState::Unknown);
    world.tend_until_resolved().await;
    assert_eq!(world.tally().await.possible_duplicates, 1);
    world.send().await;
    assert_eq!(world.sms.taken().len(), 2);
}

#[tokio::test]
async fn a_report_tells_before_anybody_asks_or_repeats() {
    for more in [DEDUP, LOOKUP, ""] {
        let mut world = cancelled_at(more).await;
        world.sms.behave(Behaviour::TakeAndHang);
        world.send().await;
        assert_eq!(state(&world).await, MessageState::Unknown);
        world.report_all_delivered().await;
        assert_eq!(world.word("b1").await, "told");
        assert_eq!(world.ask().await, 0);
        world.tend().await;
        world.sms.behave(Behaviour::Accept);
        world.send().await;
        assert_eq!(world.sms.taken().len(), 1);
    }
}

const PEOPLE: u32 = 40;

/// The real binary, killed in mid-flight at a gateway that can be asked: everybody has it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_at_a_gateway_that_can_be_asked_makes_no_duplicate() {
    use varsel::store::Desk;
    let gateway = Gateway::start().await;
    gateway.hang_after(10);
    let mut daemon = Daemon::prepare(PEOPLE, &gateway.url(), "").await;
    let profile = include_str!("../../../config/gateways/sandbox.toml");
    std::fs::write(daemon.path("own.toml"), format!("{profile}{LOOKUP}")).unwrap();
    daemon.configure("profile = \"sandbox\"", "profile = \"./own.toml\"");
    daemon.start().await;
    daemon.cancel_everybody().await;
    gateway.wait_for(18).await;
    daemon.kill();
    gateway.behave(Behaviour::Accept);
    daemon.start().await;
    let store = daemon.store().await;
    let tally = async || store.tally(chrono::DateTime::UNIX_EPOCH).await.unwrap();
    daemon
        .until(
            "everybody was handed over and nothing is unknown",
            async || {
                let tally = tally().await;
                tally.unknown == 0 && tally.sms == PEOPLE
            },
        )
        .await;
    let taken = gateway.taken();
    let people: BTreeSet<_> = taken.iter().map(|sms| &sms.to).collect();
    assert_eq!(people.len(), PEOPLE as usize, "nobody is lost");
    assert_eq!(taken.len(), PEOPLE as usize, "and nobody has it twice");
    assert_eq!(tally().await.possible_duplicates, 0);
    let figures = daemon.get("/metrics").await;
    assert!(
        figures.contains("varsel_unknowns_resolved_total{resolved=\"known\"}"),
        "{figures}"
    );
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code(), Some(0));
}
