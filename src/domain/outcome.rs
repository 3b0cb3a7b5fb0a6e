//! What one hand-over to a gateway came to: four classes, and never a guess.
//!
//! Each channel maps its protocol to these classes by one table of its own; what follows from a
//! class is decided here.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::message::{Event, Reason};
use super::retry::{self, RetryPolicy};

/// The result of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway took responsibility; its own identifier, if it gave one.
    Accepted {
        /// The gateway's identifier of the message.
        gateway_id: Option<String>,
    },
    /// Certainly not handed over: it may be tried again without a second thought.
    NotSent {
        /// What went wrong, for people; never personal data.
        cause: String,
        /// How long the gateway asked us to wait.
        retry_after: Option<Duration>,
        /// Of whom it speaks.
        blame: Blame,
    },
    /// Refused for good: repeating it would be refused again.
    Refused {
        /// What the gateway said, for people; never personal data.
        cause: String,
    },
    /// No definite answer: it may have been handed over.
    Unknown {
        /// What went wrong, for people; never personal data.
        cause: String,
    },
    /// Withheld at the door by us (trial mode): certainly not handed over, and never will be.
    Withheld(Reason),
}

/// Of whom it speaks that a message was certainly not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// Of this message alone; nothing of the gateway.
    Message,
    /// Of the gateway: it was not reached, or takes nothing now (429, 503).
    Gateway,
    /// Of our account there, or of how we use it (401, 403): no message would be taken.
    Account,
}

impl Outcome {
    /// The stable word used in tables, metrics and JSON.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::NotSent { .. } => "not_sent",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } => "unknown",
            Self::Withheld(_) => "withheld",
        }
    }

    /// What went wrong, if anything did.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Accepted { .. } => None,
            Self::NotSent { cause, .. } | Self::Refused { cause } | Self::Unknown { cause } => {
                Some(cause)
            }
            Self::Withheld(reason) => Some(reason.word()),
        }
    }
}

/// What a gateway's report about one attempt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportState {
    /// It arrived.
    Delivered,
    /// It did not arrive, and will not.
    Undelivered,
    /// It is on its way; recorded as evidence only.
    Progress,
}

super::message::words!(ReportState {
    Delivered => "delivered",
    Undelivered => "undelivered",
    Progress => "progress",
});

/// What follows from an outcome: the event for the message, with its next times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happens to the message.
    pub event: Event,
    /// When it may be tried again (for `NotSent`).
    pub not_before: Option<DateTime<Utc>>,
    /// Until when a report is waited for (for `Accepted`, where reports exist).
    pub report_by: Option<DateTime<Utc>>,
    /// Why, where a reason exists.
    pub reason: Option<Reason>,
}

impl Decision {
    /// An event without times or a reason.
    #[must_use]
    pub fn of(event: Event) -> Self {
        Self {
            event,
            not_before: None,
            report_by: None,
            reason: None,
        }
    }
}

/// What the decision needs to know beside the outcome.
#[derive(Clone, Copy, Debug)]
pub struct AttemptFacts {
    /// The present, in domain time.
    pub now: DateTime<Utc>,
    /// How many attempts were made, this one included.
    pub attempts: u32,
    /// After this, this rung is given up and the next one takes over.
    pub give_up_at: DateTime<Utc>,
    /// How long a report is waited for; `None` where the gateway gives none.
    pub report_within: Option<Duration>,
    /// Its rung waits for a report at least so long after its last try, and else no longer than
    /// until `give_up_at`.
    pub report_least: Duration,
    /// Where in the jitter's range this retry falls, in [0, 1).
    pub jitter: f64,
}

/// Decides what follows from an attempt.
#[must_use]
pub fn after_attempt(outcome: &Outcome, facts: &AttemptFacts, policy: &RetryPolicy) -> Decision {
    let plain = |event, reason| Decision {
        reason,
        ..Decision::of(event)
    };
    match outcome {
        Outcome::Accepted { .. } => Decision {
            report_by: facts.report_within.map(|wait| report_by(facts, wait)),
            ..plain(Event::Accepted, None)
        },
        Outcome::NotSent { retry_after, .. } => {
            match retry::next_try(facts, policy, *retry_after) {
                Some(at) => Decision {
                    not_before: Some(at),
                    ..plain(Event::NotSent, None)
                },
                None => plain(Event::GaveUp, Some(Reason::Unreachable)),
            }
        }
        Outcome::Refused { .. } => plain(Event::Refused, Some(Reason::Refused)),
        Outcome::Unknown { .. } => plain(Event::Unclear, None),
        Outcome::Withheld(reason) => plain(Event::Suppress, Some(*reason)),
    }
}

/// Silence is no longer waited out than the rung has time, or the next one would come too late.
fn report_by(facts: &AttemptFacts, within: Duration) -> DateTime<Utc> {
    let rung = facts.give_up_at.max(facts.now + facts.report_least);
    (facts.now + within).min(rung)
}
