//! What reports must keep: they belong to an attempt, come in any order, and never guess.

use chrono::TimeDelta;
use varsel::domain::message::{Channel, MessageState, Reason};
use varsel::domain::outcome::Outcome;
use varsel::store::{AttemptId, Claim, ReportEffect, ReportState, Store};

use super::fixtures::*;

laws! {
    a_delivery_tells,
    a_delivery_may_come_before_the_answer,
    a_failure_waits_for_the_answer,
    a_failure_says_nothing_of_what_was_not_sent,
    a_failure_that_waited_is_used_when_the_lease_ends,
    a_failure_never_beats_a_younger_attempt,
    a_delivery_is_never_taken_back,
    a_delivery_stops_the_second_hand_over,
    progress_is_only_evidence,
    a_report_nobody_knows_is_parked_and_tried_again,
    a_report_of_another_claim_is_not_believed,
    a_parked_report_is_let_go_in_the_end,
    the_same_report_twice_is_one,
    what_was_refused_and_arrived_is_delivered,
    any_order_of_contradictions_ends_in_the_delivery,
    a_failure_of_an_unknown_ends_it,
    a_report_may_still_improve_what_was_unconfirmed,
    a_failure_says_nothing_of_what_was_withheld,
    bad_news_counts_for_a_fortnight_and_good_news_for_ever,
    silence_ends_at_its_deadline,
    what_tells_by_acceptance_waits_for_no_report,
    a_failure_overtaken_supersedes_its_notice,
}

async fn reported<S: Store>(store: &S, claim: &Claim, state: ReportState) -> ReportEffect {
    store.report(&[report(claim, state)]).await.unwrap()[0]
}

async fn sent<S: Store>(store: &S) -> Claim {
    cancel(store, 1).await;
    let claim = claim_one(store, &ask(Channel::Sms)).await;
    assert!(settle_one(store, &claim, accepted()).await);
    claim
}

async fn a_delivery_tells<S: Store>(store: S) {
    let claim = sent(&store).await;
    let waiting = store.tally(now()).await.unwrap();
    assert_eq!((waiting.waiting, waiting.told, waiting.sms), (1, 0, 1));
    let effect = reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    let again = reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(again, ReportEffect::Recorded);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.told, tally.late, tally.sms), (1, 0, 1));
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(brief.state, MessageState::Delivered);
    assert_eq!(
        brief.told_at,
        Some(report(&claim, ReportState::Delivered).at)
    );
}

async fn a_delivery_may_come_before_the_answer<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    let effect = reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    assert_eq!(state(&store, 1).await, MessageState::Delivered);
    assert!(!settle_one(&store, &claim, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Delivered);
    assert_eq!(store.tally(now()).await.unwrap().sms, 1);
}

async fn a_failure_waits_for_the_answer<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    let effect = reported(&store, &claim, ReportState::Undelivered).await;
    assert_eq!(effect, ReportEffect::Recorded);
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    assert!(settle_one(&store, &claim, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Undelivered);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
}

async fn a_failure_says_nothing_of_what_was_not_sent<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    reported(&store, &claim, ReportState::Undelivered).await;
    assert!(settle_one(&store, &claim, not_sent()).await);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    let mut later = ask(Channel::Sms);
    later.now = now() + hours(1);
    let second = claim_one(&store, &later).await;
    assert!(settle_one(&store, &second, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
}

async fn a_failure_that_waited_is_used_when_the_lease_ends<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask_patiently(3600)).await;
    reported(&store, &claim, ReportState::Undelivered).await;
    store.sweep(now(), limits()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Undelivered);
}

/// An attempt that became unknown, and a second one after it.
async fn twice<S: Store>(store: &S) -> (Claim, Claim) {
    cancel(store, 1).await;
    let first = claim_one(store, &ask_briefly()).await;
    store.sweep(now(), limits()).await.unwrap();
    store.sweep(now(), limits()).await.unwrap();
    let second = claim_one(store, &ask(Channel::Sms)).await;
    (first, second)
}

async fn a_failure_never_beats_a_younger_attempt<S: Store>(store: S) {
    let (first, second) = twice(&store).await;
    assert!(settle_one(&store, &second, accepted()).await);
    let effect = reported(&store, &first, ReportState::Undelivered).await;
    assert_eq!(effect, ReportEffect::Recorded);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    let effect = reported(&store, &second, ReportState::Undelivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    assert_eq!(state(&store, 1).await, MessageState::Undelivered);
}

async fn a_delivery_is_never_taken_back<S: Store>(store: S) {
    let claim = sent(&store).await;
    reported(&store, &claim, ReportState::Undelivered).await;
    assert_eq!(state(&store, 1).await, MessageState::Undelivered);
    let effect = reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    let mut contrary = report(&claim, ReportState::Undelivered);
    contrary.detail = "once more".to_owned();
    let effect = store.report(&[contrary]).await.unwrap()[0];
    assert_eq!(effect, ReportEffect::Recorded);
    assert_eq!(state(&store, 1).await, MessageState::Delivered);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

async fn a_delivery_stops_the_second_hand_over<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &ask_briefly()).await;
    store.sweep(now(), limits()).await.unwrap();
    store.sweep(now(), limits()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    reported(&store, &first, ReportState::Delivered).await;
    assert_eq!(state(&store, 1).await, MessageState::Delivered);
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
}

async fn progress_is_only_evidence<S: Store>(store: S) {
    let claim = sent(&store).await;
    let effect = reported(&store, &claim, ReportState::Progress).await;
    assert_eq!(effect, ReportEffect::Recorded);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
}

async fn a_report_nobody_knows_is_parked_and_tried_again<S: Store>(store: S) {
    cancel(&store, 2).await;
    let mut one = ask(Channel::Sms);
    one.limit = 1;
    let first = claim_one(&store, &one).await;
    let mut early = report(&first, ReportState::Delivered);
    early.attempt = AttemptId(first.attempt.0 + 1);
    for _ in 0..2 {
        let effect = store.report(std::slice::from_ref(&early)).await.unwrap()[0];
        assert_eq!(effect, ReportEffect::Parked);
    }
    store.sweep(now(), limits()).await.unwrap();
    let second = claim_one(&store, &one).await;
    assert_eq!(second.attempt, early.attempt);
    store.sweep(now(), limits()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    assert_eq!(state(&store, 2).await, MessageState::Delivered);
}

async fn silence_ends_at_its_deadline<S: Store>(store: S) {
    sent(&store).await;
    let deadline = now() + hours(2);
    let before = deadline - TimeDelta::seconds(1);
    assert!(!store.sweep(before, limits()).await.unwrap().any());
    let swept = store.sweep(deadline, limits()).await.unwrap();
    assert_eq!(swept.unconfirmed, 1);
    assert_eq!(state(&store, 1).await, MessageState::Unconfirmed);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
}

async fn what_tells_by_acceptance_waits_for_no_report<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut email = notice(1);
    email.messages = vec![message(1, 1)];
    cancel_with(&store, vec![(1, email)], None).await;
    let claim = claim_one(&store, &ask(Channel::Email)).await;
    assert!(settle_one(&store, &claim, accepted()).await);
    let told = store.tally(now()).await.unwrap();
    assert_eq!((told.told, told.email, told.sms), (1, 1, 0));
    assert!(!store.sweep(now() + hours(5), limits()).await.unwrap().any());
    let effect = reported(&store, &claim, ReportState::Undelivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    let bounced = store.tally(now()).await.unwrap();
    assert_eq!((bounced.told, bounced.waiting), (0, 1));
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
}

async fn a_failure_overtaken_supersedes_its_notice<S: Store>(store: S) {
    let claim = sent(&store).await;
    let entry = change(
        &known(&store, 1).await,
        active(1),
        vec![renamed(notice(1), 2)],
    );
    store.record(record(vec![entry])).await.unwrap();
    assert!(!known(&store, 1).await.notices[0].superseded);
    reported(&store, &claim, ReportState::Undelivered).await;
    let notices = known(&store, 1).await.notices;
    assert!(notices[0].superseded && notices[0].may_have_told());
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

/// A store restored from a backup gives out a number once more: the old report names another claim.
async fn a_report_of_another_claim_is_not_believed<S: Store>(store: S) {
    let claim = sent(&store).await;
    for state in [ReportState::Delivered, ReportState::Undelivered] {
        let mut old = report(&claim, state);
        old.nonce = claim.nonce + 1;
        let effect = store.report(&[old]).await.unwrap()[0];
        assert_eq!(effect, ReportEffect::Parked);
    }
    store.sweep(now(), limits()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    let effect = reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(effect, ReportEffect::Applied);
}

async fn a_parked_report_is_let_go_in_the_end<S: Store>(store: S) {
    cancel(&store, 2).await;
    let mut one = ask(Channel::Sms);
    one.limit = 1;
    let first = claim_one(&store, &one).await;
    let mut early = report(&first, ReportState::Delivered);
    early.attempt = AttemptId(first.attempt.0 + 1);
    store.report(&[early.clone()]).await.unwrap();
    let end = early.at + TimeDelta::from_std(limits().parked).unwrap();
    let before = end - TimeDelta::seconds(1);
    assert_eq!(store.sweep(before, limits()).await.unwrap().let_go, 0);
    assert_eq!(store.sweep(end, limits()).await.unwrap().let_go, 1);
    assert_eq!(store.sweep(end, limits()).await.unwrap().let_go, 0);
}

async fn the_same_report_twice_is_one<S: Store>(store: S) {
    let claim = sent(&store).await;
    let effects = [(); 3].map(|()| report(&claim, ReportState::Delivered));
    let effects = store.report(&effects).await.unwrap();
    assert_eq!(
        effects,
        [
            ReportEffect::Applied,
            ReportEffect::Recorded,
            ReportEffect::Recorded
        ]
    );
    let story = store.explain("B1").await.unwrap().remove(0);
    let told = story
        .lines
        .iter()
        .filter(|l| l.event == "reported_delivered");
    assert_eq!(told.count(), 1, "a repeated report leaves one line");
}

/// A gateway that refuses a message and delivers it all the same is believed in what it did.
async fn what_was_refused_and_arrived_is_delivered<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &claim, refused()).await);
    assert_eq!(state(&store, 1).await, MessageState::Failed);
    let effect = reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    assert_eq!(state(&store, 1).await, MessageState::Delivered);
}

async fn any_order_of_contradictions_ends_in_the_delivery<S: Store>(store: S) {
    use ReportState::{Delivered, Progress, Undelivered};
    let orders = [
        [Delivered, Undelivered, Progress],
        [Delivered, Progress, Undelivered],
        [Undelivered, Delivered, Progress],
        [Undelivered, Progress, Delivered],
        [Progress, Delivered, Undelivered],
        [Progress, Undelivered, Delivered],
    ];
    let bookings = u32::try_from(2 * orders.len()).unwrap();
    cancel(&store, bookings).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    // Every order twice: before and after the gateway's answer.
    for (number, claim) in claims.iter().enumerate() {
        let early = number % 2 == 0;
        if !early {
            assert!(settle_one(&store, claim, accepted()).await);
        }
        for state in orders[number / 2] {
            store.report(&[report(claim, state)]).await.unwrap();
        }
        if early {
            store.settle(&[settle(claim, accepted())]).await.unwrap();
        }
    }
    for n in 1..=bookings {
        assert_eq!(state(&store, n).await, MessageState::Delivered, "{n}");
    }
    assert_eq!(store.climbable(page(100)).await.unwrap().len(), 0);
}

async fn a_failure_of_an_unknown_ends_it<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask_patiently(3600)).await;
    assert!(settle_one(&store, &claim, unclear()).await);
    let effect = reported(&store, &claim, ReportState::Undelivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    assert_eq!(state(&store, 1).await, MessageState::Undelivered);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
}

async fn a_report_may_still_improve_what_was_unconfirmed<S: Store>(store: S) {
    let claim = sent(&store).await;
    store.sweep(now() + hours(2), limits()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Unconfirmed);
    let effect = reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(effect, ReportEffect::Applied);
    assert_eq!(state(&store, 1).await, MessageState::Delivered);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

async fn a_failure_says_nothing_of_what_was_withheld<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    let withheld = Outcome::Withheld(Reason::Trial);
    assert!(settle_one(&store, &claim, withheld).await);
    let effect = reported(&store, &claim, ReportState::Undelivered).await;
    assert_eq!(effect, ReportEffect::Recorded);
    assert_eq!(state(&store, 1).await, MessageState::Suppressed);
}

async fn bad_news_counts_for_a_fortnight_and_good_news_for_ever<S: Store>(store: S) {
    cancel(&store, 2).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    for claim in &claims {
        assert!(settle_one(&store, claim, accepted()).await);
    }
    let fortnight = now() + TimeDelta::days(14);
    let mut in_time = report(&claims[0], ReportState::Undelivered);
    in_time.at = fortnight;
    let mut stale = report(&claims[1], ReportState::Undelivered);
    stale.at = fortnight + TimeDelta::milliseconds(1);
    let effects = store.report(&[in_time, stale]).await.unwrap();
    assert_eq!(effects, [ReportEffect::Applied, ReportEffect::Recorded]);
    assert_eq!(state(&store, 1).await, MessageState::Undelivered);
    assert_eq!(state(&store, 2).await, MessageState::Accepted);
    let mut late = report(&claims[1], ReportState::Delivered);
    late.at = now() + TimeDelta::days(100);
    let effect = store.report(&[late]).await.unwrap()[0];
    assert_eq!(effect, ReportEffect::Applied);
}
