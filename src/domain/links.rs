//! Rows that are one appointment: a booking that was moved by making another one.
//!
//! Some systems move a booking by cancelling its row and writing a new one that names the old. To the
//! person it is one appointment with another time. So the rows of such a chain become one
//! appointment, under the key by which we know it already, before anything is compared. Nothing here
//! reads a source or a store.

use std::collections::{BTreeMap, BTreeSet};

use super::appointment::{Appointment, BookingKey, Standing};

/// No chain is followed further. One that is longer, or that runs in a circle, is cut there.
pub const MOST_LINKS: usize = 64;

/// Who made a booking what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Who {
    /// The agency.
    Agency,
    /// The person themself.
    Person,
    /// The source does not say.
    #[default]
    Unknown,
}

/// What a row says beside the appointment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Linked {
    /// The booking in whose place this one stands.
    pub replaces: Option<BookingKey>,
    /// It was cancelled in order to be moved: another one takes its place, or will.
    pub rescheduled: bool,
    /// Who cancelled or moved it.
    pub who: Who,
}

/// Rows by appointment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// One row for each appointment, under the appointment's key.
    pub rows: Vec<Appointment>,
    /// Appointments of which something is there that could not be understood.
    pub unreadable: BTreeSet<BookingKey>,
    /// Cancelled in order to be moved, and nothing stands in their place yet.
    pub awaiting: BTreeSet<BookingKey>,
    /// What the person did themself.
    pub by_person: BTreeSet<BookingKey>,
}

/// The rows of one read with what links them.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// What could be understood.
    pub rows: Vec<Appointment>,
    /// What is there and could not be understood.
    pub unreadable: BTreeSet<BookingKey>,
    /// What rows say beside the appointment, by their own keys, whether understood or not.
    pub linked: BTreeMap<BookingKey, Linked>,
    /// What rows that the read no longer shows stand in for, where they were looked up.
    pub earlier: BTreeMap<BookingKey, Option<BookingKey>>,
}

impl Rows {
    /// The bookings that rows stand in for and of which nothing is known: to be looked up, since they
    /// may themselves stand in for one that is known.
    #[must_use]
    pub fn unexplained(&self, is_known: impl Fn(&BookingKey) -> bool) -> BTreeSet<BookingKey> {
        let present = self.present();
        let new = self.linked.iter().filter(|(key, _)| !is_known(key));
        let ends = new.filter_map(|(key, _)| self.path(key).pop());
        ends.filter(|end| {
            !present.contains(end) && !is_known(end) && !self.earlier.contains_key(end)
        })
        .collect()
    }

    /// One row for each appointment. Rows that say what is known, and nothing of others, may have been
    /// left out: `stands_left_out` tells of which bookings such a row was, and said that it stands.
    #[must_use]
    pub fn fold(
        &mut self,
        is_known: impl Fn(&BookingKey) -> bool,
        stands_left_out: impl Fn(&BookingKey) -> bool,
    ) -> Folded {
        let rows = std::mem::take(&mut self.rows);
        if self.linked.is_empty() {
            return Folded {
                rows,
                unreadable: self.unreadable.clone(),
                ..Folded::default()
            };
        }
        let stands = |row: &Appointment| row.state.standing == Standing::Active;
        let active: BTreeSet<BookingKey> = rows
            .iter()
            .filter(|r| stands(r))
            .map(|r| r.key.clone())
            .collect();
        let mut keys: BTreeSet<BookingKey> = rows.iter().map(|row| row.key.clone()).collect();
        keys.extend(self.unreadable.iter().cloned());
        let heirs = self.heirs(&keys, &active);
        let mut chains: BTreeMap<BookingKey, Vec<(bool, usize, Appointment)>> = BTreeMap::new();
        let mut folded = Folded::default();
        let anchor = |key: &BookingKey| self.anchor(key, &keys, &heirs, &is_known);
        for key in &self.unreadable {
            folded.unreadable.insert(anchor(key).0);
        }
        for row in rows {
            let (key, depth) = anchor(&row.key);
            chains
                .entry(key)
                .or_default()
                .push((stands(&row), depth, row));
        }
        for (key, rows) in chains {
            // Of a booking and what was to take its place, the one that stands counts.
            let says_what_is_known =
                stands_left_out(&key) && !rows.iter().any(|(active, ..)| *active);
            if !says_what_is_known && !folded.unreadable.contains(&key) {
                self.last(key, rows, &mut folded);
            }
        }
        folded
    }

    /// Of a chain the row that says how the appointment stands: the last that stands, else the last.
    fn last(&self, key: BookingKey, rows: Vec<(bool, usize, Appointment)>, folded: &mut Folded) {
        let order = |(active, depth, row): &(bool, usize, Appointment)| {
            (*active, *depth, std::cmp::Reverse(row.key.clone()))
        };
        let Some((active, _, mut row)) = rows.into_iter().max_by_key(order) else {
            return;
        };
        if let Some(linked) = self.linked.get(&row.key) {
            if linked.rescheduled && !active {
                folded.awaiting.insert(key.clone());
            }
            if linked.who == Who::Person {
                folded.by_person.insert(key.clone());
            }
        }
        row.key = key;
        folded.rows.push(row);
    }

    fn present(&self) -> BTreeSet<&BookingKey> {
        let rows = self.rows.iter().map(|row| &row.key);
        rows.chain(&self.unreadable).collect()
    }

    /// For each booking that others stand in for, the one that does: where two say so, the one that
    /// stands, else the first by key. The others are appointments of their own.
    fn heirs<'a>(
        &'a self,
        keys: &'a BTreeSet<BookingKey>,
        active: &BTreeSet<BookingKey>,
    ) -> BTreeMap<&'a BookingKey, &'a BookingKey> {
        let mut heirs: BTreeMap<&BookingKey, &BookingKey> = BTreeMap::new();
        for key in keys {
            let Some(old) = self.linked.get(key).and_then(|l| l.replaces.as_ref()) else {
                continue;
            };
            let heir = heirs.entry(old).or_insert(key);
            if !active.contains(*heir) && active.contains(key) {
                *heir = key;
            }
        }
        heirs
    }

    fn before(&self, key: &BookingKey) -> Option<&BookingKey> {
        let linked = self.linked.get(key).and_then(|l| l.replaces.as_ref());
        linked.or_else(|| self.earlier.get(key)?.as_ref())
    }

    /// The bookings that this one stands in for, the nearest first; a circle ends where it closes.
    fn path(&self, key: &BookingKey) -> Vec<BookingKey> {
        let mut path = Vec::new();
        let mut at = key;
        while let Some(old) = self.before(at) {
            if path.len() == MOST_LINKS || old == key || path.contains(old) {
                break;
            }
            path.push(old.clone());
            at = old;
        }
        path
    }

    /// The appointment that a row belongs to, and how far it is from it. A booking that is known
    /// under its own key keeps it.
    fn anchor(
        &self,
        key: &BookingKey,
        keys: &BTreeSet<BookingKey>,
        heirs: &BTreeMap<&BookingKey, &BookingKey>,
        is_known: &impl Fn(&BookingKey) -> bool,
    ) -> (BookingKey, usize) {
        let mut anchor = (key.clone(), 0);
        let mut at = key.clone();
        for (distance, old) in self.path(key).into_iter().enumerate() {
            let is_heir = heirs.get(&old).is_none_or(|heir| **heir == at);
            if is_known(&at) || !is_heir {
                break;
            }
            if keys.contains(&old) || is_known(&old) {
                anchor = (old.clone(), distance + 1);
            }
            at = old;
        }
        anchor
    }
}
