//! What a booking system holds, counted: for the person who connects it and wants to know whether the
//! mapping says what they mean.
//!
//! It reads rows as a snapshot does and concludes nothing from them. What it keeps of a person is a
//! masked address at most; a value that may be personal is never repeated.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, Timelike, Utc};
use xxhash_rust::xxh3::xxh3_128;

use super::mapping::Mapping;
use super::row::{Column, Raw, shown};
use super::{Meaning, RowFault};
use crate::domain::appointment::{Appointment, Standing};
use crate::domain::contact::{Contact, Unusable};

/// No more different words of one column are kept; the rest are counted.
const MOST_WORDS: usize = 40;
/// No more examples of one kind of trouble are kept; the rest are counted.
const MOST_EXAMPLES: usize = 10;
/// No more suspicious addresses are named; the rest are counted.
const MOST_ADDRESSES: usize = 20;

/// What a source holds.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The columns that mean something, in our order, and those of the others that it lacks.
    pub columns: Vec<&'static str>,
    /// Columns that could be there and are not.
    pub lacking: Vec<&'static str>,
    /// Rows that were read.
    pub rows: u64,
    /// Rows of the past, which a snapshot leaves out.
    pub past: u64,
    /// Bookings that stand.
    pub active: u64,
    /// Bookings that are cancelled.
    pub cancelled: u64,
    /// Rows that are left out by their status.
    pub ignored: u64,
    /// What values are there, by column.
    pub words: Vec<Words>,
    /// How many bookings that stand start in each local hour, by zone.
    pub hours: BTreeMap<String, [u64; 24]>,
    /// Rows without an id.
    pub without_key: u64,
    /// Ids that come more than once, at most ten of them.
    pub doubled: Vec<String>,
    /// How many rows repeat an id.
    pub doubled_rows: u64,
    /// Bookings that stand and whose person has neither a usable number nor a usable address.
    pub unreachable: u64,
    /// Why numbers cannot be used, counted.
    pub phones: BTreeMap<Unusable, u64>,
    /// Why e-mail addresses cannot be used, counted.
    pub emails: BTreeMap<Unusable, u64>,
    /// Addresses that somebody should look at, the worst first.
    pub suspicious: Vec<Suspicious>,
    /// How many more of those there are.
    pub more_suspicious: u64,
    /// What could not be understood, by column: how many rows, and the first few.
    pub faults: BTreeMap<String, (u64, Vec<RowFault>)>,
    /// How many seconds the source's clock is ahead of ours; `None` where it has none.
    pub clock_ahead_seconds: Option<i64>,
    /// What the source says the read costs, in its own words.
    pub cost: Vec<String>,
    /// How long the read took, in milliseconds.
    pub read_ms: u64,
}

/// The different values of one column.
#[derive(Clone, Debug)]
pub struct Words {
    /// The column.
    pub column: &'static str,
    /// The values with how often they come and what they mean, the most frequent first.
    pub values: Vec<Word>,
    /// How many more different values there are.
    pub more: usize,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// As it is written, unless it may be personal.
    pub word: String,
    /// How often it comes.
    pub count: u64,
    /// What it means; `None` when it is not known.
    pub meaning: Option<String>,
}

/// An address that may not be one person's own.
#[derive(Clone, Debug)]
pub struct Suspicious {
    /// Masked.
    pub address: String,
    /// On how many bookings it stands.
    pub bookings: u64,
    /// Why it is named.
    pub why: Suspicion,
}

/// Why an address may not be one person's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspicion {
    /// It stands on more bookings than the configuration allows, and is not used.
    Crowded,
    /// It is the agency's own.
    Own,
    /// Nobody's: all digits alike, or a word such as "test".
    Dummy,
    /// It stands on more than one booking.
    Shared,
}

/// Counts rows as they come.
pub(super) struct Surveyor<'a> {
    mapping: &'a Mapping,
    floor: DateTime<Utc>,
    survey: Survey,
    /// Hashes, so that a million keys stay small.
    keys: HashSet<u128>,
    words: BTreeMap<Column, BTreeMap<String, (u64, Option<String>)>>,
    addresses: HashMap<String, (u64, String)>,
}

/// The columns whose values are counted.
const COUNTED: [Column; 7] = [
    Column::Status,
    Column::Office,
    Column::Service,
    Column::Language,
    Column::Tz,
    Column::Rescheduled,
    Column::ChangedBy,
];

impl<'a> Surveyor<'a> {
    pub(super) fn new(mapping: &'a Mapping, columns: &[Column], floor: DateTime<Utc>) -> Self {
        let lacks = |column: &Column| !columns.contains(column);
        Self {
            mapping,
            floor,
            survey: Survey {
                columns: columns.iter().map(|column| column.name()).collect(),
                lacking: Column::ALL
                    .into_iter()
                    .filter(lacks)
                    .map(Column::name)
                    .collect(),
                ..Survey::default()
            },
            keys: HashSet::new(),
            words: BTreeMap::new(),
            addresses: HashMap::new(),
        }
    }

    /// Counts one row.
    pub(super) fn take(&mut self, raw: &Raw) {
        self.survey.rows += 1;
        match raw.key() {
            None => self.survey.without_key += 1,
            Some(key) if self.keys.insert(xxh3_128(key.as_bytes())) => {}
            Some(key) => {
                self.survey.doubled_rows += 1;
                if self.survey.doubled.len() < MOST_EXAMPLES {
                    self.survey.doubled.push(shown(key));
                }
            }
        }
        if self.mapping.is_surely_past(raw, Some(self.floor)) {
            self.survey.past += 1;
            return;
        }
        self.count_words(raw);
        match self.mapping.survey(raw) {
            Ok((Meaning::Ignore, _)) => self.survey.ignored += 1,
            Ok((_, Some(row))) if row.state.start < self.floor => self.survey.past += 1,
            Ok((_, Some(row))) => self.count(&row),
            Ok((_, None)) => {}
            Err(faults) => {
                for fault in faults {
                    let (rows, first) = self.survey.faults.entry(fault.column.clone()).or_default();
                    *rows += 1;
                    if first.len() < MOST_EXAMPLES {
                        first.push(fault);
                    }
                }
            }
        }
    }

    /// Counts a row that could not even be taken apart.
    pub(super) fn refuse(&mut self, fault: RowFault) {
        self.survey.rows += 1;
        let (rows, first) = self.survey.faults.entry(fault.column.clone()).or_default();
        *rows += 1;
        if first.len() < MOST_EXAMPLES {
            first.push(fault);
        }
    }

    fn count_words(&mut self, raw: &Raw) {
        for column in COUNTED {
            if !self.survey.columns.contains(&column.name()) {
                continue;
            }
            let Ok(word) = raw.text(column) else { continue };
            let words = self.words.entry(column).or_default();
            let mapping = self.mapping;
            // The longest list is cut when it is shown; what may be personal stands there once.
            let entry = words
                .entry(shown(word))
                .or_insert_with(|| (0, mapping.meaning_of(column, word)));
            entry.0 += 1;
        }
    }

    fn count(&mut self, row: &Appointment) {
        if row.state.standing == Standing::Cancelled {
            self.survey.cancelled += 1;
            return;
        }
        self.survey.active += 1;
        let zone = self.mapping.zone_of(&row.state.office);
        let hour = row.state.start.with_timezone(&zone).hour() as usize;
        let hours = self.survey.hours.entry(zone.name().to_owned());
        hours.or_insert([0; 24])[hour.min(23)] += 1;
        let mut reached = false;
        for recipient in &row.recipients {
            reached |= self.count_contact(&recipient.contact);
        }
        self.survey.unreachable += u64::from(!reached);
    }

    /// Whether somebody can be reached there.
    fn count_contact(&mut self, contact: &Contact) -> bool {
        match &contact.phone {
            Ok(phone) => self.count_address(phone.expose(), phone),
            Err(why) => *self.survey.phones.entry(*why).or_default() += 1,
        }
        match &contact.email {
            Ok(email) => self.count_address(email.expose(), email),
            Err(why) => *self.survey.emails.entry(*why).or_default() += 1,
        }
        contact.phone.is_ok() || contact.email.is_ok()
    }

    fn count_address(&mut self, exact: &str, masked: &impl std::fmt::Display) {
        match self.addresses.get_mut(exact) {
            Some((bookings, _)) => *bookings += 1,
            None => {
                let first = (1, masked.to_string());
                self.addresses.insert(exact.to_owned(), first);
            }
        }
    }

    /// What was counted.
    pub(super) fn end(mut self) -> Survey {
        for (column, words) in self.words {
            let mut values: Vec<Word> = words
                .into_iter()
                .map(|(word, (count, meaning))| Word {
                    word,
                    count,
                    meaning,
                })
                .collect();
            // What is not known comes first: it is what somebody must do something about.
            values.sort_by_key(|word| (word.meaning.is_some(), std::cmp::Reverse(word.count)));
            let more = values.len().saturating_sub(MOST_WORDS);
            values.truncate(MOST_WORDS);
            self.survey.words.push(Words {
                column: column.name(),
                values,
                more,
            });
        }
        let own = self.mapping.own_addresses();
        let most = self.mapping.most_bookings_per_address();
        let suspicious = self
            .addresses
            .into_iter()
            .filter_map(|(exact, (bookings, address))| {
                let why = suspicion(&exact, bookings, most, &own)?;
                Some(Suspicious {
                    address,
                    bookings,
                    why,
                })
            });
        let mut suspicious: Vec<Suspicious> = suspicious.collect();
        suspicious.sort_by(|a, b| {
            let order = |s: &Suspicious| (s.why, std::cmp::Reverse(s.bookings));
            (order(a), &a.address).cmp(&(order(b), &b.address))
        });
        let more = suspicious.len().saturating_sub(MOST_ADDRESSES);
        suspicious.truncate(MOST_ADDRESSES);
        self.survey.more_suspicious = u64::try_from(more).unwrap_or(u64::MAX);
        self.survey.suspicious = suspicious;
        self.survey
    }
}

fn suspicion(
    exact: &str,
    bookings: u64,
    most: Option<u32>,
    own: &HashSet<String>,
) -> Option<Suspicion> {
    if most.is_some_and(|most| u64::from(most) < bookings) {
        return Some(Suspicion::Crowded);
    }
    if own.contains(&exact.to_ascii_lowercase()) {
        return Some(Suspicion::Own);
    }
    if is_dummy(exact) {
        return Some(Suspicion::Dummy);
    }
    (bookings > 1).then_some(Suspicion::Shared)
}

/// Whether an address is what people type when a field must not stay empty.
fn is_dummy(exact: &str) -> bool {
    match exact.split_once('@') {
        Some((local, _)) => {
            let local = local.to_ascii_lowercase();
            [
                "test", "noreply", "no-reply", "none", "dummy", "ingen", "x", "xx", "a",
            ]
            .contains(&local.as_str())
        }
        None => {
            let digits: Vec<u8> = exact.bytes().filter(u8::is_ascii_digit).collect();
            let national = &digits[digits.len().saturating_sub(7)..];
            let alike = national.iter().all(|digit| *digit == national[0]);
            let rising = national.windows(2).all(|pair| pair[0] + 1 == pair[1]);
            alike || rising
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_to_fill_a_field_is_nobodys() {
        for dummy in [
            "+4799999999",
            "+4712345678",
            "test@example.com",
            "NoReply@example.org",
        ] {
            assert!(is_dummy(dummy), "{dummy}");
        }
        for real in ["+4740000012", "kari@example.com", "testa@example.com"] {
            assert!(!is_dummy(real), "{real}");
        }
    }
}
