//! What one snapshot's rows mean for the people behind them, row by row, as entries to record.
//!
//! It looks at nothing but what it is given, and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::appointment::{Appointment, BookingKey, Standing};
use crate::domain::change::change;
use crate::domain::closing::Closing;
use crate::domain::contact::Unusable;
use crate::domain::notice::{NoticeBrief, beliefs};
use crate::domain::plan::NoPlan;
use crate::service::replan::{Replan, Undecided, correction};
use crate::service::writing::Writing;
use crate::service::{Shared, cores};
use crate::source::RowFault;
use crate::store::{Entry, Known};

/// The pseudo-column of faults that concern the decision, not the row.
pub(super) const DECISION: &str = "(decision)";

/// Decides, row by row, what is recorded.
pub(super) struct Decide<'a> {
    pub(super) shared: &'a Shared,
    pub(super) closings: &'a [Closing],
    pub(super) now: DateTime<Utc>,
    /// What people did themselves and are not told.
    pub(super) by_person: BTreeSet<BookingKey>,
}

/// What is decided on by itself.
struct Case<'a> {
    key: &'a BookingKey,
    /// What the source shows of it now.
    row: Option<Appointment>,
    known: Option<&'a Known>,
}

impl Decide<'_> {
    pub(super) fn all(
        &self,
        rows: Vec<Appointment>,
        known: &[Known],
        keys: &[BookingKey],
        faults: &mut Vec<RowFault>,
    ) -> Vec<Entry> {
        let known: BTreeMap<&BookingKey, &Known> = known
            .iter()
            .map(|known| (&known.appointment.key, known))
            .collect();
        let mut rows: BTreeMap<BookingKey, Appointment> =
            rows.into_iter().map(|row| (row.key.clone(), row)).collect();
        let cases: Vec<Case<'_>> = keys
            .iter()
            .map(|key| Case {
                key,
                row: rows.remove(key),
                known: known.get(key).copied(),
            })
            .collect();
        let mut entries = Vec::new();
        for (case, decided) in cases.iter().zip(cores::all(&cases, |case| self.one(case))) {
            match decided {
                Ok(entry) => entries.extend(entry),
                Err(problem) => faults.push(RowFault {
                    key: Some(case.key.clone()),
                    column: DECISION.to_owned(),
                    problem: format!("{problem}; nobody was told, and it will be tried again"),
                }),
            }
        }
        entries
    }

    fn one(&self, case: &Case<'_>) -> Result<Option<Entry>, Undecided> {
        let decided = match (case.row.clone(), case.known) {
            (Some(row), Some(known)) => self.seen(row, known),
            (Some(row), None) => Ok(quiet_entry(row, None, 0)),
            (None, Some(known)) => self.row(gone(known), known).map(|entry| Entry {
                gone: true,
                ..entry
            }),
            (None, None) => return Ok(None),
        };
        decided.map(Some)
    }

    /// A row that is there: what is recorded of it may keep a contact that the row has lost, but
    /// it is recognised by what the source showed.
    fn seen(&self, row: Appointment, known: &Known) -> Result<Entry, Undecided> {
        let seen = Some(row.fingerprint());
        let entry = self.row(keep_contact(row, known), known)?;
        Ok(Entry { seen, ..entry })
    }

    fn row(&self, mut row: Appointment, known: &Known) -> Result<Entry, Undecided> {
        let old = &known.appointment.state;
        if !differs(&row, known) {
            row.state = old.clone();
        }
        let replan = Replan {
            shared: self.shared,
            closings: self.closings,
            now: self.now,
        };
        if row.state == *old {
            let notices = replan.refresh(known, &row)?;
            return Ok(Entry {
                notices,
                ..quiet_entry(row, Some(known), known.revision)
            });
        }
        let untold = known.notices.iter().all(|notice| !notice.may_have_told());
        if untold && self.by_person.contains(&row.key) {
            // Where we wrote before, silence could leave them with the wrong one of two states.
            return Ok(Entry {
                supersede: true,
                rebase: true,
                ..quiet_entry(row, Some(known), known.revision + 1)
            });
        }
        let writing = Writing {
            revision: known.revision + 1,
            ..replan.writing(known)
        };
        let mut notices = Vec::new();
        for recipient in &row.recipients {
            let believed = beliefs(&known.base, &known.notices, &recipient.role);
            let Some(change) = change(&row.state, &believed) else {
                continue;
            };
            let correction = correction(known, &recipient.role, &change);
            match replan.told(known, &row, recipient, &change, correction) {
                Ok(planned) => {
                    for planned in planned {
                        notices.push(writing.notice(&row, planned, None)?);
                    }
                }
                // Nobody is told of the past; but a start set into the past while the person still
                // expects to come is a fault that somebody must see.
                Err(NoPlan::Past) if change.old.start <= self.now => {}
                Err(problem) => return Err(problem.into()),
            }
        }
        // What stands again has been corrected, or told otherwise.
        let stands = row.state.standing == Standing::Active;
        let settled = known.occasions.iter().filter(|_| stands).cloned().collect();
        let entry = quiet_entry(row, Some(known), known.revision + 1);
        Ok(Entry {
            supersede: true,
            notices,
            settled,
            ..entry
        })
    }
}

/// A booking whose row is gone from the source is cancelled; everything else is as we last saw it.
pub(super) fn gone(known: &Known) -> Appointment {
    let mut copy = known.appointment.clone();
    copy.state.standing = Standing::Cancelled;
    copy
}

/// A booking that was taken for gone, and of which there is a row that nobody understands: it is as
/// we last saw it. Nothing, where somebody may believe that it is cancelled: what to say now, only a row
/// can tell.
pub(super) fn not_gone(known: &Known) -> Option<Appointment> {
    let misled = |notice: &NoticeBrief| {
        let believed = beliefs(&known.base, &known.notices, &notice.role);
        believed
            .iter()
            .any(|state| state.standing == Standing::Cancelled)
    };
    let mut copy = known.appointment.clone();
    copy.state.standing = Standing::Active;
    (!known.notices.iter().any(misled)).then_some(copy)
}

/// Whether a row says another thing of the appointment than our copy. A cancelled booking has no time
/// or place that anybody could be told.
pub(super) fn differs(row: &Appointment, known: &Known) -> bool {
    let old = &known.appointment.state;
    let both_cancelled =
        row.state.standing == Standing::Cancelled && old.standing == Standing::Cancelled;
    row.state != *old && !both_cancelled
}

/// Systems that cancel often erase the contact in the same breath: the newest copy known is kept.
fn keep_contact(mut row: Appointment, known: &Known) -> Appointment {
    if row.state.standing == Standing::Active {
        return row;
    }
    let old = &known.appointment;
    // Whoever was not to be written to still is not, whatever was erased.
    row.about.protected |= old.about.protected;
    row.about.do_not_contact |= old.about.do_not_contact;
    let invited = row.about.invited.take();
    row.about.invited = invited.or_else(|| old.about.invited.clone());
    if row
        .recipients
        .iter()
        .all(|person| person.contact.is_empty())
    {
        row.recipients.clone_from(&old.recipients);
    }
    for recipient in &mut row.recipients {
        let old = known
            .appointment
            .recipients
            .iter()
            .find(|old| old.role == recipient.role);
        let Some(old) = old else { continue };
        if recipient.contact.phone == Err(Unusable::Missing) {
            recipient.contact.phone.clone_from(&old.contact.phone);
        }
        if recipient.contact.email == Err(Unusable::Missing) {
            recipient.contact.email.clone_from(&old.contact.email);
        }
    }
    row
}

pub(super) fn quiet_entry(row: Appointment, known: Option<&Known>, revision: u32) -> Entry {
    Entry {
        seen: Some(row.fingerprint()),
        gone: false,
        appointment: row,
        believed: known.map(Known::believed),
        revision: known.map_or(revision, |known| revision.max(known.revision)),
        supersede: false,
        rebase: false,
        release: false,
        settled: Vec::new(),
        admitted_by: None,
        notices: Vec::new(),
    }
}
