//! What a person asked for: the invitations of a wave, and the corrections of a batch that was wrong.
//! A correction takes the place of a reinstatement that has not left.

use super::{Decided, Replan, Undecided, entry, is_recorded, of_role};
use crate::domain::appointment::{Appointment, Standing};
use crate::domain::calendar;
use crate::domain::change::{Change, change};
use crate::domain::message::Reason;
use crate::domain::notice::{NoticeBrief, Purpose, beliefs};
use crate::domain::occasion::Occasion;
use crate::domain::plan::{self, NoPlan, PlannedNotice, stands_as_it_was};
use crate::domain::recipient::{Recipient, Role};
use crate::store::{Entry, Known, NewNotice};

impl Replan<'_> {
    /// What is planned for a change: what the rules ask for or, where a batch that was wrong had told
    /// it, its correction.
    ///
    /// # Errors
    /// [`NoPlan`] says why nobody is told.
    pub fn told(
        &self,
        known: &Known,
        copy: &Appointment,
        recipient: &Recipient,
        change: &Change,
        correction: Option<u32>,
    ) -> Result<Vec<PlannedNotice>, NoPlan> {
        let (history, around) = (known.notices.as_slice(), self.around());
        match correction {
            Some(number) => {
                let asked = (number, history);
                let planned = plan::correct(copy, recipient, change, asked, &around)?;
                Ok(vec![planned])
            }
            None => plan::plan(copy, recipient, change, history, &around),
        }
    }

    /// The entry that writes what a person asked for, as far as it can be written now.
    pub(super) fn asked(&self, known: &Known) -> Decided {
        let stands = known.appointment.state.standing == Standing::Active;
        let (mut notices, mut problems) = (Vec::new(), Vec::new());
        let mut settled = Vec::new();
        for occasion in &known.occasions {
            let decided = match occasion.purpose {
                // It waits until the booking system shows that the appointment stands.
                Purpose::Correction if !stands => continue,
                Purpose::Correction => self.correction(known, occasion),
                Purpose::Rebooking if !stands => self.invitation(known, occasion),
                // An appointment that stands needs no new one.
                _ => Ok(Vec::new()),
            };
            settled.push(occasion.clone());
            match decided {
                Ok(decided) => notices.extend(decided),
                Err(problem) => {
                    notices.extend(self.phoned(known, occasion));
                    problems.push(problem);
                }
            }
        }
        let entry = (!settled.is_empty()).then(|| Entry {
            settled,
            ..entry(known, notices, false)
        });
        Decided { entry, problems }
    }

    /// The correction, and the reinstatement whose place it takes, without rungs.
    fn correction(&self, known: &Known, occasion: &Occasion) -> Result<Vec<NewNotice>, Undecided> {
        let copy = &known.appointment;
        let missing = || Undecided::NoRecipient(occasion.role.clone());
        let recipient = of_role(copy, &occasion.role).ok_or_else(missing)?;
        let believed = beliefs(&known.base, &known.notices, &occasion.role);
        let wrong = change(&copy.state, &believed).filter(stands_as_it_was);
        let Some(wrong) = wrong else {
            return Ok(Vec::new());
        };
        let replaced = known
            .notices
            .iter()
            .filter(|n| is_its_reinstatement(known, n, occasion));
        let replaced: Vec<&NoticeBrief> = replaced.collect();
        // What is under way says it already, and goes on by itself.
        if replaced.iter().any(|notice| notice.may_have_told()) {
            return Ok(Vec::new());
        }
        let planned = match self.told(known, copy, recipient, &wrong, Some(occasion.number)) {
            Err(NoPlan::Past) => Vec::new(),
            planned => planned?,
        };
        let mut written = Vec::new();
        for planned in planned {
            written.push(self.writing(known).notice(copy, planned, None)?);
        }
        written.extend(
            replaced
                .into_iter()
                .map(|notice| self.without_rungs(notice)),
        );
        Ok(written)
    }

    fn invitation(&self, known: &Known, occasion: &Occasion) -> Result<Vec<NewNotice>, Undecided> {
        let copy = &known.appointment;
        let missing = || Undecided::NoRecipient(occasion.role.clone());
        let recipient = of_role(copy, &occasion.role).ok_or_else(missing)?;
        let cancelled = told_of(known, &occasion.role)
            .filter(|notice| !is_recorded(known, notice, Purpose::Rebooking));
        let (Some(cancelled), Some(until)) = (cancelled, occasion.until) else {
            return Ok(Vec::new());
        };
        let asked = (occasion.number, until);
        let planned = match plan::invite(copy, recipient, cancelled, asked, &self.around()) {
            Err(NoPlan::Past) => return Ok(Vec::new()),
            planned => planned?,
        };
        Ok(vec![self.writing(known).notice(copy, planned, None)?])
    }

    /// An invitation planned again, as of now and until the same day.
    pub(super) fn invitation_anew(
        &self,
        copy: &Appointment,
        recipient: &Recipient,
        notice: &NoticeBrief,
    ) -> Result<Vec<PlannedNotice>, NoPlan> {
        let offices = &self.shared.directory.offices;
        let id = &notice.change.new.office;
        let office = offices
            .get(id)
            .ok_or_else(|| NoPlan::UnknownOffice(id.clone()))?;
        let until = calendar::local_day(notice.not_after, office.zone);
        let asked = (notice.occasion, until);
        let planned = plan::invite(copy, recipient, notice, asked, &self.around())?;
        Ok(vec![planned])
    }

    /// The notice with the call list as its only rung, where nothing can be written.
    fn phoned(&self, known: &Known, occasion: &Occasion) -> Option<NewNotice> {
        let told = told_of(known, &occasion.role)?;
        let rung = told.ladder.phone(Reason::NotWritable);
        Some(NewNotice {
            purpose: occasion.purpose,
            occasion: occasion.number,
            reference: self.shared.chance.reference(),
            messages: vec![self.writing(known).call(rung, told.due_by)],
            ..self.without_rungs(told)
        })
    }
}

/// The newest notice that told, or may have told, this person that their appointment is cancelled.
fn told_of<'a>(known: &'a Known, role: &Role) -> Option<&'a NoticeBrief> {
    let cancels = |notice: &&NoticeBrief| {
        notice.role == *role && notice.purpose == Purpose::Cancellation && notice.may_have_told()
    };
    known.notices.iter().rev().find(cancels)
}

/// Whether a notice tells this person, of the booking as it stands, that it stands after all.
fn is_its_reinstatement(known: &Known, notice: &NoticeBrief, occasion: &Occasion) -> bool {
    notice.revision == known.revision
        && notice.role == occasion.role
        && notice.purpose == Purpose::Reinstatement
        && !notice.superseded
}

/// The number of the correction that a change is told by: of the batch that had told this person
/// wrongly, where a person said so and the appointment stands as it was.
#[must_use]
pub fn correction(known: &Known, role: &Role, change: &Change) -> Option<u32> {
    let mut asked = known.occasions.iter();
    let asked = asked.find(|o| o.purpose == Purpose::Correction && o.role == *role);
    let asked = asked.filter(|_| stands_as_it_was(change));
    asked.map(|occasion| occasion.number)
}
