//! A batch that was wrong: who may have got the wrong word, what stops, and what is asked for.

use varsel::domain::message::{Channel, MessageState};
use varsel::domain::notice::Purpose;
use varsel::domain::occasion::Occasion;
use varsel::domain::recipient::Role;
use varsel::store::{ActError, BatchId, Claim, Deed, ReportState, SeenBatch, Store};

use super::fixtures::*;

laws! {
    those_who_may_have_got_a_wrong_word_are_named,
    a_correction_stops_the_rest_and_names_what_was_seen,
    a_correction_is_asked_for_once,
    a_correction_waits_until_the_appointment_stands,
    who_knows_better_needs_no_correction,
    what_is_held_cannot_be_corrected,
    a_wrong_word_goes_no_further_up_the_ladder,
    what_is_in_the_air_is_not_handed_over_again,
    what_was_asked_for_is_kept_word_by_word,
}

/// Three people of a released batch, each claimed.
async fn in_the_air<S: Store>(store: &S) -> (BatchId, Vec<Claim>) {
    baseline(store, 3).await;
    let notices = (1..=3).map(|n| (n, notice(n))).collect();
    let batch = cancel_with(store, notices, brake(3)).await.batch.unwrap();
    let seen = store.batches().await.unwrap()[0].seen();
    store.act(&act("go", Deed::Release(seen))).await.unwrap();
    for known in store.released(page(10)).await.unwrap() {
        let n = known.appointment.key.0[1..].parse().unwrap();
        let mut entry = again(&known, vec![notice(n)]);
        entry.release = true;
        store.record(record(vec![entry])).await.unwrap();
    }
    store.sweep(now(), limits()).await.unwrap();
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    (batch, claims)
}

/// Three people of a batch that was released: the first was told, the second certainly not, and of
/// the third it is not known.
async fn told<S: Store>(store: &S) -> (BatchId, Vec<Claim>) {
    let (batch, claims) = in_the_air(store).await;
    for (claim, outcome) in claims.iter().zip([accepted(), not_sent(), unclear()]) {
        assert!(settle_one(store, claim, outcome).await);
    }
    (batch, claims)
}

async fn seen<S: Store>(store: &S, batch: BatchId) -> SeenBatch {
    store.wrong(batch, 10).await.unwrap().unwrap().seen()
}

async fn correct<S: Store>(store: &S, batch: BatchId) -> u32 {
    let seen = seen(store, batch).await;
    let done = store.act(&act("wrong", Deed::Correct(seen))).await;
    done.unwrap().count
}

fn correction(batch: BatchId) -> Occasion {
    Occasion {
        purpose: Purpose::Correction,
        number: u32::try_from(batch.0).unwrap(),
        role: Role::Applicant,
        until: None,
    }
}

async fn those_who_may_have_got_a_wrong_word_are_named<S: Store>(store: S) {
    let (batch, _) = told(&store).await;
    let wrong = store.wrong(batch, 1).await.unwrap().unwrap();
    assert_eq!((wrong.people, wrong.stand, wrong.waiting), (2, 0, 2));
    assert_eq!(wrong.offices.values().copied().collect::<Vec<_>>(), [2]);
    assert_eq!(wrong.channels[&Channel::Sms], 2);
    assert_eq!(
        wrong.first.len(),
        1,
        "no more are named than were asked for"
    );
    let first = &wrong.first[0];
    assert_eq!((&first.key, first.start), (&key(1), start(1)));
    assert!(!first.surely, "its report has not come");
    assert!(!first.stands);
    assert_eq!(store.wrong(BatchId(77), 1).await.unwrap(), None);
}

async fn a_correction_stops_the_rest_and_names_what_was_seen<S: Store>(store: S) {
    let (batch, claims) = told(&store).await;
    let mut stale = seen(&store, batch).await;
    stale.people = 3;
    let refused = store.act(&act("stale", Deed::Correct(stale))).await;
    assert!(matches!(refused, Err(ActError::Changed { people: 2, .. })));
    assert_eq!(
        state(&store, 2).await,
        MessageState::Ready,
        "nothing was done"
    );

    assert_eq!(correct(&store, batch).await, 2);
    let states = [
        state(&store, 1).await,
        state(&store, 2).await,
        state(&store, 3).await,
    ];
    use MessageState::{Accepted, Suppressed};
    assert_eq!(states, [Accepted, Suppressed, Suppressed]);
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    assert_eq!(known(&store, 1).await.occasions, [correction(batch)]);
    assert_eq!(known(&store, 2).await.occasions, []);
    assert_eq!(known(&store, 3).await.occasions, [correction(batch)]);
    assert_eq!(
        known(&store, 1).await.appointment.recipients,
        [person(1)],
        "the people of the appointments stay"
    );
    // Evidence still counts.
    let arrived = report(&claims[2], ReportState::Delivered);
    store.report(&[arrived]).await.unwrap();
    assert_eq!(state(&store, 3).await, MessageState::Delivered);
    let story = store.explain("B1").await.unwrap().remove(0);
    let line = story.lines.iter().find(|line| line.event == "to_correct");
    assert_eq!(line.unwrap().actor, "kari");
}

async fn a_correction_is_asked_for_once<S: Store>(store: S) {
    let (batch, _) = told(&store).await;
    let saw = seen(&store, batch).await;
    for _ in 0..2 {
        let done = store.act(&act("once", Deed::Correct(saw))).await;
        assert_eq!(done.unwrap().count, 2, "the same word twice is one act");
    }
    assert_eq!(known(&store, 1).await.occasions.len(), 1);
    let again = store.wrong(batch, 10).await.unwrap().unwrap();
    assert_eq!((again.people, again.waiting), (0, 0));
    let stale = store.act(&act("twice", Deed::Correct(saw))).await;
    assert!(matches!(stale, Err(ActError::Changed { people: 0, .. })));
}

async fn a_correction_waits_until_the_appointment_stands<S: Store>(store: S) {
    let (batch, _) = told(&store).await;
    correct(&store, batch).await;
    assert_eq!(store.asked(page(10)).await.unwrap().len(), 0);
    let entry = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    let asked = store.asked(page(10)).await.unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].appointment.key, key(1));
    let mut entry = again(&asked[0], Vec::new());
    entry.settled = asked[0].occasions.clone();
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(store.asked(page(10)).await.unwrap().len(), 0);
    assert_eq!(known(&store, 1).await.occasions, []);
    assert_eq!(known(&store, 3).await.occasions, [correction(batch)]);
}

async fn who_knows_better_needs_no_correction<S: Store>(store: S) {
    let (batch, claims) = told(&store).await;
    let reports = [report(&claims[0], ReportState::Delivered)];
    store.report(&reports).await.unwrap();
    let mut stands = renamed(notice(1), 5);
    stands.purpose = Purpose::Reinstatement;
    stands.change.kind = varsel::domain::change::ChangeKind::Reinstated;
    std::mem::swap(&mut stands.change.old, &mut stands.change.new);
    let entry = change(&known(&store, 1).await, active(1), vec![stands]);
    store.record(record(vec![entry])).await.unwrap();
    let wrong = store.wrong(batch, 10).await.unwrap().unwrap();
    assert_eq!((wrong.people, wrong.stand), (2, 1), "it has not left");
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &claim, accepted()).await);
    let arrived = report(&claim, ReportState::Delivered);
    store.report(&[arrived]).await.unwrap();
    let wrong = store.wrong(batch, 10).await.unwrap().unwrap();
    assert_eq!((wrong.people, wrong.first[0].key.clone()), (1, key(3)));
}

async fn what_is_held_cannot_be_corrected<S: Store>(store: S) {
    baseline(&store, 1).await;
    let recorded = cancel_with(&store, vec![(1, notice(1))], brake(1)).await;
    let batch = recorded.batch.unwrap();
    assert!(store.wrong(batch, 1).await.unwrap().unwrap().held);
    let seen = seen(&store, batch).await;
    let refused = store.act(&act("a", Deed::Correct(seen))).await;
    assert!(matches!(refused, Err(ActError::StillHeld(id)) if id == batch));
    let none = SeenBatch {
        batch: BatchId(77),
        ..seen
    };
    let refused = store.act(&act("b", Deed::Correct(none))).await;
    assert!(matches!(refused, Err(ActError::NoBatch(_))));
}

async fn what_is_in_the_air_is_not_handed_over_again<S: Store>(store: S) {
    let (batch, claims) = in_the_air(&store).await;
    correct(&store, batch).await;
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    let ask = ask(Channel::Sms);
    let called_back = store.stopped(&ask.node, &ask.gateway).await.unwrap();
    assert_eq!(called_back.len(), claims.len(), "what waits for the wire");
    settle_one(&store, &claims[0], not_sent()).await;
    settle_one(&store, &claims[1], unclear()).await;
    settle_one(&store, &claims[2], accepted()).await;
    let mut states = Vec::new();
    for n in 1..=3 {
        states.push(state(&store, n).await);
    }
    let suppressed = MessageState::Suppressed;
    assert_eq!(states, [suppressed, suppressed, MessageState::Accepted]);
    assert_eq!(store.claim(&ask).await.unwrap().len(), 0);
}

async fn a_wrong_word_goes_no_further_up_the_ladder<S: Store>(store: S) {
    let (batch, claims) = told(&store).await;
    correct(&store, batch).await;
    let lost = report(&claims[0], ReportState::Undelivered);
    store.report(&[lost]).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Undelivered);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
    let call = vec![phone_rung(1)];
    let notice = varsel::store::NewNotice {
        messages: call,
        ..notice(1)
    };
    let entry = again(&known(&store, 1).await, vec![notice]);
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(store.calls().await.unwrap().len(), 0);
}

async fn what_was_asked_for_is_kept_word_by_word<S: Store>(store: S) {
    let (batch, _) = told(&store).await;
    correct(&store, batch).await;
    let before = known(&store, 1).await;
    // A contact that changes, or a decision made meanwhile, takes nothing of it away.
    let entry = again(&before, Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(known(&store, 1).await.occasions, before.occasions);
}
