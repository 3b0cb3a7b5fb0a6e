//! Change and beliefs: silence exactly when everything a person may believe is true.

use proptest::prelude::*;
use varsel::domain::appointment::{BookingState, Standing};
use varsel::domain::change::{Change, ChangeKind, change};
use varsel::domain::message::{Channel, MessageBrief, MessageState, ToldOn};
use varsel::domain::notice::{NoticeBrief, NoticeId, beliefs};
use varsel::domain::recipient::Role;

use super::made::{booking, message, messages, notice, states};

/// Two cancelled states ask the same of a person: not to come.
fn same_to_the_person(a: &BookingState, b: &BookingState) -> bool {
    a == b || (a.standing == Standing::Cancelled && b.standing == Standing::Cancelled)
}

fn telling(id: u32, new: BookingState, messages: Vec<MessageBrief>) -> NoticeBrief {
    let template = notice(messages);
    NoticeBrief {
        id: NoticeId(id.into()),
        revision: id,
        change: Change {
            new,
            ..template.change.clone()
        },
        ..template
    }
}

fn sms(state: MessageState, may_be_out: bool) -> Vec<MessageBrief> {
    vec![MessageBrief {
        may_be_out,
        ..message(0, Channel::Sms, state, ToldOn::Delivered)
    }]
}

fn stands() -> BookingState {
    booking(Standing::Active, "2021-03-24T08:20:00Z", "gronland")
}

fn cancelled() -> BookingState {
    BookingState {
        standing: Standing::Cancelled,
        ..stands()
    }
}

/// What the applicant must be told now, after these notices.
fn change_after(now: &BookingState, notices: &[NoticeBrief]) -> Option<Change> {
    change(now, &beliefs(&stands(), notices, &Role::Applicant))
}

#[test]
fn cancelled_and_reinstated_before_anything_left_is_silent() {
    for state in [
        MessageState::Ready,
        MessageState::Held,
        MessageState::Superseded,
    ] {
        let notices = [telling(1, cancelled(), sms(state, false))];
        assert_eq!(change_after(&stands(), &notices), None, "{state}");
    }
}

#[test]
fn a_reinstatement_is_told_when_the_cancellation_may_be_out() {
    for state in [
        MessageState::Sending,
        MessageState::Unknown,
        MessageState::Accepted,
        // An unknown that a newer revision made void may have reached the person all the same.
        MessageState::Superseded,
    ] {
        let notices = [telling(1, cancelled(), sms(state, true))];
        let told = change_after(&stands(), &notices).map(|change| change.kind);
        assert_eq!(told, Some(ChangeKind::Reinstated), "{state}");
    }
}

#[test]
fn what_may_have_been_told_does_not_hide_what_surely_was() {
    let moved = booking(Standing::Active, "2021-03-25T09:00:00Z", "gronland");
    let notices = [
        telling(1, cancelled(), sms(MessageState::Delivered, true)),
        telling(2, moved.clone(), sms(MessageState::Unknown, true)),
    ];
    // They know of the cancellation, and perhaps of the new time: both must be answered.
    let told = change_after(&moved, &notices).map(|change| change.kind);
    assert_eq!(told, Some(ChangeKind::Reinstated));
    // Once the new time is surely told, the cancellation is history.
    let mut notices = notices;
    notices[1].messages = sms(MessageState::Delivered, true);
    assert_eq!(change_after(&moved, &notices), None);
}

#[test]
fn each_person_believes_what_they_were_told_themselves() {
    let mut told = telling(1, cancelled(), sms(MessageState::Delivered, true));
    told.role = Role::Representative;
    let notices = [told];
    assert_eq!(beliefs(&stands(), &notices, &Role::Applicant), [stands()]);
    assert_eq!(
        beliefs(&stands(), &notices, &Role::Representative),
        [cancelled()]
    );
}

fn histories() -> impl Strategy<Value = Vec<NoticeBrief>> {
    let one = (states(), prop::collection::vec(messages(), 0..3));
    prop::collection::vec(one, 0..5).prop_map(|told| {
        let numbered = (1u32..).zip(told);
        numbered
            .map(|(id, (new, messages))| telling(id, new, messages))
            .collect()
    })
}

proptest! {
    #[test]
    fn silence_means_that_every_belief_is_true(now in states(), believed in prop::collection::vec(states(), 1..5)) {
        let all_true = believed.iter().all(|b| same_to_the_person(b, &now));
        prop_assert_eq!(change(&now, &believed).is_none(), all_true);
    }

    #[test]
    fn a_change_leads_from_a_belief_to_what_is(now in states(), believed in prop::collection::vec(states(), 1..5)) {
        if let Some(change) = change(&now, &believed) {
            prop_assert_eq!(&change.new, &now);
            prop_assert!(believed.contains(&change.old));
            match change.kind {
                ChangeKind::Cancelled => {
                    prop_assert_eq!(now.standing, Standing::Cancelled);
                    prop_assert_eq!(change.old.standing, Standing::Active);
                }
                ChangeKind::Reinstated => {
                    prop_assert_eq!(now.standing, Standing::Active);
                    prop_assert_eq!(change.old.standing, Standing::Cancelled);
                }
                ChangeKind::Moved { time, office } => {
                    prop_assert_eq!(now.standing, Standing::Active);
                    prop_assert!(believed.iter().all(|b| b.standing == Standing::Active));
                    prop_assert_eq!(time, change.old.start != now.start);
                    prop_assert_eq!(office, change.old.office != now.office);
                    prop_assert!(time || office);
                }
            }
        }
    }

    #[test]
    fn a_person_believes_the_last_sure_word_and_every_later_perhaps(history in histories()) {
        let believed = beliefs(&stands(), &history, &Role::Applicant);
        let sure = history.iter().rposition(NoticeBrief::has_told);
        let expected: Vec<BookingState> = match sure {
            Some(at) => vec![history[at].change.new.clone()],
            None => vec![stands()],
        };
        let later = history.iter().skip(sure.map_or(0, |at| at + 1));
        let perhaps = later.filter(|n| n.may_have_told()).map(|n| n.change.new.clone());
        prop_assert_eq!(believed, expected.into_iter().chain(perhaps).collect::<Vec<_>>());
    }

    #[test]
    fn the_order_of_the_notices_does_not_matter(history in histories(), turn in 0usize..5) {
        let mut turned = history.clone();
        if !turned.is_empty() {
            let by = turn % turned.len();
            turned.rotate_left(by);
        }
        prop_assert_eq!(
            beliefs(&stands(), &turned, &Role::Applicant),
            beliefs(&stands(), &history, &Role::Applicant)
        );
    }

    /// However the race between sending and reinstating ends, a person who may have read "cancelled"
    /// is told that it stands.
    #[test]
    fn no_cancellation_is_left_without_its_reinstatement(message in messages()) {
        let may_know = message.may_be_out || message.has_told();
        let notices = [telling(1, cancelled(), vec![message])];
        let kind = change_after(&stands(), &notices).map(|change| change.kind);
        prop_assert_eq!(kind, may_know.then_some(ChangeKind::Reinstated));
    }
}
