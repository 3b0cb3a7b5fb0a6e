//! A message's life, a notice's verdict and word, the ladder, and retries.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use varsel::domain::contact::{Contact, Email, Phone};
use varsel::domain::ladder::{Ladder, Rung};
use varsel::domain::message::{
    Channel, Event, MessageBrief, MessageState, Next, Reason, ToldOn, next,
};
use varsel::domain::outcome::{AttemptFacts, Blame, Outcome, after_attempt};
use varsel::domain::retry::{RetryPolicy, next_try};
use varsel::domain::verdict::{Verdict, Word, standing_notice, told_late, verdict, word};

use super::made::{contacts, instants, message, messages, notice, notices, now, one_of};

const EVIDENCE: [Event; 8] = [
    Event::Accepted,
    Event::NotSent,
    Event::GaveUp,
    Event::Refused,
    Event::Unclear,
    Event::ReportedDelivered,
    Event::ReportedUndelivered,
    Event::TickOff,
];

#[test]
fn evidence_is_never_refused_and_moves_what_has_ended_only_towards_the_person() {
    for state in MessageState::ALL {
        for event in Event::ALL {
            let answer = next(*state, *event);
            if EVIDENCE.contains(event) {
                assert_ne!(answer, Next::Refused, "{event} in {state}");
            }
            let is_word_of_the_end = matches!(
                event,
                Event::ReportedDelivered | Event::ReportedUndelivered | Event::TickOff
            );
            // What had ended without a hand-over that is known of.
            let unsure = matches!(state, MessageState::Failed | MessageState::Expired);
            let was_taken = unsure && *event == Event::Accepted;
            if state.has_ended() && !is_word_of_the_end && !was_taken {
                assert!(!matches!(answer, Next::To(_)), "{event} in {state}");
            }
        }
    }
}

#[test]
fn what_was_delivered_stays_delivered() {
    for event in Event::ALL {
        let answer = next(MessageState::Delivered, *event);
        assert!(!matches!(answer, Next::To(_)), "{event}");
    }
}

#[test]
fn only_certainty_or_a_person_or_the_rule_makes_a_message_ready_again() {
    for state in MessageState::ALL {
        for event in Event::ALL {
            if next(*state, *event) == Next::To(MessageState::Ready) {
                let why = (*state, *event);
                let allowed = [
                    (MessageState::Sending, Event::NotSent),
                    (MessageState::Unknown, Event::NotSent),
                    (MessageState::Unknown, Event::Retry),
                    (MessageState::Unknown, Event::Repeat),
                    (MessageState::Held, Event::Release),
                ];
                assert!(allowed.contains(&why), "{event} in {state}");
            }
        }
    }
}

#[test]
fn only_a_claim_makes_a_message_sending_and_only_from_ready() {
    for state in MessageState::ALL {
        for event in Event::ALL {
            let sends = next(*state, *event) == Next::To(MessageState::Sending);
            assert_eq!(
                sends,
                *state == MessageState::Ready && *event == Event::Claim
            );
        }
    }
}

#[test]
fn every_state_can_still_end() {
    for start in MessageState::ALL {
        let mut reached = vec![*start];
        let mut at = 0;
        while let Some(state) = reached.get(at).copied() {
            for event in Event::ALL {
                if let Next::To(to) = next(state, *event)
                    && !reached.contains(&to)
                {
                    reached.push(to);
                }
            }
            at += 1;
        }
        assert!(reached.iter().any(|state| state.has_ended()), "{start}");
    }
}

#[test]
fn the_next_rung_opens_exactly_when_this_one_has_failed() {
    let ladder = Ladder::new(&[Channel::Sms, Channel::Email]);
    let contact = Contact {
        phone: Ok(Phone::from_stored("+4740000000")),
        email: Ok(Email::from_stored("k@example.com")),
    };
    let reasons = Reason::ALL.iter().copied().map(Some);
    for reason in reasons.chain([None]) {
        for state in MessageState::ALL {
            for told_on in ToldOn::ALL {
                let open = MessageBrief {
                    reason,
                    ..message(0, Channel::Sms, *state, *told_on)
                };
                let failed = match state {
                    MessageState::Failed | MessageState::Undelivered => true,
                    MessageState::Unconfirmed => *told_on != ToldOn::Unconfirmed,
                    MessageState::Held => matches!(reason, Some(Reason::Unknown | Reason::Poison)),
                    _ => false,
                };
                let next = ladder.climb(&[open], &contact).map(|rung| rung.channel);
                let expected = failed.then_some(Channel::Email);
                assert_eq!(next, expected, "{state}, told on {told_on}, {reason:?}");
            }
        }
    }
}

#[test]
fn of_one_revision_the_change_speaks_before_the_invitation() {
    use varsel::domain::notice::{NoticeId, Purpose};
    let change = notice(vec![]);
    let mut invitation = notice(vec![]);
    invitation.id = NoticeId(2);
    invitation.purpose = Purpose::DigitalInvitation;
    let mut newer = notice(vec![]);
    newer.revision = 2;
    newer.superseded = true;
    let both = [invitation, change.clone(), newer];
    assert_eq!(standing_notice(&both), Some(&change));
    assert_eq!(standing_notice(&both[2..]), None);
}

proptest! {
    #[test]
    fn a_message_that_told_makes_the_word_told_and_nothing_else_does(notice in notices(), now in instants()) {
        prop_assert_eq!(word(&notice, now) == Word::Told, notice.has_told());
    }

    #[test]
    fn a_miss_is_never_called_left_out_nor_waiting(notice in notices(), now in instants()) {
        let quiet = |m: &MessageBrief| {
            matches!(m.state, MessageState::Superseded | MessageState::Suppressed)
        };
        let meant = !notice.superseded && !notice.messages.iter().all(quiet);
        if meant && !notice.has_told() && notice.due_by <= now {
            prop_assert_eq!(word(&notice, now), Word::TooLate);
        }
        if notice.due_by > now {
            prop_assert_ne!(word(&notice, now), Word::TooLate);
        }
    }

    /// The five words share all people out among them: none is counted twice, none is missing.
    #[test]
    fn the_tally_adds_up(people in prop::collection::vec(notices(), 0..40), now in instants()) {
        let count = |wanted: Word| people.iter().filter(|n| word(n, now) == wanted).count();
        let sum: usize = Word::ALL.iter().map(|word| count(*word)).sum();
        prop_assert_eq!(sum, people.len());
    }

    #[test]
    fn the_verdict_is_the_best_evidence_in_any_order(notice in notices(), turn in 0usize..4) {
        let mut turned = notice.clone();
        if !turned.messages.is_empty() {
            let by = turn % turned.messages.len();
            turned.messages.rotate_left(by);
        }
        prop_assert_eq!(verdict(&turned), verdict(&notice));
        let ended = verdict(&notice);
        if notice.has_told() {
            let told = [Verdict::Delivered, Verdict::Accepted, Verdict::Unconfirmed];
            prop_assert!(ended.is_some_and(|verdict| told.contains(&verdict)));
        }
        let moving = [
            MessageState::Ready,
            MessageState::Sending,
            MessageState::Accepted,
            MessageState::Held,
        ];
        let in_motion = notice.messages.iter().any(|m| moving.contains(&m.state));
        prop_assert_eq!(ended.is_none(), in_motion && !notice.has_told());
    }

    #[test]
    fn what_may_have_left_is_called_neither_expired_nor_failed(notice in notices()) {
        if matches!(verdict(&notice), Some(Verdict::Expired | Verdict::Failed)) {
            let unsure = |m: &MessageBrief| {
                m.may_be_out && matches!(m.state, MessageState::Expired | MessageState::Failed)
            };
            prop_assert!(!notice.messages.iter().any(unsure));
        }
    }

    #[test]
    fn more_evidence_never_makes_a_verdict_worse(notice in notices(), at in any::<prop::sample::Index>()) {
        prop_assume!(!notice.messages.is_empty());
        let mut better = notice.clone();
        let at = at.index(better.messages.len());
        better.messages[at].state = MessageState::Delivered;
        prop_assert_eq!(verdict(&better), Some(Verdict::Delivered));
        prop_assert_eq!(word(&better, now()), Word::Told);
    }

    #[test]
    fn late_means_that_the_first_telling_came_after_the_deadline(notice in notices()) {
        let first = notice.messages.iter().filter(|m| m.has_told()).filter_map(|m| m.told_at).min();
        prop_assert_eq!(told_late(&notice), first.is_some_and(|at| at > notice.due_by));
    }

    #[test]
    fn every_ladder_ends_at_the_phone_and_repeats_nothing(channels in prop::collection::vec(one_of(Channel::ALL), 0..6)) {
        let ladder = Ladder::new(&channels);
        let rungs = ladder.channels();
        prop_assert_eq!(rungs.last(), Some(&Channel::Phone));
        for channel in Channel::ALL {
            prop_assert!(rungs.iter().filter(|c| *c == channel).count() <= 1);
        }
        prop_assert!(channels.iter().all(|channel| rungs.contains(channel)));
    }

    #[test]
    fn the_first_rungs_can_reach_the_person_or_say_why_not(
        channels in prop::collection::vec(one_of(Channel::ALL), 0..4), contact in contacts(), together in 0usize..4,
    ) {
        let ladder = Ladder::new(&channels);
        let rungs = ladder.first(&contact, together);
        prop_assert!(!rungs.is_empty());
        prop_assert!(rungs.len() <= together.max(1));
        prop_assert!(rungs.windows(2).all(|pair| pair[0].number < pair[1].number));
        for rung in rungs {
            prop_assert_eq!(ladder.channels()[usize::from(rung.number)], rung.channel);
            let by_phone = rung.channel == Channel::Phone;
            prop_assert_eq!(by_phone, rung.reason.is_some());
            prop_assert!(by_phone || contact.has(rung.channel));
        }
    }

    #[test]
    fn nobody_climbs_past_a_rung_that_is_open(
        channels in prop::collection::vec(one_of(Channel::ALL), 0..4),
        open in prop::collection::vec(messages(), 0..4),
        contact in contacts(),
    ) {
        let ladder = Ladder::new(&channels);
        if let Some(rung) = ladder.climb(&open, &contact) {
            for message in &open {
                prop_assert!(!message.has_told());
                prop_assert!(!matches!(
                    message.state,
                    MessageState::Ready | MessageState::Sending | MessageState::Accepted | MessageState::Unknown
                ));
                // What was withdrawn before anything of it left may be opened again.
                let withdrawn = message.state == MessageState::Superseded && message.first_attempt_at.is_none();
                prop_assert!(rung.number > message.rung || rung.channel == Channel::Phone || withdrawn);
            }
            prop_assert!(contact.has(rung.channel) || rung.channel == Channel::Phone);
        }
    }

    /// Whatever fails on the way, the way ends on the call list, and in no more steps than rungs.
    #[test]
    fn whoever_is_not_told_ends_on_the_call_list(
        channels in prop::collection::vec(one_of(Channel::ALL), 0..4),
        contact in contacts(),
        ends in prop::collection::vec(one_of(&[
            MessageState::Failed, MessageState::Undelivered, MessageState::Unconfirmed, MessageState::Held,
        ]), 8),
    ) {
        let ladder = Ladder::new(&channels);
        let spent = |rung: &Rung| MessageBrief {
            reason: Some(Reason::Unknown),
            ..message(rung.number, rung.channel, ends[usize::from(rung.number)], ToldOn::Delivered)
        };
        let mut rungs = ladder.first(&contact, 1);
        while rungs.last().is_some_and(|rung| rung.channel != Channel::Phone) {
            let open: Vec<_> = rungs.iter().map(spent).collect();
            let next = ladder.climb(&open, &contact);
            prop_assert!(next.is_some());
            rungs.extend(next);
            prop_assert!(rungs.len() <= ladder.channels().len());
        }
        let open: Vec<_> = rungs.iter().map(spent).collect();
        prop_assert_eq!(ladder.climb(&open, &contact), None, "nothing comes after the phone");
    }

    #[test]
    fn a_retry_keeps_to_its_range_its_floor_and_its_deadline(
        attempts in 0u32..200, jitter in 0.0f64..1.0, left in -600i64..100_000,
        base in 0u64..600, cap in 0u64..3600, floor in prop::option::of(prop_oneof![0u64..7200, any::<u64>()]),
    ) {
        let facts = AttemptFacts {
            now: now(),
            attempts,
            give_up_at: now() + TimeDelta::seconds(left),
            report_within: None,
            report_least: Duration::ZERO,
            jitter,
        };
        let policy = RetryPolicy {
            base: Duration::from_secs(base),
            cap: Duration::from_secs(cap),
        };
        let floor = floor.map(Duration::from_secs);
        if let Some(at) = next_try(&facts, &policy, floor) {
            let wait = (at - facts.now).to_std().expect("never before now");
            prop_assert!(at < facts.give_up_at);
            prop_assert!(wait >= floor.unwrap_or_default());
            prop_assert!(wait <= policy.cap.max(floor.unwrap_or_default()));
        } else {
            let longest = policy.cap.max(floor.unwrap_or_default());
            prop_assert!(TimeDelta::from_std(longest).map_or(true, |most| most >= TimeDelta::seconds(left)));
        }
        // The decision follows: tried again in time, or given up, and never left in between.
        let not_sent = Outcome::NotSent { cause: String::new(), retry_after: floor, blame: Blame::Gateway };
        let decision = after_attempt(&not_sent, &facts, &policy);
        let expected = match decision.not_before {
            Some(_) => Event::NotSent,
            None => Event::GaveUp,
        };
        prop_assert_eq!(decision.event, expected);
    }

    #[test]
    fn silence_is_not_waited_out_longer_than_the_rung_has_time(
        left in -600i64..100_000, within in 0u64..100_000, least in 0u64..1200,
    ) {
        let (within, least) = (Duration::from_secs(within), Duration::from_secs(least));
        let facts = AttemptFacts {
            now: now(),
            attempts: 1,
            give_up_at: now() + TimeDelta::seconds(left),
            report_within: Some(within),
            report_least: least,
            jitter: 0.0,
        };
        let policy = RetryPolicy { base: Duration::ZERO, cap: Duration::ZERO };
        let taken = after_attempt(&Outcome::Accepted { gateway_id: None }, &facts, &policy);
        let by = taken.report_by.expect("the gateway reports");
        prop_assert!(by <= now() + within);
        prop_assert!(by <= facts.give_up_at.max(now() + least));
        prop_assert!(by >= now() + within.min(least));
    }
}

#[test]
fn every_outcome_leads_to_an_event_that_sending_understands() {
    let facts = AttemptFacts {
        now: now(),
        attempts: 1,
        give_up_at: now() + TimeDelta::hours(1),
        report_within: Some(Duration::from_secs(60)),
        report_least: Duration::ZERO,
        jitter: 0.5,
    };
    let policy = RetryPolicy {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(60),
    };
    let cause = String::new;
    for outcome in [
        Outcome::Accepted { gateway_id: None },
        Outcome::NotSent {
            cause: cause(),
            retry_after: None,
            blame: Blame::Account,
        },
        Outcome::Refused { cause: cause() },
        Outcome::Unknown { cause: cause() },
        Outcome::Withheld(Reason::Trial),
    ] {
        let decision = after_attempt(&outcome, &facts, &policy);
        let answer = next(MessageState::Sending, decision.event);
        assert!(matches!(answer, Next::To(_)), "{}", outcome.word());
        let waits = decision.report_by.is_some();
        assert_eq!(waits, decision.event == Event::Accepted);
    }
}
