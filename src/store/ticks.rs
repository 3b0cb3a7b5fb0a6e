//! The call list at the rows at hand: who stands on it, and what a tick does. Nothing here does I/O
//! or reads a clock.

use std::collections::BTreeSet;

use super::rows::{AppointmentId, Hand, MessageRow, NoticeRow};
use super::tables::Tables;
use super::{Act, ActError, Acted, Call};
use crate::domain::message::{self, Channel, Event, MessageId, MessageState, Next};
use crate::domain::notice::NoticeId;
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;

/// What the history says of messages that a call made needless.
pub(super) const TOLD_BY_PHONE: &str = "told by phone";

impl Tables {
    /// The notices whose phone rung is open.
    pub(crate) fn open_calls(&self) -> impl Iterator<Item = (NoticeId, &NoticeRow, &MessageRow)> {
        self.phone_rungs()
            .filter(|(_, _, phone)| phone.state == MessageState::Ready)
    }

    fn phone_rungs(&self) -> impl Iterator<Item = (NoticeId, &NoticeRow, &MessageRow)> {
        self.notices.iter().filter_map(|(id, notice)| {
            let phone = self.messages.get(&self.phone_rung(notice)?)?;
            Some((*id, notice, phone))
        })
    }

    /// How many recipients of appointments stand on the call list.
    pub(crate) fn people_to_call(&self) -> u32 {
        let people: BTreeSet<(AppointmentId, &Role)> = self
            .open_calls()
            .map(|(_, notice, _)| (notice.appointment, &notice.role))
            .collect();
        u32::try_from(people.len()).unwrap_or(u32::MAX)
    }

    /// The call list of the appointments at hand, the most urgent first. Their recipients must be
    /// at hand.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.listed(self.open_calls())
    }

    /// Who would stand on it but for a person's hold, likewise.
    pub(crate) fn stopped_calls(&self) -> Vec<Call> {
        self.listed(
            self.phone_rungs()
                .filter(|(_, _, phone)| phone.is_stopped()),
        )
    }

    fn listed<'a>(
        &'a self,
        rungs: impl Iterator<Item = (NoticeId, &'a NoticeRow, &'a MessageRow)>,
    ) -> Vec<Call> {
        let mut calls: Vec<_> = rungs
            .filter_map(|(id, notice, phone)| Some((id, self.call(id, notice, phone)?)))
            .collect();
        calls.sort_by_key(|(id, call)| (call.person.due_by, *id));
        calls.into_iter().map(|(_, call)| call).collect()
    }

    fn call(&self, id: NoticeId, notice: &NoticeRow, phone: &MessageRow) -> Option<Call> {
        let mut recipients = self.people.get(&notice.appointment).into_iter().flatten();
        let recipient = recipients.find(|recipient| recipient.role == notice.role);
        Some(Call {
            person: self.to_phone(notice.appointment, &self.brief(id)?)?,
            office: notice.office.clone(),
            not_after: notice.not_after,
            number: recipient.and_then(|r| r.contact.phone.clone().ok()),
            language: recipient.and_then(|r| r.language),
            machines: phone.machines,
            machine_at: phone.machine_at,
        })
    }

    fn phone_rung(&self, notice: &NoticeRow) -> Option<MessageId> {
        let mut messages = notice.messages.iter().copied();
        messages.find(|id| {
            let message = self.messages.get(id);
            message.is_some_and(|m| m.channel == Channel::Phone)
        })
    }

    /// Whether a person was told by phone.
    pub(crate) fn is_told_by_phone(&self, notice: &NoticeRow) -> bool {
        let phone = self.phone_rung(notice).and_then(|m| self.messages.get(&m));
        phone.is_some_and(|m| m.state == MessageState::Delivered)
    }

    /// A person was told, or an answering machine was: the count is 1 where that is what stands
    /// now, 0 where it was written down but something newer stands.
    pub(crate) fn tick(
        &mut self,
        act: &Act,
        reference: Reference,
        machine: bool,
    ) -> Result<Acted, ActError> {
        let missing = || ActError::NotOnCallList(reference);
        let notice = *self.references.get(&reference).ok_or_else(missing)?;
        let row = self.notices.get(&notice).ok_or_else(missing)?;
        let phone = self.phone_rung(row).ok_or_else(missing)?;
        let hand = Hand {
            actor: &act.actor,
            at: act.at,
            request: Some(&act.idempotency_key),
        };
        let stands = if machine {
            self.note_machine(phone, notice, &hand)
        } else {
            self.tick_off(phone, notice, &hand)
        };
        Ok(Acted {
            count: u32::from(stands),
        })
    }

    fn note_machine(&mut self, phone: MessageId, notice: NoticeId, hand: &Hand<'_>) -> bool {
        let mut stands = false;
        if let Some(row) = self.messages.get_mut(&phone) {
            row.machines = row.machines.saturating_add(1);
            row.machine_at = Some(hand.at);
            stands = row.state == MessageState::Ready;
        }
        self.touched.messages.insert(phone);
        let event = "answering_machine";
        self.write_history(Some(phone), notice, hand, event, (None, None), "");
        stands
    }

    fn tick_off(&mut self, phone: MessageId, notice: NoticeId, hand: &Hand<'_>) -> bool {
        let state = self.messages.get(&phone).map(|m| m.state);
        let moves = state.map(|state| message::next(state, Event::TickOff));
        if let Some(Next::To(_)) = moves {
            self.shift(phone, Event::TickOff, None, hand, "");
            self.stop_other_rungs(phone, notice, hand);
            self.review(notice, hand.at);
            return true;
        }
        let event = Event::TickOff.word();
        self.write_history(Some(phone), notice, hand, event, (None, None), "");
        state == Some(MessageState::Delivered)
    }

    /// Told on any rung is told: what has not left never will, and no unknown is repeated.
    fn stop_other_rungs(&mut self, phone: MessageId, notice: NoticeId, hand: &Hand<'_>) {
        let messages = self.notices.get(&notice).map(|n| n.messages.clone());
        for id in messages.unwrap_or_default() {
            if id != phone {
                self.shift(id, Event::Supersede, None, hand, TOLD_BY_PHONE);
            }
        }
    }
}
