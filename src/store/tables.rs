//! The rows at hand, and the one way a message moves.
//!
//! Every backend shares this module and its neighbours `life`, `due`, `reporting`, `recording` and `deeds`: it brings
//! the rows an operation concerns (the model holds all of them, a database loads them), lets them
//! change here, and writes back what was touched. Nothing here does I/O or reads a clock, and no
//! transition is known here that `domain::message` does not know.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::rows::{
    AppointmentId, AppointmentRow, AttemptRow, BatchRow, BatchState, Hand, HistoryRow,
    MessagePerson, MessageRow, NextIds, NoticeRow, ReportRow,
};
use super::{AttemptId, BatchId, Cursor, Known, StandingHold};
use crate::domain::about::About;
use crate::domain::appointment::{Appointment, BookingKey, SourceName};
use crate::domain::contact::Contact;
use crate::domain::message::{self, Event, MessageBrief, MessageId, MessageState, Next, Reason};
use crate::domain::notice::{NoticeBrief, NoticeId};
use crate::domain::recipient::Recipient;
use crate::domain::reference::Reference;

/// Which rows an operation changed or created.
#[derive(Clone, Debug, Default)]
pub(crate) struct Touched {
    pub(crate) appointments: BTreeSet<AppointmentId>,
    pub(crate) notices: BTreeSet<NoticeId>,
    pub(crate) messages: BTreeSet<MessageId>,
    pub(crate) attempts: BTreeSet<AttemptId>,
    pub(crate) reports: BTreeSet<i64>,
    pub(crate) batches: BTreeSet<BatchId>,
}

/// The rows at hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) keys: BTreeMap<(SourceName, BookingKey), AppointmentId>,
    pub(crate) appointments: BTreeMap<AppointmentId, AppointmentRow>,
    pub(crate) people: BTreeMap<AppointmentId, Vec<Recipient>>,
    pub(crate) abouts: BTreeMap<AppointmentId, About>,
    pub(crate) notices: BTreeMap<NoticeId, NoticeRow>,
    pub(crate) references: BTreeMap<Reference, NoticeId>,
    pub(crate) messages: BTreeMap<MessageId, MessageRow>,
    pub(crate) gateway_keys: BTreeMap<String, MessageId>,
    pub(crate) message_people: BTreeMap<MessageId, MessagePerson>,
    pub(crate) attempts: BTreeMap<AttemptId, AttemptRow>,
    pub(crate) reports: BTreeMap<i64, ReportRow>,
    pub(crate) batches: BTreeMap<BatchId, BatchRow>,
    /// The operator holds that stand, oldest first; a sweep needs them.
    pub(crate) holds: Vec<StandingHold>,
    pub(crate) history: Vec<HistoryRow>,
    /// Messages that are not at hand although they were asked for, since a row of their notice cannot
    /// be understood; and what is wrong.
    pub(crate) set_aside: BTreeMap<MessageId, String>,
    pub(crate) next: NextIds,
    pub(crate) touched: Touched,
}

impl Tables {
    /// Everything known of one appointment; erased notices are left out.
    pub(crate) fn known(&self, id: AppointmentId) -> Option<Known> {
        let row = self.appointments.get(&id)?;
        let live = row.notices.iter().filter(|n| {
            let notice = self.notices.get(n);
            notice.is_some_and(|notice| notice.reference.is_some())
        });
        Some(Known {
            cursor: Cursor(id.0),
            appointment: Appointment {
                source: row.source.clone(),
                key: row.key.clone(),
                state: row.state.clone(),
                service: row.service.clone(),
                recipients: self.people.get(&id).cloned().unwrap_or_default(),
                about: self.abouts.get(&id).cloned().unwrap_or_default(),
            },
            revision: row.revision,
            base: row.base.clone(),
            notices: live.filter_map(|n| self.brief(*n)).collect(),
            occasions: row.occasions.clone(),
        })
    }

    /// A notice as the decisions need it. An erased one shows a reference that was never given out
    /// to it, so briefs of erased notices must not leave the store.
    pub(crate) fn brief(&self, id: NoticeId) -> Option<NoticeBrief> {
        let row = self.notices.get(&id)?;
        let messages = row.messages.iter();
        Some(NoticeBrief {
            id,
            revision: row.revision,
            purpose: row.purpose,
            occasion: row.occasion,
            role: row.role.clone(),
            change: row.change.clone(),
            ladder: row.ladder.clone(),
            on_unknown: row.on_unknown,
            reference: row.reference.unwrap_or_else(|| Reference::draw(0)),
            due_by: row.due_by,
            not_after: row.not_after,
            superseded: row.superseded,
            messages: messages
                .filter_map(|id| Some(self.messages.get(id)?.brief(*id)))
                .collect(),
        })
    }

    /// Takes a notice out with all that hangs on it, so that nothing of it is written.
    pub(crate) fn take_out(&mut self, id: NoticeId) {
        self.notices.remove(&id);
        self.references.retain(|_, notice| *notice != id);
        for appointment in self.appointments.values_mut() {
            appointment.notices.retain(|notice| *notice != id);
        }
        self.messages.retain(|_, message| message.notice != id);
        let (messages, attempts) = (&self.messages, &mut self.attempts);
        attempts.retain(|_, attempt| messages.contains_key(&attempt.message));
    }

    /// Whether a newer revision of the notice's appointment was recorded.
    pub(crate) fn is_outdated(&self, notice: &NoticeRow) -> bool {
        let appointment = self.appointments.get(&notice.appointment);
        appointment.is_some_and(|a| a.revision > notice.revision)
    }

    /// Applies `event` to a message as `domain::message` says, and writes the history's line. The
    /// answer is the new state, or `None` when the message stays.
    pub(crate) fn shift(
        &mut self,
        id: MessageId,
        event: Event,
        reason: Option<Reason>,
        hand: &Hand<'_>,
        detail: &str,
    ) -> Option<MessageState> {
        let from = self.messages.get(&id)?.state;
        let Next::To(to) = message::next(from, event) else {
            return None;
        };
        self.put(id, to, reason, hand, event.word(), detail);
        Some(to)
    }

    /// Puts a message where a rule of the store wants it, with its line in the history.
    pub(crate) fn put(
        &mut self,
        id: MessageId,
        to: MessageState,
        reason: Option<Reason>,
        hand: &Hand<'_>,
        event: &'static str,
        detail: &str,
    ) {
        let Some(row) = self.messages.get_mut(&id) else {
            return;
        };
        let from = row.state;
        let left_the_brake = from == MessageState::Held && row.reason == Some(Reason::Brake);
        row.state = to;
        row.reason = reason;
        let may_repeat = matches!(
            to,
            MessageState::Ready | MessageState::Sending | MessageState::Held
        );
        row.repeat &= may_repeat;
        let told = row.brief(id).has_told();
        row.told_at = told.then(|| row.told_at.unwrap_or(hand.at));
        let notice = row.notice;
        self.touched.messages.insert(id);
        if left_the_brake {
            self.batch_changed(notice);
        }
        self.write_history(
            Some(id),
            notice,
            hand,
            event,
            (Some(from), Some(to)),
            detail,
        );
    }

    /// Writes a line about a message or its notice.
    pub(crate) fn write_history(
        &mut self,
        message: Option<MessageId>,
        notice: NoticeId,
        hand: &Hand<'_>,
        event: &'static str,
        (from, to): (Option<MessageState>, Option<MessageState>),
        detail: &str,
    ) {
        let row = self.notices.get(&notice);
        self.history.push(HistoryRow {
            at: hand.at,
            actor: hand.actor.to_owned(),
            request: hand.request.map(str::to_owned),
            appointment: row.map(|n| n.appointment),
            notice: Some(notice),
            message,
            batch: row.and_then(|n| n.batch),
            channel: message.and_then(|m| Some(self.messages.get(&m)?.channel)),
            district: row.map(|n| n.district.clone()),
            office: row.map(|n| n.office.clone()),
            event,
            from,
            to,
            detail: detail.to_owned(),
        });
    }

    /// The batch that holds this notice has another content now, so what a person saw is old.
    pub(crate) fn batch_changed(&mut self, notice: NoticeId) {
        let Some(id) = self.notices.get(&notice).and_then(|n| n.batch) else {
            return;
        };
        let already = self.touched.batches.contains(&id);
        if let Some(batch) = self.batches.get_mut(&id).filter(|_| !already) {
            batch.version += 1;
            self.touched.batches.insert(id);
        }
    }

    /// Brings a notice's own facts up to date after its messages moved.
    pub(crate) fn review(&mut self, id: NoticeId, at: DateTime<Utc>) {
        let (Some(brief), Some(row)) = (self.brief(id), self.notices.get(&id)) else {
            return;
        };
        let outdated = self.is_outdated(row);
        let told = brief.has_told();
        let superseded = outdated && !told && !in_flight(&brief.messages);
        // What a person threw away goes no further, whatever comes of what had left.
        let discarded = self.batch_of(id) == Some(BatchState::Discarded);
        let climb = !outdated && !told && !discarded && next_rung_is_due(&brief);
        let ended = row.messages.iter().all(|m| self.is_over(*m)) && !climb;
        let ended_at = ended.then(|| row.ended_at.unwrap_or(at));
        if (row.superseded, row.climb, row.ended_at) == (superseded, climb, ended_at) {
            return;
        }
        if let Some(row) = self.notices.get_mut(&id) {
            row.superseded = superseded;
            row.climb = climb;
            row.ended_at = ended_at;
            self.touched.notices.insert(id);
        }
    }

    /// Whether nothing is expected of a message any more: it ended, or a gateway without reports
    /// took it.
    fn is_over(&self, id: MessageId) -> bool {
        self.messages.get(&id).is_none_or(|m| {
            m.state.has_ended() || (m.state == MessageState::Accepted && m.report_by.is_none())
        })
    }
}

fn in_flight(messages: &[MessageBrief]) -> bool {
    let flying = |state| matches!(state, MessageState::Sending | MessageState::Accepted);
    messages.iter().any(|m| flying(m.state))
}

/// Whether `domain::ladder` would open a rung. Which one depends on the contact, whether one does
/// not: the phone is always left.
fn next_rung_is_due(brief: &NoticeBrief) -> bool {
    brief
        .ladder
        .climb(&brief.messages, &Contact::none())
        .is_some()
}
