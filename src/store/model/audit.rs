//! What a simulation looks at after each step: the model's rows as they stand, told apart by
//! numbers. It shows neither addresses nor texts, and changes nothing.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};

use super::Model;
use crate::domain::appointment::BookingKey;
use crate::domain::message::{Channel, MessageId, MessageState, Reason};
use crate::domain::notice::{NoticeId, OnUnknown, Purpose};
use crate::domain::recipient::Role;
use crate::store::AttemptId;
use crate::store::rows::{AttemptRow, BatchState, Came, MessageRow};
use crate::store::tables::Tables;

/// One message with everything a law asks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    /// Its number.
    pub id: MessageId,
    /// Its notice.
    pub notice: NoticeId,
    /// The booking, in its source.
    pub booking: BookingKey,
    /// To whom.
    pub role: Role,
    /// Why.
    pub purpose: Purpose,
    /// The occasion of the notice.
    pub occasion: u32,
    /// The revision it tells of.
    pub revision: u32,
    /// The booking's newest revision.
    pub newest: u32,
    /// Its rung.
    pub rung: u8,
    /// Its channel.
    pub channel: Channel,
    /// Its state.
    pub state: MessageState,
    /// Why it stands there.
    pub reason: Option<Reason>,
    /// What follows when an outcome stays unknown.
    pub on_unknown: OnUnknown,
    /// Useless after this.
    pub not_after: DateTime<Utc>,
    /// It is or was handed over once more after an unknown.
    pub possible_duplicate: bool,
    /// Its batch waits for a person.
    pub braked: bool,
    /// A person's hold covers it.
    pub stopped: bool,
    /// Somebody ticked its notice off the call list.
    pub phoned: bool,
    /// Its attempts as they were on the wire, oldest first, each with the word of its outcome: of a
    /// bundle that is the attempt which carried them all.
    pub attempts: Vec<(AttemptId, Option<&'static str>)>,
}

/// One line of the history that moved a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The message.
    pub message: MessageId,
    /// The event's stable word.
    pub event: &'static str,
    /// From where; `None` when it was opened.
    pub from: Option<MessageState>,
    /// To where.
    pub to: MessageState,
}

impl Model {
    /// Every message, by number.
    #[must_use]
    pub fn audit(&self) -> Vec<Audited> {
        let state = self.state();
        let messages = state.tables.messages.iter();
        let audited = messages.filter_map(|(id, message)| audited(&state.tables, *id, message));
        audited.collect()
    }

    /// A store that holds the same rows, and from here on is another.
    #[must_use]
    pub fn fork(&self) -> Self {
        let state = self.state().clone();
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Every row as one number, without the history and without what never changes once it stands
    /// (who a person is, and what names lead where): what comes next hangs on nothing else.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let state = self.state();
        let (tables, mut hash) = (&state.tables, DefaultHasher::new());
        let rows = (&tables.appointments, &tables.notices, &tables.messages);
        let more = (
            &tables.attempts,
            &tables.reports,
            &tables.batches,
            &tables.holds,
        );
        let rest = (&state.sources, &state.db_now, &state.disowned, &state.nodes);
        format!("{rows:?}{more:?}{rest:?}").hash(&mut hash);
        // Texts are long, and would be printed byte by byte.
        for (id, person) in &tables.message_people {
            (id, &person.body).hash(&mut hash);
        }
        hash.finish()
    }

    /// The moves in the history from line `from` on, and the number of its lines.
    #[must_use]
    pub fn moves(&self, from: usize) -> (Vec<Moved>, usize) {
        let state = self.state();
        let history = &state.tables.history;
        let moves = history.iter().skip(from).filter_map(|line| {
            Some(Moved {
                message: line.message?,
                event: line.event,
                from: line.from,
                to: line.to?,
            })
        });
        (moves.collect(), history.len())
    }
}

fn audited(tables: &Tables, id: MessageId, message: &MessageRow) -> Option<Audited> {
    let notice = tables.notices.get(&message.notice)?;
    let appointment = tables.appointments.get(&notice.appointment)?;
    let batch = notice.batch.and_then(|b| tables.batches.get(&b));
    let came = |attempt: &AttemptId| {
        let row = tables.attempts.get(attempt);
        let on_the_wire = row.and_then(|row| row.carrier).unwrap_or(*attempt);
        (on_the_wire, row.and_then(word))
    };
    Some(Audited {
        id,
        notice: message.notice,
        booking: appointment.key.clone(),
        role: notice.role.clone(),
        purpose: notice.purpose,
        occasion: notice.occasion,
        revision: notice.revision,
        newest: appointment.revision,
        rung: message.rung,
        channel: message.channel,
        state: message.state,
        reason: message.reason,
        on_unknown: notice.on_unknown,
        not_after: notice.not_after,
        possible_duplicate: message.possible_duplicate,
        braked: batch.is_some_and(|b| b.state == BatchState::Held),
        stopped: tables.hold_on(message, notice).is_some(),
        phoned: tables.is_told_by_phone(notice),
        attempts: message.attempt_ids.iter().map(came).collect(),
    })
}

fn word(attempt: &AttemptRow) -> Option<&'static str> {
    Some(match attempt.outcome? {
        Came::Accepted => "accepted",
        Came::NotSent => "not_sent",
        Came::Refused => "refused",
        Came::Unknown => "unknown",
        Came::Withheld => "withheld",
    })
}
