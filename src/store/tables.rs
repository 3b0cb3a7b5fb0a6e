//! The store's rows as plain values, and the one way a message moves.
//!
//! Every backend shares this module and its neighbours `life`, `recording` and `deeds`: it brings
//! the rows an operation concerns (the model holds all of them, a database loads them), lets them
//! change here, and writes back what was touched. Nothing here does I/O or reads a clock, and no
//! transition is known here that `domain::message` does not know.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::{AttemptId, BatchId, Known, ReportState};
use crate::domain::appointment::{Appointment, BookingKey, BookingState, Fingerprint, SourceName};
use crate::domain::brake::Braked;
use crate::domain::change::Change;
use crate::domain::contact::{Address, Contact, Unusable};
use crate::domain::directory::{DistrictId, OfficeId, ServiceId};
use crate::domain::ladder::Ladder;
use crate::domain::message::{
    self, Channel, Event, MessageBrief, MessageId, MessageState, Next, Reason, ToldOn,
};
use crate::domain::notice::{NoticeBrief, NoticeId, OnUnknown, Purpose};
use crate::domain::recipient::{Recipient, Role};
use crate::domain::reference::Reference;
use crate::domain::segments::Encoding;

/// A point on the database's own clock, in milliseconds; never compared with domain time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DbTime(pub(crate) i64);

/// The number of an appointment in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AppointmentId(pub(crate) i64);

#[derive(Clone, Debug)]
pub(crate) struct AppointmentRow {
    pub(crate) source: SourceName,
    pub(crate) key: BookingKey,
    pub(crate) revision: u32,
    pub(crate) state: BookingState,
    pub(crate) service: ServiceId,
    pub(crate) base: BookingState,
    pub(crate) district: Option<DistrictId>,
    /// Gone once the person's data is erased.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// In how many complete snapshots in a row it has been missing.
    pub(crate) absent: u8,
    /// Its notices, oldest first.
    pub(crate) notices: Vec<NoticeId>,
}

/// What makes a notice the same notice.
pub(crate) type NoticeKey = (u32, Purpose, u32, Role);

#[derive(Clone, Debug)]
pub(crate) struct NoticeRow {
    pub(crate) appointment: AppointmentId,
    pub(crate) revision: u32,
    pub(crate) purpose: Purpose,
    pub(crate) occasion: u32,
    pub(crate) role: Role,
    pub(crate) change: Change,
    pub(crate) district: DistrictId,
    pub(crate) office: OfficeId,
    pub(crate) ladder: Ladder,
    pub(crate) on_unknown: OnUnknown,
    /// Gone once the notice is erased.
    pub(crate) reference: Option<Reference>,
    pub(crate) due_by: DateTime<Utc>,
    pub(crate) not_after: DateTime<Utc>,
    pub(crate) superseded: bool,
    /// Every open rung has ended without telling the person: the next one is to be opened.
    pub(crate) climb: bool,
    /// Since when nothing of it is in motion.
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) batch: Option<BatchId>,
    /// Its messages by rung.
    pub(crate) messages: Vec<MessageId>,
}

#[derive(Clone, Debug)]
pub(crate) struct MessageRow {
    pub(crate) notice: NoticeId,
    pub(crate) rung: u8,
    pub(crate) channel: Channel,
    pub(crate) state: MessageState,
    pub(crate) reason: Option<Reason>,
    pub(crate) told_on: ToldOn,
    pub(crate) gateway_key: String,
    pub(crate) sender: String,
    pub(crate) size: Option<Size>,
    pub(crate) not_before: DateTime<Utc>,
    pub(crate) give_up_at: DateTime<Utc>,
    pub(crate) fence: i64,
    pub(crate) attempts: u32,
    /// The end of the last lease; kept afterwards, for the quarantine.
    pub(crate) lease_until: Option<DbTime>,
    pub(crate) node: Option<String>,
    pub(crate) report_by: Option<DateTime<Utc>>,
    pub(crate) first_attempt_at: Option<DateTime<Utc>>,
    pub(crate) told_at: Option<DateTime<Utc>>,
    /// Some attempt is not certainly without effect.
    pub(crate) may_be_out: bool,
    /// A gateway took it once.
    pub(crate) accepted: bool,
    /// It is or was handed over once more after an unknown.
    pub(crate) possible_duplicate: bool,
    /// Its attempts, oldest first.
    pub(crate) attempt_ids: Vec<AttemptId>,
}

/// What an SMS costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) encoding: Encoding,
    pub(crate) units: u32,
    pub(crate) parts: u32,
}

/// The personal data of a message: a table of its own, so that erasing it is a delete.
#[derive(Clone, Debug)]
pub(crate) struct MessagePerson {
    pub(crate) address: Address,
    pub(crate) body: Vec<u8>,
}

/// What came of an attempt. Its intent (who, when, through which gateway) is written once by the
/// claim and never looked at here.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRow {
    pub(crate) message: MessageId,
    pub(crate) outcome: Option<Came>,
    pub(crate) cause: Option<String>,
    pub(crate) gateway_id: Option<String>,
    pub(crate) settled_at: Option<DateTime<Utc>>,
}

/// What an attempt came to, as its row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Accepted,
    NotSent,
    Refused,
    Unknown,
    Withheld,
}

impl AttemptRow {
    /// An attempt of which nothing is known but its intent.
    pub(crate) fn of(message: MessageId) -> Self {
        Self {
            message,
            outcome: None,
            cause: None,
            gateway_id: None,
            settled_at: None,
        }
    }

    /// Whether the attempt may have reached the person, as far as its outcome says.
    pub(crate) fn may_be_out(&self) -> bool {
        match self.outcome {
            None | Some(Came::Accepted | Came::Unknown) => true,
            Some(Came::NotSent | Came::Refused | Came::Withheld) => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ReportRow {
    pub(crate) attempt: AttemptId,
    pub(crate) state: ReportState,
    pub(crate) detail: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) standing: ReportStanding,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportStanding {
    /// No attempt of its number is known.
    Parked,
    /// It is negative, and its attempt has no outcome yet.
    Waiting,
    /// It was applied, or needs nothing.
    Used,
}

#[derive(Clone, Debug)]
pub(crate) struct BatchRow {
    pub(crate) source: SourceName,
    pub(crate) braked: Braked,
    pub(crate) state: BatchState,
    pub(crate) version: u32,
    pub(crate) changes: u32,
    pub(crate) known: u32,
    pub(crate) held_at: DateTime<Utc>,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchState {
    /// It waits for a person.
    Held,
    /// A person released it; it is being planned and rendered anew.
    Releasing,
    /// Nothing of it is held any more, by a person's word.
    Released,
    /// A person threw it away.
    Discarded,
    /// Nothing of it was left to be held.
    Dissolved,
}

/// One line of the history before it is written. It never holds personal data.
#[derive(Clone, Debug)]
pub(crate) struct HistoryRow {
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) request: Option<String>,
    pub(crate) appointment: Option<AppointmentId>,
    pub(crate) notice: Option<NoticeId>,
    pub(crate) message: Option<MessageId>,
    pub(crate) batch: Option<BatchId>,
    pub(crate) channel: Option<Channel>,
    pub(crate) district: Option<DistrictId>,
    pub(crate) office: Option<OfficeId>,
    pub(crate) event: &'static str,
    pub(crate) from: Option<MessageState>,
    pub(crate) to: Option<MessageState>,
    pub(crate) detail: String,
}

/// Who acts, when, and for which request of a person.
#[derive(Clone, Debug)]
pub(crate) struct Hand<'a> {
    pub(crate) actor: &'a str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) request: Option<&'a str>,
}

impl<'a> Hand<'a> {
    /// A part of the daemon.
    pub(crate) fn part(actor: &'a str, at: DateTime<Utc>) -> Self {
        Self {
            actor,
            at,
            request: None,
        }
    }
}

/// The numbers that the next rows get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextIds {
    pub(crate) appointment: i64,
    pub(crate) notice: i64,
    pub(crate) message: i64,
    pub(crate) report: i64,
    pub(crate) batch: i64,
}

impl Default for NextIds {
    fn default() -> Self {
        Self {
            appointment: 1,
            notice: 1,
            message: 1,
            report: 1,
            batch: 1,
        }
    }
}

/// Takes the next number.
pub(crate) fn draw(next: &mut i64) -> i64 {
    let id = *next;
    *next += 1;
    id
}

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
    pub(crate) notices: BTreeMap<NoticeId, NoticeRow>,
    pub(crate) references: BTreeMap<Reference, NoticeId>,
    pub(crate) messages: BTreeMap<MessageId, MessageRow>,
    pub(crate) gateway_keys: BTreeMap<String, MessageId>,
    pub(crate) message_people: BTreeMap<MessageId, MessagePerson>,
    pub(crate) attempts: BTreeMap<AttemptId, AttemptRow>,
    pub(crate) reports: BTreeMap<i64, ReportRow>,
    pub(crate) batches: BTreeMap<BatchId, BatchRow>,
    pub(crate) history: Vec<HistoryRow>,
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
            appointment: Appointment {
                source: row.source.clone(),
                key: row.key.clone(),
                state: row.state.clone(),
                service: row.service.clone(),
                recipients: self.people.get(&id).cloned().unwrap_or_default(),
            },
            revision: row.revision,
            base: row.base.clone(),
            notices: live.filter_map(|n| self.brief(*n)).collect(),
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
        let climb = !outdated && !told && next_rung_is_due(&brief);
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
    let nobody = Contact {
        phone: Err(Unusable::Missing),
        email: Err(Unusable::Missing),
    };
    brief.ladder.climb(&brief.messages, &nobody).is_some()
}

impl MessageRow {
    /// The message as the decisions need it.
    pub(crate) fn brief(&self, id: MessageId) -> MessageBrief {
        use MessageState as S;
        let out = matches!(
            self.state,
            S::Sending | S::Accepted | S::Unconfirmed | S::Delivered
        );
        MessageBrief {
            id,
            rung: self.rung,
            channel: self.channel,
            state: self.state,
            reason: self.reason,
            told_on: self.told_on,
            may_be_out: self.may_be_out || out,
            first_attempt_at: self.first_attempt_at,
            told_at: self.told_at,
        }
    }

    /// Whether no attempt was made yet, so that address and text may still be replaced.
    pub(crate) fn is_unsent(&self) -> bool {
        let waits = matches!(self.state, MessageState::Ready | MessageState::Held);
        waits && self.attempts == 0
    }

    /// Whether the brake holds it.
    pub(crate) fn is_braked(&self) -> bool {
        self.state == MessageState::Held && self.reason == Some(Reason::Brake)
    }
}
