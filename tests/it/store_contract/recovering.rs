//! An older state of the store is put back: no claim goes past a lock or past what a node remembers,
//! and what may have been sent since is sent at a person's word only.

use std::time::Duration;

use varsel::domain::brake::Braked;
use varsel::domain::change::change as difference;
use varsel::domain::message::{Channel, MessageState, Reason};
use varsel::domain::notice::beliefs;
use varsel::domain::recipient::Role;
use varsel::store::{
    ActError, AttemptId, ClaimAsk, Deed, HoldOn, LeaseAsk, Lock, Locked, NewNotice, Recovery,
    Remembered, Store, StoreError,
};

use super::fixtures::*;

laws! {
    no_claim_goes_past_a_lock,
    nobody_acts_on_a_store_that_has_moved,
    a_nodes_lock_is_its_own,
    no_claim_goes_past_what_the_node_remembers,
    what_a_node_remembers_is_the_newest_attempt,
    only_a_locked_store_is_recovered,
    what_was_never_tried_waits_for_a_persons_yes,
    what_was_tried_before_must_be_phoned,
    what_may_have_been_sent_is_believed,
    as_it_stands_everything_goes_on,
    the_next_snapshot_of_a_recovered_store_is_held,
    what_was_read_before_a_recovery_is_not_recorded,
}

fn locked(node: &str, why: Locked) -> Lock {
    Lock {
        node: node.to_owned(),
        why,
        since: now(),
        remembered: AttemptId(12),
        newest: None,
    }
}

async fn lock<S: Store>(store: &S) {
    let lock = locked("node-a", Locked::OlderState);
    store.lock(&lock).await.unwrap();
}

async fn recover<S: Store>(store: &S, how: Recovery) -> u32 {
    let key = format!("recover {how:?}");
    store
        .act(&act(&key, Deed::Recover(how)))
        .await
        .unwrap()
        .count
}

async fn claimed<S: Store>(store: &S, ask: &ClaimAsk) -> usize {
    store.claim(ask).await.unwrap().len()
}

fn remembering(attempt: i64, nonce: u32) -> ClaimAsk {
    ClaimAsk {
        remembered: Some(Remembered {
            recoveries: 0,
            attempt: AttemptId(attempt),
            nonce,
        }),
        ..ask(Channel::Sms)
    }
}

async fn no_claim_goes_past_a_lock<S: Store>(store: S) {
    cancel(&store, 1).await;
    lock(&store).await;
    let again = Lock {
        remembered: AttemptId(99),
        ..locked("node-b", Locked::OlderState)
    };
    store.lock(&again).await.unwrap();
    let standing = store.standing("node-b", None).await.unwrap();
    let first = locked("node-a", Locked::OlderState);
    assert_eq!(standing.locks, [first], "the first one stands");
    let other = ClaimAsk {
        node: "node-b".to_owned(),
        ..ask(Channel::Sms)
    };
    assert_eq!(claimed(&store, &ask(Channel::Sms)).await, 0);
    assert_eq!(claimed(&store, &other).await, 0, "no node claims");
}

/// What is said there would be heeded nowhere; whoever decides that the copy is void may go on.
async fn nobody_acts_on_a_store_that_has_moved<S: Store>(store: S) {
    let stop = |key| act(key, Deed::AddHold(HoldOn::All));
    store.act(&stop("before")).await.unwrap();
    let moved = locked("node-a", Locked::Moved);
    store.lock(&moved).await.unwrap();
    let refused = store.act(&stop("after")).await;
    assert!(matches!(refused, Err(ActError::Moved)), "{refused:?}");
    assert_eq!(store.holds().await.unwrap().len(), 1);
    recover(&store, Recovery::AsItStands).await;
    store.act(&stop("later")).await.unwrap();
}

async fn a_nodes_lock_is_its_own<S: Store>(store: S) {
    cancel(&store, 1).await;
    store.join("node-a").await.unwrap();
    let lock = locked("node-b", Locked::NoJournal);
    store.lock(&lock).await.unwrap();
    let other = ClaimAsk {
        node: "node-b".to_owned(),
        ..ask(Channel::Sms)
    };
    assert_eq!(claimed(&store, &other).await, 0);
    let standing = store.standing("node-a", None).await.unwrap();
    assert!(standing.knows_node);
    assert!(!store.standing("node-c", None).await.unwrap().knows_node);
    assert_eq!(claimed(&store, &ask(Channel::Sms)).await, 1);
}

async fn no_claim_goes_past_what_the_node_remembers<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, not_sent()).await;
    let later = |ask: ClaimAsk| ClaimAsk {
        now: now() + hours(1),
        ..ask
    };
    let number = claim.attempt.0;
    let lost = later(remembering(number + 1, claim.nonce));
    assert_eq!(claimed(&store, &lost).await, 0, "it is not there");
    let other = later(remembering(number, claim.nonce + 1));
    assert_eq!(claimed(&store, &other).await, 0, "the number is another's");
    let there = later(remembering(number, claim.nonce));
    assert_eq!(claimed(&store, &there).await, 1);
}

async fn what_a_node_remembers_is_the_newest_attempt<S: Store>(store: S) {
    let empty = store.standing("node-a", None).await.unwrap().to_remember();
    let standing = store.standing("node-a", Some(empty)).await.unwrap();
    assert!(standing.holds_it, "nothing is always there");
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    let standing = store.standing("node-a", None).await.unwrap();
    let newest = standing.to_remember();
    assert_eq!((newest.attempt, newest.nonce), (claim.attempt, claim.nonce));
    let holds = async |remembered| {
        let standing = store.standing("node-a", Some(remembered)).await.unwrap();
        standing.holds_it
    };
    assert!(holds(newest).await);
    let lost = Remembered {
        attempt: AttemptId(newest.attempt.0 + 1),
        ..newest
    };
    assert!(!holds(lost).await);
}

async fn only_a_locked_store_is_recovered<S: Store>(store: S) {
    let recover_it = act("r", Deed::Recover(Recovery::Ask));
    let refused = store.act(&recover_it).await;
    assert!(matches!(refused, Err(ActError::NotLocked)));
    store.join("node-a").await.unwrap();
    lock(&store).await;
    recover(&store, Recovery::Ask).await;
    let standing = store.standing("node-a", None).await.unwrap();
    assert_eq!((standing.recoveries, standing.locks.len()), (1, 0));
    assert!(!standing.knows_node, "a node without a journal begins anew");
    assert!(store.explain("B1").await.unwrap().is_empty());
}

async fn what_was_never_tried_waits_for_a_persons_yes<S: Store>(store: S) {
    cancel(&store, 2).await;
    lock(&store).await;
    assert_eq!(recover(&store, Recovery::Ask).await, 2, "messages");
    assert_eq!(claimed(&store, &remembering(99, 1)).await, 0);
    let batches = store.batches().await.unwrap();
    assert_eq!(batches.len(), 1);
    let batch = &batches[0];
    assert_eq!((batch.people, batch.braked), (2, Braked::Restored));
    store
        .act(&act("release", Deed::Release(batch.seen())))
        .await
        .unwrap();
    for known in store.released(page(10)).await.unwrap() {
        let n = if known.appointment.key == key(1) {
            1
        } else {
            2
        };
        let mut entry = again(&known, vec![notice(n)]);
        entry.release = true;
        store.record(record(vec![entry])).await.unwrap();
    }
    assert_eq!(
        claimed(&store, &remembering(99, 1)).await,
        2,
        "recovered since"
    );
    let tally = store.tally(now()).await.unwrap();
    assert_eq!(tally.possible_duplicates, 2, "each is marked");
}

async fn what_was_tried_before_must_be_phoned<S: Store>(store: S) {
    let rungs = NewNotice {
        messages: vec![message(1, 0)],
        ..notice(1)
    };
    baseline(&store, 3).await;
    let (two, three) = (notice(2), notice(3));
    cancel_with(&store, vec![(1, rungs), (2, two), (3, three)], None).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    settle_one(&store, &claims[0], not_sent()).await;
    settle_one(&store, &claims[1], unclear()).await;
    lock(&store).await;
    recover(&store, Recovery::Ask).await;
    for n in [1, 2, 3] {
        let notice = known(&store, n).await.notices.remove(0);
        let first = &notice.messages[0];
        let stands = (first.state, first.reason);
        assert_eq!(stands, (MessageState::Held, Some(Reason::Unknown)), "{n}");
        let contact = &person(n).contact;
        let rung = notice.ladder.climb(&notice.messages, contact).unwrap();
        assert_eq!(rung.channel, Channel::Phone, "no further message for {n}");
    }
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 3);
    let swept = store.sweep(now(), limits()).await.unwrap();
    assert_eq!(swept.retried + swept.repeated, 0);
}

async fn what_may_have_been_sent_is_believed<S: Store>(store: S) {
    cancel(&store, 1).await;
    lock(&store).await;
    recover(&store, Recovery::Ask).await;
    let known = known(&store, 1).await;
    let believed = beliefs(&known.base, &known.notices, &Role::Applicant);
    let reinstated = difference(&active(1).state, &believed);
    assert!(
        reinstated.is_some(),
        "silence could leave them with the wrong one"
    );
}

async fn as_it_stands_everything_goes_on<S: Store>(store: S) {
    cancel(&store, 2).await;
    lock(&store).await;
    assert_eq!(recover(&store, Recovery::AsItStands).await, 0);
    assert!(store.batches().await.unwrap().is_empty());
    let watched = store.watched(&source(), now()).await.unwrap();
    assert!(!watched.is_restored());
    assert_eq!(claimed(&store, &ask(Channel::Sms)).await, 2);
}

async fn the_next_snapshot_of_a_recovered_store_is_held<S: Store>(store: S) {
    baseline(&store, 1).await;
    let restored = async || store.watched(&source(), now()).await.unwrap().is_restored();
    assert!(!restored().await);
    lock(&store).await;
    recover(&store, Recovery::Ask).await;
    assert!(restored().await);
    let mut snapshot = record(Vec::new());
    snapshot.mapping = Some("the mapping".to_owned());
    store.record(snapshot).await.unwrap();
    assert!(!restored().await);
}

async fn what_was_read_before_a_recovery_is_not_recorded<S: Store>(store: S) {
    let ask = |node: &str| LeaseAsk {
        source: source(),
        node: node.to_owned(),
        life: 1,
        length: Duration::from_secs(3600),
    };
    let before = store.lease(&ask("node-a")).await.unwrap();
    lock(&store).await;
    recover(&store, Recovery::Ask).await;
    let mut read = record(Vec::new());
    read.lease = before;
    let refused = store.record(read.clone()).await;
    assert!(
        matches!(refused, Err(StoreError::Overtaken(_))),
        "{refused:?}"
    );
    let after = store.lease(&ask("node-b")).await.unwrap();
    let after = after.expect("nobody has the turn");
    assert!(after.fence > before.map_or(0, |lease| lease.fence) + 1_000);
    assert!(store.record(read).await.is_err(), "another has it now");
}
