//! Waves of invitations: who is invited first, who is left out, and that everybody is invited once.

use chrono::{NaiveDate, TimeDelta};
use varsel::domain::about::About;
use varsel::domain::change::ChangeKind;
use varsel::domain::message::Channel;
use varsel::domain::notice::Purpose;
use varsel::domain::occasion::Occasion;
use varsel::domain::recipient::Role;
use varsel::store::{
    ActError, BatchId, Deed, NewNotice, NewWave, PassedOver, Record, ReportState, SeenWave, Store,
    Wave,
};

use super::fixtures::*;

laws! {
    the_oldest_cancellations_come_first_as_far_as_there_is_room,
    whoever_is_invited_is_not_invited_again,
    who_has_another_appointment_since_is_left_out,
    one_of_two_appointments_of_a_family_is_still_invited,
    who_was_cancelled_twice_comes_first,
    who_was_not_told_or_is_not_to_be_written_to_is_left_out,
    who_may_know_is_invited_and_who_surely_does_not_is_not,
    a_wave_names_what_was_seen,
    an_invitation_can_be_written_as_long_as_it_is_cancelled,
}

fn until() -> NaiveDate {
    NaiveDate::from_ymd_opt(2021, 4, 23).unwrap()
}

fn room_for(capacity: u32) -> NewWave {
    NewWave {
        offices: vec!["gronland".into()],
        services: Vec::new(),
        capacity,
        until: until(),
    }
}

async fn wave<S: Store>(store: &S, capacity: u32) -> Wave {
    store.wave(&room_for(capacity), 10).await.unwrap()
}

fn invited(wave: &Wave) -> Vec<String> {
    wave.first
        .iter()
        .map(|person| person.key.0.clone())
        .collect()
}

/// Everything that may leave leaves, and is taken.
async fn tell<S: Store>(store: &S) {
    for claim in store.claim(&ask(Channel::Sms)).await.unwrap() {
        assert!(settle_one(store, &claim, accepted()).await);
        store
            .report(&[report(&claim, ReportState::Delivered)])
            .await
            .unwrap();
    }
}

async fn start<S: Store>(store: &S, key: &str, capacity: u32) -> u32 {
    let seen = wave(store, capacity).await.seen;
    let deed = Deed::StartWave(room_for(capacity), seen);
    store.act(&act(key, deed)).await.unwrap().count
}

/// A record a day after everything else.
fn tomorrow(entries: Vec<varsel::store::Entry>) -> Record {
    Record {
        at: now() + TimeDelta::days(1),
        ..record(entries)
    }
}

async fn the_oldest_cancellations_come_first_as_far_as_there_is_room<S: Store>(store: S) {
    baseline(&store, 3).await;
    for n in [2, 3, 1] {
        cancel_with(&store, vec![(n, notice(n))], None).await;
    }
    tell(&store).await;
    let shown = wave(&store, 2).await;
    assert_eq!(invited(&shown), ["B2", "B3"]);
    assert_eq!(
        (shown.seen.people, shown.appointments, shown.waiting),
        (2, 2, 1)
    );
    assert_eq!(shown.offices.values().sum::<u32>(), 2);
    assert!(shown.passed_over.is_empty());
    let mut elsewhere = room_for(2);
    elsewhere.offices = vec!["majorstuen".into()];
    assert_eq!(store.wave(&elsewhere, 10).await.unwrap().appointments, 0);
    let mut other = room_for(2);
    other.services = vec!["id_card".into()];
    assert_eq!(store.wave(&other, 10).await.unwrap().appointments, 0);
    assert_eq!(store.wave(&room_for(2), 1).await.unwrap().first.len(), 1);
}

async fn whoever_is_invited_is_not_invited_again<S: Store>(store: S) {
    cancel(&store, 3).await;
    tell(&store).await;
    assert_eq!(start(&store, "first", 2).await, 2);
    let shown = wave(&store, 5).await;
    assert_eq!(invited(&shown), ["B3"]);
    assert_eq!(shown.passed_over[&PassedOver::Invited], 2);
    let asked = store.asked(page(10)).await.unwrap();
    assert_eq!(asked.len(), 2);
    let occasion = Occasion {
        purpose: Purpose::Rebooking,
        number: 1,
        role: Role::Applicant,
        until: Some(until()),
    };
    assert_eq!(asked[0].occasions, [occasion]);
    // Written, it is an invitation of that wave; and still nobody is asked twice.
    for known in asked {
        let n: u32 = known.appointment.key.0[1..].parse().unwrap();
        let mut invitation = renamed(notice(n), n + 50);
        (invitation.purpose, invitation.occasion) = (Purpose::Rebooking, 1);
        let mut entry = again(&known, vec![invitation]);
        entry.settled = known.occasions.clone();
        store.record(record(vec![entry])).await.unwrap();
    }
    assert_eq!(store.asked(page(10)).await.unwrap().len(), 0);
    assert_eq!(wave(&store, 5).await.passed_over[&PassedOver::Invited], 2);
    let story = store.explain("B1").await.unwrap().remove(0);
    let notice = story.notices.last().unwrap();
    assert_eq!((notice.purpose, notice.occasion), (Purpose::Rebooking, 1));
    assert_eq!(start(&store, "second", 5).await, 1);
    let occasions = known(&store, 3).await.occasions;
    assert_eq!(occasions[0].number, 2, "each wave has its own number");
}

async fn who_has_another_appointment_since_is_left_out<S: Store>(store: S) {
    cancel(&store, 2).await;
    tell(&store).await;
    // Booking 9 is that of the first person, made a day later at another office.
    let mut anew = new_booking(9);
    anew.appointment.recipients = vec![person(1)];
    anew.appointment.state.office = "majorstuen".into();
    store.record(tomorrow(vec![anew])).await.unwrap();
    let shown = wave(&store, 5).await;
    assert_eq!(invited(&shown), ["B2"]);
    assert_eq!(shown.passed_over[&PassedOver::BookedAgain], 1);
}

async fn one_of_two_appointments_of_a_family_is_still_invited<S: Store>(store: S) {
    // A third appointment of the same telephone was there all the time, and says nothing.
    let same = |n: u32| {
        let mut entry = new_booking(n);
        entry.appointment.recipients = vec![person(1)];
        entry
    };
    store
        .record(record((1..=3).map(same).collect()))
        .await
        .unwrap();
    for n in [1, 2] {
        let mut gone = cancelled(n);
        gone.recipients = vec![person(1)];
        let entry = change(&known(&store, n).await, gone, vec![notice(n)]);
        store.record(record(vec![entry])).await.unwrap();
    }
    tell(&store).await;
    assert_eq!(invited(&wave(&store, 5).await), ["B1", "B2"]);
    store.record(tomorrow(vec![same(9)])).await.unwrap();
    let shown = wave(&store, 5).await;
    assert_eq!(invited(&shown), ["B2"]);
    assert_eq!(shown.passed_over[&PassedOver::BookedAgain], 1);
}

async fn who_was_cancelled_twice_comes_first<S: Store>(store: S) {
    cancel(&store, 3).await;
    tell(&store).await;
    // The third booked again, and that was cancelled, too.
    let mut anew = new_booking(9);
    anew.appointment.recipients = vec![person(3)];
    store.record(tomorrow(vec![anew])).await.unwrap();
    let mut gone = cancelled(9);
    gone.recipients = vec![person(3)];
    let entry = change(&known(&store, 9).await, gone, vec![notice(9)]);
    store.record(tomorrow(vec![entry])).await.unwrap();
    tell(&store).await;
    let shown = wave(&store, 5).await;
    assert_eq!(invited(&shown), ["B9", "B1", "B2"]);
    assert!(shown.first[0].again && !shown.first[1].again);

    // So does whose one appointment was cancelled, stood again, and was cancelled once more.
    let mut stands = renamed(notice(2), 5);
    stands.purpose = Purpose::Reinstatement;
    stands.change.kind = ChangeKind::Reinstated;
    std::mem::swap(&mut stands.change.old, &mut stands.change.new);
    let entry = change(&known(&store, 2).await, active(2), vec![stands]);
    store.record(record(vec![entry])).await.unwrap();
    tell(&store).await;
    cancel_with(&store, vec![(2, renamed(notice(2), 6))], None).await;
    tell(&store).await;
    assert_eq!(invited(&wave(&store, 5).await)[..2], ["B9", "B2"]);
}

async fn who_was_not_told_or_is_not_to_be_written_to_is_left_out<S: Store>(store: S) {
    baseline(&store, 3).await;
    let mut silent = cancelled(2);
    silent.about = About {
        do_not_contact: true,
        ..About::default()
    };
    let entry = change(&known(&store, 2).await, silent, vec![notice(2)]);
    store.record(record(vec![entry])).await.unwrap();
    cancel_with(&store, vec![(1, notice(1))], None).await;
    tell(&store).await;
    let call = NewNotice {
        messages: vec![phone_rung(3)],
        ..notice(3)
    };
    cancel_with(&store, vec![(3, call)], None).await;
    let shown = wave(&store, 5).await;
    assert_eq!(
        invited(&shown),
        ["B1"],
        "whoever does not know it is phoned first"
    );
    assert_eq!(shown.passed_over[&PassedOver::DoNotContact], 1);
}

async fn who_may_know_is_invited_and_who_surely_does_not_is_not<S: Store>(store: S) {
    cancel(&store, 6).await;
    assert_eq!(wave(&store, 9).await.appointments, 0, "nothing has left");
    let claims = store.claim(&ask(Channel::Sms)).await.unwrap();
    let of = |n: u32| {
        let to = person(n).contact.address(Channel::Sms);
        claims.iter().find(|claim| claim.address == to).unwrap()
    };
    // Number 6 stays in the sender's hands.
    for (n, outcome) in [
        (1, accepted()),
        (2, accepted()),
        (3, unclear()),
        (4, refused()),
        (5, not_sent()),
    ] {
        assert!(settle_one(&store, of(n), outcome).await);
    }
    let undelivered = report(of(2), ReportState::Undelivered);
    store.report(&[undelivered]).await.unwrap();
    assert_eq!(invited(&wave(&store, 9).await), ["B1", "B3", "B6"]);
}

async fn a_wave_names_what_was_seen<S: Store>(store: S) {
    cancel(&store, 2).await;
    tell(&store).await;
    let saw = wave(&store, 1).await.seen;
    let wrong = SeenWave {
        code: saw.code ^ 1,
        ..saw
    };
    let refused = store
        .act(&act("a", Deed::StartWave(room_for(1), wrong)))
        .await;
    assert!(matches!(refused, Err(ActError::WaveChanged(now)) if now == saw));
    for _ in 0..2 {
        let done = store
            .act(&act("b", Deed::StartWave(room_for(1), saw)))
            .await;
        assert_eq!(done.unwrap().count, 1, "the same word twice is one act");
    }
    let refused = store
        .act(&act("c", Deed::StartWave(room_for(1), saw)))
        .await;
    assert!(
        matches!(refused, Err(ActError::WaveChanged(now)) if now != saw && now.people == 1),
        "as many, but somebody else"
    );
    assert_eq!(known(&store, 1).await.appointment.recipients, [person(1)]);
    assert_eq!(store.wrong(BatchId(1), 1).await.unwrap(), None);
}

async fn an_invitation_can_be_written_as_long_as_it_is_cancelled<S: Store>(store: S) {
    cancel(&store, 1).await;
    tell(&store).await;
    start(&store, "first", 5).await;
    assert_eq!(store.asked(page(10)).await.unwrap().len(), 1);
    let known = known(&store, 1).await;
    let entry = change(&known, active(1), Vec::new());
    store.record(record(vec![entry])).await.unwrap();
    // Nobody is invited whose appointment stands: whoever looks settles it.
    assert_eq!(store.asked(page(10)).await.unwrap().len(), 1);
    assert_eq!(wave(&store, 5).await.appointments, 0);
}
