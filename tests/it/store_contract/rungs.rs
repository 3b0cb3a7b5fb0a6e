//! The rungs of a ladder as the store keeps them: which give way in time, and which are void because
//! the person knows.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use varsel::domain::message::{Channel, MessageBrief, MessageState, Reason};
use varsel::domain::notice::OnUnknown;
use varsel::store::{
    Claim, ClaimAsk, Deed, HoldOn, NewMessage, NewNotice, ReportState, Store, SweepLimits, Swept,
};

use super::fixtures::*;

laws! {
    what_nobody_takes_in_time_gives_way,
    what_may_be_out_is_not_called_failed,
    where_nobody_could_try_nobody_gives_up,
    after_a_gap_the_call_list_is_still_reached_in_time,
    since_when_somebody_tries_outlives_whoever_does,
    a_lifted_hold_gives_the_rung_its_time_back,
    the_call_list_does_not_give_way,
    a_late_delivery_withdraws_the_rungs_that_took_over,
    a_late_delivery_ends_the_call,
    a_bounce_opens_again_what_was_withdrawn,
    rungs_that_opened_together_are_both_meant,
    what_a_later_rung_has_told_is_not_sent_again,
    nobody_hides_behind_the_first_page,
    nothing_leaves_once_its_window_has_closed,
    a_retry_waits_for_the_morning,
    a_lifted_hold_waits_for_the_morning,
    the_night_yields_to_the_deadline,
}

/// A sweep by lines that have been there since `since`.
async fn sweep<S: Store>(store: &S, at: DateTime<Utc>, since: DateTime<Utc>) -> Swept {
    let limits = SweepLimits {
        tried_since: Some(since),
        ..limits()
    };
    store.sweep(at, limits).await.unwrap()
}

async fn first<S: Store>(store: &S, n: u32) -> MessageBrief {
    known(store, n).await.notices[0].messages[0].clone()
}

/// Booking 1 is due 25 hours from now and its SMS is given up after 6; booking 2 likewise an hour on.
async fn what_nobody_takes_in_time_gives_way<S: Store>(store: S) {
    cancel(&store, 1).await;
    assert!(!sweep(&store, now() + hours(5), now()).await.any());
    assert!(
        !sweep(&store, now() + hours(6), now()).await.any(),
        "a quarter of 25 hours is more"
    );
    let swept = sweep(&store, now() + hours(7), now()).await;
    assert_eq!((swept.gave_way, swept.expired), (1, 0));
    let brief = first(&store, 1).await;
    let stands = (brief.state, brief.reason);
    assert_eq!(stands, (MessageState::Failed, Some(Reason::Unreachable)));
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
    assert!(!sweep(&store, now() + hours(8), now()).await.any());
}

async fn what_may_be_out_is_not_called_failed<S: Store>(store: S) {
    cancel(&store, 1).await;
    claim_one(&store, &ask_briefly()).await;
    store.sweep(now(), limits()).await.unwrap();
    assert_eq!(store.sweep(now(), limits()).await.unwrap().retried, 1);
    assert_eq!(sweep(&store, now() + hours(7), now()).await.gave_way, 1);
    let brief = first(&store, 1).await;
    let stands = (brief.state, brief.reason);
    assert_eq!(stands, (MessageState::Held, Some(Reason::Unknown)));
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
}

async fn where_nobody_could_try_nobody_gives_up<S: Store>(store: S) {
    cancel(&store, 1).await;
    let back = now() + hours(20);
    assert!(
        !sweep(&store, back, back).await.any(),
        "the daemon was down"
    );
    assert!(!store.sweep(back, limits()).await.unwrap().any());
    let late = ClaimAsk {
        now: back,
        ..ask(Channel::Sms)
    };
    claim_one(&store, &late).await;
}

async fn a_lifted_hold_gives_the_rung_its_time_back<S: Store>(store: S) {
    cancel(&store, 1).await;
    let add = act("hold", Deed::AddHold(HoldOn::All));
    store.act(&add).await.unwrap();
    let held = sweep(&store, now() + hours(7), now()).await;
    assert_eq!(
        (held.stopped, held.gave_way),
        (1, 0),
        "a person stopped it, not the gateway"
    );
    let hold = store.holds().await.unwrap()[0].id;
    let lift = act("lift", Deed::LiftHold(hold));
    store.act(&lift).await.unwrap();
    let at = now() + hours(9);
    let freed = sweep(&store, at, now()).await;
    assert_eq!((freed.freed, freed.gave_way), (1, 0));
    assert!(
        !sweep(&store, at + hours(3), now()).await.any(),
        "four hours are left to it"
    );
    assert_eq!(sweep(&store, at + hours(4), now()).await.gave_way, 1);
}

async fn the_call_list_does_not_give_way<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut called = notice(1);
    called.messages = vec![phone_rung(1)];
    cancel_with(&store, vec![(1, called)], None).await;
    assert!(!sweep(&store, now() + hours(20), now()).await.any());
    assert_eq!(store.calls().await.unwrap().len(), 1);
}

/// A rung is opened on what stands, as the ladder does it.
async fn open<S: Store>(store: &S, n: u32, rung: NewMessage) {
    let notice = NewNotice {
        messages: vec![rung],
        ..notice(n)
    };
    let entry = again(&known(store, n).await, vec![notice]);
    let recorded = store.record(record(vec![entry])).await.unwrap();
    assert_eq!((recorded.written, recorded.conflicts.len()), (1, 0));
}

async fn states<S: Store>(store: &S, n: u32) -> Vec<MessageState> {
    let notice = known(store, n).await.notices.remove(0);
    notice.messages.iter().map(|m| m.state).collect()
}

async fn reported<S: Store>(store: &S, claim: &Claim, state: ReportState) {
    store.report(&[report(claim, state)]).await.unwrap();
}

/// Booking 1's SMS was accepted, no report came in time, and `rung` was opened.
async fn unconfirmed<S: Store>(store: &S, rung: NewMessage) -> Claim {
    cancel(store, 1).await;
    let claim = claim_one(store, &ask(Channel::Sms)).await;
    assert!(settle_one(store, &claim, accepted()).await);
    let swept = store.sweep(now() + hours(3), limits()).await.unwrap();
    assert_eq!(swept.unconfirmed, 1);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
    open(store, 1, rung).await;
    claim
}

async fn a_late_delivery_withdraws_the_rungs_that_took_over<S: Store>(store: S) {
    let claim = unconfirmed(&store, message(1, 1)).await;
    reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(
        states(&store, 1).await,
        [MessageState::Delivered, MessageState::Superseded]
    );
    assert_eq!(store.claim(&ask(Channel::Email)).await.unwrap().len(), 0);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.told, tally.waiting), (1, 0));
    let story = store.explain("B1").await.unwrap().remove(0);
    assert_eq!(story.lines.last().unwrap().detail, "told on another rung");
}

async fn a_late_delivery_ends_the_call<S: Store>(store: S) {
    let claim = unconfirmed(&store, phone_rung(1)).await;
    assert_eq!(store.calls().await.unwrap().len(), 1);
    reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(store.calls().await.unwrap().len(), 0);
    assert_eq!(store.gauges(now()).await.unwrap().call_list_people, 0);
    assert_eq!(store.tally(now()).await.unwrap().told, 1);
}

/// The e-mail that looked lost was taken after all, and then it comes back.
async fn a_bounce_opens_again_what_was_withdrawn<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mail = NewNotice {
        on_unknown: OnUnknown::Hold,
        messages: vec![message(1, 1)],
        ..notice(1)
    };
    cancel_with(&store, vec![(1, mail)], None).await;
    let brief = ClaimAsk {
        channel: Channel::Email,
        ..ask_briefly()
    };
    let claim = claim_one(&store, &brief).await;
    assert!(settle_one(&store, &claim, unclear()).await);
    assert_eq!(store.sweep(now(), limits()).await.unwrap().held, 1);
    open(&store, 1, phone_rung(1)).await;
    assert!(settle_one(&store, &claim, accepted()).await);
    assert_eq!(
        states(&store, 1).await,
        [MessageState::Accepted, MessageState::Superseded]
    );
    assert_eq!(store.calls().await.unwrap().len(), 0);
    reported(&store, &claim, ReportState::Undelivered).await;
    let climbable = store.climbable(page(10)).await.unwrap();
    let notice = &climbable[0].notices[0];
    let rung = notice.ladder.climb(&notice.messages, &person(1).contact);
    assert_eq!(rung.map(|rung| rung.channel), Some(Channel::Phone));
    open(&store, 1, phone_rung(1)).await;
    assert_eq!(
        states(&store, 1).await,
        [MessageState::Undelivered, MessageState::Ready]
    );
    assert_eq!(store.calls().await.unwrap().len(), 1);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

/// At short notice both leave, whichever is first.
async fn rungs_that_opened_together_are_both_meant<S: Store>(store: S) {
    baseline(&store, 1).await;
    let both = NewNotice {
        messages: vec![message(1, 0), message(1, 1)],
        ..notice(1)
    };
    cancel_with(&store, vec![(1, both)], None).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    reported(&store, &claim, ReportState::Delivered).await;
    assert_eq!(
        states(&store, 1).await,
        [MessageState::Delivered, MessageState::Ready]
    );
    assert_eq!(store.claim(&ask(Channel::Email)).await.unwrap().len(), 1);
}

/// The SMS looked lost and the e-mail told; then it turns out that the SMS never left.
async fn what_a_later_rung_has_told_is_not_sent_again<S: Store>(store: S) {
    baseline(&store, 1).await;
    let hold = NewNotice {
        on_unknown: OnUnknown::Hold,
        ..notice(1)
    };
    cancel_with(&store, vec![(1, hold)], None).await;
    let sms = claim_one(&store, &ask_briefly()).await;
    assert!(settle_one(&store, &sms, unclear()).await);
    assert_eq!(store.sweep(now(), limits()).await.unwrap().held, 1);
    open(&store, 1, message(1, 1)).await;
    let mail = claim_one(&store, &ask(Channel::Email)).await;
    assert!(settle_one(&store, &mail, accepted()).await);
    assert_eq!(
        states(&store, 1).await,
        [MessageState::Held, MessageState::Accepted]
    );
    settle_one(&store, &sms, not_sent()).await;
    assert_eq!(
        states(&store, 1).await,
        [MessageState::Superseded, MessageState::Accepted]
    );
    reported(&store, &mail, ReportState::Undelivered).await;
    assert_eq!(
        store.climbable(page(10)).await.unwrap().len(),
        1,
        "only the call is left"
    );
}

/// Booking 1's SMS may leave from eight to nine in the evening, Oslo time; it is due at three tomorrow,
/// and two o'clock in the afternoon now.
async fn by_day<S: Store>(store: &S) {
    baseline(store, 1).await;
    let mut daily = notice(1);
    daily.messages[0].hours = Some("08:00:00-21:00:00 Europe/Oslo".parse().unwrap());
    daily.messages[0].open_until = Some(now() + hours(7));
    cancel_with(store, vec![(1, daily)], None).await;
}

fn at(hour: i64) -> ClaimAsk {
    ClaimAsk {
        now: now() + hours(hour),
        ..ask(Channel::Sms)
    }
}

async fn claimed<S: Store>(store: &S, hour: i64) -> usize {
    store.claim(&at(hour)).await.unwrap().len()
}

async fn nothing_leaves_once_its_window_has_closed<S: Store>(store: S) {
    by_day(&store).await;
    assert_eq!(claimed(&store, 7).await, 0, "nine o'clock");
    let swept = sweep(&store, now() + hours(7), now()).await;
    assert_eq!((swept.closed_out, swept.gave_way), (1, 0));
    assert_eq!(claimed(&store, 17).await, 0, "seven in the morning");
    assert_eq!(
        store.next_due(Channel::Sms).await.unwrap(),
        Some(now() + hours(18))
    );
    assert_eq!(claimed(&store, 18).await, 1);
}

async fn a_retry_waits_for_the_morning<S: Store>(store: S) {
    by_day(&store).await;
    let claim = claim_one(&store, &at(6)).await;
    let mut late = settle(&claim, not_sent());
    late.decision.not_before = Some(now() + hours(8));
    store.settle(&[late]).await.unwrap();
    assert_eq!(claimed(&store, 9).await, 0);
    let swept = sweep(&store, now() + hours(9), now()).await;
    assert_eq!(
        (swept.closed_out, swept.gave_way),
        (1, 0),
        "its rung has the morning, too"
    );
    assert_eq!(claimed(&store, 9).await, 0);
    assert_eq!(claimed(&store, 18).await, 1);
}

async fn a_lifted_hold_waits_for_the_morning<S: Store>(store: S) {
    by_day(&store).await;
    let add = act("hold", Deed::AddHold(HoldOn::All));
    store.act(&add).await.unwrap();
    sweep(&store, now() + hours(1), now()).await;
    let hold = store.holds().await.unwrap()[0].id;
    let lift = act("lift", Deed::LiftHold(hold));
    store.act(&lift).await.unwrap();
    assert_eq!(sweep(&store, now() + hours(9), now()).await.freed, 1);
    assert_eq!(claimed(&store, 9).await, 0);
    assert_eq!(claimed(&store, 18).await, 1);
}

/// From eight till three is less than eight hours.
async fn the_night_yields_to_the_deadline<S: Store>(store: S) {
    by_day(&store).await;
    let limits = SweepLimits {
        quiet_reserve: std::time::Duration::from_secs(8 * 3600),
        ..limits()
    };
    let swept = store.sweep(now() + hours(7), limits).await.unwrap();
    assert_eq!(swept.closed_out, 1);
    assert_eq!(claimed(&store, 7).await, 1);
}

async fn nobody_hides_behind_the_first_page<S: Store>(store: S) {
    cancel(&store, 3).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    for claim in &claims {
        assert!(settle_one(&store, claim, refused()).await);
    }
    let mut next = page(2);
    let mut seen = Vec::new();
    loop {
        let shown = store.climbable(next).await.unwrap();
        seen.extend(shown.iter().map(|known| known.appointment.key.clone()));
        next.after = next.next(&shown);
        if next == page(2) {
            break;
        }
    }
    assert_eq!(seen, [key(1), key(2), key(3)]);
}

/// The daemon is back after the last try; it tries for the least time of a rung, and no longer.
async fn after_a_gap_the_call_list_is_still_reached_in_time<S: Store>(store: S) {
    baseline(&store, 1).await;
    let mut called = notice(1);
    called.messages[0].last_try = Some(now() + hours(10));
    cancel_with(&store, vec![(1, called)], None).await;
    let back = now() + hours(12);
    assert!(!sweep(&store, back, back).await.any());
    let soon = back + chrono::TimeDelta::minutes(10);
    assert_eq!(sweep(&store, soon, back).await.gave_way, 1);
}

/// Each call may be another process, or another node: nothing but the store remembers.
async fn since_when_somebody_tries_outlives_whoever_does<S: Store>(store: S) {
    let gap = Duration::from_secs(600);
    let tried = async |at: DateTime<Utc>| store.tried(at, gap).await.unwrap();
    let minutes = TimeDelta::minutes;
    assert_eq!(tried(now()).await, now());
    assert_eq!(tried(now() + minutes(9)).await, now());
    assert_eq!(tried(now() + minutes(18)).await, now());
    let behind = now() + minutes(17);
    assert_eq!(tried(behind).await, now(), "another node's clock");
    let after_a_gap = now() + minutes(28);
    assert_eq!(tried(after_a_gap).await, after_a_gap);
    let set_back = now() - minutes(30);
    assert_eq!(tried(set_back).await, set_back, "a clock says nothing");
}
