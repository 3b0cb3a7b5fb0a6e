//! Values for the laws: made by hand where a test names them, drawn where any will do.

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use varsel::domain::appointment::{BookingState, Standing};
use varsel::domain::change::{Change, ChangeKind};
use varsel::domain::contact::{Contact, Email, Phone, Unusable};
use varsel::domain::ladder::Ladder;
use varsel::domain::message::{Channel, MessageBrief, MessageId, MessageState, Reason, ToldOn};
use varsel::domain::notice::{NoticeBrief, NoticeId, OnUnknown, Purpose};
use varsel::domain::recipient::Role;
use varsel::domain::reference::Reference;

pub(super) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Tuesday 16 March 2021, 14:00 in Oslo.
pub(super) fn now() -> DateTime<Utc> {
    utc("2021-03-16T13:00:00Z")
}

/// The deadline of every notice made here.
pub(super) fn due_by() -> DateTime<Utc> {
    utc("2021-03-24T08:20:00Z")
}

pub(super) fn booking(standing: Standing, start: &str, office: &str) -> BookingState {
    BookingState {
        standing,
        start: utc(start),
        office: office.into(),
    }
}

pub(super) fn message(
    rung: u8,
    channel: Channel,
    state: MessageState,
    told_on: ToldOn,
) -> MessageBrief {
    MessageBrief {
        id: MessageId(i64::from(rung) + 1),
        rung,
        channel,
        state,
        reason: None,
        told_on,
        may_be_out: matches!(
            state,
            MessageState::Sending | MessageState::Accepted | MessageState::Unknown
        ),
        first_attempt_at: None,
        told_at: None,
        gateway_key: format!("key-{rung}"),
    }
}

/// A notice of a cancellation, with these messages.
pub(super) fn notice(messages: Vec<MessageBrief>) -> NoticeBrief {
    let old = booking(Standing::Active, "2021-03-24T08:20:00Z", "gronland");
    let new = BookingState {
        standing: Standing::Cancelled,
        ..old.clone()
    };
    NoticeBrief {
        id: NoticeId(1),
        revision: 1,
        purpose: Purpose::Cancellation,
        occasion: 0,
        role: Role::Applicant,
        change: Change {
            kind: ChangeKind::Cancelled,
            old,
            new,
        },
        ladder: Ladder::new(&[Channel::Sms, Channel::Email]),
        on_unknown: OnUnknown::Retry,
        reference: Reference::draw(1),
        due_by: due_by(),
        not_after: due_by(),
        superseded: false,
        messages,
    }
}

/// Any of a list.
pub(super) fn one_of<T: Clone + std::fmt::Debug + 'static>(
    list: &[T],
) -> impl Strategy<Value = T> + use<T> {
    prop::sample::select(list.to_vec())
}

/// Few values, so that states are often equal, or equal but for one thing.
pub(super) fn states() -> impl Strategy<Value = BookingState> {
    (
        one_of(&[Standing::Active, Standing::Cancelled]),
        one_of(&["2021-03-24T08:20:00Z", "2021-03-25T09:00:00Z"]),
        one_of(&["gronland", "majorstuen"]),
    )
        .prop_map(|(standing, start, office)| booking(standing, start, office))
}

pub(super) fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    (-60i64 * 24 * 60..60 * 24 * 60).prop_map(|minutes| now() + TimeDelta::minutes(minutes))
}

/// Any message; the ladder's own order is not kept.
pub(super) fn messages() -> impl Strategy<Value = MessageBrief> {
    (
        0u8..3,
        one_of(Channel::ALL),
        one_of(MessageState::ALL),
        one_of(ToldOn::ALL),
        prop::option::of(one_of(Reason::ALL)),
        any::<bool>(),
        prop::option::of(instants()),
    )
        .prop_map(
            |(rung, channel, state, told_on, reason, out, at)| MessageBrief {
                reason,
                may_be_out: out,
                told_at: at,
                first_attempt_at: at,
                ..message(rung, channel, state, told_on)
            },
        )
}

pub(super) fn notices() -> impl Strategy<Value = NoticeBrief> {
    (
        prop::collection::vec(messages(), 0..4),
        any::<bool>(),
        instants(),
    )
        .prop_map(|(messages, superseded, due_by)| NoticeBrief {
            superseded,
            due_by,
            ..notice(messages)
        })
}

pub(super) fn contacts() -> impl Strategy<Value = Contact> {
    (any::<bool>(), any::<bool>(), one_of(Unusable::ALL)).prop_map(|(phone, email, why)| Contact {
        phone: phone.then(|| Phone::from_stored("+4740000000")).ok_or(why),
        email: email
            .then(|| Email::from_stored("k@example.com"))
            .ok_or(why),
    })
}
