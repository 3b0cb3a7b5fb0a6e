//! What people read beside the tally: who must be phoned, what is not understood, and why a message
//! waits.

use chrono::TimeDelta;
use varsel::domain::contact::{Contact, Unusable};
use varsel::domain::directory::ServiceId;
use varsel::domain::ladder::Ladder;
use varsel::domain::language::Language;
use varsel::domain::message::Channel;
use varsel::store::{Act, Deed, HeldIn, NewFault, NewNotice, Record, Store, Story, ToPhone};

use super::fixtures::*;

laws! {
    who_must_be_phoned_is_named_with_the_reasons,
    the_most_urgent_are_named_first,
    who_is_told_or_too_late_is_not_named,
    a_fault_is_kept_as_long_as_it_reads_the_same,
    a_course_says_when_a_message_may_leave,
    a_course_names_the_batch_that_holds,
}

/// Booking `n` is cancelled, and nothing but the phone is left.
async fn only_the_phone<S: Store>(store: &S, n: u32) {
    let known = known(store, n).await;
    let notice = NewNotice {
        messages: vec![phone_rung(n)],
        ..notice(n)
    };
    let entry = change(&known, without_contact(cancelled(n)), vec![notice]);
    store.record(record(vec![entry])).await.unwrap();
}

/// Booking `n`'s SMS is refused, and the phone rung is opened.
async fn refused_then_phone<S: Store>(store: &S, n: u32) {
    cancel_with(store, vec![(n, notice(n))], None).await;
    let claim = claim_one(store, &ask(Channel::Sms)).await;
    settle_one(store, &claim, refused()).await;
    let climbed = NewNotice {
        messages: vec![phone_rung(n)],
        ..notice(n)
    };
    let entry = again(&known(store, n).await, vec![climbed]);
    store.record(record(vec![entry])).await.unwrap();
}

fn said(person: &ToPhone) -> Vec<&'static str> {
    person
        .why
        .iter()
        .map(|why| why.said(Language::En))
        .collect()
}

async fn who_must_be_phoned_is_named_with_the_reasons<S: Store>(store: S) {
    baseline(&store, 3).await;
    only_the_phone(&store, 1).await;
    refused_then_phone(&store, 2).await;
    let found = store.must_be_phoned(now(), 10).await.unwrap();
    assert_eq!((found.people, found.first.len()), (2, 2));
    let (one, two) = (&found.first[0], &found.first[1]);
    assert_eq!((&one.source, &one.key), (&source(), &key(1)));
    assert_eq!(one.reference, notice(1).reference);
    assert_eq!(one.change, notice(1).change);
    assert_eq!(one.service, ServiceId("passport".to_owned()));
    assert_eq!((one.due_by, one.phone.as_deref()), (start(1), None));
    assert_eq!(
        said(one),
        [
            "No phone number",
            "E-mail address not usable: it is no address"
        ]
    );
    assert_eq!(two.phone.as_deref(), Some("+47•••02"), "never in clear");
    assert_eq!(said(two), ["SMS refused by the gateway"]);
}

async fn the_most_urgent_are_named_first<S: Store>(store: S) {
    baseline(&store, 4).await;
    for n in [3, 1, 4, 2] {
        only_the_phone(&store, n).await;
    }
    let found = store.must_be_phoned(now(), 2).await.unwrap();
    let keys: Vec<_> = found.first.iter().map(|person| &person.key).collect();
    assert_eq!((found.people, keys), (4, vec![&key(1), &key(2)]));
    let none = store.must_be_phoned(now(), 0).await.unwrap();
    assert_eq!((none.people, none.first.len()), (4, 0));
}

async fn who_is_told_or_too_late_is_not_named<S: Store>(store: S) {
    baseline(&store, 3).await;
    only_the_phone(&store, 1).await;
    only_the_phone(&store, 2).await;
    let reinstated = change(&known(&store, 2).await, active(2), Vec::new());
    store.record(record(vec![reinstated])).await.unwrap();
    for at in [now(), start(1) - TimeDelta::seconds(1), start(1), start(2)] {
        let found = store.must_be_phoned(at, 10).await.unwrap();
        let tally = store.tally(at).await.unwrap();
        assert_eq!(found.people, tally.must_be_phoned, "at {at}");
        assert_eq!(found.people, u32::from(at < start(1)), "at {at}");
    }
}

fn fault(n: u32, problem: &str) -> NewFault {
    NewFault {
        key: Some(key(n)),
        column: "status".to_owned(),
        problem: problem.to_owned(),
    }
}

async fn faults_at<S: Store>(store: &S, minutes: i64, faults: Option<Vec<NewFault>>) -> String {
    let record = Record {
        at: now() + TimeDelta::minutes(minutes),
        faults,
        ..record(Vec::new())
    };
    store.record(record).await.unwrap();
    let kept = store.faults().await.unwrap();
    let words = kept.iter().map(|f| {
        let key = f.key.as_ref().map_or("-", |key| key.0.as_str());
        let since = (f.since - now()).num_minutes();
        format!(
            "{}/{key} {}: {} since {since}",
            f.source, f.column, f.problem
        )
    });
    words.collect::<Vec<_>>().join("; ")
}

async fn a_fault_is_kept_as_long_as_it_reads_the_same<S: Store>(store: S) {
    baseline(&store, 2).await;
    let nameless = NewFault {
        key: None,
        ..fault(0, "no key")
    };
    let first = Some(vec![fault(1, "\"avlyst?\""), nameless]);
    let kept = "register/- status: no key since 1; register/B1 status: \"avlyst?\" since 1";
    assert_eq!(faults_at(&store, 1, first.clone()).await, kept);
    assert_eq!(
        faults_at(&store, 2, None).await,
        kept,
        "nothing new is known"
    );
    assert_eq!(faults_at(&store, 3, first).await, kept, "it reads the same");
    let other = Some(vec![fault(1, "\"borte\""), fault(2, "\"borte\"")]);
    let kept = "register/B1 status: \"borte\" since 4; register/B2 status: \"borte\" since 4";
    assert_eq!(faults_at(&store, 4, other).await, kept);
    assert_eq!(faults_at(&store, 5, Some(Vec::new())).await, "");
}

async fn story<S: Store>(store: &S, n: u32) -> Story {
    store.explain(&key(n).0).await.unwrap().remove(0)
}

async fn a_course_says_when_a_message_may_leave<S: Store>(store: S) {
    cancel(&store, 1).await;
    let waiting = &story(&store, 1).await.courses[0];
    assert_eq!((waiting.not_before, waiting.attempts), (now(), 0));
    assert_eq!((&waiting.cause, waiting.held_in), (&None, None));
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, not_sent()).await;
    let story = story(&store, 1).await;
    let again = &story.courses[0];
    assert_eq!(again.message, story.notices[0].messages[0].id);
    assert_eq!(again.not_before, now() + TimeDelta::minutes(5));
    assert_eq!(again.give_up_at, now() + hours(6));
    assert_eq!(
        (again.attempts, again.cause.as_deref()),
        (1, Some("connection refused"))
    );
    let later = super::fixtures::ask(Channel::Sms);
    let later = varsel::store::ClaimAsk {
        now: now() + TimeDelta::minutes(6),
        ..later
    };
    let claim = claim_one(&store, &later).await;
    settle_one(&store, &claim, accepted()).await;
    let taken = self::story(&store, 1).await.courses.remove(0);
    assert_eq!(taken.report_by, Some(now() + hours(2)));
    assert_eq!((taken.attempts, taken.cause), (2, None));
}

async fn a_course_names_the_batch_that_holds<S: Store>(store: S) {
    baseline(&store, 1).await;
    cancel_with(&store, vec![(1, notice(1))], brake(1)).await;
    let batch = store.batches().await.unwrap().remove(0);
    let held = HeldIn {
        batch: batch.id,
        since: now(),
        releasing: false,
    };
    assert_eq!(story(&store, 1).await.courses[0].held_in, Some(held));
    let seen = batch.seen();
    let act: Act = act("a", Deed::Release(seen));
    store.act(&act).await.unwrap();
    let releasing = HeldIn {
        releasing: true,
        ..held
    };
    assert_eq!(story(&store, 1).await.courses[0].held_in, Some(releasing));
    let mut entry = again(&known(&store, 1).await, vec![notice(1)]);
    entry.release = true;
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(story(&store, 1).await.courses[0].held_in, None);
}

/// The words for every way not to reach a person: each tells which channel, and none is empty.
#[test]
fn every_reason_has_its_words_in_both_languages() {
    use varsel::domain::message::{MessageBrief, MessageId, MessageState, ToldOn};
    use varsel::domain::notice::{NoticeBrief, NoticeId, OnUnknown};
    use varsel::domain::why_phoned::{WhyPhoned, why_phoned};
    let brief = |channel, state| MessageBrief {
        id: MessageId(1),
        rung: 0,
        channel,
        state,
        reason: None,
        told_on: ToldOn::Delivered,
        may_be_out: false,
        first_attempt_at: Some(now()),
        told_at: None,
        gateway_key: String::new(),
    };
    let of = |channels: &[Channel], messages| {
        let new = notice(1);
        NoticeBrief {
            id: NoticeId(1),
            revision: 1,
            purpose: new.purpose,
            occasion: new.occasion,
            role: new.role,
            change: new.change,
            ladder: Ladder::new(channels),
            on_unknown: OnUnknown::Hold,
            reference: new.reference,
            due_by: new.due_by,
            not_after: new.not_after,
            superseded: false,
            messages,
        }
    };
    let reachable = person(1).contact;
    for (channel, english, norwegian) in [
        (Channel::Sms, "SMS", "SMS"),
        (Channel::Email, "mail", "post"),
    ] {
        for state in MessageState::ALL {
            let notice = of(&[channel], vec![brief(channel, *state)]);
            let why = why_phoned(&notice, &reachable);
            assert!(why[0].said(Language::En).contains(english), "{why:?}");
            assert!(why[0].said(Language::Nb).contains(norwegian), "{why:?}");
        }
        for unusable in Unusable::ALL {
            let contact = Contact {
                phone: Err(*unusable),
                email: Err(*unusable),
            };
            let why = why_phoned(&of(&[channel], Vec::new()), &contact);
            let expected = WhyPhoned::Unusable {
                channel,
                why: *unusable,
            };
            assert_eq!(why, [expected]);
            let dropped = MessageBrief {
                first_attempt_at: None,
                ..brief(channel, MessageState::Superseded)
            };
            assert_eq!(why_phoned(&of(&[channel], vec![dropped]), &contact), why);
        }
    }
    assert_eq!(
        why_phoned(&of(&[], Vec::new()), &reachable),
        [WhyPhoned::OnlyByPhone]
    );
}
