//! A snapshot that grows row by row, from what each row means: understood rows, rows that are there
//! and not understood, and what rows say of one another. It concludes nothing from them.

use std::collections::HashSet;

use chrono::{DateTime, Utc};

use super::Mapping;
use super::optional::{choose_by, invited};
use super::sieve::Sieve;
use crate::domain::appointment::{Appointment, BookingKey, Standing};
use crate::domain::links::Linked;
use crate::domain::marks::{Marks, Place};
use crate::source::crowd::{self, Crowd};
use crate::source::row::{Column, Fault, Glimpse, Raw};
use crate::source::{Meaning, Snapshot, SourceError};

impl Mapping {
    /// An empty snapshot, to be filled row by row.
    pub(in crate::source) fn filling(&self, floor: Option<DateTime<Utc>>) -> Filling<'_> {
        Filling {
            mapping: self,
            floor,
            snapshot: Snapshot::default(),
            known: None,
            rows: 0,
            keys: HashSet::new(),
            crowd: floor
                .and(self.words.most_bookings_per_address)
                .map(Crowd::new),
        }
    }

    /// An empty snapshot of the future, to be filled with the rows that do not only say what is known.
    pub(in crate::source) fn sifting<'a>(
        &'a self,
        floor: DateTime<Utc>,
        known: &'a mut Marks,
    ) -> Filling<'a> {
        known.begin(floor);
        Filling {
            known: Some(Sieve {
                marks: known,
                print: 0,
                text: Vec::new(),
            }),
            ..self.filling(Some(floor))
        }
    }
}

/// A snapshot that grows row by row.
pub(in crate::source) struct Filling<'a> {
    mapping: &'a Mapping,
    floor: Option<DateTime<Utc>>,
    snapshot: Snapshot,
    known: Option<Sieve<'a>>,
    /// How many rows came.
    rows: usize,
    /// The keys of rows that are not known.
    keys: HashSet<BookingKey>,
    crowd: Option<Crowd>,
}

impl Filling<'_> {
    /// Whether a row, its key first, looks to the letter as it did when it was last found to say what
    /// is known: then there is nothing to take in.
    ///
    /// # Errors
    /// As for [`Filling::take`].
    pub(in crate::source) fn knows(&mut self, cells: &[Glimpse<'_>]) -> Result<bool, SourceError> {
        let Some(at) = self.known.as_mut().and_then(|known| known.knows(cells)) else {
            return Ok(false);
        };
        self.rows += 1;
        self.leave_out(at)?;
        Ok(true)
    }

    /// Takes one row in.
    ///
    /// # Errors
    /// A row without a key, and a key that comes twice, make the whole snapshot worthless: nobody
    /// could say which booking is gone.
    pub(in crate::source) fn take(&mut self, raw: &Raw) -> Result<(), SourceError> {
        self.rows += 1;
        let key = self.key(raw)?;
        if self.mapping.is_surely_past(raw, self.floor) {
            return Ok(());
        }
        let mut speaks_of_others = false;
        match Mapping::linked(raw, &key) {
            Ok(linked) if linked == Linked::default() => {}
            Ok(linked) => {
                speaks_of_others = true;
                self.snapshot.linked.insert(key.clone(), linked);
            }
            Err(fault) => {
                self.refuse(key, fault);
                return Ok(());
            }
        }
        match self.mapping.meaning(raw) {
            Ok(Meaning::Active) => self.read(key, raw, Standing::Active, speaks_of_others),
            Ok(Meaning::Cancelled) => self.read(key, raw, Standing::Cancelled, speaks_of_others),
            Ok(Meaning::Ignore) => {
                self.snapshot.unreadable.insert(key);
            }
            Err(fault) => self.refuse(key, fault),
        }
        Ok(())
    }

    /// How many values were not understood so far.
    pub(in crate::source) fn faults(&self) -> usize {
        self.snapshot.faults.len()
    }

    /// After the last row: whether some of those that were left out are needed after all, because an
    /// address of theirs has come to stand on too many bookings. They are wanted at the next read.
    pub(in crate::source) fn needs_more(&mut self) -> bool {
        let (Some(crowd), Some(known)) = (&mut self.crowd, &mut self.known) else {
            return false;
        };
        let addresses = known.marks.addresses_left_out().flatten();
        addresses.for_each(|address| crowd.add(*address));
        known.marks.want_left_out(|address| crowd.is_crowd(address))
    }

    /// The snapshot, after the last row.
    pub(in crate::source) fn end(mut self) -> Snapshot {
        if let Some(crowd) = &self.crowd {
            let rows = self.snapshot.rows.iter_mut();
            let people = rows.flat_map(|row| &mut row.recipients);
            for recipient in people.filter(|recipient| crowd::is_counted(recipient)) {
                crowd.thin(&mut recipient.contact);
            }
        }
        self.snapshot
    }

    fn read(&mut self, key: BookingKey, raw: &Raw, standing: Standing, speaks_of_others: bool) {
        // What the row can be used without is told beside it.
        let mut faults = Vec::new();
        let told = |fault: Fault| faults.push(fault.of(&key));
        let language = self.mapping.language(raw, Column::Language).map_err(told);
        let language = language.unwrap_or_default();
        let beside = [invited(raw).err(), choose_by(raw).err()];
        let beside = beside.into_iter().flatten();
        let beside = beside.chain(self.mapping.guardians_languages(raw));
        faults.extend(beside.map(|fault| fault.of(&key)));
        match self.mapping.appointment(&key, raw, standing, language) {
            Ok(row) if self.floor.is_some_and(|floor| row.state.start < floor) => {}
            Ok(row) if !speaks_of_others && faults.is_empty() && self.recognises(&row) => {
                self.snapshot.left_out += 1;
            }
            Ok(row) => {
                // A cancelled booking counts too: else an office that closes, and cancels all of them,
                // would write to its own front desk once for each.
                if let Some(crowd) = &mut self.crowd {
                    let people = row.recipients.iter().filter(|r| crowd::is_counted(r));
                    people.for_each(|recipient| crowd.count(&recipient.contact));
                }
                self.snapshot.rows.push(row);
                self.snapshot.faults.extend(faults);
            }
            Err(fault) => self.refuse(key, fault),
        }
    }

    fn refuse(&mut self, key: BookingKey, fault: Fault) {
        self.snapshot.faults.push(fault.of(&key));
        self.snapshot.unreadable.insert(key);
    }

    /// Whether a row says what is known. It is remembered as it looks, and left out.
    fn recognises(&mut self, row: &Appointment) -> bool {
        let counts = self.crowd.is_some();
        let known = self.known.as_mut();
        known.is_some_and(|known| known.recognises(row, counts))
    }

    fn leave_out(&mut self, at: Place) -> Result<(), SourceError> {
        let Some(known) = &mut self.known else {
            return Ok(());
        };
        if !known.marks.came(at) {
            let key = known.marks.key(at);
            return Err(self.twice(&key));
        }
        known.marks.leave_out(at);
        self.snapshot.left_out += 1;
        Ok(())
    }

    fn wrong(&self, problem: String) -> SourceError {
        SourceError::Mapping {
            source_name: self.mapping.name.clone(),
            problem,
        }
    }

    fn twice(&self, key: &BookingKey) -> SourceError {
        self.wrong(format!(
            "id {key} comes twice; a join may multiply the rows of a booking"
        ))
    }

    fn key(&mut self, raw: &Raw) -> Result<BookingKey, SourceError> {
        let number = self.rows;
        // A key is kept to the last blank: a look-up must find it again as it is written there.
        let key = raw.key();
        let key = key.ok_or_else(|| {
            self.wrong(format!(
                "row {number} of the query has no id; every booking needs one"
            ))
        })?;
        let key = BookingKey(key.to_owned());
        let known = self.known.as_mut().map(|known| &mut *known.marks);
        let first = match known.and_then(|marks| marks.find(&key.0).map(|at| marks.came(at))) {
            Some(first) => first,
            None => self.keys.insert(key.clone()),
        };
        if first {
            Ok(key)
        } else {
            Err(self.twice(&key))
        }
    }
}
