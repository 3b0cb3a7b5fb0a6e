//! A simulated booking system: rows that are cancelled, moved, reinstated, that vanish and come
//! back, that show words nobody has seen, and reads that fail or suddenly show nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::{DateTime, TimeDelta, Utc};
use varsel::domain::about::About;
use varsel::domain::appointment::{Appointment, BookingKey, BookingState, SourceName, Standing};
use varsel::domain::contact::{Contact, Email, Phone, Unusable};
use varsel::domain::directory::{OfficeId, ServiceId};
use varsel::domain::language::Language;
use varsel::domain::recipient::{Recipient, Role};
use varsel::source::{Look, RowFault, Snapshot, Source, SourceError};

use super::gates::{Door, Point, Word};
use super::house::source_name;

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) appointment: Appointment,
    /// It shows a word that nobody has seen.
    pub(super) strange: bool,
    /// It is not there.
    pub(super) gone: bool,
    /// A snapshot misses it although it is there.
    pub(super) missed: bool,
}

/// The booking system.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) rows: BTreeMap<BookingKey, Row>,
    /// Everything is gone, as after a failed import.
    pub(super) blank: bool,
    version: u64,
}

/// A booking system that the schedule changes while nodes read it.
#[derive(Clone, Debug, Default)]
pub(super) struct Register(Arc<Mutex<Rows>>);

impl Register {
    pub(super) fn lock(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap()
    }

    /// Changes something; whoever reads next is told that something was written.
    pub(super) fn change(&self, change: impl FnOnce(&mut Rows)) {
        let mut rows = self.lock();
        change(&mut rows);
        rows.version += 1;
    }

    /// As before every fault.
    pub(super) fn heal(&self) {
        self.change(|rows| {
            rows.blank = false;
            for row in rows.rows.values_mut() {
                (row.strange, row.missed) = (false, false);
            }
        });
    }
}

/// Booking `n`, which starts `hours` after `from`.
pub(super) fn booking(n: u32, immigration: bool, from: DateTime<Utc>, hours: i64) -> Row {
    let (service, office) = match immigration {
        true => ("residence_permit", "sentrum"),
        false => ("passport", "gronland"),
    };
    let appointment = Appointment {
        source: source_name(),
        key: BookingKey(format!("B{n}")),
        state: BookingState {
            standing: Standing::Active,
            start: from + TimeDelta::hours(hours),
            office: OfficeId(office.to_owned()),
        },
        service: ServiceId(service.to_owned()),
        recipients: vec![Recipient {
            role: Role::Applicant,
            contact: Contact {
                phone: Ok(phone(n)),
                email: Ok(email(n)),
            },
            language: Some(if n.is_multiple_of(2) {
                Language::En
            } else {
                Language::Nb
            }),
        }],
        about: About::default(),
    };
    Row {
        appointment,
        strange: false,
        gone: false,
        missed: false,
    }
}

/// A number that is reserved for fiction.
pub(super) fn phone(n: u32) -> Phone {
    Phone::from_stored(&format!("+4740000{n:03}"))
}

pub(super) fn email(n: u32) -> Email {
    Email::from_stored(&format!("p{n}@example.com"))
}

impl Row {
    /// A passport appointment of the one family of a world: one telephone, one language, one day.
    pub(super) fn join_family(&mut self, n: u32, from: DateTime<Utc>) {
        let appointment = &mut self.appointment;
        appointment.service = ServiceId("passport".to_owned());
        appointment.state.office = OfficeId("gronland".to_owned());
        appointment.state.start = from + TimeDelta::minutes(20 * i64::from(n));
        let person = &mut appointment.recipients[0];
        person.contact.phone = Ok(phone(1));
        person.language = Some(Language::Nb);
    }

    /// The contact loses or regains its number and address.
    pub(super) fn reach(&mut self, has_phone: Option<u32>, has_email: Option<u32>) {
        let contact = &mut self.appointment.recipients[0].contact;
        contact.phone = has_phone.map(phone).ok_or(Unusable::Missing);
        contact.email = has_email.map(email).ok_or(Unusable::Invalid);
    }
}

/// The register as one node's intake reads it.
pub(super) struct SimSource {
    pub(super) name: SourceName,
    pub(super) register: Register,
    pub(super) door: Door,
    /// The version that the last snapshot showed.
    pub(super) seen: Option<u64>,
}

impl SimSource {
    fn unavailable(&self) -> SourceError {
        SourceError::Unavailable {
            source_name: self.name.clone(),
            problem: "simulated".to_owned(),
        }
    }
}

fn read<'a>(rows: impl Iterator<Item = &'a Row>) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for row in rows {
        let key = row.appointment.key.clone();
        if row.strange {
            snapshot.faults.push(RowFault {
                key: Some(key.clone()),
                column: "status".to_owned(),
                problem: "a word never seen".to_owned(),
            });
            snapshot.unreadable.insert(key);
        } else {
            snapshot.rows.push(row.appointment.clone());
        }
    }
    snapshot
}

impl Source for SimSource {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn snapshot(&mut self, floor: DateTime<Utc>) -> Result<Look, SourceError> {
        if self.door.wait(Point::Source("snapshot")).await != Word::Go {
            return Err(self.unavailable());
        }
        let rows = self.register.lock();
        if self.seen == Some(rows.version) {
            return Ok(Look::Unchanged);
        }
        self.seen = Some(rows.version);
        let shown = rows.rows.values().filter(|row| {
            !row.gone && !row.missed && !rows.blank && row.appointment.state.start >= floor
        });
        Ok(Look::Snapshot(read(shown)))
    }

    async fn look_up(&mut self, keys: &[BookingKey]) -> Result<Snapshot, SourceError> {
        if self.door.wait(Point::Source("look_up")).await != Word::Go {
            return Err(self.unavailable());
        }
        let rows = self.register.lock();
        let found = keys.iter().filter_map(|key| rows.rows.get(key));
        Ok(read(found.filter(|row| !row.gone && !rows.blank)))
    }

    fn forget(&mut self) {
        self.seen = None;
    }
}
