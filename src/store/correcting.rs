//! Correcting a batch that was wrong: who may have got the wrong word, and the act that stops the
//! rest and asks for their corrections. Nothing here does I/O or reads a clock.

use std::collections::{BTreeMap, BTreeSet};

use super::life::is_stoppable;
use super::rows::{AppointmentId, BatchState, Hand};
use super::tables::Tables;
use super::{Act, ActError, Acted, BatchId, SeenBatch, Wrong, WronglyTold};
use crate::domain::appointment::Standing;
use crate::domain::message::{Channel, MessageBrief, MessageId};
use crate::domain::notice::{NoticeBrief, NoticeId, Purpose, beliefs};
use crate::domain::occasion::Occasion;
use crate::domain::recipient::Role;

/// Whom a batch told wrongly, each with the notice that did.
type Wronged = BTreeMap<(AppointmentId, Role), NoticeId>;

impl Tables {
    /// The recipients who were, or may have been, told by a batch that an appointment is cancelled, may
    /// still believe it, and for whom no correction was asked yet. All notices of the batch's
    /// appointments must be at hand.
    fn wrongly_told(&self, batch: BatchId) -> Wronged {
        let of_it = self.notices.iter().filter(|(_, n)| n.batch == Some(batch));
        let of_it = of_it.filter(|(_, n)| n.purpose == Purpose::Cancellation);
        let mut wronged = Wronged::new();
        for (id, row) in of_it.filter(|(_, n)| n.reference.is_some()) {
            let Some(known) = self.known(row.appointment) else {
                continue;
            };
            let told = self.brief(*id).is_some_and(|brief| brief.may_have_told());
            let believed = beliefs(&known.base, &known.notices, &row.role);
            let asked = known.occasions.iter().any(|occasion| {
                let number = (occasion.purpose, i64::from(occasion.number));
                number == (Purpose::Correction, batch.0) && occasion.role == row.role
            });
            let written = known.notices.iter().any(|notice| {
                let number = (notice.purpose, i64::from(notice.occasion));
                number == (Purpose::Correction, batch.0) && notice.role == row.role
            });
            if told && believed.contains(&row.change.new) && !asked && !written {
                wronged.insert((row.appointment, row.role.clone()), *id);
            }
        }
        wronged
    }

    /// What a batch that was wrong has come to, with the first `limit` of those who may have got the
    /// wrong word.
    pub(crate) fn wrong(&self, id: BatchId, limit: usize) -> Option<Wrong> {
        let batch = self.batches.get(&id)?;
        let wronged = self.wrongly_told(id);
        let mut wrong = Wrong {
            batch: id,
            version: batch.version,
            people: u32::try_from(wronged.len()).unwrap_or(u32::MAX),
            held: batch.state == BatchState::Held,
            stand: 0,
            waiting: self.people_waiting(id),
            canary: batch.canary,
            offices: BTreeMap::new(),
            channels: BTreeMap::new(),
            first: Vec::new(),
        };
        let mut people: Vec<_> = wronged.into_iter().collect();
        people.sort_by_key(|((_, role), notice)| {
            (self.notices.get(notice).map(|n| n.due_by), role.clone())
        });
        for ((appointment, role), notice) in people {
            let Some(told) = self.wrongly(appointment, &role, notice) else {
                continue;
            };
            wrong.stand += u32::from(told.stands);
            *wrong.offices.entry(told.office.clone()).or_default() += 1;
            for channel in &told.channels {
                *wrong.channels.entry(*channel).or_default() += 1;
            }
            if wrong.first.len() < limit {
                wrong.first.push(told);
            }
        }
        Some(wrong)
    }

    fn wrongly(&self, id: AppointmentId, role: &Role, notice: NoticeId) -> Option<WronglyTold> {
        let (appointment, brief) = (self.appointments.get(&id)?, self.brief(notice)?);
        let said = |m: &&MessageBrief| m.may_be_out || m.has_told();
        let channels: BTreeSet<Channel> = brief
            .messages
            .iter()
            .filter(said)
            .map(|m| m.channel)
            .collect();
        Some(WronglyTold {
            source: appointment.source.clone(),
            key: appointment.key.clone(),
            role: role.clone(),
            reference: brief.reference,
            office: brief.change.old.office.clone(),
            start: brief.change.old.start,
            channels: channels.into_iter().collect(),
            surely: brief.has_told(),
            stands: appointment.state.standing == Standing::Active,
        })
    }

    /// How many people a batch has yet to tell something.
    fn people_waiting(&self, batch: BatchId) -> u32 {
        let waits = |notice: &NoticeBrief| {
            let mut messages = notice.messages.iter();
            messages.any(|m| is_stoppable(m.state))
        };
        let of_it = self.notices.iter().filter(|(_, n)| n.batch == Some(batch));
        let waiting: BTreeSet<_> = of_it
            .filter(|(id, _)| self.brief(**id).is_some_and(|brief| waits(&brief)))
            .map(|(_, n)| (n.appointment, &n.role))
            .collect();
        u32::try_from(waiting.len()).unwrap_or(u32::MAX)
    }

    /// Stops what a batch has not sent yet, and asks for the correction of what it has, if it still is
    /// what the person saw. The appointments' people must be at hand, too.
    pub(crate) fn correct(&mut self, act: &Act, seen: &SeenBatch) -> Result<Acted, ActError> {
        let batch = self.batches.get(&seen.batch);
        let batch = batch.ok_or(ActError::NoBatch(seen.batch))?;
        if batch.state == BatchState::Held {
            return Err(ActError::StillHeld(seen.batch));
        }
        let wronged = self.wrongly_told(seen.batch);
        let people = u32::try_from(wronged.len()).unwrap_or(u32::MAX);
        if (batch.version, people) != (seen.version, seen.people) {
            return Err(ActError::Changed {
                batch: seen.batch,
                version: batch.version,
                people,
            });
        }
        let hand = Hand {
            actor: &act.actor,
            at: act.at,
            request: Some(&act.idempotency_key),
        };
        let number = u32::try_from(seen.batch.0).unwrap_or(u32::MAX);
        for ((appointment, role), notice) in wronged {
            if let Some(row) = self.appointments.get_mut(&appointment) {
                row.occasions.push(Occasion {
                    purpose: Purpose::Correction,
                    number,
                    role,
                    until: None,
                });
                self.touched.appointments.insert(appointment);
            }
            let none = (None, None);
            self.write_history(None, notice, &hand, "to_correct", none, &act.reason);
        }
        // From here on nothing more of it is written, whatever becomes of what has left.
        let (state, why) = (BatchState::Discarded, act.reason.as_str());
        self.end_batch(seen.batch, state, "corrected", &hand, why);
        self.stop_batch(seen.batch, &hand, why);
        Ok(Acted { count: people })
    }

    fn stop_batch(&mut self, batch: BatchId, hand: &Hand<'_>, why: &str) {
        let notices = self.notices.iter();
        let of_it = notices.filter(|(_, n)| n.batch == Some(batch));
        let of_it: Vec<(NoticeId, Vec<MessageId>)> =
            of_it.map(|(id, n)| (*id, n.messages.clone())).collect();
        for (notice, messages) in of_it {
            for id in messages {
                self.throw_away(id, hand, why);
            }
            self.review(notice, hand.at);
        }
    }
}
