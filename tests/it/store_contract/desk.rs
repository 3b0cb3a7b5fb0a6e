//! What people see and do: the brake, the tally, stories, gauges, erasure, closings, secrets.

use chrono::TimeDelta;
use varsel::domain::closing::{Closing, ClosingKind, NextStep};
use varsel::domain::directory::{OfficeId, ServiceKind};
use varsel::domain::language::{Language, Texts};
use varsel::domain::message::{Channel, MessageState, Reason};
use varsel::domain::notice::Purpose;
use varsel::domain::verdict::{self, Word};
use varsel::store::{ActError, Batch, Deed, NewNotice, ReportState, Sample, Store};

use super::fixtures::*;

laws! {
    the_brake_holds_a_batch,
    what_most_people_will_read_is_shown_first,
    a_release_names_what_was_seen,
    a_release_plans_anew_and_lets_go,
    a_climb_out_of_a_batch_that_is_being_released_may_leave,
    a_rung_that_was_withdrawn_hides_nobody,
    a_refresh_does_not_open_the_brake,
    a_discarded_batch_stays_away,
    a_batch_that_runs_empty_dissolves,
    an_act_happens_once,
    the_five_words_add_up,
    the_next_rung_is_opened_once,
    a_phone_rung_is_not_climbed,
    a_story_is_told_from_the_history,
    the_gauges_show_who_waits,
    what_is_over_is_erased,
    what_may_still_be_needed_is_not_erased,
    closings_are_kept_until_they_end,
    what_a_closing_admits_is_counted,
    a_secret_stays_the_same,
}

async fn braked<S: Store>(store: &S, n: u32) -> Batch {
    baseline(store, n).await;
    let notices = (1..=n).map(|n| (n, notice(n))).collect();
    let recorded = cancel_with(store, notices, brake(n)).await;
    let mut batches = store.batches().await.unwrap();
    assert_eq!(batches.len(), 1);
    assert_eq!(Some(batches[0].id), recorded.batch);
    batches.remove(0)
}

async fn the_brake_holds_a_batch<S: Store>(store: S) {
    let batch = braked(&store, 3).await;
    assert_eq!((batch.people, batch.releasing), (3, false));
    assert_eq!(batch.offices[&OfficeId("gronland".to_owned())], 3);
    assert_eq!(batch.first_due_by, Some(start(1)));
    assert_eq!(batch.purposes[&Purpose::Cancellation], 3);
    let sample = Sample {
        channel: Channel::Sms,
        content: "Timen din er avlyst. Ref 2.".to_owned(),
    };
    assert_eq!(batch.samples, [sample]);
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    assert_eq!(store.next_due(Channel::Sms).await.unwrap(), None);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.waiting, tally.held), (3, 3));
    assert_eq!(store.released(page(10)).await.unwrap().len(), 0);
    assert_eq!(store.gauges(now()).await.unwrap().held_batches, 1);
}

async fn what_most_people_will_read_is_shown_first<S: Store>(store: S) {
    baseline(&store, 4).await;
    let by_email = |n| NewNotice {
        messages: vec![message(n, 1)],
        ..notice(n)
    };
    let notices = vec![
        (1, by_email(1)),
        (2, notice(2)),
        (3, notice(3)),
        (4, notice(4)),
    ];
    cancel_with(&store, notices, brake(4)).await;
    let batch = store.batches().await.unwrap().remove(0);
    let shown: Vec<_> = batch.samples.iter().map(|s| s.channel).collect();
    assert_eq!(shown, [Channel::Sms, Channel::Email]);
    assert_eq!(batch.samples[0].content, "Timen din er avlyst. Ref 3.");
}

async fn a_release_names_what_was_seen<S: Store>(store: S) {
    let batch = braked(&store, 2).await;
    let mut wrong = batch.seen();
    wrong.people = 1;
    let refused = store.act(&act("a", Deed::Release(wrong))).await;
    assert!(matches!(refused, Err(ActError::Changed { people: 2, .. })));
    let entry = change(&known(&store, 1).await, active(1), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    let stale = store.act(&act("a", Deed::Release(batch.seen()))).await;
    let Err(ActError::Changed {
        version, people, ..
    }) = stale
    else {
        panic!("one message less must be noticed, not {stale:?}");
    };
    assert_eq!(people, 1);
    assert!(version > batch.version);
    let now_seen = store.batches().await.unwrap().remove(0);
    assert_eq!((now_seen.version, now_seen.people), (version, 1));
    let done = store.act(&act("b", Deed::Release(now_seen.seen()))).await;
    assert_eq!(done.unwrap().count, 1);
    let again = store.act(&act("c", Deed::Release(now_seen.seen()))).await;
    assert!(matches!(again, Err(ActError::NotHeld(_))));
}

async fn a_release_plans_anew_and_lets_go<S: Store>(store: S) {
    let batch = braked(&store, 2).await;
    store
        .act(&act("a", Deed::Release(batch.seen())))
        .await
        .unwrap();
    assert!(store.batches().await.unwrap()[0].releasing);
    assert_eq!(store.claim(&ask(Channel::Sms)).await.unwrap().len(), 0);
    let first = store.released(page(1)).await.unwrap();
    assert_eq!(first.len(), 1);
    for known in store.released(page(10)).await.unwrap() {
        let n = if known.appointment.key == key(1) {
            1
        } else {
            2
        };
        let mut planned = notice(n);
        planned.messages[0].body = format!("planned anew {n}").into_bytes();
        let mut entry = again(&known, vec![planned]);
        entry.release = true;
        store.record(record(vec![entry])).await.unwrap();
    }
    assert_eq!(store.released(page(10)).await.unwrap().len(), 0);
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    assert_eq!(claims[0].body, b"planned anew 1");
    assert_eq!(claims.len(), 2);
    store.sweep(now(), limits()).await.unwrap();
    assert_eq!(store.batches().await.unwrap(), []);
}

async fn a_climb_out_of_a_batch_that_is_being_released_may_leave<S: Store>(store: S) {
    let batch = braked(&store, 2).await;
    let release = act("a", Deed::Release(batch.seen()));
    store.act(&release).await.unwrap();
    let first = store.released(page(1)).await.unwrap().remove(0);
    let mut entry = again(&first, vec![notice(1)]);
    entry.release = true;
    store.record(record(vec![entry])).await.unwrap();
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &claim, refused()).await);
    assert!(store.batches().await.unwrap()[0].releasing, "2 still waits");
    let next = NewNotice {
        messages: vec![message(1, 1)],
        ..notice(1)
    };
    let climbable = store.climbable(page(10)).await.unwrap().remove(0);
    let entry = again(&climbable, vec![next]);
    store.record(record(vec![entry])).await.unwrap();
    let left = store.released(page(10)).await.unwrap();
    assert_eq!(left.len(), 1, "who was freed is not written anew");
    assert_eq!(left[0].appointment.key, key(2));
    assert_eq!(store.claim(&ask(Channel::Email)).await.unwrap().len(), 1);
}

async fn a_rung_that_was_withdrawn_hides_nobody<S: Store>(store: S) {
    cancel(&store, 1).await;
    let by_email = NewNotice {
        messages: vec![message(1, 1)],
        ..notice(1)
    };
    let entry = again(&known(&store, 1).await, vec![by_email]);
    store.record(record(vec![entry])).await.unwrap();
    let withdrawn = &known(&store, 1).await.notices[0].messages[0];
    assert_eq!(withdrawn.state, MessageState::Superseded);
    let claim = claim_one(&store, &ask(Channel::Email)).await;
    assert!(settle_one(&store, &claim, refused()).await);
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 1);
}

async fn a_refresh_does_not_open_the_brake<S: Store>(store: S) {
    let batch = braked(&store, 1).await;
    let with_email = || NewNotice {
        messages: vec![message(1, 0), message(1, 1)],
        ..notice(1)
    };
    for release in [false, true] {
        let mut entry = again(&known(&store, 1).await, vec![with_email()]);
        entry.release = release;
        store.record(record(vec![entry])).await.unwrap();
        let notices = known(&store, 1).await.notices;
        for message in &notices[0].messages {
            assert_eq!(
                (message.state, message.reason),
                (MessageState::Held, Some(Reason::Brake)),
                "nobody has released the batch yet"
            );
        }
    }
    let changed = store.batches().await.unwrap().remove(0);
    assert!(changed.version > batch.version);
}

async fn a_discarded_batch_stays_away<S: Store>(store: S) {
    let batch = braked(&store, 2).await;
    let acted = store.act(&act("a", Deed::Discard(batch.seen()))).await;
    assert_eq!(acted.unwrap().count, 2);
    assert_eq!(store.batches().await.unwrap(), []);
    let tally = store.tally(now()).await.unwrap();
    assert_eq!((tally.left_out, tally.held), (2, 0));
    let mut refreshed = notice(1);
    refreshed.messages.push(message(1, 1));
    let entry = again(&known(&store, 1).await, vec![refreshed]);
    store.record(record(vec![entry])).await.unwrap();
    let brief = known(&store, 1).await.notices[0].messages[0].clone();
    assert_eq!(
        (brief.state, brief.reason),
        (MessageState::Suppressed, Some(Reason::Discarded))
    );
    assert_eq!(store.claim(&ask(Channel::Email)).await.unwrap().len(), 0);
}

async fn a_batch_that_runs_empty_dissolves<S: Store>(store: S) {
    let batch = braked(&store, 1).await;
    store.sweep(start(1), limits()).await.unwrap();
    assert_eq!(state(&store, 1).await, MessageState::Expired);
    assert_eq!(store.batches().await.unwrap(), []);
    let late = store.act(&act("a", Deed::Release(batch.seen()))).await;
    assert!(matches!(late, Err(ActError::NotHeld(_))));
}

async fn an_act_happens_once<S: Store>(store: S) {
    let batch = braked(&store, 2).await;
    let release = act("once", Deed::Release(batch.seen()));
    let first = store.act(&release).await.unwrap();
    let second = store.act(&release).await.unwrap();
    assert_eq!((first.count, second), (2, first));
}

async fn the_five_words_add_up<S: Store>(store: S) {
    cancel(&store, 6).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    let outcomes = [accepted(), accepted(), refused(), unclear()];
    for (claim, outcome) in claims.iter().zip(outcomes) {
        settle_one(&store, claim, outcome).await;
    }
    store
        .report(&[report(&claims[0], ReportState::Delivered)])
        .await
        .unwrap();
    let entry = change(&known(&store, 6).await, active(6), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    let climbed = NewNotice {
        messages: vec![phone_rung(3)],
        ..notice(3)
    };
    let entry = again(&known(&store, 3).await, vec![climbed]);
    store.record(record(vec![entry])).await.unwrap();
    let tally = store.tally(now()).await.unwrap();
    assert_eq!(tally.people(), 6);
    assert_eq!((tally.told, tally.must_be_phoned), (1, 1));
    assert_eq!((tally.sms, tally.unknown), (2, 1));
    let late = store.tally(start(6)).await.unwrap();
    assert_eq!((late.told, late.waiting, late.people()), (1, 0, 6));
}

async fn the_next_rung_is_opened_once<S: Store>(store: S) {
    cancel(&store, 1).await;
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    assert!(settle_one(&store, &claim, refused()).await);
    let climbable = store.climbable(page(10)).await.unwrap();
    assert_eq!(climbable.len(), 1);
    assert_eq!(climbable[0].appointment, cancelled(1));
    let next = NewNotice {
        messages: vec![message(1, 1)],
        ..notice(1)
    };
    let entry = again(&climbable[0], vec![next]);
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
    let states: Vec<_> = known(&store, 1).await.notices[0]
        .messages
        .iter()
        .map(|m| (m.rung, m.state))
        .collect();
    assert_eq!(
        states,
        [(0, MessageState::Failed), (1, MessageState::Ready)]
    );
}

async fn a_phone_rung_is_not_climbed<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, refused()).await;
    let called = NewNotice {
        messages: vec![phone_rung(1)],
        ..notice(1)
    };
    let entry = again(&known(&store, 1).await, vec![called]);
    store.record(record(vec![entry])).await.unwrap();
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
    let notices = known(&store, 1).await.notices;
    assert_eq!(verdict::word(&notices[0], now()), Word::MustBePhoned);
    store.sweep(start(1), limits()).await.unwrap();
    assert_eq!(store.climbable(page(10)).await.unwrap().len(), 0);
}

async fn a_story_is_told_from_the_history<S: Store>(store: S) {
    let batch = braked(&store, 2).await;
    store
        .act(&act("a", Deed::Release(batch.seen())))
        .await
        .unwrap();
    let mut entry = again(&known(&store, 1).await, vec![notice(1)]);
    entry.release = true;
    store.record(record(vec![entry])).await.unwrap();
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, accepted()).await;
    let reference = notice(1).reference.to_string();
    let stories = store.explain(&reference).await.unwrap();
    assert_eq!(stories.len(), 1);
    let story = &stories[0];
    assert_eq!((&story.key, story.revision), (&key(1), 1));
    assert_eq!(story.notices, known(&store, 1).await.notices);
    let address = &story.courses[0].address;
    assert_eq!(
        *address,
        notice(1).messages[0].address,
        "whoever asks may check it"
    );
    assert!(!format!("{address:?}").contains("400000"), "{address:?}");
    let events: Vec<_> = story.lines.iter().map(|l| l.event.as_str()).collect();
    let told = [
        "seen",
        "changed",
        "recorded",
        "opened",
        "released",
        "refreshed",
        "release",
        "claim",
        "accepted",
    ];
    assert_eq!(events, told);
    let by_kari = story.lines.iter().find(|l| l.event == "released").unwrap();
    assert_eq!(
        (by_kari.actor.as_str(), by_kari.detail.as_str()),
        ("kari", "checked with the register")
    );
    let last = story.lines.last().unwrap();
    assert_eq!(last.from, Some(MessageState::Sending));
    assert_eq!(
        (last.to, last.channel),
        (Some(MessageState::Accepted), Some(Channel::Sms))
    );
    for name in ["B1", "register/B1"] {
        assert_eq!(
            &store.explain(name).await.unwrap(),
            &stories,
            "found by {name}"
        );
    }
    assert_eq!(store.explain("B9").await.unwrap(), []);
    let with = store.sources_with("B1").await.unwrap();
    assert_eq!(with, [known(&store, 1).await.appointment.source]);
    assert_eq!(store.sources_with("B9").await.unwrap(), []);
    assert_eq!(store.explain("elsewhere/B1").await.unwrap(), []);
}

async fn the_gauges_show_who_waits<S: Store>(store: S) {
    cancel(&store, 3).await;
    let at = now() + hours(2);
    let gauges = store.gauges(at).await.unwrap();
    assert_eq!(
        gauges.untold_people_24h, 2,
        "bookings 1 and 2 start within 24 hours"
    );
    assert_eq!(gauges.oldest_due_seconds, 7200.0);
    assert_eq!(gauges.snapshot_age_seconds[&source()], 7200.0);
    assert_eq!(gauges.held_batches, 0);
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    store
        .report(&[report(&claims[0], ReportState::Delivered)])
        .await
        .unwrap();
    let gauges = store.gauges(at).await.unwrap();
    assert_eq!(gauges.untold_people_24h, 1);
    assert_eq!(gauges.oldest_due_seconds, 0.0);
}

async fn what_is_over_is_erased<S: Store>(store: S) {
    cancel(&store, 2).await;
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    let delivered: Vec<_> = claims
        .iter()
        .map(|c| report(c, ReportState::Delivered))
        .collect();
    store.report(&delivered).await.unwrap();
    let tally = store.tally(now()).await.unwrap();
    let over = start(1) + TimeDelta::seconds(1);
    assert_eq!(store.erase(over, 10).await.unwrap(), 1);
    assert_eq!(store.erase(over, 10).await.unwrap(), 0);
    let erased = known(&store, 1).await;
    assert_eq!(
        (erased.notices.len(), erased.appointment.recipients.len()),
        (0, 0)
    );
    let kept = known(&store, 2).await;
    assert_eq!((kept.notices.len(), kept.appointment), (1, cancelled(2)));
    assert_eq!(
        store.tally(now()).await.unwrap(),
        tally,
        "counts outlive the person"
    );
    let reference = notice(1).reference.to_string();
    assert_eq!(store.explain(&reference).await.unwrap(), []);
    assert!(!store.explain("B1").await.unwrap()[0].lines.is_empty());
}

async fn what_may_still_be_needed_is_not_erased<S: Store>(store: S) {
    cancel(&store, 1).await;
    let claim = claim_one(&store, &ask(Channel::Sms)).await;
    settle_one(&store, &claim, accepted()).await;
    let over = start(1) + hours(1);
    assert_eq!(
        store.erase(over, 10).await.unwrap(),
        0,
        "a report may still come"
    );
    store.sweep(over, limits()).await.unwrap();
    assert_eq!(
        store.erase(over, 10).await.unwrap(),
        0,
        "its next rung is due"
    );
    let called = NewNotice {
        messages: vec![phone_rung(1)],
        ..notice(1)
    };
    let entry = again(&known(&store, 1).await, vec![called]);
    store.record(record(vec![entry])).await.unwrap();
    store.sweep(over, limits()).await.unwrap();
    assert_eq!(store.erase(over + hours(1), 10).await.unwrap(), 1);
}

fn closing() -> Closing {
    Closing {
        offices: vec![OfficeId("gronland".to_owned()), OfficeId("ski".to_owned())],
        kinds: vec![ServiceKind::Passport, ServiceKind::Citizenship],
        from: "2021-03-17".parse().unwrap(),
        to: "2021-04-11".parse().unwrap(),
        kind: ClosingKind::Reduced,
        next: NextStep::WeInvite,
        reason: Texts::from([
            (Language::Nb, "smittesituasjonen"),
            (Language::En, "the infection situation"),
        ]),
        max: 40,
    }
}

async fn closings_are_kept_until_they_end<S: Store>(store: S) {
    let add = act("c", Deed::AddClosing(closing()));
    assert_eq!(store.act(&add).await.unwrap().count, 1);
    assert_eq!(store.act(&add).await.unwrap().count, 1);
    let announced = store.closings(now()).await.unwrap();
    assert_eq!(announced.len(), 1);
    assert_eq!(announced[0].closing, closing());
    assert_eq!(
        (announced[0].admitted, announced[0].actor.as_str()),
        (0, "kari")
    );
    assert_eq!(
        store.closings(now() + TimeDelta::days(60)).await.unwrap(),
        []
    );
    let end = Deed::EndClosing(announced[0].id);
    assert_eq!(store.act(&act("e", end.clone())).await.unwrap().count, 1);
    assert_eq!(store.closings(now()).await.unwrap(), []);
    let again = store.act(&act("f", end)).await;
    assert!(matches!(again, Err(ActError::NoClosing(_))), "{again:?}");
    let other = store.act(&act("g", Deed::AddClosing(closing()))).await;
    assert_eq!(other.unwrap().count, 1);
    let announced_anew = store.closings(now()).await.unwrap();
    assert_ne!(
        announced_anew[0].id, announced[0].id,
        "a number is given once"
    );
}

async fn what_a_closing_admits_is_counted<S: Store>(store: S) {
    baseline(&store, 2).await;
    let add = act("c", Deed::AddClosing(closing()));
    store.act(&add).await.unwrap();
    let id = store.closings(now()).await.unwrap()[0].id;
    let mut entries = Vec::new();
    for n in [1, 2] {
        let mut entry = change(&known(&store, n).await, cancelled(n), vec![notice(n)]);
        entry.admitted_by = Some(id);
        entries.push(entry);
    }
    let recorded = store.record(record(entries.clone())).await.unwrap();
    assert_eq!(recorded.admitted[&id], 2);
    assert_eq!(store.closings(now()).await.unwrap()[0].admitted, 2);
    let recorded = store.record(record(entries)).await.unwrap();
    assert_eq!((recorded.conflicts.len(), recorded.admitted.len()), (2, 0));
    assert_eq!(store.closings(now()).await.unwrap()[0].admitted, 2);
}

async fn a_secret_stays_the_same<S: Store>(store: S) {
    let first = store.secret("reports").await.unwrap();
    assert_eq!(store.secret("reports").await.unwrap(), first);
    assert_ne!(store.secret("pages").await.unwrap(), first);
}
