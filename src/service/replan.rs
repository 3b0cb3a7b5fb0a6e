//! The decisions that need no new snapshot: a rung to climb, a released batch to write anew, a
//! contact that changed under a notice nobody has reached. Each answers with what to record.

use chrono::{DateTime, Utc};

use super::Shared;
use super::writing::{Writing, WritingError};
use crate::domain::appointment::Appointment;
use crate::domain::change::change;
use crate::domain::closing::Closing;
use crate::domain::contact::Contact;
use crate::domain::ladder::Rung;
use crate::domain::message::{Channel, MessageBrief, MessageState, Reason};
use crate::domain::notice::{NoticeBrief, Purpose, beliefs};
use crate::domain::plan::{self, Circumstances, NoPlan, PlannedNotice, stands_as_it_was};
use crate::domain::recipient::{Recipient, Role};
use crate::store::{Entry, Known, NewNotice};

pub use self::asked::correction;

mod asked;

/// What a decision on one appointment looks at.
pub struct Replan<'a> {
    /// What every line shares.
    pub shared: &'a Shared,
    /// The closings announced.
    pub closings: &'a [Closing],
    /// The present, in domain time.
    pub now: DateTime<Utc>,
}

/// What was decided for a known appointment.
#[derive(Debug)]
pub struct Decided {
    /// The entry to record, if any.
    pub entry: Option<Entry>,
    /// Why somebody must phone, where nothing could be written.
    pub problems: Vec<Undecided>,
}

/// Why nothing could be decided for an appointment, though something should be.
#[derive(Debug, thiserror::Error)]
pub enum Undecided {
    /// The booking no longer names this recipient.
    #[error("the booking has no {0} any more")]
    NoRecipient(Role),
    /// The rules or the directory have no answer.
    #[error(transparent)]
    Plan(#[from] NoPlan),
    /// The text could not be written.
    #[error(transparent)]
    Writing(#[from] WritingError),
}

/// Why a known appointment is decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Its open rungs have ended untold.
    Climb,
    /// A person released its batch.
    Release,
    /// A person asked for something that can be written now.
    Asked,
}

impl<'a> Replan<'a> {
    /// What follows for a known appointment. Where the rules, the directory or a template have no
    /// answer, somebody must phone: nobody waits for a configuration to be mended.
    #[must_use]
    pub fn decide(&self, again: Again, known: &Known) -> Decided {
        match again {
            Again::Climb => self.climb(known),
            Again::Release => self.release(known),
            Again::Asked => self.asked(known),
        }
    }

    /// The circumstances of a plan.
    #[must_use]
    pub fn around(&self) -> Circumstances<'a> {
        Circumstances {
            now: self.now,
            directory: &self.shared.directory,
            closings: self.closings,
            rules: &self.shared.rules,
        }
    }

    /// What writes at this moment of an appointment as it is known.
    #[must_use]
    pub fn writing<'k>(&self, known: &'k Known) -> Writing<'k>
    where
        'a: 'k,
    {
        Writing {
            shared: self.shared,
            at: self.now,
            notices: &known.notices,
            revision: known.revision,
        }
    }

    /// The entry that opens the next rung of every notice whose open ones have ended untold.
    fn climb(&self, known: &Known) -> Decided {
        let (mut notices, mut problems) = (Vec::new(), Vec::new());
        for notice in known.notices.iter().filter(|notice| is_open(known, notice)) {
            match self.next_rung(known, notice) {
                Ok(next) => notices.extend(next),
                Err(problem) => {
                    notices.push(self.to_phone(known, notice));
                    problems.push(problem);
                }
            }
        }
        let entry = (!notices.is_empty()).then(|| entry(known, notices, false));
        Decided { entry, problems }
    }

    fn next_rung(
        &self,
        known: &Known,
        notice: &NoticeBrief,
    ) -> Result<Option<NewNotice>, Undecided> {
        let nobody = Contact::none();
        let recipient = recipient(&known.appointment, notice);
        let contact = recipient.map_or(&nobody, |recipient| &recipient.contact);
        let Some(rung) = notice.ladder.climb(&notice.messages, contact) else {
            return Ok(None);
        };
        // Whoever came to be protected since is not written to on a later rung either.
        let silent = known.appointment.about.only_by_phone();
        let rung = silent.map_or(rung, |why| notice.ladder.phone(why));
        let nobody = || Undecided::NoRecipient(notice.role.clone());
        let recipient = recipient.ok_or_else(nobody)?;
        self.rung(known, recipient, notice, rung).map(Some)
    }

    /// The entry that writes a released booking's held notices anew, as of now. What is no longer
    /// worth telling is left without rungs, and its messages are superseded.
    fn release(&self, known: &Known) -> Decided {
        let held = |message: &MessageBrief| {
            message.state == MessageState::Held && message.reason == Some(Reason::Brake)
        };
        let (mut notices, mut problems) = (Vec::new(), Vec::new());
        for notice in known
            .notices
            .iter()
            .filter(|notice| notice.messages.iter().any(held))
        {
            let anew = match recipient(&known.appointment, notice) {
                Some(_) => self.anew(known, &known.appointment, notice),
                None => Err(Undecided::NoRecipient(notice.role.clone())),
            };
            match anew {
                Ok(anew) => notices.extend(anew),
                Err(problem) => {
                    notices.push(self.to_phone(known, notice));
                    problems.push(problem);
                }
            }
        }
        each_once(&mut notices);
        Decided {
            entry: Some(entry(known, notices, true)),
            problems,
        }
    }

    /// The notice with the call list as its only rung: nothing else can be written for it.
    fn to_phone(&self, known: &Known, notice: &NoticeBrief) -> NewNotice {
        let rung = notice.ladder.phone(Reason::NotWritable);
        NewNotice {
            messages: vec![self.writing(known).call(rung, notice.due_by)],
            ..self.without_rungs(notice)
        }
    }

    /// The notices to bring up to date when an appointment's contact changed: those that have told
    /// nobody. Where an attempt was made, only the call list learns the new number.
    ///
    /// # Errors
    /// [`Undecided`] when the rules, the directory or a template have no answer.
    pub fn refresh(&self, known: &Known, new: &Appointment) -> Result<Vec<NewNotice>, Undecided> {
        let unsent = |m: &MessageBrief| matches!(m.state, MessageState::Ready | MessageState::Held);
        let mut notices = Vec::new();
        for notice in known.notices.iter().filter(|notice| is_open(known, notice)) {
            if !notice.messages.iter().any(unsent) {
                continue;
            }
            let attempted = notice.messages.iter().any(|m| m.first_attempt_at.is_some());
            notices.extend(match attempted {
                true => self.phone_anew(known, new, notice)?.into_iter().collect(),
                false => self.anew(known, new, notice)?,
            });
        }
        each_once(&mut notices);
        Ok(notices)
    }

    /// A notice planned and written again for the same revision, under its own reference. What the
    /// plan asks for beside it today (an invitation, a move instead of a reinstatement) is a new
    /// notice; what it no longer asks for is left without rungs.
    fn anew(
        &self,
        known: &Known,
        copy: &Appointment,
        notice: &NoticeBrief,
    ) -> Result<Vec<NewNotice>, Undecided> {
        let Some(recipient) = recipient(copy, notice) else {
            return Ok(Vec::new());
        };
        let planned = match self.planned(known, copy, recipient, notice) {
            Ok(planned) => planned,
            Err(NoPlan::Past) => Vec::new(),
            Err(problem) => return Err(problem.into()),
        };
        let mut written = Vec::new();
        for planned in planned {
            let own = planned.telling.purpose == notice.purpose;
            if own || !is_recorded(known, notice, planned.telling.purpose) {
                let reference = own.then_some(notice.reference);
                written.push(self.writing(known).notice(copy, planned, reference)?);
            }
        }
        if written.iter().all(|new| new.purpose != notice.purpose) {
            written.push(self.without_rungs(notice));
        }
        Ok(written)
    }

    /// What is planned today for a notice that was recorded before.
    fn planned(
        &self,
        known: &Known,
        copy: &Appointment,
        recipient: &Recipient,
        notice: &NoticeBrief,
    ) -> Result<Vec<PlannedNotice>, NoPlan> {
        if notice.purpose == Purpose::Rebooking {
            return self.invitation_anew(copy, recipient, notice);
        }
        let believed = beliefs(&known.base, &known.notices, &recipient.role);
        let Some(change) = change(&copy.state, &believed) else {
            return Err(NoPlan::Past);
        };
        let corrects = notice.purpose == Purpose::Correction && stands_as_it_was(&change);
        let correction = corrects.then_some(notice.occasion);
        self.told(known, copy, recipient, &change, correction)
    }

    /// The open phone rung with the new contact; whatever was attempted stays as it is.
    fn phone_anew(
        &self,
        known: &Known,
        copy: &Appointment,
        notice: &NoticeBrief,
    ) -> Result<Option<NewNotice>, Undecided> {
        let open = notice.messages.iter().find(|m| m.channel == Channel::Phone);
        let (Some(open), Some(recipient)) = (open, recipient(copy, notice)) else {
            return Ok(None);
        };
        let rung = Rung {
            number: open.rung,
            channel: Channel::Phone,
            reason: open.reason,
        };
        self.rung(known, recipient, notice, rung).map(Some)
    }

    fn rung(
        &self,
        known: &Known,
        recipient: &Recipient,
        notice: &NoticeBrief,
        rung: Rung,
    ) -> Result<NewNotice, Undecided> {
        let appointment = &known.appointment;
        let planned = plan::climb(
            appointment,
            recipient,
            notice,
            rung,
            &known.notices,
            &self.around(),
        )?;
        let (telling, message) = planned;
        let promises = telling.promises_invitation();
        let writing = self.writing(known);
        let message = writing.message(appointment, &telling, message, notice.reference)?;
        Ok(NewNotice {
            promises,
            messages: vec![message],
            ..self.without_rungs(notice)
        })
    }

    /// The same notice with no rung planned: its unsent messages are superseded.
    fn without_rungs(&self, notice: &NoticeBrief) -> NewNotice {
        let office = notice.change.new.office.clone();
        let district = self.shared.directory.district_of(&office);
        NewNotice {
            role: notice.role.clone(),
            purpose: notice.purpose,
            occasion: notice.occasion,
            change: notice.change.clone(),
            district: district.map_or_else(|| "".into(), |district| district.id.clone()),
            office,
            ladder: notice.ladder.clone(),
            on_unknown: notice.on_unknown,
            reference: notice.reference,
            due_by: notice.due_by,
            not_after: notice.not_after,
            promises: false,
            messages: Vec::new(),
            telling: None,
        }
    }
}

/// Whether a notice may still need another rung or a better address.
fn is_open(known: &Known, notice: &NoticeBrief) -> bool {
    notice.revision == known.revision && !notice.superseded && !notice.has_told()
}

/// Whether this revision has a notice of that purpose for the same person already.
fn is_recorded(known: &Known, notice: &NoticeBrief, purpose: Purpose) -> bool {
    let same = |n: &NoticeBrief| {
        n.purpose == purpose && n.role == notice.role && n.revision == notice.revision
    };
    known.notices.iter().any(same)
}

/// One notice for each person and purpose: two of the old ones may ask for the same new one.
fn each_once(notices: &mut Vec<NewNotice>) {
    let mut kept = std::collections::BTreeSet::new();
    notices.retain(|notice| kept.insert((notice.role.clone(), notice.purpose)));
}

fn recipient<'a>(appointment: &'a Appointment, notice: &NoticeBrief) -> Option<&'a Recipient> {
    of_role(appointment, &notice.role)
}

fn of_role<'a>(appointment: &'a Appointment, role: &Role) -> Option<&'a Recipient> {
    let mut recipients = appointment.recipients.iter();
    recipients.find(|recipient| recipient.role == *role)
}

fn entry(known: &Known, notices: Vec<NewNotice>, release: bool) -> Entry {
    Entry {
        appointment: known.appointment.clone(),
        seen: None,
        gone: false,
        believed: Some(known.believed()),
        revision: known.revision,
        supersede: false,
        rebase: false,
        release,
        settled: Vec::new(),
        admitted_by: None,
        notices,
    }
}
