//! What one complete snapshot says against what we know: which rows to look at, and which are gone.
//!
//! A row is gone only after two complete snapshots without it and a look-up by its key. A row that
//! is there but cannot be understood is there, also where it was taken for gone before.

use std::collections::BTreeSet;

use super::appointment::{Appointment, BookingKey};
use super::marks::{Mark, Marks};

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
    /// Keys that were taken for gone, of which there is a row again that is not understood.
    pub not_gone: Vec<BookingKey>,
}

/// Compares a complete snapshot with the marks of the same source's future bookings. The rows that
/// were left out of it, and say what is known, are noted with the marks.
///
/// `unreadable` holds the keys of rows that are there but could not be understood.
#[must_use]
pub fn diff(marks: &Marks, rows: Vec<Appointment>, unreadable: &BTreeSet<BookingKey>) -> Diff {
    let mut diff = Diff::default();
    // One number for each booking, so that a million of them cost no million texts.
    let mut present = vec![false; marks.len()];
    for row in rows {
        let place = marks.find(&row.key.0);
        if let Some(there) = place.and_then(|at| present.get_mut(at.number())) {
            *there = true;
        }
        match place.map(|at| marks.mark(at)) {
            Some(mark) if mark.fingerprint == row.fingerprint() => {
                if mark.absent > 0 {
                    diff.back.push(row.key);
                }
            }
            Some(_) | None => diff.touched.push(row),
        }
    }
    for key in unreadable {
        let Some(at) = marks.find(&key.0) else {
            continue;
        };
        let mark = marks.mark(at);
        if std::mem::replace(&mut present[at.number()], true) || mark.absent == 0 {
            continue;
        }
        if mark.cancelled {
            diff.not_gone.push(key.clone());
        } else {
            diff.back.push(key.clone());
        }
    }
    for at in marks.places().filter(|at| !present[at.number()]) {
        let mark = marks.mark(at);
        if !marks.is_left_out(at) {
            absent(&mut diff, || marks.key(at), &mark);
        } else if mark.absent > 0 {
            diff.back.push(marks.key(at));
        }
    }
    diff.newly_absent.sort();
    diff.missing.sort();
    diff
}

/// What an unchanged source says: the same snapshot once more, so that absences are confirmed.
#[must_use]
pub fn same_again(marks: &Marks) -> Diff {
    let mut diff = Diff::default();
    for at in marks.places() {
        let mark = marks.mark(at);
        if mark.absent > 0 {
            absent(&mut diff, || marks.key(at), &mark);
        }
    }
    diff.newly_absent.sort();
    diff.missing.sort();
    diff
}

fn absent(diff: &mut Diff, key: impl FnOnce() -> BookingKey, mark: &Mark) {
    if mark.cancelled {
        return;
    }
    if mark.absent.saturating_add(1) < ABSENT_BEFORE_GONE {
        diff.newly_absent.push(key());
    } else {
        diff.missing.push(key());
    }
}
