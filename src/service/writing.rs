//! From a planned notice to the one that is recorded: the reference is drawn, the texts are
//! rendered, and the bytes are frozen. It decides nothing.

use chrono::{DateTime, Utc};

use super::Shared;
use crate::channel::email::{CalendarEntry, Letter, Method, compose};
use crate::domain::appointment::Appointment;
use crate::domain::change::Change;
use crate::domain::contact::Address;
use crate::domain::directory::DistrictId;
use crate::domain::ladder::Rung;
use crate::domain::message::Channel;
use crate::domain::notice::{NoticeBrief, Purpose, earlier_mails};
use crate::domain::plan::{Correction, PlannedMessage, PlannedNotice, Telling};
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::store::{NewMessage, NewNotice};
use crate::template::EmailText;

/// Renders and freezes.
pub struct Writing<'a> {
    /// What every line shares.
    pub shared: &'a Shared,
    /// The date the e-mails carry: when the message was first written.
    pub at: DateTime<Utc>,
    /// What the people of this appointment were told before.
    pub notices: &'a [NoticeBrief],
    /// The appointment's revision that is told.
    pub revision: u32,
}

/// Why a text could not be written; it never holds personal data.
#[derive(Debug, thiserror::Error)]
#[error("a text could not be written: {0}")]
pub struct WritingError(pub String);

impl WritingError {
    fn of(problem: impl std::fmt::Display) -> Self {
        Self(problem.to_string())
    }
}

impl<'a> Writing<'a> {
    /// Writes a whole notice; `reference` is kept if the notice had one already.
    ///
    /// # Errors
    /// When a template lacks something, which the checks at start leave out.
    pub fn notice(
        &self,
        appointment: &Appointment,
        planned: PlannedNotice,
        reference: Option<Reference>,
    ) -> Result<NewNotice, WritingError> {
        let promises = planned.telling.promises_invitation();
        let reference = reference.unwrap_or_else(|| self.shared.chance.reference());
        let telling = planned.telling;
        let write = |message| self.message(appointment, &telling, message, reference);
        let messages = planned
            .messages
            .into_iter()
            .map(write)
            .collect::<Result<_, _>>()?;
        Ok(NewNotice {
            district: self.district(appointment),
            office: appointment.state.office.clone(),
            occasion: planned.occasion,
            role: telling.role.clone(),
            purpose: telling.purpose,
            change: telling.change.clone(),
            ladder: planned.ladder,
            on_unknown: planned.on_unknown,
            reference,
            due_by: planned.due_by,
            not_after: planned.not_after,
            promises,
            messages,
            telling: Some(Box::new(telling)),
        })
    }

    /// Writes one message.
    ///
    /// # Errors
    /// As [`Writing::notice`].
    pub fn message(
        &self,
        appointment: &Appointment,
        telling: &Telling,
        planned: PlannedMessage,
        reference: Reference,
    ) -> Result<NewMessage, WritingError> {
        let mut message = NewMessage {
            rung: planned.rung,
            channel: planned.channel,
            address: planned.address,
            body: Vec::new(),
            sender: String::new(),
            gateway_key: self.shared.chance.gateway_key(),
            segments: None,
            told_on: self.shared.told_on.of(planned.channel),
            reason: planned.reason,
            not_before: planned.not_before,
            hours: planned.hours,
            open_until: planned.open_until,
            give_up_at: planned.give_up_at,
            last_try: planned.last_try,
            bundle: None,
        };
        match planned.channel {
            Channel::Sms => self.sms(telling, reference, &mut message)?,
            Channel::Email => self.email(appointment, telling, reference, &mut message)?,
            // The call list speaks the caller's words; nothing is frozen for it.
            Channel::Phone => {}
        }
        Ok(message)
    }

    /// The call list's entry of a notice; nothing needs to be known for it.
    #[must_use]
    pub fn call(&self, rung: Rung, due_by: DateTime<Utc>) -> NewMessage {
        NewMessage {
            rung: rung.number,
            channel: rung.channel,
            address: Address::None,
            body: Vec::new(),
            sender: String::new(),
            gateway_key: self.shared.chance.gateway_key(),
            segments: None,
            told_on: self.shared.told_on.of(rung.channel),
            reason: rung.reason,
            not_before: self.at,
            hours: None,
            open_until: None,
            give_up_at: due_by,
            last_try: None,
            bundle: None,
        }
    }

    /// The district that signs for an appointment's office; empty where the directory has none.
    #[must_use]
    pub fn district(&self, appointment: &Appointment) -> DistrictId {
        let district = self.shared.directory.district_of(&appointment.state.office);
        district.map_or_else(|| "".into(), |district| district.id.clone())
    }

    fn sms(
        &self,
        telling: &Telling,
        reference: Reference,
        message: &mut NewMessage,
    ) -> Result<(), WritingError> {
        let shared = self.shared;
        let sms = shared.templates.sms(telling, &shared.directory, reference);
        let sms = sms.map_err(WritingError::of)?;
        message.body = sms.text.into_bytes();
        message.sender = sms.sender;
        message.segments = Some(sms.segments);
        Ok(())
    }

    fn email(
        &self,
        appointment: &Appointment,
        telling: &Telling,
        reference: Reference,
        message: &mut NewMessage,
    ) -> Result<(), WritingError> {
        let shared = self.shared;
        let text = shared
            .templates
            .email(telling, &shared.directory, reference);
        let text = text.map_err(WritingError::of)?;
        let Address::Email(to) = &message.address else {
            return Err(WritingError::of("an e-mail was planned without an address"));
        };
        let letter = Letter {
            from_name: &text.from_name,
            from_address: &text.from_address,
            to,
            subject: &text.subject,
            text: &text.text,
            html: &text.html,
            languages: &text.languages,
            identity: &message.gateway_key,
            secret: &shared.mail_secret,
            date: self.at,
            thread: &self.thread(telling),
            calendar: self.entry(appointment, telling, &text),
        };
        message.body = compose(&letter).map_err(WritingError::of)?;
        Ok(())
    }

    /// The earlier mails to the same person about this appointment. Those of another district were sent
    /// from another domain, and their names cannot be derived here.
    fn thread(&self, telling: &Telling) -> Vec<&'a str> {
        let district = |purpose: Purpose, change: &Change| {
            let state = match purpose.speaks_of_old() {
                true => &change.old,
                false => &change.new,
            };
            let district = self.shared.directory.district_of(&state.office);
            district.map(|district| &district.id)
        };
        let ours = district(telling.purpose, &telling.change);
        let mails = earlier_mails(self.notices, &telling.role);
        let same = mails.filter(|(notice, _)| district(notice.purpose, &notice.change) == ours);
        same.map(|(_, key)| key).collect()
    }

    /// What becomes of the entry in the person's calendar, where the source says what it is known by.
    /// The booking system invited the person whom the row names, not guardians and interpreters.
    fn entry<'t>(
        &self,
        appointment: &'t Appointment,
        telling: &Telling,
        text: &'t EmailText,
    ) -> Option<CalendarEntry<'t>> {
        let was_invited = matches!(telling.role, Role::Applicant | Role::Representative);
        let wrong_person = telling.particulars.correction == Some(Correction::WrongPerson);
        let invited = appointment.about.invited.as_ref();
        let invited = invited.filter(|_| was_invited && !wrong_person)?;
        let (method, start) = match telling.purpose {
            Purpose::Cancellation => (Method::Cancel, telling.change.old.start),
            Purpose::Change | Purpose::Reinstatement | Purpose::Correction => {
                (Method::Request, telling.change.new.start)
            }
            Purpose::DigitalInvitation | Purpose::Rebooking => return None,
        };
        Some(CalendarEntry {
            method,
            invited,
            sequence: self.revision,
            start,
            summary: &text.entry_name,
            place: &text.entry_place,
        })
    }
}
