//! A notice: the decision to tell one person one thing. It owns the deadlines and the verdict, and
//! is not itself sent.

use chrono::{DateTime, Utc};

use super::appointment::{BookingState, Standing};
use super::change::Change;
use super::ladder::Ladder;
use super::message::{Channel, MessageBrief, MessageState, words};
use super::recipient::Role;
use super::reference::Reference;

/// Why we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// The appointment is cancelled.
    Cancellation,
    /// The appointment has another time or place.
    Change,
    /// The appointment stands after all.
    Reinstatement,
    /// The application can be submitted online instead.
    DigitalInvitation,
    /// The office takes bookings again.
    Rebooking,
    /// What we wrote was wrong.
    Correction,
}

impl Purpose {
    /// Whether a notice of this purpose tells what happened to the appointment, and not what the
    /// person can do afterwards.
    #[must_use]
    pub fn tells_the_change(self) -> bool {
        match self {
            Self::Cancellation | Self::Change | Self::Reinstatement | Self::Correction => true,
            Self::DigitalInvitation | Self::Rebooking => false,
        }
    }

    /// Whether it speaks of the appointment that was, and not of the one that is: of that one's office
    /// and in its district's name.
    #[must_use]
    pub fn speaks_of_old(self) -> bool {
        match self {
            Self::Cancellation | Self::DigitalInvitation | Self::Rebooking => true,
            Self::Change | Self::Reinstatement | Self::Correction => false,
        }
    }
}

words!(Purpose {
    Cancellation => "cancellation",
    Change => "change",
    Reinstatement => "reinstatement",
    DigitalInvitation => "digital_invitation",
    Rebooking => "rebooking",
    Correction => "correction",
});

/// What is done with a hand-over whose outcome stays unknown after quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnUnknown {
    /// Hand it over once more, marked *possible duplicate*.
    Retry,
    /// Do not repeat it; the next rung takes over.
    Hold,
}

words!(OnUnknown { Retry => "retry", Hold => "hold" });

/// The number of a notice in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoticeId(pub i64);

/// A notice as the decisions need it: what it tells, until when, and how its messages stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeBrief {
    /// Its number.
    pub id: NoticeId,
    /// The appointment's revision it tells of.
    pub revision: u32,
    /// Why it is written.
    pub purpose: Purpose,
    /// 0, or the number of a wave or correction.
    pub occasion: u32,
    /// To whom, by role.
    pub role: Role,
    /// The change it tells.
    pub change: Change,
    /// The channels in order.
    pub ladder: Ladder,
    /// What its messages do when an outcome stays unknown.
    pub on_unknown: OnUnknown,
    /// The code that a person and the phone desk share.
    pub reference: Reference,
    /// Tell before this.
    pub due_by: DateTime<Utc>,
    /// Useless after this.
    pub not_after: DateTime<Utc>,
    /// A newer revision was recorded for this recipient.
    pub superseded: bool,
    /// Its messages, at most one per rung.
    pub messages: Vec<MessageBrief>,
}

impl NoticeBrief {
    /// Whether the person surely knows what this notice tells.
    #[must_use]
    pub fn has_told(&self) -> bool {
        self.messages.iter().any(MessageBrief::has_told)
    }

    /// Whether the person may know what this notice tells.
    #[must_use]
    pub fn may_have_told(&self) -> bool {
        self.has_told() || self.messages.iter().any(|message| message.may_be_out)
    }
}

/// The keys of the e-mails that `role` has got, or may have got, the oldest first.
pub fn earlier_mails<'a>(
    notices: &'a [NoticeBrief],
    role: &Role,
) -> impl Iterator<Item = (&'a NoticeBrief, &'a str)> {
    let told = notices.iter().filter(move |notice| notice.role == *role);
    told.flat_map(|notice| {
        let left =
            |m: &&MessageBrief| m.channel == Channel::Email && (m.may_be_out || m.has_told());
        let mails = notice.messages.iter().filter(left);
        mails.map(move |mail| (notice, mail.gateway_key.as_str()))
    })
}

/// Everything `role` may believe, oldest first: the last state they were surely told (at first the
/// booking itself, `base`) and each later one that was or may have been handed over.
#[must_use]
pub fn beliefs(base: &BookingState, notices: &[NoticeBrief], role: &Role) -> Vec<BookingState> {
    let mut told: Vec<&NoticeBrief> = notices
        .iter()
        .filter(|n| n.role == *role && n.may_have_told())
        .collect();
    told.sort_by_key(|notice| (notice.revision, notice.id));
    let sure = told.iter().rposition(|notice| notice.has_told());
    let mut beliefs = match sure {
        Some(_) => Vec::new(),
        None => vec![base.clone()],
    };
    beliefs.extend(
        told.iter()
            .skip(sure.unwrap_or(0))
            .map(|notice| notice.change.new.clone()),
    );
    beliefs
}

/// When the person was, or may have been, told that it is cancelled: the newest such hand-over.
#[must_use]
pub fn cancellation_sent_at(notices: &[NoticeBrief], role: &Role) -> Option<DateTime<Utc>> {
    notices
        .iter()
        .filter(|notice| notice.role == *role)
        .filter(|notice| notice.change.new.standing == Standing::Cancelled)
        .filter(|notice| notice.may_have_told())
        .flat_map(|notice| &notice.messages)
        .filter(|message| message.state != MessageState::Failed)
        .filter_map(|message| message.first_attempt_at)
        .max()
}
