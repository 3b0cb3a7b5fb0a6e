//! Bundles: messages of one address whose notices one hand-over may tell together.
//!
//! Each keeps its own text and its own life, so a bundle is never more than a way to hand over: it
//! leaves as one only while every message of it may leave; else each leaves alone. What comes of the
//! one attempt on the wire comes of the attempts that it carried. Nothing here does I/O.

use std::collections::BTreeSet;

use super::outbox::{Report, Settlement};
use super::recording::Writing;
use super::rows::{AppointmentId, MessageRow, NoticeRow};
use super::tables::Tables;
use super::{AttemptId, NewBundle, NewMessage};
use crate::domain::message::MessageId;

impl MessageRow {
    /// Whether it leaves within another message's hand-over, or did when it was last handed over.
    pub(crate) fn is_carried(&self, id: MessageId) -> bool {
        self.together && self.bundle.is_some_and(|lead| lead != id)
    }

    /// Whether both go the same way as before: neither was handed over yet, or both were last handed
    /// over together. What once left alone goes on alone.
    pub(crate) fn may_join(&self, lead: &Self) -> bool {
        let untried = self.attempts == 0 && lead.attempts == 0;
        !self.repeat && (untried || (self.together && lead.together))
    }
}

impl Tables {
    /// A message was written: what it was in before is over.
    pub(super) fn note_bundle(
        &mut self,
        id: Option<MessageId>,
        new: &NewMessage,
        writing: &mut Writing<'_>,
    ) {
        let row = id.and_then(|id| Some((id, self.messages.get_mut(&id)?)));
        // A rung that was handed over before is not written anew.
        let Some((id, row)) = row.filter(|(_, row)| row.gateway_key == new.gateway_key) else {
            return;
        };
        (row.bundle, row.others) = (None, 0);
        let bundle = new.bundle.clone();
        writing.bundled.extend(bundle.map(|bundle| (id, bundle)));
    }

    /// Joins what one record wrote. A bundle whose first message was not written is none; one that
    /// lacks another never becomes whole.
    pub(super) fn join(&mut self, bundled: Vec<(MessageId, NewBundle)>) {
        for (id, bundle) in bundled {
            let lead = self.gateway_keys.get(&bundle.lead).copied();
            let (Some(lead), Some(row)) = (lead, self.messages.get_mut(&id)) else {
                continue;
            };
            row.bundle = Some(lead);
            row.others = if id == lead { bundle.others } else { 0 };
            if let Some(person) = self.message_people.get_mut(&id) {
                person.shared = Some(bundle.text);
            }
        }
    }

    /// The other appointments that the notice's own text told of, by number.
    pub(super) fn told_with(&self, notice: &NoticeRow) -> BTreeSet<AppointmentId> {
        let leads = &notice.messages;
        let messages = self.messages.iter();
        let carried = messages.filter(|(id, message)| {
            message.is_carried(**id) && message.bundle.is_some_and(|lead| leads.contains(&lead))
        });
        let notices = carried.filter_map(|(_, message)| self.notices.get(&message.notice));
        let appointments = notices.map(|notice| notice.appointment);
        appointments
            .filter(|id| *id != notice.appointment)
            .collect()
    }

    /// The attempts that left with the hand-over of this one.
    pub(super) fn carried_by(&self, carrier: AttemptId) -> Vec<AttemptId> {
        let attempts = self.attempts.iter();
        let carried = attempts.filter(|(_, attempt)| attempt.carrier == Some(carrier));
        carried.map(|(id, _)| *id).collect()
    }

    /// What came of an attempt, for each that it carried.
    pub(super) fn for_carried(&self, settlement: &Settlement) -> Vec<Settlement> {
        let same = |id: AttemptId| {
            let attempt = self.attempts.get(&id)?;
            Some(Settlement {
                message: attempt.message,
                attempt: id,
                fence: attempt.fence,
                ..settlement.clone()
            })
        };
        let carried = self.carried_by(settlement.attempt).into_iter();
        carried.filter_map(same).collect()
    }

    /// What is reported of an attempt, for each that it carried.
    pub(super) fn reported_of_carried(&self, report: &Report) -> Vec<Report> {
        let same = |id: &AttemptId| {
            let attempt = self.attempts.get(id);
            attempt.is_some_and(|attempt| attempt.nonce == report.nonce)
        };
        let carried = self.carried_by(report.attempt).into_iter().filter(same);
        let of = |attempt| Report {
            attempt,
            ..report.clone()
        };
        carried.map(of).collect()
    }
}
