//! A message's life: its states, what can happen to it, and the one table that joins them.
//!
//! [`next`] is a total function: every event in every state has an answer, and docs/STATES.md shows
//! the same table, compared with this code by a test. Stores apply the table; they do not know it
//! better.

use chrono::{DateTime, Utc};

/// A way to reach a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Text message through an HTTP gateway.
    Sms,
    /// E-mail through a relay.
    Email,
    /// The call list: its gateway is a person, and ticking off is its outcome.
    Phone,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageState {
    /// May be claimed once its time has come. On the phone channel: stands on the call list.
    Ready,
    /// Claimed: the intent is durable, and the outcome is not known yet.
    Sending,
    /// The gateway took responsibility.
    Accepted,
    /// The gateway's authenticated report says so, or a person ticked it off.
    Delivered,
    /// The gateway's report says that it did not arrive.
    Undelivered,
    /// Accepted, and no report came in time.
    Unconfirmed,
    /// Refused, or certainly not sent and no time left.
    Failed,
    /// Handed over perhaps: no definite answer, or the lease ran out.
    Unknown,
    /// Stopped, with a reason, until a person releases it.
    Held,
    /// A newer revision made it void before it left.
    Superseded,
    /// Its time passed before it left.
    Expired,
    /// Deliberately not sent, with a reason.
    Suppressed,
}

/// What can happen to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// A node takes it, and with that the intent to send is durable.
    Claim,
    /// The attempt was accepted.
    Accepted,
    /// The attempt certainly did not happen, and there is time to try again.
    NotSent,
    /// The attempt certainly did not happen, or none was made, and there is no time left on this
    /// rung.
    GaveUp,
    /// The attempt was refused for good.
    Refused,
    /// The attempt has no definite answer.
    Unclear,
    /// The lease ran out without an outcome.
    LeaseEnded,
    /// An authenticated report: it arrived.
    ReportedDelivered,
    /// An authenticated report: it did not arrive.
    ReportedUndelivered,
    /// The report did not come in time.
    ReportDeadline,
    /// A newer revision of the appointment was recorded.
    Supersede,
    /// Its `not_after` passed.
    Expire,
    /// It shall not be sent, with a reason.
    Suppress,
    /// It shall wait for a person, with a reason.
    Hold,
    /// A person released it.
    Release,
    /// An unknown is handed over once more, marked *possible duplicate*.
    Retry,
    /// An unknown is handed over again to the same gateway, which takes its key only once for now.
    Repeat,
    /// The time in which that was safe has passed before it left.
    WindowClosed,
    /// A person on the phone channel told the recipient.
    TickOff,
}

/// What an event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The message moves to this state.
    To(MessageState),
    /// The event is recorded as evidence, and the state stays.
    Stay,
    /// The event cannot happen here; whoever raised it is refused.
    Refused,
}

/// Why a message stands where it stands, in words a program can match and a person can be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Held: the brake stopped its batch.
    Brake,
    /// Held: an operator stopped it.
    Operator,
    /// Held: an earlier hand-over is unknown, and the rule is not to repeat it.
    Unknown,
    /// Held: it keeps taking its sender down.
    Poison,
    /// Suppressed: the gateway is in trial mode, and the address is not on its list.
    Trial,
    /// Suppressed: a person discarded its batch.
    Discarded,
    /// Phone: the source gives neither number nor address.
    NoContact,
    /// Phone: the number or address that is there cannot be used.
    UnusableContact,
    /// Phone: every other rung ended without telling the person.
    RungsEnded,
    /// Phone: the directory, the rules or the texts have no answer for it, so it cannot be written.
    NotWritable,
    /// Phone: the person's address is protected, so nothing is written.
    Protected,
    /// Phone: the person is not to be written to.
    DoNotContact,
    /// Failed: the gateway refused it.
    Refused,
    /// Failed: the gateway could not be reached while there was time.
    Unreachable,
}

macro_rules! words {
    ($type:ident { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in the order of the tables.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable word used in tables, metrics, JSON and documents.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the stable word back.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
pub(crate) use words;

words!(Channel { Sms => "sms", Email => "email", Phone => "phone" });

words!(MessageState {
    Ready => "ready",
    Sending => "sending",
    Accepted => "accepted",
    Delivered => "delivered",
    Undelivered => "undelivered",
    Unconfirmed => "unconfirmed",
    Failed => "failed",
    Unknown => "unknown",
    Held => "held",
    Superseded => "superseded",
    Expired => "expired",
    Suppressed => "suppressed",
});

words!(Event {
    Claim => "claim",
    Accepted => "accepted",
    NotSent => "not_sent",
    GaveUp => "gave_up",
    Refused => "refused",
    Unclear => "unclear",
    LeaseEnded => "lease_ended",
    ReportedDelivered => "reported_delivered",
    ReportedUndelivered => "reported_undelivered",
    ReportDeadline => "report_deadline",
    Supersede => "supersede",
    Expire => "expire",
    Suppress => "suppress",
    Hold => "hold",
    Release => "release",
    Retry => "retry",
    Repeat => "repeat",
    WindowClosed => "window_closed",
    TickOff => "tick_off",
});

words!(Reason {
    Brake => "brake",
    Operator => "operator",
    Unknown => "unknown",
    Poison => "poison",
    Trial => "trial",
    Discarded => "discarded",
    NoContact => "no_contact",
    Protected => "protected",
    DoNotContact => "do_not_contact",
    UnusableContact => "unusable_contact",
    RungsEnded => "rungs_ended",
    NotWritable => "not_writable",
    Refused => "refused",
    Unreachable => "unreachable",
});

/// What `event` does to a message in `state`.
#[must_use]
pub fn next(state: MessageState, event: Event) -> Next {
    use MessageState as S;
    match event {
        Event::Claim => only(state, &[S::Ready], S::Sending),
        // A late "accepted" also stops a repetition that was already allowed: what is known to be
        // handed over is never handed over again. And it takes back that nothing was handed over:
        // of several attempts the last may have failed, or time passed while one was not known.
        Event::Accepted => evidence(
            state,
            &[
                S::Sending,
                S::Unknown,
                S::Ready,
                S::Held,
                S::Failed,
                S::Expired,
            ],
            S::Accepted,
        ),
        Event::NotSent => evidence(state, &[S::Sending, S::Unknown], S::Ready),
        Event::GaveUp => evidence(state, &[S::Ready, S::Sending, S::Unknown], S::Failed),
        Event::Refused => evidence(state, &[S::Sending, S::Unknown], S::Failed),
        Event::Unclear => evidence(state, &[S::Sending], S::Unknown),
        Event::LeaseEnded => only(state, &[S::Sending], S::Unknown),
        // A positive report is believed wherever it finds the message: it names the attempt, and
        // nothing else can tell us more.
        Event::ReportedDelivered if state == S::Delivered => Next::Stay,
        Event::ReportedDelivered => Next::To(S::Delivered),
        // A negative one counts only where an outcome is known or never will be; in `sending` it
        // waits, and it never takes back a delivery.
        Event::ReportedUndelivered => evidence(
            state,
            &[S::Accepted, S::Unconfirmed, S::Unknown],
            S::Undelivered,
        ),
        Event::ReportDeadline => only(state, &[S::Accepted], S::Unconfirmed),
        Event::Supersede => evidence(state, &[S::Ready, S::Held, S::Unknown], S::Superseded),
        Event::Expire => only(state, &[S::Ready, S::Held], S::Expired),
        // Withheld at the door: certain, even if the lease ended before it was written down.
        Event::Suppress => only(
            state,
            &[S::Ready, S::Held, S::Sending, S::Unknown],
            S::Suppressed,
        ),
        Event::Hold => only(state, &[S::Ready, S::Unknown], S::Held),
        Event::Release => only(state, &[S::Held], S::Ready),
        Event::Retry | Event::Repeat => only(state, &[S::Unknown], S::Ready),
        Event::WindowClosed => only(state, &[S::Ready], S::Unknown),
        // A person was told, even if it is written down when the time has passed or somebody has
        // just stopped the message. What was void by then was told in vain, and stays void.
        Event::TickOff => evidence(state, &[S::Ready, S::Held, S::Expired], S::Delivered),
    }
}

fn only(state: MessageState, from: &[MessageState], to: MessageState) -> Next {
    if from.contains(&state) {
        Next::To(to)
    } else {
        Next::Refused
    }
}

fn evidence(state: MessageState, from: &[MessageState], to: MessageState) -> Next {
    if from.contains(&state) {
        Next::To(to)
    } else {
        Next::Stay
    }
}

impl MessageState {
    /// Whether nothing but evidence can still change it.
    #[must_use]
    pub fn has_ended(self) -> bool {
        !matches!(
            self,
            Self::Ready | Self::Sending | Self::Accepted | Self::Unknown | Self::Held
        )
    }
}

/// What decides that a message has told its recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToldOn {
    /// The gateway's acceptance is enough (e-mail: only a bounce says otherwise).
    Accepted,
    /// Only a positive report (SMS with delivery reports, the call list's tick).
    Delivered,
    /// Reports do not exist at this gateway: accepted counts, and is counted apart.
    Unconfirmed,
}

words!(ToldOn { Accepted => "accepted", Delivered => "delivered", Unconfirmed => "unconfirmed" });

/// The number of a message in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub i64);

/// What a verdict needs to know of one message of a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageBrief {
    /// Its number.
    pub id: MessageId,
    /// Which rung of the ladder it stands on, counted from 0.
    pub rung: u8,
    /// Its channel.
    pub channel: Channel,
    /// Its state.
    pub state: MessageState,
    /// Why it stands there, where a reason exists.
    pub reason: Option<Reason>,
    /// What decides that it has told its recipient.
    pub told_on: ToldOn,
    /// Whether an attempt may have reached the person although the state no longer shows it: some
    /// attempt is or was sending, unknown or accepted.
    pub may_be_out: bool,
    /// When the first intent to send was recorded, in domain time.
    pub first_attempt_at: Option<DateTime<Utc>>,
    /// When it told its recipient, in domain time.
    pub told_at: Option<DateTime<Utc>>,
    /// What gateways de-duplicate it by, and what an e-mail's Message-ID is derived from.
    pub gateway_key: String,
}

impl MessageBrief {
    /// Whether this message has told its recipient.
    #[must_use]
    pub fn has_told(&self) -> bool {
        match self.state {
            MessageState::Delivered => true,
            MessageState::Accepted => self.told_on != ToldOn::Delivered,
            MessageState::Unconfirmed => self.told_on == ToldOn::Unconfirmed,
            MessageState::Ready
            | MessageState::Sending
            | MessageState::Undelivered
            | MessageState::Failed
            | MessageState::Unknown
            | MessageState::Held
            | MessageState::Superseded
            | MessageState::Expired
            | MessageState::Suppressed => false,
        }
    }
}
