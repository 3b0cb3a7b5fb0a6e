//! Two gateways of one channel: what one certainly did not send may go to the other at once, what may
//! have left goes there once at most and marked, and on real sockets nobody is told twice or not.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use varsel::domain::breaker::BreakerLimits;
use varsel::domain::contact::Phone;
use varsel::domain::message::{Channel, Event, MessageState, Reason};
use varsel::domain::notice::OnUnknown;
use varsel::domain::outcome::Decision;
use varsel::service::turns::{self, Turn};
use varsel::service::{Allowed, Gateway as Way, Mode, Shared, supervise};
use varsel::store::{
    Access, ClaimAsk, Database, Desk, Ledger, Settled, Settlement, Store, Swept, UnknownRule,
};

use super::fixtures::*;
use crate::support::gateway::Gateway;
use crate::support::world::{sending_node, stand_in};

laws! {
    what_was_certainly_not_sent_goes_to_the_other_at_once,
    what_may_have_left_goes_to_the_other_once_and_marked,
    what_may_have_left_stays_where_the_rule_holds_it,
    a_safe_repetition_is_not_safe_at_the_other,
    what_the_other_did_not_send_is_no_new_chance,
}

fn through(gateway: &str, ask: ClaimAsk) -> ClaimAsk {
    let gateway = gateway.to_owned();
    ClaimAsk { gateway, ..ask }
}

async fn sweep<S: Store>(store: &S) -> Swept {
    store.sweep(now(), limits()).await.unwrap()
}

async fn nothing_for<S: Store>(store: &S, gateway: &str) {
    let ask = through(gateway, ask_briefly());
    assert_eq!(store.claim(&ask).await.unwrap().len(), 0, "{gateway}");
}

async fn what_was_certainly_not_sent_goes_to_the_other_at_once<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &through("first", ask(Channel::Sms))).await;
    let back = Settlement {
        decision: Decision::of(Event::NotSent),
        ..settle(&first, not_sent())
    };
    assert_eq!(store.settle(&[back]).await.unwrap(), [Settled::Moved]);
    let second = claim_one(&store, &through("second", ask(Channel::Sms))).await;
    assert_eq!(second.attempts, 2);
    assert_eq!(
        (second.body, second.address, second.gateway_key),
        (first.body, first.address, first.gateway_key)
    );
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 0);
}

async fn what_may_have_left_goes_to_the_other_once_and_marked<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &through("first", ask_briefly())).await;
    assert!(settle_one(&store, &first, unclear()).await);
    nothing_for(&store, "second").await;
    assert_eq!(sweep(&store).await.retried, 1);
    let second = claim_one(&store, &through("second", ask_briefly())).await;
    assert_eq!(second.body, first.body);
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 1);
    assert!(settle_one(&store, &second, unclear()).await);
    assert_eq!(sweep(&store).await.held, 1);
    for gateway in ["first", "second", "third"] {
        nothing_for(&store, gateway).await;
    }
}

async fn what_may_have_left_stays_where_the_rule_holds_it<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut invitation = notice(1);
    invitation.on_unknown = OnUnknown::Hold;
    cancel_with(&store, vec![(1, invitation)], None).await;
    let first = claim_one(&store, &through("first", ask_briefly())).await;
    assert!(settle_one(&store, &first, unclear()).await);
    assert_eq!(sweep(&store).await.held, 1);
    nothing_for(&store, "second").await;
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(brief.reason, Some(Reason::Unknown));
}

async fn a_safe_repetition_is_not_safe_at_the_other<S: Store>(store: S) {
    cancel(&store, 1).await;
    let only_once = |gateway| ClaimAsk {
        unknowns: UnknownRule {
            dedup: Duration::from_secs(3600),
            ..UnknownRule::default()
        },
        ..through(gateway, ask_briefly())
    };
    let first = claim_one(&store, &only_once("first")).await;
    assert!(settle_one(&store, &first, unclear()).await);
    assert_eq!(sweep(&store).await.repeated, 1);
    assert_eq!(store.claim(&only_once("second")).await.unwrap().len(), 0);
    let again = claim_one(&store, &only_once("first")).await;
    // Not even after the repetition has certainly failed: the first hand-over may have succeeded.
    let back = Settlement {
        decision: Decision::of(Event::NotSent),
        ..settle(&again, not_sent())
    };
    assert_eq!(store.settle(&[back]).await.unwrap(), [Settled::Moved]);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    assert_eq!(store.claim(&only_once("second")).await.unwrap().len(), 0);
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 0);
    claim_one(&store, &only_once("first")).await;
}

async fn what_the_other_did_not_send_is_no_new_chance<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &through("first", ask_briefly())).await;
    assert!(settle_one(&store, &first, unclear()).await);
    assert_eq!(sweep(&store).await.retried, 1);
    let second = claim_one(&store, &through("second", ask_briefly())).await;
    let back = Settlement {
        decision: Decision::of(Event::NotSent),
        ..settle(&second, not_sent())
    };
    assert_eq!(store.settle(&[back]).await.unwrap(), [Settled::Moved]);
    // The one extra hand-over did not happen, so it is still to come; it is the last.
    let third = claim_one(&store, &through("first", ask_briefly())).await;
    assert!(settle_one(&store, &third, unclear()).await);
    assert_eq!(sweep(&store).await.held, 1);
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 1);
}

/// A gateway of every mode asked for, in order of preference.
async fn ways(modes: &[Mode]) -> Vec<Way> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    let gateway = Gateway::start().await;
    let mut parts = sending_node(&store, &gateway, Duration::from_secs(1)).await;
    let way = parts.gateways.remove(0);
    let of = |(n, mode): (usize, &Mode)| Way {
        name: format!("g{n}"),
        mode: mode.clone(),
        ..way.clone()
    };
    let mut ways: Vec<Way> = modes.iter().enumerate().map(of).collect();
    turns::assign(&mut ways);
    ways
}

#[tokio::test]
async fn nothing_leaves_over_a_gateway_that_lets_out_other_people() {
    let tester = Phone::from_stored("+4740000001");
    let tester = Allowed::Address(varsel::domain::contact::Address::Phone(tester));
    let (trial, live) = (Mode::Trial(vec![tester]), Mode::Live);
    let turns = async |modes: &[Mode]| -> Vec<(Turn, bool)> {
        let ways = ways(modes).await;
        ways.into_iter().map(|w| (w.turn, w.is_backed)).collect()
    };
    let after = |names: &[&str]| Turn::After(names.iter().map(|n| (*n).to_owned()).collect());
    let (first, never) = (Turn::First, Turn::Never);
    assert_eq!(
        turns(std::slice::from_ref(&live)).await,
        [(first.clone(), false)]
    );
    for (one, other) in [
        (&live, &trial),
        (&trial, &live),
        (&trial, &Mode::Trial(vec![])),
    ] {
        let unlike = turns(&[one.clone(), other.clone()]).await;
        assert_eq!(unlike, [(first.clone(), false), (never.clone(), false)]);
    }
    let mixed = [live.clone(), trial.clone(), live.clone(), live.clone()];
    assert_eq!(
        turns(&mixed).await,
        [
            (first, true),
            (never, false),
            (after(&["g0"]), true),
            (after(&["g0", "g2"]), true),
        ]
    );
}

// ── on real sockets ─────────────────────────────────────────────────────────────────────────────

const PEOPLE: usize = 50;

/// A node with two gateways at work on a store.
struct Running {
    store: Database,
    shared: Arc<Shared>,
    first: Gateway,
    second: Gateway,
    told: usize,
}

impl Running {
    fn taken(&self) -> (usize, usize) {
        (self.first.taken().len(), self.second.taken().len())
    }

    /// Waits until both gateways together have taken so many messages.
    async fn until(&self, count: usize) {
        let both = async {
            loop {
                let (first, second) = self.taken();
                if first + second >= count {
                    return;
                }
                tokio::select! {
                    _ = self.first.wait_for(first + 1) => {}
                    _ = self.second.wait_for(second + 1) => {}
                }
            }
        };
        let both = tokio::time::timeout(Duration::from_secs(30), both).await;
        assert!(
            both.is_ok(),
            "of {count} only {:?} were taken",
            self.taken()
        );
    }

    /// So many more people are cancelled; waits until they are told.
    async fn tell_more(&mut self, count: usize) {
        let from = self.told as u32 + 1;
        self.told += count;
        let numbers = from..=self.told as u32;
        let entries = numbers.clone().map(new_booking).collect();
        self.store.record(record(entries)).await.unwrap();
        let notices = numbers.map(|n| (n, notice(n))).collect();
        cancel_with(&self.store, notices, None).await;
        self.shared.wakes.messages();
        self.until(self.told).await;
    }
}

#[tokio::test]
async fn a_gateway_goes_down_in_the_middle_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("varsel.db");
    let store = Database::sqlite(&path, Access::Daemon).await.unwrap();
    let (first, second) = (Gateway::start().await, Gateway::start().await);
    first.full_after(Some(20));
    let mut parts = sending_node(&store, &first, Duration::from_secs(1)).await;
    stand_in(&mut parts, &second);
    // What failed before the first gateway was left alone is tried again at once: time stands still here.
    let own = Arc::get_mut(&mut parts.shared).expect("nobody else has it yet");
    own.retry.base = Duration::ZERO;
    for way in &mut parts.gateways {
        // However busy the machine is, an answer comes in time.
        way.longest_send = Duration::from_secs(20);
        way.lease = Duration::from_secs(60);
        // A trial soon after each failure, and time for the other in between.
        way.breaker = BreakerLimits {
            failures: 3,
            within: Duration::from_secs(60),
            rest: Duration::from_millis(200),
        };
    }
    let shared = Arc::clone(&parts.shared);
    let stop = CancellationToken::new();
    let running = tokio::spawn(supervise::run(parts, stop.clone()));
    let mut world = Running {
        store,
        shared,
        first,
        second,
        told: 0,
    };
    world.tell_more(PEOPLE).await;
    let (by_first, by_second) = world.taken();
    assert!(
        by_first >= 20 && by_second > 0,
        "{by_first} and {by_second}"
    );
    assert!(world.shared.pauses.holds("sms"));

    world.first.full_after(None);
    while world.shared.pauses.holds("sms") {
        assert!(world.told < 300, "it is tried, and answers");
        world.tell_more(1).await;
    }
    let (_, before) = world.taken();
    world.tell_more(5).await;
    let (by_first, by_second) = world.taken();
    assert_eq!(by_second, before, "new ones go over the first again");
    assert_eq!(by_first + by_second, world.told);

    let taken = [world.first.taken(), world.second.taken()].concat();
    let people: BTreeSet<_> = taken.iter().map(|sms| &sms.key).collect();
    assert_eq!(people.len(), world.told, "each exactly once");
    stop.cancel();
    running.await.unwrap();
    let tally = world.store.tally(now()).await.unwrap();
    assert_eq!((tally.unknown, tally.possible_duplicates), (0, 0));
}
