//! What one complete snapshot says against what we know: which rows to look at, and which are gone.
//!
//! A row is gone only after two complete snapshots without it and a look-up by its key. A row that
//! is there but cannot be understood is there.

use std::collections::{BTreeMap, BTreeSet};

use super::appointment::{Appointment, BookingKey, Fingerprint};

/// What the store remembers of one future booking, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The content when it was last seen.
    pub fingerprint: Fingerprint,
    /// In how many complete snapshots in a row it has been missing.
    pub absent: u8,
    /// Whether we already hold it as cancelled, so that its absence says nothing new.
    pub cancelled: bool,
}

/// How many complete snapshots in a row must miss a row before it is looked up and believed gone.
pub const ABSENT_BEFORE_GONE: u8 = 2;

/// What to do after a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Rows that are new or whose content differs: to be compared with what people believe.
    pub touched: Vec<Appointment>,
    /// Keys missing for the first time: remembered, nothing concluded.
    pub newly_absent: Vec<BookingKey>,
    /// Keys missing often enough: to be looked up, and gone if the look-up finds nothing.
    pub missing: Vec<BookingKey>,
    /// Keys that were missing and are there again, unchanged or not understood.
    pub back: Vec<BookingKey>,
}

/// Compares a complete snapshot with the marks of the same source's future bookings.
///
/// `unreadable` holds the keys of rows that are there but could not be understood.
#[must_use]
pub fn diff(
    marks: &BTreeMap<BookingKey, Mark>,
    rows: Vec<Appointment>,
    unreadable: &BTreeSet<BookingKey>,
) -> Diff {
    let mut diff = Diff::default();
    let mut present: BTreeSet<BookingKey> = unreadable.clone();
    for row in rows {
        present.insert(row.key.clone());
        match marks.get(&row.key) {
            Some(mark) if mark.fingerprint == row.fingerprint() => {
                if mark.absent > 0 {
                    diff.back.push(row.key);
                }
            }
            Some(_) | None => diff.touched.push(row),
        }
    }
    let was_absent = |key: &&BookingKey| marks.get(*key).is_some_and(|mark| mark.absent > 0);
    diff.back
        .extend(unreadable.iter().filter(was_absent).cloned());
    for (key, mark) in marks.iter().filter(|(key, _)| !present.contains(*key)) {
        absent(&mut diff, key, mark);
    }
    diff
}

/// What an unchanged source says: the same snapshot once more, so that absences are confirmed.
#[must_use]
pub fn same_again(marks: &BTreeMap<BookingKey, Mark>) -> Diff {
    let mut diff = Diff::default();
    for (key, mark) in marks.iter().filter(|(_, mark)| mark.absent > 0) {
        absent(&mut diff, key, mark);
    }
    diff
}

fn absent(diff: &mut Diff, key: &BookingKey, mark: &Mark) {
    if mark.cancelled {
        return;
    }
    if mark.absent.saturating_add(1) < ABSENT_BEFORE_GONE {
        diff.newly_absent.push(key.clone());
    } else {
        diff.missing.push(key.clone());
    }
}
