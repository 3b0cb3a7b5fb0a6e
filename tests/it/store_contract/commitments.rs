//! What was promised stands in a list until it is kept.

use varsel::domain::message::Channel;
use varsel::domain::notice::Purpose;
use varsel::store::{Commitment, Deed, NewNotice, NewWave, ReportState, Store};

use super::fixtures::*;

laws! {
    a_promise_stands_until_the_person_is_invited,
    a_promise_that_was_never_made_is_not_kept_open,
    whoever_needs_no_invitation_any_more_waits_for_none,
    a_promise_made_on_a_later_rung_counts,
    a_promise_made_again_is_owed_once_and_anew,
}

fn promising(n: u32) -> NewNotice {
    NewNotice {
        promises: true,
        ..notice(n)
    }
}

async fn tell<S: Store>(store: &S) {
    for claim in store.claim(&ask(Channel::Sms)).await.unwrap() {
        assert!(settle_one(store, &claim, accepted()).await);
        let arrived = report(&claim, ReportState::Delivered);
        store.report(&[arrived]).await.unwrap();
    }
}

/// Two bookings, cancelled with a promise, and told.
async fn promised<S: Store>(store: &S) {
    baseline(store, 2).await;
    let notices = vec![(2, promising(2)), (1, promising(1))];
    cancel_with(store, notices, None).await;
    tell(store).await;
}

async fn open<S: Store>(store: &S) -> Vec<Commitment> {
    store.commitments().await.unwrap()
}

async fn keys<S: Store>(store: &S) -> Vec<String> {
    open(store).await.into_iter().map(|c| c.key.0).collect()
}

async fn a_promise_stands_until_the_person_is_invited<S: Store>(store: S) {
    promised(&store).await;
    let first = open(&store).await.remove(0);
    assert_eq!((&first.key, first.purpose), (&key(2), Purpose::Rebooking));
    assert_eq!((first.start, first.since), (start(2), Some(now())));
    assert!(!first.under_way);
    assert_eq!(keys(&store).await, ["B2", "B1"], "the oldest promise first");
    let wave = NewWave {
        offices: vec!["gronland".into()],
        services: Vec::new(),
        capacity: 1,
        until: "2021-04-23".parse().unwrap(),
    };
    let seen = store.wave(&wave, 1).await.unwrap().seen;
    store
        .act(&act("a", Deed::StartWave(wave, seen)))
        .await
        .unwrap();
    assert!(open(&store).await[0].under_way);
    let known = known(&store, 2).await;
    let mut invitation = renamed(notice(2), 5);
    (invitation.purpose, invitation.occasion) = (Purpose::Rebooking, 1);
    let mut entry = again(&known, vec![invitation]);
    entry.settled = known.occasions.clone();
    store.record(record(vec![entry])).await.unwrap();
    assert!(open(&store).await[0].under_way, "it has not arrived");
    tell(&store).await;
    assert_eq!(keys(&store).await, ["B1"]);
}

async fn a_promise_that_was_never_made_is_not_kept_open<S: Store>(store: S) {
    baseline(&store, 2).await;
    cancel_with(&store, vec![(1, notice(1)), (2, promising(2))], None).await;
    assert_eq!(keys(&store).await, [""; 0], "nothing has left");
    tell(&store).await;
    assert_eq!(keys(&store).await, ["B2"]);
}

async fn whoever_needs_no_invitation_any_more_waits_for_none<S: Store>(store: S) {
    promised(&store).await;
    let entry = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(keys(&store).await, ["B2"], "it stands again");
    let mut anew = new_booking(9);
    anew.appointment.recipients = vec![person(2)];
    let later = varsel::store::Record {
        at: now() + hours(30),
        ..record(vec![anew])
    };
    store.record(later).await.unwrap();
    assert_eq!(keys(&store).await, [""; 0], "they have booked again");
}

async fn a_promise_made_on_a_later_rung_counts<S: Store>(store: S) {
    cancel(&store, 1).await;
    tell(&store).await;
    assert_eq!(keys(&store).await, [""; 0]);
    let entry = again(&known(&store, 1).await, vec![promising(1)]);
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(keys(&store).await, ["B1"]);
}

async fn a_promise_made_again_is_owed_once_and_anew<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_with(&store, vec![(1, promising(1))], None).await;
    tell(&store).await;
    let mut invitation = renamed(notice(1), 5);
    (invitation.purpose, invitation.occasion) = (Purpose::Rebooking, 1);
    let entry = again(&known(&store, 1).await, vec![invitation]);
    store.record(record(vec![entry])).await.unwrap();
    tell(&store).await;
    assert_eq!(keys(&store).await, [""; 0]);
    // It stands again, and is cancelled once more: what was kept before is promised anew.
    let entry = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    cancel_with(&store, vec![(1, renamed(promising(1), 6))], None).await;
    tell(&store).await;
    assert_eq!(keys(&store).await, ["B1"]);
}
