//! A released batch whose earliest people are told before the rest.

use chrono::{DateTime, TimeDelta, Utc};
use varsel::domain::brake::Canary;
use varsel::domain::message::{Channel, MessageState};
use varsel::domain::outcome::Outcome;
use varsel::store::{ActError, Batch, BatchId, Deed, NewNotice, ReportState, SeenBatch, Store};

use super::fixtures::*;

laws! {
    the_earliest_go_first_and_the_rest_stays_held,
    the_rest_follows_when_none_of_the_first_failed,
    one_failure_among_the_first_keeps_the_rest,
    a_bounce_among_the_first_keeps_the_rest,
    a_second_word_lets_the_rest_go,
    the_rest_can_be_thrown_away,
    a_batch_no_larger_than_its_first_goes_whole,
    the_first_are_let_go_once,
}

const PEOPLE: u32 = 5;
const FIRST: u32 = 2;

/// When the wait for the first is over: an act is done ten minutes after the beginning.
fn after_the_wait() -> DateTime<Utc> {
    now() + TimeDelta::minutes(20)
}

async fn sweep<S: Store>(store: &S, at: DateTime<Utc>) {
    store.sweep(at, limits()).await.unwrap();
}

async fn batch<S: Store>(store: &S, id: BatchId) -> Option<Batch> {
    let mut batches = store.batches().await.unwrap().into_iter();
    batches.find(|batch| batch.id == id)
}

/// A held batch whose first people were let go; what is written anew for them is recorded.
async fn first_out<S: Store>(store: &S) -> BatchId {
    baseline(store, PEOPLE).await;
    let notices = (1..=PEOPLE).map(|n| (n, urgent(n))).collect();
    let id = cancel_with(store, notices, brake(PEOPLE))
        .await
        .batch
        .unwrap();
    let seen = batch(store, id).await.unwrap().seen();
    let release = act("first", Deed::ReleaseFirst(seen, FIRST));
    assert_eq!(store.act(&release).await.unwrap().count, FIRST);
    write_anew(store).await;
    id
}

/// Of the last booking the message is due first: who is earliest is a matter of deadlines, not of keys.
fn urgent(n: u32) -> NewNotice {
    NewNotice {
        due_by: notice(PEOPLE + 1 - n).due_by,
        ..notice(n)
    }
}

/// Writes anew what is being released, as upkeep does; how many bookings that were.
async fn write_anew<S: Store>(store: &S) -> usize {
    let released = store.released(page(100)).await.unwrap();
    let count = released.len();
    for known in released {
        let n = known.appointment.key.0[1..].parse().unwrap();
        let mut entry = again(&known, vec![urgent(n)]);
        entry.release = true;
        store.record(record(vec![entry])).await.unwrap();
    }
    sweep(store, now()).await;
    count
}

/// Hands over whatever may leave; how many messages that were.
async fn hand_over<S: Store>(store: &S, outcome: fn() -> Outcome) -> usize {
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    for claim in &claims {
        assert!(settle_one(store, claim, outcome()).await);
    }
    claims.len()
}

async fn the_earliest_go_first_and_the_rest_stays_held<S: Store>(store: S) {
    let id = first_out(&store).await;
    for n in 1..=PEOPLE {
        let expected = if n > PEOPLE - FIRST {
            MessageState::Ready
        } else {
            MessageState::Held
        };
        assert_eq!(state(&store, n).await, expected, "booking {n}");
    }
    let rest = batch(&store, id).await.unwrap();
    assert_eq!((rest.people, rest.releasing), (PEOPLE - FIRST, false));
    let first = rest.first.unwrap();
    assert_eq!(first.released_at, now() + TimeDelta::minutes(10));
    assert_eq!(first.canary, Canary::Waits);
    assert_eq!(batch(&store, first.batch).await, None, "it has ended");
    assert_eq!(store.released(page(10)).await.unwrap().len(), 0);
    assert_eq!(store.gauges(now()).await.unwrap().held_batches, 1);
}

async fn the_rest_follows_when_none_of_the_first_failed<S: Store>(store: S) {
    let id = first_out(&store).await;
    sweep(&store, after_the_wait()).await;
    assert_eq!(
        write_anew(&store).await,
        0,
        "none of the first has left yet"
    );
    assert_eq!(hand_over(&store, accepted).await, 2);
    let soon = after_the_wait() - TimeDelta::milliseconds(1);
    sweep(&store, soon).await;
    assert_eq!(write_anew(&store).await, 0, "the wait is not over");
    let rest = batch(&store, id).await.unwrap();
    assert_eq!(rest.first.unwrap().canary, Canary::Fine);
    sweep(&store, after_the_wait()).await;
    assert!(batch(&store, id).await.unwrap().releasing);
    assert_eq!(write_anew(&store).await, 3);
    assert_eq!(batch(&store, id).await, None);
    assert_eq!(hand_over(&store, accepted).await, 3);
}

async fn one_failure_among_the_first_keeps_the_rest<S: Store>(store: S) {
    let id = first_out(&store).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    settle_one(&store, &claims[0], accepted()).await;
    settle_one(&store, &claims[1], refused()).await;
    sweep(&store, after_the_wait()).await;
    let rest = batch(&store, id).await.unwrap();
    assert_eq!((rest.people, rest.releasing), (PEOPLE - FIRST, false));
    assert_eq!(rest.first.unwrap().canary, Canary::Failed);
}

async fn a_bounce_among_the_first_keeps_the_rest<S: Store>(store: S) {
    let id = first_out(&store).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    for claim in &claims {
        settle_one(&store, claim, accepted()).await;
    }
    let report = report(&claims[0], ReportState::Undelivered);
    store.report(&[report]).await.unwrap();
    sweep(&store, after_the_wait()).await;
    assert!(!batch(&store, id).await.unwrap().releasing);
}

async fn a_second_word_lets_the_rest_go<S: Store>(store: S) {
    let id = first_out(&store).await;
    let seen = batch(&store, id).await.unwrap().seen();
    let release = act("rest", Deed::ReleaseFirst(seen, FIRST));
    assert_eq!(store.act(&release).await.unwrap().count, 3);
    assert_eq!(write_anew(&store).await, 3);
    assert_eq!(hand_over(&store, accepted).await, 5);
    assert_eq!(store.batches().await.unwrap(), []);
}

async fn the_rest_can_be_thrown_away<S: Store>(store: S) {
    let id = first_out(&store).await;
    let seen = batch(&store, id).await.unwrap().seen();
    let discard = act("rest", Deed::Discard(seen));
    assert_eq!(store.act(&discard).await.unwrap().count, 3);
    assert_eq!(hand_over(&store, accepted).await, 2);
    sweep(&store, after_the_wait()).await;
    assert_eq!(store.tally(now()).await.unwrap().left_out, 3);
}

async fn a_batch_no_larger_than_its_first_goes_whole<S: Store>(store: S) {
    baseline(&store, 2).await;
    let notices = vec![(1, notice(1)), (2, notice(2))];
    let id = cancel_with(&store, notices, brake(2)).await.batch.unwrap();
    let seen = batch(&store, id).await.unwrap().seen();
    let release = act("all", Deed::ReleaseFirst(seen, 2));
    assert_eq!(store.act(&release).await.unwrap().count, 2);
    assert!(batch(&store, id).await.unwrap().releasing);
}

async fn the_first_are_let_go_once<S: Store>(store: S) {
    let id = first_out(&store).await;
    let seen = batch(&store, id).await.unwrap().seen();
    let stale = SeenBatch {
        version: 1,
        people: PEOPLE,
        ..seen
    };
    let refused = store
        .act(&act("stale", Deed::ReleaseFirst(stale, FIRST)))
        .await;
    assert!(
        matches!(refused, Err(ActError::Changed { people: 3, .. })),
        "{refused:?}"
    );
    // The same word said twice is one act.
    let release = act("first", Deed::ReleaseFirst(stale, FIRST));
    assert_eq!(store.act(&release).await.unwrap().count, FIRST);
    assert_eq!(batch(&store, id).await.unwrap().people, 3);
}
