//! Operator holds: what a person has stopped until they lift it, and what that means for the rows
//! at hand. Nothing here does I/O or reads a clock.
//!
//! A hold stands in a table of its own, and no claim takes what it covers, from the moment it is
//! written, for messages that are there and for those to come. The states follow with the sweep.

use chrono::{DateTime, Utc};

use super::BatchId;
use super::rows::{MessageRow, NoticeRow};
use super::tables::Tables;
use crate::domain::directory::OfficeId;
use crate::domain::message::{Channel, MessageId, MessageState, Reason};

/// The number of an operator's hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId(pub i64);

/// What a hold covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldOn {
    /// Every message, the call list included.
    All,
    /// Every message of this office's notices.
    Office(OfficeId),
    /// Every message of this channel.
    Channel(Channel),
    /// Every message of this batch's notices, also of those that another batch holds since.
    Batch(BatchId),
}

/// A hold that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingHold {
    /// Its number.
    pub id: HoldId,
    /// What it covers.
    pub on: HoldOn,
    /// Why, in the person's words.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when, in domain time.
    pub since: DateTime<Utc>,
    /// Messages that it keeps from leaving now.
    pub messages: u32,
    /// How many of these are calls: people whom nobody phones meanwhile.
    pub calls: u32,
}

impl HoldOn {
    /// Whether it covers a message.
    pub(crate) fn covers(&self, message: &MessageRow, notice: &NoticeRow) -> bool {
        match self {
            Self::All => true,
            Self::Office(office) => *office == notice.office,
            Self::Channel(channel) => *channel == message.channel,
            Self::Batch(batch) => notice.batch == Some(*batch) || notice.was_in.contains(batch),
        }
    }

    /// The stable words of a row: what kind of thing, and its name.
    #[must_use]
    pub fn words(&self) -> (&'static str, String) {
        match self {
            Self::All => ("all", String::new()),
            Self::Office(office) => ("office", office.0.clone()),
            Self::Channel(channel) => ("channel", channel.word().to_owned()),
            Self::Batch(batch) => ("batch", batch.0.to_string()),
        }
    }

    /// Reads the words back.
    pub(crate) fn read(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "all" => Some(Self::All),
            "office" => Some(Self::Office(OfficeId(name.to_owned()))),
            "channel" => Channel::from_word(name).map(Self::Channel),
            "batch" => name.parse().ok().map(|id| Self::Batch(BatchId(id))),
            _ => None,
        }
    }
}

impl Tables {
    /// The hold that covers a message, the oldest first.
    pub(crate) fn hold_on(
        &self,
        message: &MessageRow,
        notice: &NoticeRow,
    ) -> Option<&StandingHold> {
        self.holds
            .iter()
            .find(|hold| hold.on.covers(message, notice))
    }

    /// How many messages a hold keeps from leaving, of one channel or of all. All messages that wait must be
    /// at hand.
    pub(crate) fn kept_by(&self, on: &HoldOn, only: Option<Channel>) -> u32 {
        let kept = self.messages.values().filter(|message| {
            let notice = self.notices.get(&message.notice);
            let waits = message.state == MessageState::Ready || message.is_stopped();
            let asked = only.is_none_or(|channel| channel == message.channel);
            asked && waits && notice.is_some_and(|notice| on.covers(message, notice))
        });
        u32::try_from(kept.count()).unwrap_or(u32::MAX)
    }

    /// What the history says of a message that a hold stops.
    pub(super) fn stopped_by(&self, id: MessageId) -> Option<String> {
        let message = self.messages.get(&id)?;
        let hold = self.hold_on(message, self.notices.get(&message.notice)?)?;
        Some(format!(
            "hold h{} by {}: {}",
            hold.id.0, hold.actor, hold.reason
        ))
    }
}

impl MessageRow {
    /// Whether an operator's hold stopped it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.state == MessageState::Held && self.reason == Some(Reason::Operator)
    }
}
