//! What a row means: from nine texts to the canonical appointment, without a database in sight.
//!
//! A value that is not understood is named with its key, column and remedy, and the row is kept as
//! *there*; it never becomes a cancellation. A contact's value is never repeated.

use std::collections::HashSet;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, SubsecRound, Utc};
use chrono_tz::Tz;

use super::{Meaning, Settings, Snapshot, SourceError, StartFormat};
use crate::domain::appointment::{Appointment, BookingKey, BookingState, Standing};
use crate::domain::calendar;
use crate::domain::contact::{Contact, Regions};
use crate::domain::directory::{Directory, Office, OfficeId, ServiceId};
use crate::domain::language::Language;
use crate::domain::recipient::{Recipient, Role};
use crate::source::RowFault;

/// A column that means something to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Id,
    Status,
    Start,
    Office,
    Service,
    Phone,
    Email,
    Language,
    Tz,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::Id,
        Self::Status,
        Self::Start,
        Self::Office,
        Self::Service,
        Self::Phone,
        Self::Email,
        Self::Language,
        Self::Tz,
    ];

    /// How many of them, from the first, every query must name.
    const MANDATORY: usize = 5;

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Status => "status",
            Self::Start => "start",
            Self::Office => "office",
            Self::Service => "service",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::Language => "language",
            Self::Tz => "tz",
        }
    }

    /// The columns of a query that mean something, or what is missing.
    pub(super) fn among(found: &[&str]) -> Result<Vec<Self>, String> {
        let has = |column: &Self| found.iter().any(|f| f.eq_ignore_ascii_case(column.name()));
        let missing: Vec<&str> = Self::ALL[..Self::MANDATORY]
            .iter()
            .filter(|column| !has(column))
            .map(|column| column.name())
            .collect();
        if missing.is_empty() {
            return Ok(Self::ALL.into_iter().filter(has).collect());
        }
        Err(format!(
            "the query has no column {}; it has {}. Name it with AS in the query",
            missing.join(", "),
            found.join(", ")
        ))
    }
}

/// One row as it was read: texts, and personal data among them. It has no Debug on purpose.
#[derive(Default)]
pub(super) struct Raw {
    cells: [Cell; Column::ALL.len()],
}

/// A text, nothing, or bytes that are no text.
type Cell = Option<Result<String, ()>>;

impl Raw {
    pub(super) fn set(&mut self, column: Column, value: Result<Option<String>, ()>) {
        self.cells[column as usize] = value.transpose();
    }

    /// The trimmed text; empty where there is none.
    fn text(&self, column: Column) -> Result<&str, Fault> {
        match &self.cells[column as usize] {
            None => Ok(""),
            Some(Ok(text)) => Ok(text.trim()),
            Some(Err(())) => Err(Fault::new(column, "it is not valid UTF-8".to_owned())),
        }
    }

    /// The text as it was read.
    fn exact(&self, column: Column) -> Option<&str> {
        self.cells[column as usize].as_ref()?.as_deref().ok()
    }

    /// As [`Raw::text`], but an empty text is none.
    fn given(&self, column: Column) -> Result<Option<&str>, Fault> {
        Ok(Some(self.text(column)?).filter(|text| !text.is_empty()))
    }
}

/// Why a row cannot be understood.
struct Fault {
    column: Column,
    problem: String,
}

impl Fault {
    fn new(column: Column, problem: String) -> Self {
        Self { column, problem }
    }

    fn of(self, key: &BookingKey) -> RowFault {
        RowFault {
            key: Some(key.clone()),
            column: self.column.name().to_owned(),
            problem: self.problem,
        }
    }
}

/// The configuration's words with the directory they lead to.
pub(super) struct Mapping {
    settings: Settings,
    directory: Arc<Directory>,
}

impl Mapping {
    /// Checks that every word leads to something that is there.
    pub(super) fn new(settings: Settings, directory: Arc<Directory>) -> Result<Self, SourceError> {
        let offices = settings.offices.iter();
        let lost = offices.filter(|(_, id)| !directory.offices.contains_key(*id));
        let mut lost: Vec<String> = lost
            .map(|(w, id)| format!("office \"{w}\" = \"{id}\""))
            .collect();
        let services = settings.services.iter();
        let unknown = services.filter(|(_, id)| !directory.services.contains_key(*id));
        lost.extend(unknown.map(|(w, id)| format!("service \"{w}\" = \"{id}\"")));
        if lost.is_empty() {
            return Ok(Self {
                settings,
                directory,
            });
        }
        Err(SourceError::Mapping {
            source_name: settings.name,
            problem: format!("not in the directory: {}", lost.join(", ")),
        })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// An empty snapshot, to be filled row by row.
    pub(super) fn filling(&self, floor: Option<DateTime<Utc>>) -> Filling<'_> {
        Filling {
            mapping: self,
            floor,
            snapshot: Snapshot::default(),
            keys: HashSet::new(),
        }
    }

    fn meaning(&self, raw: &Raw) -> Result<Meaning, Fault> {
        let word = raw.text(Column::Status)?;
        self.settings.status.get(word).copied().ok_or_else(|| {
            let remedy = "is not mapped: list it under active, cancelled or ignore";
            Fault::new(Column::Status, format!("{} {remedy}", shown(word)))
        })
    }

    fn office(&self, raw: &Raw) -> Result<(OfficeId, &Office), Fault> {
        let word = raw.text(Column::Office)?;
        let mapped = self.settings.offices.get(word);
        let id = mapped.cloned().unwrap_or_else(|| OfficeId::from(word));
        match self.directory.offices.get(&id) {
            Some(office) => Ok((id, office)),
            None => Err(unknown(Column::Office, word)),
        }
    }

    fn service(&self, raw: &Raw) -> Result<ServiceId, Fault> {
        let word = raw.text(Column::Service)?;
        let mapped = self.settings.services.get(word);
        let id = mapped.cloned().unwrap_or_else(|| ServiceId::from(word));
        if self.directory.services.contains_key(&id) {
            Ok(id)
        } else {
            Err(unknown(Column::Service, word))
        }
    }

    fn language(&self, raw: &Raw) -> Result<Option<Language>, Fault> {
        let Some(word) = raw.given(Column::Language)? else {
            return Ok(None);
        };
        if let Some(language) = self.settings.languages.get(word) {
            return Ok(Some(*language));
        }
        Language::from_str(word).map(Some).map_err(|_| {
            let remedy = "is not mapped: the office's language is used until it is";
            Fault::new(Column::Language, format!("{} {remedy}", shown(word)))
        })
    }

    /// The zone of a naive start: the row's, else the source's, else the office's.
    fn zone(&self, raw: &Raw, office: &Office) -> Result<Tz, Fault> {
        let Some(word) = raw.given(Column::Tz)? else {
            return Ok(self.settings.naive_zone.unwrap_or(office.zone));
        };
        word.parse().map_err(|_| {
            let remedy = "is not a time zone; zones are written like Europe/Oslo";
            Fault::new(Column::Tz, format!("{} {remedy}", shown(word)))
        })
    }

    /// The start, to the second: fractions are no appointment's, and stores keep fewer of them.
    fn start(&self, raw: &Raw, office: &Office) -> Result<DateTime<Utc>, Fault> {
        let text = raw.text(Column::Start)?;
        let start = match self.settings.start {
            StartFormat::Naive => {
                let zone = self.zone(raw, office)?;
                naive(text).map(|local| calendar::instant(local, zone))
            }
            StartFormat::Utc => naive(text.trim_end_matches(['Z', 'z'])).map(|utc| utc.and_utc()),
            StartFormat::Offset => with_offset(text),
        };
        let start = start.ok_or_else(|| unreadable_start(text, self.settings.start))?;
        Ok(start.trunc_subsecs(0))
    }

    fn contact(&self, raw: &Raw, office: &Office) -> Contact {
        let regions = Regions {
            default: match office.region.as_str() {
                "" => &self.settings.region,
                region => region,
            },
            plausible: &office.plausible_regions,
        };
        // Bytes that are no text are an address nobody can use, not an address that is missing.
        let text = |column| raw.text(column).unwrap_or("\u{fffd}");
        Contact::read(
            Some(text(Column::Phone)),
            Some(text(Column::Email)),
            regions,
        )
    }

    fn appointment(
        &self,
        key: &BookingKey,
        raw: &Raw,
        standing: Standing,
        language: Option<Language>,
    ) -> Result<Appointment, Fault> {
        let (office_id, office) = self.office(raw)?;
        Ok(Appointment {
            source: self.settings.name.clone(),
            key: key.clone(),
            state: BookingState {
                standing,
                start: self.start(raw, office)?,
                office: office_id,
            },
            service: self.service(raw)?,
            recipients: vec![Recipient {
                role: Role::Applicant,
                contact: self.contact(raw, office),
                language,
            }],
        })
    }
}

/// A snapshot that grows row by row.
pub(super) struct Filling<'a> {
    mapping: &'a Mapping,
    floor: Option<DateTime<Utc>>,
    snapshot: Snapshot,
    keys: HashSet<BookingKey>,
}

impl Filling<'_> {
    /// Takes one row in.
    ///
    /// # Errors
    /// A row without a key, and a key that comes twice, make the whole snapshot worthless: nobody
    /// could say which booking is gone.
    pub(super) fn take(&mut self, raw: &Raw) -> Result<(), SourceError> {
        let key = self.key(raw)?;
        if self.is_surely_past(raw) {
            return Ok(());
        }
        match self.mapping.meaning(raw) {
            Ok(Meaning::Active) => self.read(key, raw, Standing::Active),
            Ok(Meaning::Cancelled) => self.read(key, raw, Standing::Cancelled),
            Ok(Meaning::Ignore) => {
                self.snapshot.unreadable.insert(key);
            }
            Err(fault) => self.refuse(key, fault),
        }
        Ok(())
    }

    /// The snapshot, after the statement's last row.
    pub(super) fn end(self) -> Snapshot {
        self.snapshot
    }

    fn read(&mut self, key: BookingKey, raw: &Raw, standing: Standing) {
        let (language, fault) = match self.mapping.language(raw) {
            Ok(language) => (language, None),
            Err(fault) => (None, Some(fault.of(&key))),
        };
        match self.mapping.appointment(&key, raw, standing, language) {
            Ok(row) if self.floor.is_some_and(|floor| row.state.start < floor) => {}
            Ok(row) => {
                self.snapshot.rows.push(row);
                self.snapshot.faults.extend(fault);
            }
            Err(fault) => self.refuse(key, fault),
        }
    }

    fn refuse(&mut self, key: BookingKey, fault: Fault) {
        self.snapshot.faults.push(fault.of(&key));
        self.snapshot.unreadable.insert(key);
    }

    fn key(&mut self, raw: &Raw) -> Result<BookingKey, SourceError> {
        let number = self.keys.len() + 1;
        let wrong = |problem| SourceError::Mapping {
            source_name: self.mapping.settings.name.clone(),
            problem,
        };
        // A key is kept to the last blank: a look-up must find it again as it is written there.
        let key = raw.exact(Column::Id).filter(|key| !key.trim().is_empty());
        let key = key.ok_or_else(|| {
            wrong(format!(
                "row {number} of the query has no id; every booking needs one"
            ))
        })?;
        let key = BookingKey(key.to_owned());
        if self.keys.insert(key.clone()) {
            Ok(key)
        } else {
            Err(wrong(format!(
                "id {key} comes twice; a join may multiply the rows of a booking"
            )))
        }
    }

    /// Whether the row's day lies before the floor in every zone: old rows need not be understood.
    fn is_surely_past(&self, raw: &Raw) -> bool {
        let day = raw.text(Column::Start).ok().and_then(|text| text.get(..10));
        let day = day.and_then(|day| NaiveDate::from_str(day).ok());
        let bound = self
            .floor
            .and_then(|floor| floor.date_naive().checked_sub_days(Days::new(1)));
        matches!((day, bound), (Some(day), Some(bound)) if day < bound)
    }
}

/// The ways systems write a wall-clock time. A text with an offset is none of them: reading it as
/// local time would be wrong by an hour or two, and nobody would notice.
fn naive(text: &str) -> Option<NaiveDateTime> {
    let forms = [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
        "%Y-%m-%dT%H:%M",
    ];
    let read = |form: &&str| NaiveDateTime::parse_from_str(text, form).ok();
    forms.iter().find_map(read)
}

fn with_offset(text: &str) -> Option<DateTime<Utc>> {
    let forms = [
        "%Y-%m-%d %H:%M:%S%.f%#z",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        "%Y-%m-%d %H:%M%#z",
        "%Y-%m-%dT%H:%M%#z",
    ];
    let read = |form: &&str| DateTime::parse_from_str(text, form).ok();
    forms.iter().find_map(read).map(|at| at.to_utc())
}

fn unreadable_start(text: &str, format: StartFormat) -> Fault {
    let example = match format {
        StartFormat::Naive => "2021-03-24 09:20 without a zone",
        StartFormat::Utc => "2021-03-24 08:20 in UTC",
        StartFormat::Offset => "2021-03-24T09:20:00+01:00",
    };
    // Only what looks like a date is repeated: another column may have been mapped by mistake.
    let dated = text.len() <= MOST_SHOWN && text.get(4..5) == Some("-");
    let what = if dated {
        format!("\"{text}\"")
    } else {
        "it".to_owned()
    };
    Fault::new(
        Column::Start,
        format!("{what} is not a start; starts are written like {example}"),
    )
}

fn unknown(column: Column, word: &str) -> Fault {
    let remedy = "is not known: map it, or add it to the directory";
    Fault::new(column, format!("{} {remedy}", shown(word)))
}

/// The longest word that a fault repeats, in bytes.
const MOST_SHOWN: usize = 60;

/// More digits than this in a word look like a telephone number or a national identity number.
const MOST_DIGITS_SHOWN: usize = 5;

/// A word for an error message, unless a contact column may have been mapped by mistake.
fn shown(word: &str) -> String {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if word.is_empty() {
        "an empty value".to_owned()
    } else if word.len() > MOST_SHOWN || digits > MOST_DIGITS_SHOWN || word.contains('@') {
        "a value that is not shown, since it may be personal,".to_owned()
    } else {
        format!("\"{word}\"")
    }
}
