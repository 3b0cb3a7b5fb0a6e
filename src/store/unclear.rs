//! Which messages may or may not have reached their gateway, for people: none of them is silent. Nothing here
//! does I/O or reads a clock.

use chrono::{DateTime, Utc};

use super::rows::MessageRow;
use super::tables::Tables;
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::message::{Channel, MessageId, MessageState, Reason};
use crate::domain::reference::Reference;

/// A message of which nobody knows whether its gateway has it. It holds no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unclear {
    /// The source.
    pub source: SourceName,
    /// The appointment's key there.
    pub key: BookingKey,
    /// The code in its text, as long as its person is known.
    pub reference: Option<Reference>,
    /// How it was to be told.
    pub channel: Channel,
    /// The gateway of its last attempt.
    pub gateway: Option<String>,
    /// How many attempts were made.
    pub attempts: u32,
    /// Whether that is settled (`Held`: it is not repeated) or is still being found out (`Unknown`).
    pub state: MessageState,
    /// Tell before this.
    pub due_by: DateTime<Utc>,
}

impl MessageRow {
    /// Whether it is one of them.
    pub(crate) fn is_unclear(&self) -> bool {
        is_unclear(self.state, self.reason)
    }
}

/// Whether a message that stands so is one of them.
pub(crate) fn is_unclear(state: MessageState, reason: Option<Reason>) -> bool {
    state == MessageState::Unknown
        || (state == MessageState::Held && matches!(reason, Some(Reason::Unknown | Reason::Poison)))
}

impl Tables {
    /// Those of the messages at hand, the most urgent first; at most `limit`.
    pub(crate) fn unclear(&self, limit: usize) -> Vec<Unclear> {
        let messages = self.messages.iter().filter(|(_, m)| m.is_unclear());
        let mut found: Vec<_> = messages
            .filter_map(|(id, row)| Some((self.one_unclear(row)?, *id)))
            .collect();
        found.sort_by_key(|(unclear, id): &(Unclear, MessageId)| (unclear.due_by, *id));
        found.truncate(limit);
        found.into_iter().map(|(unclear, _)| unclear).collect()
    }

    fn one_unclear(&self, row: &MessageRow) -> Option<Unclear> {
        let notice = self.notices.get(&row.notice)?;
        let appointment = self.appointments.get(&notice.appointment)?;
        Some(Unclear {
            source: appointment.source.clone(),
            key: appointment.key.clone(),
            reference: notice.reference,
            channel: row.channel,
            gateway: row.gateway.clone(),
            attempts: row.attempts,
            state: row.state,
            due_by: notice.due_by,
        })
    }
}
