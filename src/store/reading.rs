//! What people read, made from the rows at hand: who must be phoned, and the story of one appointment.
//! Nothing here does I/O or reads a clock.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::rows::{AppointmentId, BatchState, MessageRow, NoticeRow};
use super::tables::Tables;
use super::{Course, HeldIn, MustBePhoned, Story, StoryLine, ToPhone};
use crate::domain::contact::{Address, Contact, Unusable};
use crate::domain::message::MessageId;
use crate::domain::notice::NoticeBrief;
use crate::domain::recipient::Role;
use crate::domain::verdict::{self, Word};
use crate::domain::why_phoned::why_phoned;

impl Tables {
    /// Who of the appointments at hand must be phoned; `limit` of them, the most urgent first.
    ///
    /// A database brings the appointments with an open phone rung before its `due_by`, with all
    /// their notices and recipients: no other can be on the list.
    pub(crate) fn must_be_phoned(&self, now: DateTime<Utc>, limit: usize) -> MustBePhoned {
        let mut people: BTreeMap<(AppointmentId, &Role), Vec<NoticeBrief>> = BTreeMap::new();
        for (id, row) in &self.notices {
            let person = people.entry((row.appointment, &row.role)).or_default();
            person.extend(self.brief(*id));
        }
        let standing = people.iter().filter_map(|((appointment, _), notices)| {
            let notice = verdict::standing_notice(notices)?;
            let phoned = verdict::word(notice, now) == Word::MustBePhoned;
            phoned.then_some((notice.due_by, notice.id, *appointment, notice))
        });
        let mut standing: Vec<_> = standing.collect();
        standing.sort_unstable_by_key(|(due_by, id, ..)| (*due_by, *id));
        let first = standing.iter().take(limit);
        MustBePhoned {
            people: u32::try_from(standing.len()).unwrap_or(u32::MAX),
            first: first
                .filter_map(|(_, _, appointment, notice)| self.to_phone(*appointment, notice))
                .collect(),
        }
    }

    pub(super) fn to_phone(&self, id: AppointmentId, notice: &NoticeBrief) -> Option<ToPhone> {
        let appointment = self.appointments.get(&id)?;
        let mut recipients = self.people.get(&id).into_iter().flatten();
        let recipient = recipients.find(|recipient| recipient.role == notice.role);
        let nobody = Contact {
            phone: Err(Unusable::Missing),
            email: Err(Unusable::Missing),
        };
        let contact = recipient.map_or(&nobody, |recipient| &recipient.contact);
        Some(ToPhone {
            source: appointment.source.clone(),
            key: appointment.key.clone(),
            role: notice.role.clone(),
            reference: notice.reference,
            purpose: notice.purpose,
            change: notice.change.clone(),
            service: appointment.service.clone(),
            due_by: notice.due_by,
            phone: contact.phone.as_ref().ok().map(ToString::to_string),
            why: why_phoned(notice, contact),
        })
    }

    /// The story of one appointment, with what the history says of it. Its notices, messages,
    /// attempts and batches must be at hand.
    pub(crate) fn story(&self, id: AppointmentId, lines: Vec<StoryLine>) -> Option<Story> {
        let known = self.known(id)?;
        let messages = known.notices.iter().flat_map(|notice| &notice.messages);
        let courses = messages.filter_map(|message| self.course(message.id));
        Some(Story {
            courses: courses.collect(),
            source: known.appointment.source,
            key: known.appointment.key,
            state: known.appointment.state,
            revision: known.revision,
            notices: known.notices,
            lines,
        })
    }

    fn course(&self, id: MessageId) -> Option<Course> {
        let row = self.messages.get(&id)?;
        let notice = self.notices.get(&row.notice)?;
        let attempts = row.attempt_ids.iter().rev();
        let settled = attempts
            .filter_map(|id| self.attempts.get(id))
            .find(|attempt| attempt.outcome.is_some());
        Some(Course {
            message: id,
            address: self
                .message_people
                .get(&id)
                .map_or(Address::None, |person| person.address.clone()),
            not_before: row.not_before,
            give_up_at: row.give_up_at,
            report_by: row.report_by,
            attempts: row.attempts,
            cause: settled.and_then(|attempt| attempt.cause.clone()),
            held_in: self.held_in(row, notice),
        })
    }

    fn held_in(&self, message: &MessageRow, notice: &NoticeRow) -> Option<HeldIn> {
        let id = notice.batch.filter(|_| message.is_braked())?;
        let batch = self.batches.get(&id)?;
        Some(HeldIn {
            batch: id,
            since: batch.held_at,
            releasing: batch.state == BatchState::Releasing,
        })
    }
}
