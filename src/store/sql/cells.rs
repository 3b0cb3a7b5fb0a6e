//! Values to cells and back: the words and forms of the tables.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use super::conn::Row;
use crate::domain::appointment::BookingState;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::contact::{Address, Email, Phone};
use crate::domain::directory::OfficeId;
use crate::domain::ladder::Ladder;
use crate::domain::message::Channel;
use crate::store::{StoreError, StoreResult};

/// One row while it is read.
#[derive(Clone, Copy)]
pub(super) struct Cells<'r>(pub(super) &'r Row);

impl Cells<'_> {
    fn get<'a, T>(&'a self, name: &str) -> StoreResult<T>
    where
        T: sqlx::Decode<'a, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
        T: sqlx::Decode<'a, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    {
        use sqlx::Row as _;
        let cell = match self.0 {
            Row::Sqlite(row) => row.try_get(name),
            Row::Postgres(row) => row.try_get(name),
        };
        cell.map_err(|e| StoreError::Corrupt(format!("column {name}: {e}")))
    }

    pub(super) fn int(&self, name: &str) -> StoreResult<i64> {
        self.get(name)
    }

    pub(super) fn maybe_int(&self, name: &str) -> StoreResult<Option<i64>> {
        self.get(name)
    }

    pub(super) fn count<T: TryFrom<i64>>(&self, name: &str) -> StoreResult<T> {
        T::try_from(self.int(name)?).map_err(|_| corrupt(name, "out of range"))
    }

    pub(super) fn maybe_count<T: TryFrom<i64>>(&self, name: &str) -> StoreResult<Option<T>> {
        let value = self.maybe_int(name)?.map(T::try_from).transpose();
        value.map_err(|_| corrupt(name, "out of range"))
    }

    pub(super) fn flag(&self, name: &str) -> StoreResult<bool> {
        Ok(self.int(name)? != 0)
    }

    pub(super) fn text(&self, name: &str) -> StoreResult<String> {
        self.get(name)
    }

    pub(super) fn maybe_text(&self, name: &str) -> StoreResult<Option<String>> {
        self.get(name)
    }

    pub(super) fn bytes(&self, name: &str) -> StoreResult<Vec<u8>> {
        self.get(name)
    }

    pub(super) fn maybe_bytes(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
        self.get(name)
    }

    pub(super) fn time(&self, name: &str) -> StoreResult<DateTime<Utc>> {
        let at = DateTime::from_timestamp_millis(self.int(name)?);
        at.ok_or_else(|| corrupt(name, "not a time"))
    }

    pub(super) fn maybe_time(&self, name: &str) -> StoreResult<Option<DateTime<Utc>>> {
        match self.maybe_int(name)? {
            None => Ok(None),
            Some(_) => self.time(name).map(Some),
        }
    }

    /// A value that has a stable word.
    pub(super) fn word<T>(&self, name: &str, read: fn(&str) -> Option<T>) -> StoreResult<T> {
        let word = self.text(name)?;
        read(&word).ok_or_else(|| corrupt(name, &word))
    }

    pub(super) fn maybe_word<T>(
        &self,
        name: &str,
        read: fn(&str) -> Option<T>,
    ) -> StoreResult<Option<T>> {
        match self.maybe_text(name)? {
            None => Ok(None),
            Some(_) => self.word(name, read).map(Some),
        }
    }

    pub(super) fn parsed<T: FromStr>(&self, name: &str) -> StoreResult<T> {
        let text = self.text(name)?;
        text.parse().map_err(|_| corrupt(name, &text))
    }

    pub(super) fn maybe_parsed<T: FromStr>(&self, name: &str) -> StoreResult<Option<T>> {
        match self.maybe_text(name)? {
            None => Ok(None),
            Some(_) => self.parsed(name).map(Some),
        }
    }

    /// The three columns of a booking's state.
    pub(super) fn state(&self, names: [&str; 3]) -> StoreResult<BookingState> {
        let [standing, start, office] = names;
        Ok(BookingState {
            standing: self.word(standing, super::words::read_standing)?,
            start: self.time(start)?,
            office: OfficeId(self.text(office)?),
        })
    }

    pub(super) fn change(&self) -> StoreResult<Change> {
        Ok(Change {
            kind: self.word("kind", read_kind)?,
            old: self.state(["old_standing", "old_start_at", "old_office"])?,
            new: self.state(["new_standing", "new_start_at", "new_office"])?,
        })
    }

    pub(super) fn address(&self) -> StoreResult<Address> {
        let address = self.maybe_text("address")?.unwrap_or_default();
        match self.text("address_kind")?.as_str() {
            "phone" => Ok(Address::Phone(Phone::from_stored(&address))),
            "email" => Ok(Address::Email(Email::from_stored(&address))),
            _ => Ok(Address::None),
        }
    }
}

/// A cell that holds what the store never writes. Only words of the code are named, never personal
/// data.
pub(super) fn corrupt(name: &str, problem: &str) -> StoreError {
    StoreError::Corrupt(format!("column {name}: {problem}"))
}

pub(super) fn kind_word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Cancelled => "cancelled",
        ChangeKind::Reinstated => "reinstated",
        ChangeKind::Moved { time, office } => match (time, office) {
            (true, true) => "moved time and office",
            (true, false) => "moved time",
            (false, true) => "moved office",
            (false, false) => "moved",
        },
    }
}

fn read_kind(word: &str) -> Option<ChangeKind> {
    let moved = |time, office| Some(ChangeKind::Moved { time, office });
    match word {
        "cancelled" => Some(ChangeKind::Cancelled),
        "reinstated" => Some(ChangeKind::Reinstated),
        "moved time and office" => moved(true, true),
        "moved time" => moved(true, false),
        "moved office" => moved(false, true),
        "moved" => moved(false, false),
        _ => None,
    }
}

pub(super) fn ladder_text(ladder: &Ladder) -> String {
    let words: Vec<_> = ladder.channels().iter().map(|c| c.word()).collect();
    words.join(" ")
}

pub(super) fn read_ladder(text: &str) -> Option<Ladder> {
    let channels: Option<Vec<_>> = text.split(' ').map(Channel::from_word).collect();
    Some(Ladder::new(&channels?))
}

/// The kind and the plain value of an address.
pub(super) fn address_cells(address: &Address) -> (&'static str, Option<&str>) {
    match address {
        Address::Phone(phone) => ("phone", Some(phone.expose())),
        Address::Email(email) => ("email", Some(email.expose())),
        Address::None => ("none", None),
    }
}

/// Bytes as hexadecimal text, the form in which JSON carries them into a statement.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble & 15)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
    }
    text
}
