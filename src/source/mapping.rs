//! What a row means: from its texts to the canonical appointment, without a database in sight.
//!
//! A value that is not understood is named with its key, column and remedy, and the row is kept as
//! *there*; it never becomes a cancellation. A contact's value is never repeated.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, SubsecRound, Utc};
use chrono_tz::Tz;
use xxhash_rust::xxh3::Xxh3;

use super::row::{Column, Fault, Raw, shown, unknown};
use super::start::{naive, unreadable_start, with_offset};
use super::{Meaning, RowFault, SourceError, StartFormat, Words};
use crate::domain::appointment::{Appointment, BookingKey, BookingState, SourceName, Standing};
use crate::domain::calendar;
use crate::domain::contact::{Phone, Regions};
use crate::domain::directory::{Directory, Office, OfficeId, ServiceId};
use crate::domain::language::Language;
use crate::domain::links::{Linked, Who};

pub(super) use self::filling::Filling;
use self::optional::{choose_by, invited, truth};

mod filling;
mod optional;
mod sieve;

/// The configuration's words with the directory they lead to.
pub(super) struct Mapping {
    name: SourceName,
    words: Words,
    directory: Arc<Directory>,
}

impl Mapping {
    /// Checks that every word leads to something that is there.
    pub(super) fn new(
        name: SourceName,
        words: Words,
        directory: Arc<Directory>,
    ) -> Result<Self, SourceError> {
        let offices = words.offices.iter();
        let lost = offices.filter(|(_, id)| !directory.offices.contains_key(*id));
        let mut lost: Vec<String> = lost
            .map(|(w, id)| format!("office \"{w}\" = \"{id}\""))
            .collect();
        let services = words.services.iter();
        let unknown = services.filter(|(_, id)| !directory.services.contains_key(*id));
        lost.extend(unknown.map(|(w, id)| format!("service \"{w}\" = \"{id}\"")));
        if lost.is_empty() {
            return Ok(Self {
                name,
                words,
                directory,
            });
        }
        Err(SourceError::Mapping {
            source_name: name,
            problem: format!("not in the directory: {}", lost.join(", ")),
        })
    }

    /// A fingerprint of everything that gives rows their meaning: where and how they are read, which is
    /// their source's own matter, what their words mean, and in which zone their times are.
    pub(super) fn fingerprint(&self, read: &[&str]) -> String {
        let words = &self.words;
        let mut hash = Xxh3::new();
        let mut part = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        read.iter().for_each(|text| part(text));
        part(match words.start {
            StartFormat::Naive => "naive",
            StartFormat::Utc => "utc",
            StartFormat::Offset => "offset",
        });
        // Times without a zone are the office's, where the source has none: a corrected zone moves them all.
        match (words.start, words.naive_zone) {
            (StartFormat::Naive, None) => self.directory.offices.values().for_each(|office| {
                part(&office.id.0);
                part(office.zone.name());
            }),
            (_, zone) => part(zone.map_or("", |zone| zone.name())),
        }
        part(&words.region);
        for (word, meaning) in &words.status {
            part(word);
            part(match meaning {
                Meaning::Active => "active",
                Meaning::Cancelled => "cancelled",
                Meaning::Ignore => "ignore",
            });
        }
        for (word, language) in &words.languages {
            part(word);
            part(language.tag());
        }
        let named = words.services.iter().map(|(word, id)| (word, &id.0));
        for (word, id) in named.chain(words.offices.iter().map(|(word, id)| (word, &id.0))) {
            part(word);
            part(id);
        }
        format!("{:032x}", hash.digest128())
    }

    /// What a row means, for the person who connects the source: nothing is concluded from it.
    ///
    /// # Errors
    /// Everything of it that is not understood.
    pub(super) fn survey(
        &self,
        raw: &Raw,
    ) -> Result<(Meaning, Option<Appointment>), Vec<RowFault>> {
        let key = BookingKey(raw.exact(Column::Id).unwrap_or_default().to_owned());
        let told = |fault: Fault| fault.of(&key);
        let mut faults = Vec::new();
        faults.extend(Self::linked(raw, &key).err().map(told));
        let meaning = self.meaning(raw).map_err(|fault| faults.push(told(fault)));
        let language = self
            .language(raw, Column::Language)
            .map_err(|fault| faults.push(told(fault)));
        faults.extend(invited(raw).err().map(told));
        faults.extend(choose_by(raw).err().map(told));
        faults.extend(self.guardians_languages(raw).map(told));
        let standing = match meaning {
            Ok(Meaning::Cancelled) => Standing::Cancelled,
            Ok(Meaning::Ignore) => return Ok((Meaning::Ignore, None)),
            Ok(Meaning::Active) | Err(()) => Standing::Active,
        };
        let language = language.unwrap_or_default();
        let row = self.appointment(&key, raw, standing, language);
        let row = row.map_err(|fault| faults.push(told(fault)));
        match (meaning, row) {
            (Ok(meaning), Ok(row)) if faults.is_empty() => Ok((meaning, Some(row))),
            _ => Err(faults),
        }
    }

    /// What one word of a column means; `None` when it is not known.
    pub(super) fn meaning_of(&self, column: Column, word: &str) -> Option<String> {
        let mut raw = Raw::default();
        raw.set(column, Some(Ok(word.to_owned())));
        match column {
            Column::Status => self.meaning(&raw).ok().map(|meaning| {
                let word = match meaning {
                    Meaning::Active => "active",
                    Meaning::Cancelled => "cancelled",
                    Meaning::Ignore => "ignore",
                };
                word.to_owned()
            }),
            Column::Office => self.office(&raw).ok().map(|(id, _)| id.0),
            Column::Service => self.service(&raw).ok().map(|id| id.0),
            Column::Language => self.language(&raw, Column::Language).ok().map(|language| {
                language.map_or("the office's language".to_owned(), |l| l.tag().to_owned())
            }),
            Column::Tz if word.is_empty() => Some("the source's or the office's zone".to_owned()),
            Column::Tz => word.parse::<Tz>().ok().map(|zone| zone.name().to_owned()),
            Column::Rescheduled | Column::ChangedBy => {
                let linked = Self::linked(&raw, &BookingKey(String::new())).ok()?;
                Some(match column {
                    Column::Rescheduled if linked.rescheduled => "moved".to_owned(),
                    Column::Rescheduled => "not moved".to_owned(),
                    _ => format!("{:?}", linked.who).to_ascii_lowercase(),
                })
            }
            _ => None,
        }
    }

    /// The zone of an office of the directory.
    pub(super) fn zone_of(&self, office: &OfficeId) -> Tz {
        let office = self.directory.offices.get(office);
        office.map_or(Tz::UTC, |office| office.zone)
    }

    /// The agency's own numbers and addresses, those of later days too, in small letters.
    pub(super) fn own_addresses(&self) -> HashSet<String> {
        let offices = self.directory.each().flat_map(|one| one.offices.values());
        let own = offices.flat_map(|office| {
            let lines = [&office.passport_line, &office.immigration_line];
            let lines = lines.into_iter().flatten().filter_map(|line| {
                let regions = Regions {
                    default: &office.region,
                    plausible: &[],
                };
                Phone::read(&line.phone, regions).ok()
            });
            let lines = lines.map(|phone| phone.expose().to_owned());
            lines.chain(office.email.clone())
        });
        own.map(|address| address.to_ascii_lowercase()).collect()
    }

    /// An address on more bookings than this is not used.
    pub(super) fn most_bookings_per_address(&self) -> Option<u32> {
        self.words.most_bookings_per_address
    }

    /// Whether the row's day lies before the floor in every zone: old rows need not be understood.
    pub(super) fn is_surely_past(&self, raw: &Raw, floor: Option<DateTime<Utc>>) -> bool {
        let day = raw.text(Column::Start).ok().and_then(|text| text.get(..10));
        let day = day.and_then(|day| NaiveDate::from_str(day).ok());
        let bound = floor.and_then(|floor| floor.date_naive().checked_sub_days(Days::new(1)));
        matches!((day, bound), (Some(day), Some(bound)) if day < bound)
    }

    fn meaning(&self, raw: &Raw) -> Result<Meaning, Fault> {
        let word = raw.text(Column::Status)?;
        self.words.status.get(word).copied().ok_or_else(|| {
            let remedy = "is not mapped: list it under active, cancelled or ignore";
            Fault::new(Column::Status, format!("{} {remedy}", shown(word)))
        })
    }

    fn office(&self, raw: &Raw) -> Result<(OfficeId, &Office), Fault> {
        let word = raw.text(Column::Office)?;
        let mapped = self.words.offices.get(word);
        let id = mapped.cloned().unwrap_or_else(|| OfficeId::from(word));
        match self.directory.offices.get(&id) {
            Some(office) => Ok((id, office)),
            None => Err(unknown(Column::Office, word)),
        }
    }

    fn service(&self, raw: &Raw) -> Result<ServiceId, Fault> {
        let word = raw.text(Column::Service)?;
        let mapped = self.words.services.get(word);
        let id = mapped.cloned().unwrap_or_else(|| ServiceId::from(word));
        if self.directory.services.contains_key(&id) {
            Ok(id)
        } else {
            Err(unknown(Column::Service, word))
        }
    }

    /// The language that a column names.
    fn language(&self, raw: &Raw, column: Column) -> Result<Option<Language>, Fault> {
        let Some(word) = raw.given(column)? else {
            return Ok(None);
        };
        if let Some(language) = self.words.languages.get(word) {
            return Ok(Some(*language));
        }
        Language::from_str(word).map(Some).map_err(|_| {
            let remedy = match column {
                Column::Language => "is not mapped: the office's language is used until it is",
                _ => "is not mapped: the row's language is used until it is",
            };
            Fault::new(column, format!("{} {remedy}", shown(word)))
        })
    }

    /// The zone of a naive start: the row's, else the source's, else the office's.
    fn zone(&self, raw: &Raw, office: &Office) -> Result<Tz, Fault> {
        let Some(word) = raw.given(Column::Tz)? else {
            return Ok(self.words.naive_zone.unwrap_or(office.zone));
        };
        word.parse().map_err(|_| {
            let remedy = "is not a time zone; zones are written like Europe/Oslo";
            Fault::new(Column::Tz, format!("{} {remedy}", shown(word)))
        })
    }

    /// The start, to the second: fractions are no appointment's, and stores keep fewer of them.
    fn start(&self, raw: &Raw, office: &Office) -> Result<DateTime<Utc>, Fault> {
        let text = raw.text(Column::Start)?;
        let start = match self.words.start {
            StartFormat::Naive => {
                let zone = self.zone(raw, office)?;
                naive(text).map(|local| calendar::instant(local, zone))
            }
            StartFormat::Utc => naive(text.trim_end_matches(['Z', 'z'])).map(|utc| utc.and_utc()),
            StartFormat::Offset => with_offset(text),
        };
        let start = start.ok_or_else(|| unreadable_start(text, self.words.start))?;
        Ok(start.trunc_subsecs(0))
    }

    /// What the row says beside the appointment.
    fn linked(raw: &Raw, key: &BookingKey) -> Result<Linked, Fault> {
        let replaces = raw.given(Column::Replaces)?;
        let rescheduled = truth(raw, Column::Rescheduled)?;
        let who = match raw.text(Column::ChangedBy)? {
            "" | "unknown" => Who::Unknown,
            "agency" => Who::Agency,
            "person" => Who::Person,
            other => {
                let problem = format!("{} is none of agency, person and unknown", shown(other));
                return Err(Fault::new(Column::ChangedBy, problem));
            }
        };
        Ok(Linked {
            replaces: replaces
                .filter(|old| *old != key.0)
                .map(|old| BookingKey(old.to_owned())),
            rescheduled,
            who,
        })
    }

    fn appointment(
        &self,
        key: &BookingKey,
        raw: &Raw,
        standing: Standing,
        language: Option<Language>,
    ) -> Result<Appointment, Fault> {
        let (office_id, office) = self.office(raw)?;
        let start = self.start(raw, office)?;
        Ok(Appointment {
            source: self.name.clone(),
            key: key.clone(),
            state: BookingState {
                standing,
                start,
                office: office_id,
            },
            service: self.service(raw)?,
            recipients: self.recipients(raw, office, start, language)?,
            about: Self::about(raw, standing)?,
        })
    }
}
