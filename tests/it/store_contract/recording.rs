//! What `record` must keep: beliefs, copies, superseding, and one notice per decision.

use chrono::TimeDelta;
use varsel::domain::appointment::{Appointment, BookingKey};
use varsel::domain::diff::ABSENT_BEFORE_GONE;
use varsel::domain::message::{Channel, MessageState, Reason};
use varsel::domain::verdict::{self, Word};
use varsel::store::{NewMessage, NewNotice, Record, Store};

use super::fixtures::*;

laws! {
    the_baseline_is_remembered,
    before_the_baseline_nobody_believes_the_past,
    a_booking_that_is_there_is_not_new,
    a_refresh_replaces_the_copy_and_keeps_what_was_believed,
    absences_are_counted_and_forgotten,
    a_change_supersedes_what_has_not_left,
    silence_supersedes_too,
    a_conflict_leaves_the_rest_written,
    what_was_decided_before_a_hand_over_does_not_stand_after_it,
    one_decision_is_one_notice,
    an_unsent_rung_follows_the_new_plan,
    a_rung_once_attempted_keeps_its_bytes,
    a_contact_that_vanishes_and_returns_reopens_its_rung,
    names_that_are_taken_make_a_conflict,
    a_record_says_when_the_next_message_may_leave,
}

async fn the_baseline_is_remembered<S: Store>(store: S) {
    let before = store.watched(&source(), now()).await.unwrap();
    assert!(!before.baseline);
    assert!(store.marks(&source(), now()).await.unwrap().is_empty());
    baseline(&store, 3).await;
    let after = store.watched(&source(), start(2)).await.unwrap();
    assert!(after.baseline);
    assert_eq!(after.snapshot_at, Some(now()));
    let marks = store.marks(&source(), start(2)).await.unwrap();
    let mut keys: Vec<_> = marks.iter().map(|(key, _)| key).collect();
    keys.sort();
    assert_eq!(keys, [key(2), key(3)]);
    let mark = marks.get(&key(2)).unwrap();
    assert_eq!(mark.start, start(2));
    assert_eq!(mark.fingerprint, active(2).fingerprint());
    assert!(!mark.cancelled);
    let known = known(&store, 1).await;
    assert_eq!(known.appointment, active(1));
    assert_eq!((known.base, known.revision), (active(1).state, 0));
    let nobody = store.known(&source(), &[key(9)]).await.unwrap();
    assert_eq!(nobody, []);
}

async fn before_the_baseline_nobody_believes_the_past<S: Store>(store: S) {
    let staged = Record {
        snapshot: None,
        ..record(vec![new_booking(1)])
    };
    store.record(staged).await.unwrap();
    assert!(!store.watched(&source(), now()).await.unwrap().baseline);
    let mut entry = again(&known(&store, 1).await, Vec::new());
    entry.appointment.state.start = start(5);
    store.record(record(vec![entry])).await.unwrap();
    let known = known(&store, 1).await;
    assert_eq!(known.base.start, start(5));
    assert!(store.watched(&source(), now()).await.unwrap().baseline);
}

async fn a_booking_that_is_there_is_not_new<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut entry = new_booking(1);
    entry.appointment = cancelled(1);
    let recorded = store.record(record(vec![entry])).await.unwrap();
    assert_eq!((recorded.written, recorded.conflicts), (0, vec![key(1)]));
    assert_eq!(known(&store, 1).await.appointment, active(1));
    let twice = store
        .record(record(vec![new_booking(2), new_booking(2)]))
        .await
        .unwrap();
    assert_eq!((twice.written, twice.conflicts), (1, vec![key(2)]));
}

async fn a_refresh_replaces_the_copy_and_keeps_what_was_believed<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut entry = again(&known(&store, 1).await, Vec::new());
    entry.appointment = without_contact(active(1));
    entry.appointment.state.start = start(7);
    entry.seen = Some(entry.appointment.fingerprint());
    let refreshed = entry.appointment.clone();
    store.record(record(vec![entry])).await.unwrap();
    let known = known(&store, 1).await;
    assert_eq!(known.appointment, refreshed);
    assert_eq!(known.base, active(1).state);
    let marks = store.marks(&source(), now()).await.unwrap();
    assert_eq!(
        marks.get(&key(1)).unwrap().fingerprint,
        refreshed.fingerprint()
    );
}

async fn absences_are_counted_and_forgotten<S: Store>(store: S) {
    baseline(&store, 2).await;
    let absent = |store: S| async move {
        let marks = store.marks(&source(), now()).await.unwrap();
        let absent = |n| marks.get(&key(n)).unwrap().absent;
        (absent(1), absent(2))
    };
    let mut missing = record(Vec::new());
    missing.absent = vec![key(1), key(2), BookingKey("never seen".to_owned())];
    store.record(missing.clone()).await.unwrap();
    store.record(missing).await.unwrap();
    assert_eq!(absent(store.clone()).await, (2, 2));
    // Upkeep writes what it decides without a look at the source.
    let mut upkeep = again(&known(&store, 2).await, Vec::new());
    store.record(record(vec![upkeep.clone()])).await.unwrap();
    assert_eq!(absent(store.clone()).await, (2, 2));
    upkeep.seen = Some(active(2).fingerprint());
    let mut returned = record(vec![upkeep]);
    returned.back = vec![key(1)];
    store.record(returned).await.unwrap();
    assert_eq!(absent(store.clone()).await, (0, 0));
    // What is believed gone is still missing, until a row of it is seen.
    let known = known(&store, 1).await;
    let mut gone = change(&known, cancelled(1), Vec::new());
    gone.gone = true;
    store.record(record(vec![gone])).await.unwrap();
    assert_eq!(absent(store).await, (ABSENT_BEFORE_GONE, 0));
}

async fn a_change_supersedes_what_has_not_left<S: Store>(store: S) {
    cancel(&store, 1).await;
    let before = known(&store, 1).await;
    let reinstated = renamed(notice(1), 2);
    let entry = change(&before, active(1), vec![reinstated]);
    let recorded = store.record(record(vec![entry])).await.unwrap();
    assert_eq!((recorded.notices, recorded.superseded), (1, 1));
    let after = known(&store, 1).await;
    assert_eq!(after.revision, 2);
    let states = |i: usize| {
        (
            after.notices[i].superseded,
            after.notices[i].messages[0].state,
        )
    };
    assert_eq!(states(0), (true, MessageState::Superseded));
    assert_eq!(states(1), (false, MessageState::Ready));
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!(claim.message, after.notices[1].messages[0].id);
}

async fn silence_supersedes_too<S: Store>(store: S) {
    cancel(&store, 1).await;
    let entry = change(&known(&store, 1).await, active(1), Vec::new());
    let recorded = store.record(record(vec![entry])).await.unwrap();
    assert_eq!((recorded.notices, recorded.superseded), (0, 1));
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.left_out, tally.people()), (1, 1));
}

async fn a_conflict_leaves_the_rest_written<S: Store>(store: S) {
    cancel(&store, 2).await;
    let (first, second) = (known(&store, 1).await, known(&store, 2).await);
    let mut one = ask(Channel::Sms);
    one.limit = 1;
    claim_one(&store, &one).await;
    let entries = vec![
        change(&first, active(1), vec![renamed(notice(1), 2)]),
        change(&second, active(2), vec![renamed(notice(2), 2)]),
    ];
    let recorded = store.record(record(entries)).await.unwrap();
    assert_eq!((recorded.written, recorded.conflicts), (1, vec![key(1)]));
    let kept = known(&store, 1).await;
    assert_eq!((kept.revision, kept.appointment), (1, cancelled(1)));
    assert_eq!(known(&store, 2).await.revision, 2);
}

/// It is ready as before, and the person may have read it meanwhile.
async fn what_was_decided_before_a_hand_over_does_not_stand_after_it<S: Store>(store: S) {
    cancel(&store, 1).await;
    let before = known(&store, 1).await;
    let claim = claim_one(&store, &ask_briefly()).await;
    assert!(settle_one(&store, &claim, unclear()).await);
    assert_eq!(store.sweep(now(), limits()).await.unwrap().retried, 1);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    let silence = change(&before, active(1), Vec::new());
    let recorded = store.record(record(vec![silence])).await.unwrap();
    assert_eq!(recorded.conflicts, [key(1)]);
}

async fn one_decision_is_one_notice<S: Store>(store: S) {
    cancel(&store, 1).await;
    let entry = again(&known(&store, 1).await, vec![notice(1)]);
    let recorded = store.record(record(vec![entry])).await.unwrap();
    assert_eq!((recorded.written, recorded.notices), (1, 0));
    let known = known(&store, 1).await;
    assert_eq!(known.notices.len(), 1);
    let planned = notice(1);
    let brief = &known.notices[0];
    assert_eq!(
        (brief.reference, &brief.change),
        (planned.reference, &planned.change)
    );
    assert_eq!(
        (brief.due_by, brief.not_after),
        (planned.due_by, planned.not_after)
    );
    assert_eq!(
        (&brief.ladder, brief.on_unknown),
        (&planned.ladder, planned.on_unknown)
    );
    assert_eq!(
        (brief.purpose, &brief.role),
        (planned.purpose, &planned.role)
    );
}

async fn an_unsent_rung_follows_the_new_plan<S: Store>(store: S) {
    cancel(&store, 1).await;
    let mut planned = notice(1);
    planned.due_by = start(1) - hours(1);
    planned.messages[0] = NewMessage {
        body: b"another text".to_vec(),
        address: message(7, 0).address,
        gateway_key: "another key".to_owned(),
        not_before: now() - hours(1),
        ..message(1, 0)
    };
    planned.messages.push(message(1, 1));
    let entry = again(&known(&store, 1).await, vec![planned.clone()]);
    store.record(record(vec![entry])).await.unwrap();
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!(
        (claim.body, claim.address),
        (b"another text".to_vec(), message(7, 0).address)
    );
    assert_eq!(claim.gateway_key, "another key");
    assert_eq!(store.claim(&ask(Channel::Email)).await.unwrap().len(), 1);
    assert_eq!(known(&store, 1).await.notices[0].due_by, planned.due_by);
}

async fn a_rung_once_attempted_keeps_its_bytes<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &first, not_sent()).await);
    let mut planned = notice(1);
    planned.messages[0].body = b"another text".to_vec();
    planned.due_by = start(1) - hours(1);
    let entry = again(&known(&store, 1).await, vec![planned]);
    store.record(record(vec![entry])).await.unwrap();
    let mut later = ask(Channel::Sms);
    later.now = now() + hours(1);
    let second = claim_one(&store, &later).await;
    assert_eq!(
        (second.body, second.gateway_key),
        (first.body, first.gateway_key)
    );
    assert_eq!((second.attempts, second.message), (2, first.message));
    assert_eq!(known(&store, 1).await.notices[0].due_by, start(1));
}

async fn a_contact_that_vanishes_and_returns_reopens_its_rung<S: Store>(store: S) {
    let plan = |rungs: Vec<NewMessage>| NewNotice {
        messages: rungs,
        ..notice(1)
    };
    let refresh = |store: S, contact: Appointment, rungs| async move {
        let mut entry = again(&known(&store, 1).await, vec![plan(rungs)]);
        entry.appointment = contact;
        let recorded = store.record(record(vec![entry])).await.unwrap();
        (recorded.written, recorded.superseded)
    };
    cancel(&store, 1).await;
    let nobody = without_contact(cancelled(1));
    let gone = refresh(store.clone(), nobody, vec![phone_rung(1)]).await;
    assert_eq!(gone, (1, 1));
    let notices = known(&store, 1).await.notices;
    assert_eq!(verdict::word(&notices[0], now()), Word::MustBePhoned);
    assert_eq!(notices[0].messages[1].reason, Some(Reason::NoContact));
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    let back = refresh(store.clone(), cancelled(1), vec![message(1, 0)]).await;
    assert_eq!(back, (1, 1));
    let notices = known(&store, 1).await.notices;
    let states: Vec<_> = notices[0].messages.iter().map(|m| m.state).collect();
    assert_eq!(states, [MessageState::Ready, MessageState::Superseded]);
    assert_eq!(claim_one(&store, &ask(Channel::Sms)).await.attempts, 1);
}

async fn names_that_are_taken_make_a_conflict<S: Store>(store: S) {
    cancel(&store, 1).await;
    store
        .record(record(vec![new_booking(2), new_booking(3)]))
        .await
        .unwrap();
    let mut same_reference = notice(2);
    same_reference.reference = notice(1).reference;
    let mut same_key = notice(3);
    same_key.messages[0].gateway_key = message(1, 0).gateway_key;
    let notices = vec![(2, same_reference), (3, same_key)];
    let recorded = cancel_with(&store, notices, None).await;
    assert_eq!(
        (recorded.written, recorded.conflicts),
        (0, vec![key(2), key(3)])
    );
    assert_eq!(known(&store, 2).await.appointment, active(2));
    let mut twin = notice(3);
    twin.reference = notice(2).reference;
    let recorded = cancel_with(&store, vec![(2, notice(2)), (3, twin)], None).await;
    assert_eq!((recorded.written, recorded.conflicts), (1, vec![key(3)]));
}

async fn a_record_says_when_the_next_message_may_leave<S: Store>(store: S) {
    assert_eq!(store.next_due(Channel::Sms).await.unwrap(), None);
    baseline(&store, 2).await;
    let mut tonight = notice(1);
    tonight.messages[0].not_before = now() + TimeDelta::minutes(30);
    let mut tomorrow = notice(2);
    tomorrow.messages[0].not_before = now() + hours(18);
    cancel_with(&store, vec![(1, tonight), (2, tomorrow)], None).await;
    let next = store.next_due(Channel::Sms).await.unwrap();
    assert_eq!(next, Some(now() + TimeDelta::minutes(30)));
    assert_eq!(store.next_due(Channel::Email).await.unwrap(), None);
}
