//! How an unknown is resolved: its gateway is asked, or takes the same key only once, or the
//! notice's own rule decides; never before its quarantine, and never twice by guess.

use std::time::Duration;

use varsel::domain::message::{Event, MessageState, Reason};
use varsel::domain::notice::OnUnknown;
use varsel::domain::outcome::Decision;
use varsel::store::model::Model;
use varsel::store::{Claim, ClaimAsk, Desk, Outbox, Settled, Settlement, Store, UnknownRule};

use super::fixtures::*;

laws! {
    the_gateway_is_asked_before_the_rule_decides,
    what_is_not_known_is_listed,
    each_gateway_is_asked_about_its_own_attempts,
    only_its_own_gateway_is_asked_and_only_after_the_quarantine,
    what_the_gateway_knows_is_accepted,
    what_the_gateway_does_not_know_is_ready_and_no_duplicate,
    within_the_window_it_is_handed_over_again_and_again_and_none_is_a_duplicate,
    a_repetition_leaves_through_the_same_gateway_only,
    a_repetition_that_might_outlast_the_window_does_not_leave,
    a_repetition_that_was_certainly_not_sent_stays_bound_to_its_window,
    a_repetition_that_is_known_late_not_to_be_sent_frees_nothing,
    a_newer_revision_ends_a_repetition,
    what_takes_ten_lives_is_held_and_not_tried_again,
    a_second_attempt_that_fails_says_nothing_of_a_first_that_may_be_out,
    a_late_refusal_says_nothing_of_another_attempt_that_may_be_out,
}

const DAY: Duration = Duration::from_secs(86_400);

/// Claims whose lease is over at once, at a gateway that can be asked.
fn ask_askable() -> ClaimAsk {
    ClaimAsk {
        unknowns: UnknownRule {
            lookup: DAY,
            ..UnknownRule::default()
        },
        ..ask_briefly()
    }
}

/// Claims whose lease is over at once, at a gateway that takes each key only once.
fn ask_deduplicating(window: Duration) -> ClaimAsk {
    ClaimAsk {
        unknowns: UnknownRule {
            dedup: window,
            ..UnknownRule::default()
        },
        ..ask_briefly()
    }
}

async fn unknown<S: Store>(store: &S, ask: &ClaimAsk) -> Claim {
    cancel(store, 1).await;
    let claim = claim_one(store, ask).await;
    assert!(settle_one(store, &claim, unclear()).await);
    claim
}

async fn what_is_not_known_is_listed<S: Store>(store: S) {
    assert_eq!(store.unclear(10).await.unwrap(), []);
    baseline(&store, 3).await;
    for n in [3, 1, 2] {
        cancel_with(&store, vec![(n, notice(n))], None).await;
    }
    let claims = store.claim(&ask_briefly()).await.unwrap();
    for claim in &claims {
        assert!(settle_one(&store, claim, unclear()).await);
    }
    let listed = store.unclear(10).await.unwrap();
    let keys: Vec<&str> = listed.iter().map(|u| u.key.0.as_str()).collect();
    assert_eq!(keys, ["B1", "B2", "B3"], "by their deadlines");
    let first = &listed[0];
    assert_eq!(first.reference, Some(notice(1).reference));
    assert_eq!(
        (first.attempts, first.gateway.as_deref()),
        (1, Some("sandbox"))
    );
    assert_eq!(first.state, MessageState::Unknown);
    assert_eq!(store.unclear(2).await.unwrap(), listed[..2]);
    assert_eq!(store.tally(now()).await.unwrap().unknown, 3);
}

/// Each time its sender ends before it can say what came of it.
async fn what_takes_ten_lives_is_held_and_not_tried_again<S: Store>(store: S) {
    cancel(&store, 1).await;
    let ask = ask_deduplicating(DAY);
    for life in 1..=10 {
        assert_eq!(claim_one(&store, &ask).await.attempts, life);
        store.sweep(now(), limits()).await.unwrap();
        store.sweep(now(), limits()).await.unwrap();
    }
    let notice = known(&store, 1).await.notices.remove(0);
    let stands = (notice.messages[0].state, notice.messages[0].reason);
    assert_eq!(stands, (MessageState::Held, Some(Reason::Poison)));
    assert!(store.claim(&ask).await.unwrap().is_empty());
    assert_eq!(
        store.climbable(page(10)).await.unwrap().len(),
        1,
        "nobody is forgotten"
    );
}

/// Refused, or given up: the person may have been told by the first all the same.
async fn a_second_attempt_that_fails_says_nothing_of_a_first_that_may_be_out<S: Store>(store: S) {
    baseline(&store, 4).await;
    let gave_up = (not_sent(), Event::GaveUp);
    let ways = [
        (1, ask_briefly(), (refused(), Event::Refused)),
        (2, ask_briefly(), gave_up.clone()),
        (3, ask_deduplicating(DAY), (refused(), Event::Refused)),
        (4, ask_deduplicating(DAY), gave_up),
    ];
    for (booking, ask, (outcome, event)) in ways {
        cancel_with(&store, vec![(booking, notice(booking))], None).await;
        let first = claim_one(&store, &ask).await;
        assert!(settle_one(&store, &first, unclear()).await);
        store.sweep(now(), limits()).await.unwrap();
        let second = claim_one(&store, &ask).await;
        let end = Settlement {
            decision: Decision::of(event),
            ..settle(&second, outcome)
        };
        assert_eq!(store.settle(&[end]).await.unwrap(), [Settled::Moved]);
        let brief = known(&store, booking).await.notices[0].messages[0].clone();
        assert_eq!(
            (brief.state, brief.reason, brief.may_be_out),
            (MessageState::Held, Some(Reason::Unknown), true),
            "booking {booking}"
        );
        assert_eq!(store.claim(&ask).await.unwrap().len(), 0);
    }
    assert_eq!(
        store.climbable(page(10)).await.unwrap().len(),
        4,
        "nobody is forgotten"
    );
    assert_eq!(store.tally(now()).await.unwrap().unknown, 4);
}

async fn a_late_refusal_says_nothing_of_another_attempt_that_may_be_out<S: Store>(store: S) {
    let first = unknown(&store, &ask_briefly()).await;
    assert_eq!(store.sweep(now(), limits()).await.unwrap().retried, 1);
    let second = claim_one(&store, &ask_askable()).await;
    assert!(settle_one(&store, &second, unclear()).await);
    assert!(!settle_one(&store, &second, refused()).await);
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    assert!(!settle_one(&store, &first, refused()).await, "an old fence");
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
}

async fn the_gateway_is_asked_before_the_rule_decides<S: Store>(store: S) {
    let claim = unknown(&store, &ask_askable()).await;
    assert!(!store.sweep(now(), limits()).await.unwrap().any());
    let asked = store.to_ask("sandbox", 10).await.unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].message, claim.message);
    assert_eq!(asked[0].unclear, [(claim.attempt, claim.fence)]);
    assert_eq!(asked[0].gateway_key, claim.gateway_key);
    assert_eq!(asked[0].attempts, 1);
}

async fn only_its_own_gateway_is_asked_and_only_after_the_quarantine<S: Store>(store: S) {
    let mut patient = ask_askable();
    patient.unknowns.quarantine = DAY;
    unknown(&store, &patient).await;
    assert_eq!(store.to_ask("sandbox", 10).await.unwrap(), []);

    let (appointments, mute) = (known(&store, 1).await, ask_briefly());
    let entry = change(&appointments, active(1), vec![renamed(notice(1), 2)]);
    store.record(record(vec![entry])).await.unwrap();
    let claim = claim_one(&store, &mute).await;
    assert!(settle_one(&store, &claim, unclear()).await);
    assert_eq!(store.to_ask("sandbox", 10).await.unwrap(), []);

    let entry = change(
        &known(&store, 1).await,
        cancelled(1),
        vec![renamed(notice(1), 3)],
    );
    store.record(record(vec![entry])).await.unwrap();
    let claim = claim_one(&store, &ask_askable()).await;
    assert!(settle_one(&store, &claim, unclear()).await);
    assert_eq!(store.to_ask("another", 10).await.unwrap(), []);
    assert_eq!(store.to_ask("sandbox", 10).await.unwrap().len(), 1);
}

async fn what_the_gateway_knows_is_accepted<S: Store>(store: S) {
    let claim = unknown(&store, &ask_askable()).await;
    assert!(settle_one(&store, &claim, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    assert_eq!(store.to_ask("sandbox", 10).await.unwrap(), []);
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 0);
}

async fn what_the_gateway_does_not_know_is_ready_and_no_duplicate<S: Store>(store: S) {
    let claim = unknown(&store, &ask_askable()).await;
    assert!(settle_one(&store, &claim, not_sent()).await);
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(
        (brief.state, brief.may_be_out),
        (MessageState::Ready, false)
    );
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.unknown, tally.possible_duplicates), (0, 0));
}

async fn within_the_window_it_is_handed_over_again_and_again_and_none_is_a_duplicate<S: Store>(
    store: S,
) {
    baseline(&store, 1).await;
    let mut careful = notice(1);
    careful.on_unknown = OnUnknown::Hold;
    cancel_with(&store, vec![(1, careful)], None).await;
    let ask = ask_deduplicating(DAY);
    for _ in 0..3 {
        let claim = claim_one(&store, &ask).await;
        assert!(settle_one(&store, &claim, unclear()).await);
        let swept = store.sweep(now(), limits()).await.unwrap();
        assert_eq!((swept.repeated, swept.retried, swept.held), (1, 0, 0));
        assert_eq!(state(&store, 1).await, MessageState::Ready);
    }
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 0);
}

async fn a_repetition_leaves_through_the_same_gateway_only<S: Store>(store: S) {
    let ask = ask_deduplicating(DAY);
    unknown(&store, &ask).await;
    store.sweep(now(), limits()).await.unwrap();
    let other = ClaimAsk {
        gateway: "another".to_owned(),
        ..ask.clone()
    };
    assert_eq!(store.claim(&other).await.unwrap().len(), 0);
    claim_one(&store, &ask).await;
}

async fn a_repetition_that_might_outlast_the_window_does_not_leave<S: Store>(store: S) {
    let ask = ask_deduplicating(DAY);
    unknown(&store, &ask).await;
    store.sweep(now(), limits()).await.unwrap();
    let slow = ClaimAsk {
        lease: DAY + DAY,
        ..ask.clone()
    };
    assert_eq!(store.claim(&slow).await.unwrap().len(), 0);
    claim_one(&store, &ask).await;
}

async fn a_repetition_that_was_certainly_not_sent_stays_bound_to_its_window<S: Store>(store: S) {
    let ask = ask_deduplicating(DAY);
    unknown(&store, &ask).await;
    store.sweep(now(), limits()).await.unwrap();
    let again = claim_one(&store, &ask).await;
    assert!(settle_one(&store, &again, not_sent()).await);
    let later = ClaimAsk {
        now: now() + hours(1),
        ..ask
    };
    let slow = ClaimAsk {
        lease: DAY + DAY,
        ..later.clone()
    };
    assert_eq!(store.claim(&slow).await.unwrap().len(), 0);
    claim_one(&store, &later).await;
}

/// The first hand-over may still be out, and only the window makes another one harmless.
async fn a_repetition_that_is_known_late_not_to_be_sent_frees_nothing<S: Store>(store: S) {
    let ask = ask_deduplicating(DAY);
    unknown(&store, &ask).await;
    store.sweep(now(), limits()).await.unwrap();
    let again = claim_one(&store, &ask).await;
    assert_eq!(store.sweep(now(), limits()).await.unwrap().leases_ended, 1);
    assert!(!settle_one(&store, &again, not_sent()).await);
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    let elsewhere = ClaimAsk {
        gateway: "another".to_owned(),
        now: now() + hours(1),
        ..ask_briefly()
    };
    assert_eq!(store.claim(&elsewhere).await.unwrap().len(), 0);
    assert_eq!(store.sweep(now(), limits()).await.unwrap().repeated, 1);
    assert_eq!(store.claim(&elsewhere).await.unwrap().len(), 0);
    claim_one(&store, &ask).await;
}

async fn a_newer_revision_ends_a_repetition<S: Store>(store: S) {
    let ask = ask_deduplicating(DAY);
    unknown(&store, &ask).await;
    store.sweep(now(), limits()).await.unwrap();
    let entry = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(store.claim(&ask).await.unwrap().len(), 0);
    let messages = &known(&store, 1).await.notices[0].messages;
    assert_eq!(messages[0].state, MessageState::Superseded);
}

/// Only the model's clock can be moved; the differential lives hold SQLite to the same meaning.
#[tokio::test]
async fn when_the_window_closes_first_the_rule_decides_after_all() {
    let store = Model::default();
    let ask = ask_deduplicating(Duration::from_secs(600));
    unknown(&store, &ask).await;
    assert_eq!(store.sweep(now(), limits()).await.unwrap().repeated, 1);
    store.advance(Duration::from_secs(600));
    assert_eq!(
        store.claim(&ask_briefly()).await.unwrap().len(),
        1,
        "its end is included"
    );
    let again = store.tally(now()).await.unwrap();
    assert_eq!(again.possible_duplicates, 0);
    store.sweep(now(), limits()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    let swept = store.sweep(now(), limits()).await.unwrap();
    assert_eq!(
        (swept.repeated, swept.retried),
        (0, 1),
        "marked from here on"
    );
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 1);
}

#[tokio::test]
async fn what_waits_to_be_repeated_when_the_window_closes_is_unknown_again() {
    let store = Model::default();
    let ask = ask_deduplicating(Duration::from_secs(600));
    unknown(&store, &ask).await;
    store.sweep(now(), limits()).await.unwrap();
    store.advance(Duration::from_secs(601));
    assert_eq!(store.claim(&ask).await.unwrap().len(), 0);
    assert_eq!(
        store.sweep(now(), limits()).await.unwrap().windows_closed,
        1
    );
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    assert_eq!(store.sweep(now(), limits()).await.unwrap().retried, 1);
    assert_eq!(claim_one(&store, &ask).await.attempts, 2);
}

/// Two attempts are unclear, each through a gateway of its own.
async fn each_gateway_is_asked_about_its_own_attempts<S: Store>(store: S) {
    let claim = |gateway: &str, lookup| ClaimAsk {
        gateway: gateway.to_owned(),
        unknowns: UnknownRule {
            lookup,
            ..UnknownRule::default()
        },
        ..ask_briefly()
    };
    let first = unknown(&store, &claim("north", Duration::ZERO)).await;
    assert_eq!(store.sweep(now(), limits()).await.unwrap().retried, 1);
    let second = claim_one(&store, &claim("south", DAY)).await;
    assert!(settle_one(&store, &second, unclear()).await);
    let north = store.to_ask("north", 10).await.unwrap();
    let south = store.to_ask("south", 10).await.unwrap();
    assert_eq!(north[0].unclear, [(first.attempt, first.fence)]);
    assert_eq!(south[0].unclear, [(second.attempt, second.fence)]);
    assert_eq!(store.to_ask("west", 10).await.unwrap(), []);
    assert!(!settle_one(&store, &first, not_sent()).await);
    assert_eq!(
        state(&store, 1).await,
        MessageState::Unknown,
        "the other may be out"
    );
    assert_eq!(store.to_ask("north", 10).await.unwrap(), []);
    assert!(settle_one(&store, &second, not_sent()).await);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
}
