//! What claims, settlements and sweeps must keep: order, fences, leases, and no second hand-over by
//! guess.

use std::time::Duration;

use chrono::TimeDelta;
use varsel::domain::message::{Channel, Event, MessageState, Reason};
use varsel::domain::notice::OnUnknown;
use varsel::domain::outcome::Outcome;
use varsel::domain::verdict::{self, Verdict};
use varsel::store::{ClaimAsk, ReportState, Settled, Store, Swept};

use super::fixtures::*;

laws! {
    the_claim_is_the_intent,
    claims_leave_in_the_order_of_their_deadlines,
    nothing_leaves_before_or_after_its_time,
    no_revision_overtakes_an_older_one,
    what_a_report_calls_delivered_may_still_be_in_the_air,
    what_was_overtaken_in_flight_never_leaves_again,
    an_old_fence_moves_nothing,
    a_lease_that_ends_makes_an_unknown_and_one_more_attempt,
    an_unknown_may_also_be_held,
    nobody_resolves_an_unknown_before_its_gateways_quarantine,
    an_unknown_past_its_time_is_not_repeated,
    a_late_acceptance_resolves_an_unknown,
    a_late_acceptance_resolves_what_was_held_or_waits_again,
    a_late_acceptance_takes_back_that_it_failed_or_expired,
    a_failure_cannot_undo_an_older_acceptance,
    a_lease_that_ends_cannot_undo_an_older_acceptance,
    certainly_not_sent_is_no_longer_out,
    a_superseded_unknown_is_never_handed_over_again,
    what_nobody_sent_in_time_expires,
    trial_mode_withholds_for_good,
    a_node_that_joins_ends_its_own_leases,
    strangers_settle_nothing,
    a_claim_in_doubt_is_disowned,
}

async fn the_claim_is_the_intent<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    let sent = message(1, 0);
    assert_eq!(
        (claim.address.clone(), claim.body.clone()),
        (sent.address, sent.body)
    );
    assert_eq!(
        (claim.gateway_key.clone(), claim.sender.clone()),
        (sent.gateway_key, sent.sender)
    );
    assert_eq!((claim.fence, claim.attempts), (1, 1));
    assert_eq!(
        (claim.not_after, claim.give_up_at),
        (start(1), sent.give_up_at)
    );
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(
        (brief.state, brief.may_be_out),
        (MessageState::Sending, true)
    );
    assert_eq!(brief.first_attempt_at, Some(now()));
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    assert!(settle_one(&store, &claim, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
}

async fn claims_leave_in_the_order_of_their_deadlines<S: Store>(store: S) {
    baseline(&store, 4).await;
    let due = |n: u32, hour: i64| {
        let mut notice = notice(n);
        notice.due_by = now() + hours(hour);
        (n, notice)
    };
    let notices = vec![due(1, 20), due(2, 5), due(3, 20), due(4, 10)];
    cancel_with(&store, notices, None).await;
    let mut some = ask(Channel::Sms);
    some.limit = 3;
    let claims = store.claim(&some).await.unwrap();
    let keys: Vec<_> = claims.iter().map(|c| c.gateway_key.as_str()).collect();
    assert_eq!(keys, ["gk-2-0", "gk-4-0", "gk-1-0"]);
    let mut attempts: Vec<_> = claims.iter().map(|c| c.attempt).collect();
    attempts.dedup();
    assert_eq!(attempts.len(), 3);
    assert_eq!(claim_one(&store, &some).await.gateway_key, "gk-3-0");
}

async fn nothing_leaves_before_or_after_its_time<S: Store>(store: S) {
    baseline(&store, 2).await;
    let mut early = notice(1);
    early.messages[0].not_before = now() + TimeDelta::seconds(1);
    let mut late = notice(2);
    late.not_after = now();
    cancel_with(&store, vec![(1, early), (2, late)], None).await;
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    let mut next = ask(Channel::Sms);
    next.now = now() + TimeDelta::seconds(1);
    assert_eq!(claim_one(&store, &next).await.gateway_key, "gk-1-0");
    assert_eq!(store.claim(&ask(Channel::Email)).await.unwrap().len(), 0);
}

/// Booking 1 cancelled and in flight, then reinstated.
async fn overtaken<S: Store>(store: &S) -> varsel::store::Claim {
    cancel(store, 1).await;
    let claim = claim_one(store, &ask(Channel::Sms)).await;
    let entry = change(
        &known(store, 1).await,
        active(1),
        vec![renamed(notice(1), 2)],
    );
    let recorded = store.record(record(vec![entry])).await.unwrap();
    assert_eq!((recorded.written, recorded.superseded), (1, 0));
    claim
}

async fn no_revision_overtakes_an_older_one<S: Store>(store: S) {
    let old = overtaken(&store).await;
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    let before = known(&store, 1).await.notices;
    assert!(!before[0].superseded, "it is still in flight");
    assert!(settle_one(&store, &old, accepted()).await);
    let new = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!(new.gateway_key, "gk-1-0-2");
    assert!(!known(&store, 1).await.notices[0].superseded);
}

/// The first hand-over is reported while the second one has been claimed and not yet begun.
async fn what_a_report_calls_delivered_may_still_be_in_the_air<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &ask_briefly()).await;
    assert!(settle_one(&store, &first, unclear()).await);
    assert_eq!(sweep(&store).await.retried, 1);
    let second = claim_one(&store, &ask(Channel::Sms)).await;
    let delivered = [report(&first, ReportState::Delivered)];
    store.report(&delivered).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Delivered);
    let stands = change(
        &known(&store, 1).await,
        active(1),
        vec![renamed(notice(1), 2)],
    );
    store.record(record(vec![stands])).await.unwrap();
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    store.settle(&[settle(&second, accepted())]).await.unwrap();
    let new = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!(new.gateway_key, "gk-1-0-2");
}

async fn what_was_overtaken_in_flight_never_leaves_again<S: Store>(store: S) {
    let old = overtaken(&store).await;
    assert!(settle_one(&store, &old, not_sent()).await);
    let notices = known(&store, 1).await.notices;
    assert!(notices[0].superseded);
    assert_eq!(notices[0].messages[0].state, MessageState::Superseded);
    let mut later = ask(Channel::Sms);
    later.now = now() + hours(1);
    assert_eq!(claim_one(&store, &later).await.gateway_key, "gk-1-0-2");
}

async fn an_old_fence_moves_nothing<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &ask_briefly()).await;
    sweep(&store).await;
    sweep(&store).await;
    let second = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!((second.fence, second.attempts), (2, 2));
    assert!(!settle_one(&store, &first, not_sent()).await);
    assert!(!settle_one(&store, &first, refused()).await);
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    assert!(settle_one(&store, &second, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
}

async fn sweep<S: Store>(store: &S) -> Swept {
    store.sweep(now(), limits()).await.unwrap()
}

async fn a_lease_that_ends_makes_an_unknown_and_one_more_attempt<S: Store>(store: S) {
    cancel(&store, 1).await;
    claim_one(&store, &ask_briefly()).await;
    let ended = sweep(&store).await;
    assert_eq!((ended.leases_ended, ended.retried), (1, 0));
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    assert_eq!(store.tally(now()).await.unwrap().unknown, 1);
    assert_eq!(sweep(&store).await.retried, 1);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 1);
    claim_one(&store, &ask_briefly()).await;
    assert_eq!(sweep(&store).await.leases_ended, 1);
    let resolved = sweep(&store).await;
    assert_eq!((resolved.retried, resolved.held), (0, 1));
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(
        (brief.state, brief.reason),
        (MessageState::Held, Some(Reason::Unknown))
    );
    assert!(brief.may_be_out);
    assert!(!sweep(&store).await.any());
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
}

async fn an_unknown_may_also_be_held<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut invitation = notice(1);
    invitation.on_unknown = OnUnknown::Hold;
    cancel_with(&store, vec![(1, invitation)], None).await;
    let claim = claim_one(&store, &ask_briefly()).await;
    assert!(settle_one(&store, &claim, unclear()).await);
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    assert_eq!(sweep(&store).await.held, 1);
    assert_eq!(store.tally(now()).await.unwrap().possible_duplicates, 0);
}

async fn nobody_resolves_an_unknown_before_its_gateways_quarantine<S: Store>(store: S) {
    cancel(&store, 2).await;
    let one = |ask| ClaimAsk { limit: 1, ..ask };
    let slow = claim_one(&store, &one(ask_patiently(3600))).await;
    let quick = claim_one(&store, &one(ask_briefly())).await;
    for claim in [&slow, &quick] {
        assert!(settle_one(&store, claim, unclear()).await);
    }
    assert_eq!(sweep(&store).await.retried, 1);
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    assert_eq!(state(&store, 2).await, MessageState::Ready);
    assert!(!sweep(&store).await.any());
}

async fn an_unknown_past_its_time_is_not_repeated<S: Store>(store: S) {
    cancel(&store, 1).await;
    claim_one(&store, &ask_briefly()).await;
    sweep(&store).await;
    let given_up = message(1, 0).give_up_at;
    let swept = store.sweep(given_up, limits()).await.unwrap();
    assert_eq!((swept.retried, swept.held), (0, 1));
}

async fn a_late_acceptance_resolves_an_unknown<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask_briefly()).await;
    sweep(&store).await;
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    assert!(settle_one(&store, &claim, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    assert!(!sweep(&store).await.any());
}

async fn a_late_acceptance_resolves_what_was_held_or_waits_again<S: Store>(store: S) {
    baseline(&store, 2).await;
    let mut held = notice(1);
    held.on_unknown = OnUnknown::Hold;
    cancel_with(&store, vec![(1, held), (2, notice(2))], None).await;
    let claims = store.claim(&ask_briefly()).await.unwrap();
    sweep(&store).await;
    sweep(&store).await;
    assert_eq!(state(&store, 1).await, MessageState::Held);
    assert_eq!(state(&store, 2).await, MessageState::Ready);
    let late: Vec<_> = claims.iter().map(|c| settle(c, accepted())).collect();
    let settled = store.settle(&late).await.unwrap();
    assert_eq!(settled, [Settled::Moved, Settled::Moved]);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    assert_eq!(state(&store, 2).await, MessageState::Accepted);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

async fn a_late_acceptance_takes_back_that_it_failed_or_expired<S: Store>(store: S) {
    baseline(&store, 3).await;
    let mut held = notice(2);
    held.on_unknown = OnUnknown::Hold;
    let notices = vec![(1, notice(1)), (2, held), (3, notice(3))];
    cancel_with(&store, notices, None).await;
    let claims = store.claim(&ask_briefly()).await.unwrap();
    assert!(settle_one(&store, &claims[2], not_sent()).await);
    sweep(&store).await;
    sweep(&store).await;
    // The first is handed over once more, and refused; the second is held; both until their time has
    // passed. The third had not left, was said, and is refused.
    let second = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &second, refused()).await);
    let later = ClaimAsk {
        now: now() + hours(1),
        ..ask(Channel::Sms)
    };
    let second = claim_one(&store, &later).await;
    assert!(settle_one(&store, &second, refused()).await);
    let passed = start(3) + TimeDelta::minutes(1);
    assert_eq!(store.sweep(passed, limits()).await.unwrap().expired, 2);
    assert_eq!(state(&store, 3).await, MessageState::Failed);
    for n in [1, 2] {
        assert_eq!(state(&store, n).await, MessageState::Expired);
        let notices = known(&store, n).await.notices;
        assert_eq!(verdict::verdict(&notices[0]), Some(Verdict::Unknown));
    }
    let late: Vec<_> = claims.iter().map(|c| settle(c, accepted())).collect();
    let settled = store.settle(&late).await.unwrap();
    assert_eq!(settled, [Settled::Moved, Settled::Moved, Settled::Moved]);
    for n in [1, 2, 3] {
        assert_eq!(state(&store, n).await, MessageState::Accepted);
    }
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
    // It is not handed over again, and ends as what is accepted ends.
    assert!(store.claim(&ask(Channel::Sms)).await.unwrap().is_empty());
    assert_eq!(store.sweep(passed, limits()).await.unwrap().unconfirmed, 3);
}

async fn a_failure_cannot_undo_an_older_acceptance<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &ask_briefly()).await;
    sweep(&store).await;
    sweep(&store).await;
    let second = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(!settle_one(&store, &first, accepted()).await);
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    assert!(settle_one(&store, &second, not_sent()).await);
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    assert_eq!(store.tally(now()).await.unwrap().sms, 1);
}

async fn a_lease_that_ends_cannot_undo_an_older_acceptance<S: Store>(store: S) {
    cancel(&store, 1).await;
    let first = claim_one(&store, &ask_briefly()).await;
    sweep(&store).await;
    sweep(&store).await;
    claim_one(&store, &ask_briefly()).await;
    assert!(!settle_one(&store, &first, accepted()).await);
    sweep(&store).await;
    assert_eq!(state(&store, 1).await, MessageState::Accepted);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

async fn certainly_not_sent_is_no_longer_out<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &claim, not_sent()).await);
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(
        (brief.state, brief.may_be_out),
        (MessageState::Ready, false)
    );
    assert_eq!(brief.first_attempt_at, Some(now()));
    let next = store.next_due(Channel::Sms).await.unwrap();
    assert_eq!(next, Some(now() + TimeDelta::minutes(5)));
}

async fn a_superseded_unknown_is_never_handed_over_again<S: Store>(store: S) {
    let old = overtaken(&store).await;
    assert!(settle_one(&store, &old, unclear()).await);
    store.join("node-a").await.unwrap();
    let mut other = ask(Channel::Sms);
    other.now = now() + hours(1);
    assert_eq!(claim_one(&store, &other).await.gateway_key, "gk-1-0-2");
    let entry = change(
        &known(&store, 1).await,
        cancelled(1),
        vec![renamed(notice(1), 3)],
    );
    store.record(record(vec![entry])).await.unwrap();
    let notices = known(&store, 1).await.notices;
    assert_eq!(notices[0].messages[0].state, MessageState::Superseded);
    assert!(notices[0].superseded && notices[0].may_have_told());
    assert!(!settle_one(&store, &old, accepted()).await);
    assert_eq!(verdict::verdict(&notices[0]), Some(Verdict::Superseded));
}

async fn what_nobody_sent_in_time_expires<S: Store>(store: S) {
    cancel(&store, 2).await;
    let at = start(1);
    let swept = store.sweep(at, limits()).await.unwrap();
    assert_eq!(swept.expired, 1);
    assert_eq!(state(&store, 1).await, MessageState::Expired);
    assert_eq!(state(&store, 2).await, MessageState::Ready);
    assert_eq!(store.tally(at).await.unwrap().too_late, 1);
}

async fn trial_mode_withholds_for_good<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &claim, Outcome::Withheld(Reason::Trial)).await);
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(
        (brief.state, brief.reason),
        (MessageState::Suppressed, Some(Reason::Trial))
    );
    assert!(!brief.may_be_out);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.trial, tally.left_out, tally.sms), (1, 1, 0));
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

async fn a_node_that_joins_ends_its_own_leases<S: Store>(store: S) {
    cancel(&store, 2).await;
    let one = |node: &str| ClaimAsk {
        node: node.to_owned(),
        limit: 1,
        lease: Duration::from_secs(3600),
        ..ask(Channel::Sms)
    };
    claim_one(&store, &one("node-a")).await;
    claim_one(&store, &one("node-b")).await;
    assert!(!sweep(&store).await.any());
    store.beat("node-a").await.unwrap();
    assert_eq!(store.join("node-a").await.unwrap(), 1);
    assert_eq!(sweep(&store).await.leases_ended, 1);
    assert_eq!(state(&store, 1).await, MessageState::Unknown);
    assert_eq!(state(&store, 2).await, MessageState::Sending);
}

async fn strangers_settle_nothing<S: Store>(store: S) {
    cancel(&store, 2).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    let mut crossed = settle(&claims[0], accepted());
    crossed.attempt = claims[1].attempt;
    let mut unheard = settle(&claims[0], accepted());
    unheard.message = varsel::domain::message::MessageId(9999);
    let mut given_up = settle(&claims[1], not_sent());
    given_up.decision.event = Event::GaveUp;
    given_up.decision.reason = Some(Reason::Unreachable);
    let moved = store.settle(&[crossed, unheard, given_up]).await.unwrap();
    assert_eq!(moved, [Settled::Stayed, Settled::Stayed, Settled::Moved]);
    assert_eq!(state(&store, 1).await, MessageState::Sending);
    assert_eq!(state(&store, 2).await, MessageState::Failed);
}

async fn a_claim_in_doubt_is_disowned<S: Store>(store: S) {
    cancel(&store, 2).await;
    let doubtful = ask(Channel::Sms);
    let taken = store.claim(&doubtful).await.unwrap();
    assert!(settle_one(&store, &taken[1], accepted()).await);
    assert_eq!(store.disown(&doubtful, now()).await.unwrap(), 1);
    assert_eq!(state(&store, 1).await, MessageState::Ready);
    assert_eq!(state(&store, 2).await, MessageState::Accepted);
    let other = |nonce| ClaimAsk {
        nonce,
        ..ask(Channel::Sms)
    };
    let never = other(7);
    assert_eq!(store.disown(&never, now()).await.unwrap(), 0);
    for disowned in [&doubtful, &never] {
        let late = store.claim(disowned).await.unwrap();
        assert!(late.is_empty(), "it shows too late to take anything");
    }
    let again = claim_one(&store, &other(8)).await;
    assert_eq!((again.message, again.attempts), (taken[0].message, 2));
}
