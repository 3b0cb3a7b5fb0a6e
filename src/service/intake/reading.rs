//! From rows to appointments: what a snapshot shows, against what is known, and what a look-up by key
//! adds to it. It decides nothing about what a difference means.

use std::collections::BTreeSet;

use super::{Intake, IntakeError, MOST_EARLIER, count};
use crate::domain::appointment::{Appointment, BookingKey, Standing};
use crate::domain::diff::{Diff, diff};
use crate::domain::links::{Folded, MOST_LINKS, Rows, Who};
use crate::domain::marks::Marks;
use crate::source::{RowFault, Snapshot, Source};
use crate::store::{Ledger, SnapshotMark};

/// A complete read, as appointments.
#[derive(Default)]
pub(super) struct Read {
    /// A snapshot stands behind it, and not the news that nothing changed.
    pub(super) all_seen: bool,
    pub(super) faults: Vec<RowFault>,
    /// Cancelled in order to be moved, and nothing stands in their place yet.
    pub(super) awaiting: BTreeSet<BookingKey>,
    /// What people did themselves.
    pub(super) by_person: BTreeSet<BookingKey>,
}

impl<S: Source, L: Ledger> Intake<S, L> {
    /// The appointments of a snapshot, against what is known: rows that are one appointment are one.
    pub(super) async fn read(
        &mut self,
        mut snapshot: Snapshot,
        baseline: bool,
    ) -> Result<(Diff, Read), IntakeError> {
        self.cancel_listed(&mut snapshot);
        self.last = mark(&snapshot);
        let unknown = Marks::default();
        let known = self.known.as_ref().unwrap_or(&unknown);
        let is_known = |key: &BookingKey| known.contains(key);
        let mut rows = Rows {
            rows: snapshot.rows,
            unreadable: snapshot.unreadable,
            linked: snapshot.linked,
            earlier: std::mem::take(&mut self.earlier),
        };
        for _ in 0..MOST_LINKS {
            let keys: Vec<_> = rows.unexplained(is_known).into_iter().collect();
            // On the first read nothing is known that they could lead to.
            if keys.is_empty() || !baseline {
                break;
            }
            let mut found = self.source.look_up(&keys).await?;
            let before = |key: BookingKey| {
                let linked = found.linked.remove(&key);
                (key, linked.and_then(|linked| linked.replaces))
            };
            rows.earlier.extend(keys.into_iter().map(before));
        }
        let Folded {
            rows: mut appointments,
            unreadable,
            awaiting,
            mut by_person,
        } = rows.fold(is_known, |key| known.stands_left_out(key));
        // A list may name an appointment by the key of its first row, as we do.
        for row in appointments.iter_mut().filter(|row| self.is_listed(row)) {
            cancel(row);
            by_person.remove(&row.key);
        }
        if rows.earlier.len() <= MOST_EARLIER {
            self.earlier = rows.earlier;
        }
        let read = Read {
            all_seen: true,
            faults: snapshot.faults,
            awaiting,
            by_person,
        };
        let mut diff = diff(known, appointments, &unreadable);
        if snapshot.partial {
            diff.newly_absent.clear();
            diff.missing.clear();
        }
        Ok((diff, read))
    }

    /// What a list names is cancelled by the agency, whatever the source shows of it.
    fn cancel_listed(&self, shown: &mut Snapshot) {
        for row in shown.rows.iter_mut().filter(|row| self.is_listed(row)) {
            cancel(row);
            if let Some(linked) = shown.linked.get_mut(&row.key) {
                linked.who = Who::Agency;
            }
        }
    }

    fn is_listed(&self, row: &Appointment) -> bool {
        row.state.standing == Standing::Active && self.listed.contains(&row.key)
    }

    /// Asks the source for the rows that were missing often enough. Those it finds are rows like
    /// any other; those it does not find are gone, and their keys are returned.
    pub(super) async fn look_up(
        &mut self,
        diff: &mut Diff,
        read: &mut Read,
    ) -> Result<Vec<BookingKey>, IntakeError> {
        if diff.missing.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = self.source.look_up(&diff.missing).await?;
        self.cancel_listed(&mut found);
        read.faults.append(&mut found.faults);
        for (key, linked) in found.linked {
            if linked.rescheduled {
                read.awaiting.insert(key.clone());
            }
            if linked.who == Who::Person {
                read.by_person.insert(key);
            }
        }
        let is_there = |key: &BookingKey| {
            found.unreadable.contains(key) || found.rows.iter().any(|row| row.key == *key)
        };
        let (there, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut diff.missing)
            .into_iter()
            .partition(is_there);
        diff.back.extend(there);
        diff.touched.append(&mut found.rows);
        Ok(gone)
    }
}

/// The agency's list says that it is cancelled.
fn cancel(row: &mut Appointment) {
    row.state.standing = Standing::Cancelled;
    row.about.listed = true;
    row.about.canceller_unknown = false;
}

fn mark(snapshot: &Snapshot) -> SnapshotMark {
    let rows = snapshot.rows.len() + snapshot.unreadable.len();
    SnapshotMark {
        rows: count(rows).saturating_add(snapshot.left_out),
        faults: count(snapshot.faults.len()),
    }
}
