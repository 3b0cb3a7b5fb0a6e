//! Bundles: several notices that one hand-over tells, each with a verdict and a life of its own.

use std::time::Duration;

use varsel::domain::directory::OfficeId;
use varsel::domain::message::{Channel, MessageState};
use varsel::domain::recipient::Role;
use varsel::store::{
    Claim, ClaimAsk, Deed, HoldOn, NewBundle, NewMessage, NewNotice, Recorded, ReportEffect,
    ReportState, Store, SweepLimits, UnknownRule,
};

use super::fixtures::*;

laws! {
    one_hand_over_tells_every_notice_of_a_bundle,
    bad_news_of_a_bundle_is_bad_news_of_each,
    a_bundle_of_which_one_may_not_leave_is_none,
    a_bundle_without_its_first_message_is_none,
    a_new_number_leaves_the_bundle,
    a_bundle_of_which_one_was_not_written_is_none,
    what_was_not_sent_together_goes_again_together,
    an_unknown_bundle_is_not_asked_for_nor_repeated,
    a_lead_written_anew_speaks_for_no_other,
    what_went_alone_says_nothing_of_what_it_carried,
    what_left_alone_never_joins_a_bundle,
    a_bundle_costs_one_token_and_one_place,
    a_disowned_bundle_was_sent_to_nobody,
    the_end_of_a_lease_leaves_every_notice_unknown,
    guardians_with_one_telephone_are_told_by_one_message,
}

pub(crate) const TEXT: &[u8] = b"3 timer er avlyst.";

/// The notice of booking `n`, to the telephone of booking 1, for which the notice of `lead` speaks.
pub(crate) fn bundled(n: u32, lead: u32, others: u32) -> NewNotice {
    let messages = vec![NewMessage {
        address: person(1).contact.address(Channel::Sms),
        bundle: Some(NewBundle {
            lead: format!("gk-{lead}-0"),
            others,
            text: TEXT.to_vec(),
        }),
        ..message(n, 0)
    }];
    NewNotice {
        messages,
        ..notice(n)
    }
}

/// Bookings 1, 2 and 3 are cancelled on one telephone.
async fn family<S: Store>(store: &S) -> Recorded {
    baseline(store, 4).await;
    let notices = (1..=3).map(|n| (n, bundled(n, 1, 2))).collect();
    cancel_with(store, notices, None).await
}

async fn states<S: Store>(store: &S) -> [MessageState; 3] {
    [
        state(store, 1).await,
        state(store, 2).await,
        state(store, 3).await,
    ]
}

async fn texts<S: Store>(store: &S) -> Vec<String> {
    let mut claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    claims.sort_by_key(|claim| claim.message);
    claims.iter().map(text).collect()
}

fn text(claim: &Claim) -> String {
    String::from_utf8(claim.body.clone()).unwrap()
}

async fn one_hand_over_tells_every_notice_of_a_bundle<S: Store>(store: S) {
    family(&store).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!(claim.body, TEXT);
    assert_eq!(claim.not_after, start(1), "the earliest of them");
    assert_eq!(states(&store).await, [MessageState::Sending; 3]);
    assert!(settle_one(&store, &claim, accepted()).await);
    assert_eq!(states(&store).await, [MessageState::Accepted; 3]);
    let delivered = report(&claim, ReportState::Delivered);
    let effects = store.report(&[delivered.clone(), delivered]).await.unwrap();
    assert_eq!(effects, [ReportEffect::Applied, ReportEffect::Recorded]);
    assert_eq!(states(&store).await, [MessageState::Delivered; 3]);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.told, tally.sms), (3, 1), "three told by one message");
    let reference = notice(1).reference.to_string();
    let stories = store.explain(&reference).await.unwrap();
    let keys: Vec<_> = stories.iter().map(|story| story.key.clone()).collect();
    assert_eq!(keys, [key(1), key(2), key(3)], "the phone desk finds all");
    let line = |line: &varsel::store::StoryLine| line.detail.contains(", with message 1");
    assert!(stories[1].lines.iter().any(line));
}

async fn bad_news_of_a_bundle_is_bad_news_of_each<S: Store>(store: S) {
    family(&store).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    // It is there before the outcome, and waits for it.
    let lost = report(&claim, ReportState::Undelivered);
    store.report(&[lost]).await.unwrap();
    assert_eq!(states(&store).await, [MessageState::Sending; 3]);
    settle_one(&store, &claim, accepted()).await;
    assert_eq!(states(&store).await, [MessageState::Undelivered; 3]);
    let open = store.climbable(page(10)).await.unwrap();
    assert_eq!(open.len(), 3, "every notice climbs its own ladder");
}

async fn a_bundle_of_which_one_may_not_leave_is_none<S: Store>(store: S) {
    family(&store).await;
    // One of them stands after all, before anything has left.
    let entry = change(&known(&store, 2).await, active(2), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(state(&store, 2).await, MessageState::Superseded);
    let own = |n| format!("Timen din er avlyst. Ref {n}.");
    assert_eq!(texts(&store).await, [own(1)], "the first goes ahead");
    assert_eq!(texts(&store).await, [own(3)]);
}

async fn a_bundle_without_its_first_message_is_none<S: Store>(store: S) {
    family(&store).await;
    let entry = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    let own = |n| format!("Timen din er avlyst. Ref {n}.");
    assert_eq!(texts(&store).await, [own(2), own(3)]);
}

async fn a_new_number_leaves_the_bundle<S: Store>(store: S) {
    family(&store).await;
    let new = renamed(notice(2), 7);
    let new = NewNotice {
        reference: notice(2).reference,
        ..new
    };
    let entry = again(&known(&store, 2).await, vec![new]);
    store.record(record(vec![entry])).await.unwrap();
    let first = store.claim(&ask(Channel::Sms)).await.unwrap();
    let second = store.claim(&ask(Channel::Sms)).await.unwrap();
    let mut all: Vec<_> = first.iter().chain(&second).collect();
    all.sort_by_key(|claim| claim.message);
    let address = |n: u32| person(n).contact.address(Channel::Sms);
    let addresses: Vec<_> = all.iter().map(|claim| claim.address.clone()).collect();
    assert_eq!(addresses, [address(1), address(2), address(1)]);
    assert!(all.iter().all(|claim| claim.body != TEXT));
}

async fn a_bundle_of_which_one_was_not_written_is_none<S: Store>(store: S) {
    baseline(&store, 4).await;
    let stale = known(&store, 2).await;
    cancel_with(&store, vec![(2, notice(2))], None).await;
    let stale = change(&stale, cancelled(2), vec![renamed(bundled(2, 1, 1), 9)]);
    let first = change(
        &known(&store, 1).await,
        cancelled(1),
        vec![bundled(1, 1, 1)],
    );
    let recorded = store.record(record(vec![first, stale])).await.unwrap();
    assert_eq!(recorded.conflicts, [key(2)]);
    let own = |n| format!("Timen din er avlyst. Ref {n}.");
    assert_eq!(texts(&store).await, [own(2), own(1)]);
}

async fn what_was_not_sent_together_goes_again_together<S: Store>(store: S) {
    family(&store).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, not_sent()).await;
    assert_eq!(states(&store).await, [MessageState::Ready; 3]);
    let later = varsel::store::ClaimAsk {
        now: now() + hours(1),
        ..ask(Channel::Sms)
    };
    let again = claim_one(&store, &later).await;
    assert_eq!((again.message, again.body), (claim.message, claim.body));
    assert_eq!(again.attempts, 2);
}

async fn an_unknown_bundle_is_not_asked_for_nor_repeated<S: Store>(store: S) {
    family(&store).await;
    let asked = std::time::Duration::from_secs(3600);
    let knows = varsel::store::ClaimAsk {
        unknowns: UnknownRule {
            quarantine: std::time::Duration::ZERO,
            lookup: asked,
            dedup: asked,
        },
        ..ask_briefly()
    };
    let claim = claim_one(&store, &knows).await;
    settle_one(&store, &claim, unclear()).await;
    assert!(store.to_ask("sandbox", 10).await.unwrap().is_empty());
    let swept = store.sweep(now(), limits()).await.unwrap();
    assert_eq!((swept.repeated, swept.retried), (0, 3), "by the rule alone");
    let again = claim_one(&store, &ask(Channel::Sms)).await;
    assert_eq!(again.body, TEXT, "once more, as it was");
    let tally = store.tally(now()).await.unwrap();
    assert_eq!(tally.possible_duplicates, 3);
    // What the first hand-over came to is known late, and known of all.
    settle_one(&store, &again, refused()).await;
    assert!(
        states(&store)
            .await
            .iter()
            .all(|s| *s == MessageState::Held),
        "the first may have told them all"
    );
    store.settle(&[settle(&claim, accepted())]).await.unwrap();
    let all = states(&store).await;
    assert_eq!(all[1..], [all[0], all[0]], "the same of each: {all:?}");
}

/// Two are told together; then the first is read anew with a third, which stands again before anything has left.
async fn a_lead_written_anew_speaks_for_no_other<S: Store>(store: S) {
    baseline(&store, 3).await;
    let first = (1..=2).map(|n| (n, bundled(n, 1, 1))).collect();
    cancel_with(&store, first, None).await;
    let anew = |n| {
        let mut notice = bundled(n, 1, 1);
        let bundle = notice.messages[0].bundle.as_mut().unwrap();
        bundle.text = b"2 andre timer er avlyst.".to_vec();
        notice
    };
    let lead = again(&known(&store, 1).await, vec![anew(1)]);
    let third = change(&known(&store, 3).await, cancelled(3), vec![anew(3)]);
    store.record(record(vec![lead, third])).await.unwrap();
    let stands = change(&known(&store, 3).await, active(3), Vec::new());
    store.record(record(vec![stands])).await.unwrap();
    let own = |n| format!("Timen din er avlyst. Ref {n}.");
    assert_eq!(
        texts(&store).await,
        [own(1)],
        "as many as it wants, but not those"
    );
    assert_eq!(texts(&store).await, [own(2)]);
}

/// Two left together and nobody knows whether they arrived; then the first leaves alone under the same key.
async fn what_went_alone_says_nothing_of_what_it_carried<S: Store>(store: S) {
    baseline(&store, 2).await;
    let elsewhere = OfficeId("elsewhere".to_owned());
    let other = NewNotice {
        office: elsewhere.clone(),
        ..bundled(2, 1, 1)
    };
    cancel_with(&store, vec![(1, bundled(1, 1, 1)), (2, other)], None).await;
    let knows = ClaimAsk {
        unknowns: UnknownRule {
            lookup: Duration::from_secs(3600),
            ..UnknownRule::default()
        },
        ..ask_briefly()
    };
    let together = claim_one(&store, &knows).await;
    assert_eq!(together.body, TEXT);
    settle_one(&store, &together, unclear()).await;
    store.sweep(now(), limits()).await.unwrap();
    let hold = act("hold", Deed::AddHold(HoldOn::Office(elsewhere)));
    store.act(&hold).await.unwrap();
    let alone = claim_one(&store, &knows).await;
    assert_eq!(alone.message, together.message);
    assert_ne!(alone.body, TEXT);
    settle_one(&store, &alone, unclear()).await;
    let asked = store.to_ask("sandbox", 10).await.unwrap();
    let unclear: Vec<_> = asked.iter().map(|u| u.unclear.clone()).collect();
    assert_eq!(
        unclear,
        [[(alone.attempt, alone.fence)]],
        "of the lone one only"
    );
}

async fn what_left_alone_never_joins_a_bundle<S: Store>(store: S) {
    family(&store).await;
    let entry = change(&known(&store, 2).await, active(2), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    let alone = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &alone, not_sent()).await;
    let later = varsel::store::ClaimAsk {
        now: now() + hours(1),
        ..ask(Channel::Sms)
    };
    let claims = store.claim(&later).await.unwrap();
    assert!(claims.iter().all(|claim| claim.body != TEXT));
}

async fn a_bundle_costs_one_token_and_one_place<S: Store>(store: S) {
    family(&store).await;
    cancel_with(&store, vec![(4, notice(4))], None).await;
    let two = varsel::store::ClaimAsk {
        limit: 2,
        ..ask(Channel::Sms)
    };
    let claims = store.claim(&two).await.unwrap();
    let bodies: Vec<_> = claims.iter().map(text).collect();
    assert_eq!(
        bodies,
        ["3 timer er avlyst.", "Timen din er avlyst. Ref 4."]
    );
}

async fn a_disowned_bundle_was_sent_to_nobody<S: Store>(store: S) {
    family(&store).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    let returned = store.disown(&ask(Channel::Sms), now()).await.unwrap();
    assert_eq!(returned, 3, "each of them has an attempt of that claim");
    assert_eq!(states(&store).await, [MessageState::Ready; 3]);
    let again = varsel::store::ClaimAsk {
        nonce: 0xdd,
        ..ask(Channel::Sms)
    };
    assert_eq!(claim_one(&store, &again).await.message, claim.message);
}

async fn the_end_of_a_lease_leaves_every_notice_unknown<S: Store>(store: S) {
    family(&store).await;
    claim_one(&store, &ask_patiently(600)).await;
    let limits = SweepLimits { ..limits() };
    let swept = store.sweep(now(), limits).await.unwrap();
    assert_eq!(swept.leases_ended, 3);
    assert_eq!(states(&store).await, [MessageState::Unknown; 3]);
}

async fn guardians_with_one_telephone_are_told_by_one_message<S: Store>(store: S) {
    baseline(&store, 1).await;
    let guardian = |number: u32, name: &str| NewNotice {
        role: Role::Guardian(name.to_owned()),
        reference: notice(number).reference,
        messages: vec![NewMessage {
            gateway_key: format!("gk-{number}-0"),
            ..bundled(1, 1, 1).messages.remove(0)
        }],
        ..notice(1)
    };
    let notices = vec![guardian(1, "a"), guardian(2, "b")];
    let entry = change(&known(&store, 1).await, cancelled(1), notices);
    store.record(record(vec![entry])).await.unwrap();
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, accepted()).await;
    let notices = known(&store, 1).await.notices;
    let states: Vec<_> = notices.iter().map(|n| n.messages[0].state).collect();
    assert_eq!(states, [MessageState::Accepted; 2]);
}
