//! Which changes of a poll pass the brake because a closing announced them.
//!
//! It looks at nothing but what it is given, and writes nothing.

use crate::domain::calendar;
use crate::domain::change::ChangeKind;
use crate::domain::closing::{Affected, Announced, admissions};
use crate::domain::directory::Directory;
use crate::store::Entry;

/// Marks the entries that a closing admits, and says how many those are.
pub(super) fn admit(entries: &mut [Entry], announced: &[Announced], directory: &Directory) -> u32 {
    let affected: Vec<_> = entries.iter().map(|e| affected(e, directory)).collect();
    let mut admitted = 0;
    for (entry, closing) in entries.iter_mut().zip(admissions(&affected, announced)) {
        entry.admitted_by = closing;
        admitted += u32::from(closing.is_some());
    }
    admitted
}

/// A closing explains why people are sent away, by cancelling or by moving: never why an
/// appointment stands after all.
fn affected(entry: &Entry, directory: &Directory) -> Option<Affected> {
    let notice = entry.notices.first().filter(|_| entry.supersede)?;
    let sent_away = |kind| matches!(kind, ChangeKind::Cancelled | ChangeKind::Moved { .. });
    if !entry.notices.iter().all(|n| sent_away(n.change.kind)) {
        return None;
    }
    let old = &notice.change.old;
    let zone = directory.offices.get(&old.office)?.zone;
    Some(Affected {
        office: old.office.clone(),
        kind: directory.services.get(&entry.appointment.service)?.kind,
        day: calendar::local_day(old.start, zone),
    })
}
