//! Operator holds: effective at once, for what is there and what is to come, and never freeing what
//! something else holds.

use varsel::domain::message::{Channel, MessageState, Reason};
use varsel::store::{ActError, BatchId, Deed, HoldId, HoldOn, NewNotice, Record, SeenBatch, Store};

use super::fixtures::*;

laws! {
    a_hold_stops_what_is_there_and_what_is_to_come,
    a_hold_covers_what_it_names,
    whom_a_hold_takes_off_the_call_list_is_not_forgotten,
    a_lifted_hold_frees_what_it_stopped,
    no_release_frees_another_reason,
    what_is_out_is_settled_and_then_stopped,
    a_hold_needs_something_to_hold,
    a_batchs_hold_covers_what_another_batch_takes_over,
    lifting_a_hold_does_not_free_what_the_brake_keeps,
}

async fn hold<S: Store>(store: &S, on: HoldOn) -> HoldId {
    let before: Vec<_> = store.holds().await.unwrap().iter().map(|h| h.id).collect();
    let key = format!("hold {on:?} {}", before.len());
    store.act(&act(&key, Deed::AddHold(on))).await.unwrap();
    let mut holds = store.holds().await.unwrap().into_iter();
    holds.find(|hold| !before.contains(&hold.id)).unwrap().id
}

async fn lift<S: Store>(store: &S, id: HoldId) {
    let key = format!("lift {}", id.0);
    store.act(&act(&key, Deed::LiftHold(id))).await.unwrap();
}

async fn claimed<S: Store>(store: &S, channel: Channel) -> usize {
    store.claim(&ask(channel)).await.unwrap().len()
}

async fn sweep<S: Store>(store: &S) {
    store.sweep(now(), limits()).await.unwrap();
}

async fn a_hold_stops_what_is_there_and_what_is_to_come<S: Store>(store: S) {
    baseline(&store, 3).await;
    cancel_with(&store, vec![(1, notice(1))], None).await;
    let add = act("a", Deed::AddHold(HoldOn::All));
    assert_eq!(store.act(&add).await.unwrap().count, 1, "waiting now");
    cancel_with(&store, vec![(2, notice(2))], None).await;
    assert_eq!(claimed(&store, Channel::Sms).await, 0, "before any sweep");
    sweep(&store).await;
    cancel_with(&store, vec![(3, notice(3))], None).await;
    assert_eq!(claimed(&store, Channel::Sms).await, 0);
    sweep(&store).await;
    for n in [1, 2, 3] {
        let brief = known(&store, n).await.notices[0].messages[0].clone();
        let stands = (brief.state, brief.reason);
        assert_eq!(stands, (MessageState::Held, Some(Reason::Operator)));
    }
    let holds = store.holds().await.unwrap();
    assert_eq!((holds.len(), holds[0].messages), (1, 3));
    assert_eq!(
        (holds[0].actor.as_str(), &holds[0].on),
        ("kari", &HoldOn::All)
    );
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.waiting, tally.held), (3, 3));
    assert_eq!(store.gauges(now()).await.unwrap().operator_holds, 1);
    let story = store.explain("B1").await.unwrap().remove(0);
    let line = story.lines.last().unwrap();
    assert_eq!(line.event, "hold");
    assert!(line.detail.contains("kari"), "{}", line.detail);
}

async fn a_hold_covers_what_it_names<S: Store>(store: S) {
    baseline(&store, 1).await;
    let both = NewNotice {
        messages: vec![message(1, 0), message(1, 1)],
        ..notice(1)
    };
    cancel_with(&store, vec![(1, both)], None).await;
    hold(&store, HoldOn::Office("ski".into())).await;
    hold(&store, HoldOn::Channel(Channel::Email)).await;
    sweep(&store).await;
    assert_eq!(claimed(&store, Channel::Email).await, 0);
    assert_eq!(claimed(&store, Channel::Sms).await, 1);
    let messages: Vec<_> = store
        .holds()
        .await
        .unwrap()
        .iter()
        .map(|h| h.messages)
        .collect();
    assert_eq!(messages, [0, 1]);
}

async fn whom_a_hold_takes_off_the_call_list_is_not_forgotten<S: Store>(store: S) {
    baseline(&store, 2).await;
    let phone = |n| NewNotice {
        messages: vec![phone_rung(n)],
        ..notice(n)
    };
    cancel_with(&store, vec![(1, phone(1)), (2, notice(2))], None).await;
    let listed = store.calls().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(store.stopped_calls().await.unwrap(), []);
    let held = hold(&store, HoldOn::Office("gronland".into())).await;
    let standing = store.holds().await.unwrap().remove(0);
    assert_eq!((standing.messages, standing.calls), (2, 1));
    sweep(&store).await;
    assert_eq!(store.calls().await.unwrap(), []);
    assert_eq!(store.stopped_calls().await.unwrap(), listed);
    lift(&store, held).await;
    sweep(&store).await;
    assert_eq!(store.calls().await.unwrap(), listed);
    assert_eq!(store.stopped_calls().await.unwrap(), []);
}

async fn a_lifted_hold_frees_what_it_stopped<S: Store>(store: S) {
    baseline(&store, 2).await;
    cancel_with(&store, vec![(1, notice(1)), (2, notice(2))], None).await;
    let all = hold(&store, HoldOn::All).await;
    let office = hold(&store, HoldOn::Office("gronland".into())).await;
    sweep(&store).await;
    lift(&store, all).await;
    sweep(&store).await;
    assert_eq!(
        claimed(&store, Channel::Sms).await,
        0,
        "the office is held still"
    );
    lift(&store, office).await;
    assert_eq!(store.holds().await.unwrap(), []);
    sweep(&store).await;
    assert_eq!(claimed(&store, Channel::Sms).await, 2);
    let again = store.act(&act("x", Deed::LiftHold(all))).await;
    assert!(matches!(again, Err(ActError::NoHold(_))), "{again:?}");
}

async fn no_release_frees_another_reason<S: Store>(store: S) {
    baseline(&store, 1).await;
    let recorded = cancel_with(&store, vec![(1, notice(1))], brake(1)).await;
    let held = hold(&store, HoldOn::Batch(recorded.batch.unwrap())).await;
    sweep(&store).await;
    lift(&store, held).await;
    sweep(&store).await;
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(brief.reason, Some(Reason::Brake), "lifting opens no brake");
    let held = hold(&store, HoldOn::All).await;
    let batch = store.batches().await.unwrap().remove(0);
    let seen = SeenBatch {
        batch: batch.id,
        version: batch.version,
        people: batch.people,
    };
    store.act(&act("r", Deed::Release(seen))).await.unwrap();
    let mut entry = again(&known(&store, 1).await, vec![notice(1)]);
    entry.release = true;
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(
        claimed(&store, Channel::Sms).await,
        0,
        "a release lifts no hold"
    );
    sweep(&store).await;
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(brief.reason, Some(Reason::Operator));
    lift(&store, held).await;
    sweep(&store).await;
    assert_eq!(claimed(&store, Channel::Sms).await, 1);
}

async fn what_is_out_is_settled_and_then_stopped<S: Store>(store: S) {
    baseline(&store, 2).await;
    cancel_with(&store, vec![(1, notice(1)), (2, notice(2))], None).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    hold(&store, HoldOn::All).await;
    sweep(&store).await;
    assert!(settle_one(&store, &claims[0], accepted()).await);
    assert!(settle_one(&store, &claims[1], not_sent()).await);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    sweep(&store).await;
    assert_eq!(state(&store, 2).await, MessageState::Held);
    store.sweep(start(2), limits()).await.unwrap();
    assert_eq!(
        state(&store, 2).await,
        MessageState::Expired,
        "a hold outlives no deadline"
    );
}

async fn a_hold_needs_something_to_hold<S: Store>(store: S) {
    let nothing = Deed::AddHold(HoldOn::Batch(BatchId(7)));
    let refused = store.act(&act("a", nothing)).await;
    assert!(matches!(refused, Err(ActError::NoBatch(_))), "{refused:?}");
    assert_eq!(store.holds().await.unwrap(), []);
}

/// The notice of booking 1 was in batch 1, which was released; a later poll puts it into batch 2.
async fn taken_over<S: Store>(store: &S, on: HoldOn) -> HoldId {
    baseline(store, 1).await;
    cancel_with(store, vec![(1, notice(1))], brake(1)).await;
    let seen = store.batches().await.unwrap()[0].seen();
    let release = act("release", Deed::Release(seen));
    store.act(&release).await.unwrap();
    let mut entry = again(&known(store, 1).await, vec![notice(1)]);
    entry.release = true;
    store.record(record(vec![entry])).await.unwrap();
    sweep(store).await;
    let id = hold(store, on).await;
    sweep(store).await;
    let entry = again(&known(store, 1).await, vec![notice(1)]);
    let braked = Record {
        batch: brake(1),
        ..record(vec![entry])
    };
    let recorded = store.record(braked).await.unwrap();
    assert_eq!(recorded.batch, Some(BatchId(2)));
    id
}

async fn reason<S: Store>(store: &S) -> (MessageState, Option<Reason>) {
    let brief = known(store, 1).await.notices[0].messages[0].clone();
    (brief.state, brief.reason)
}

async fn a_batchs_hold_covers_what_another_batch_takes_over<S: Store>(store: S) {
    let id = taken_over(&store, HoldOn::Batch(BatchId(1))).await;
    let seen = store.batches().await.unwrap()[0].seen();
    let release = act("release 2", Deed::Release(seen));
    store.act(&release).await.unwrap();
    let mut entry = again(&known(&store, 1).await, vec![notice(1)]);
    entry.release = true;
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(
        claimed(&store, Channel::Sms).await,
        0,
        "a person stopped it with batch 1"
    );
    assert_eq!(store.holds().await.unwrap()[0].messages, 1);
    sweep(&store).await;
    assert_eq!(
        reason(&store).await,
        (MessageState::Held, Some(Reason::Operator))
    );
    lift(&store, id).await;
    sweep(&store).await;
    assert_eq!(claimed(&store, Channel::Sms).await, 1);
}

async fn lifting_a_hold_does_not_free_what_the_brake_keeps<S: Store>(store: S) {
    let id = taken_over(&store, HoldOn::All).await;
    assert_eq!(
        reason(&store).await,
        (MessageState::Held, Some(Reason::Brake))
    );
    assert_eq!(
        store.batches().await.unwrap()[0].people,
        1,
        "the person sees whom it holds"
    );
    lift(&store, id).await;
    sweep(&store).await;
    assert_eq!(
        reason(&store).await,
        (MessageState::Held, Some(Reason::Brake))
    );
    assert_eq!(claimed(&store, Channel::Sms).await, 0);
}
