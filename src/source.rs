//! The edge towards booking systems: read, never written to, and mapped to the canonical record.
//!
//! An implementation returns a complete, consistent read or an error; it concludes nothing about
//! what changed. It knows neither the store nor the channels.

pub mod any;
mod crowd;
pub mod files;
pub mod http;
mod mapping;
mod row;
pub mod settings;
pub mod sql;
mod start;
pub mod survey;

pub use any::AnySource;
pub use settings::{Meaning, Reads, Settings, StartFormat, Words};
pub use survey::Survey;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;

use chrono::{DateTime, Utc};

use crate::domain::appointment::{Appointment, BookingKey, SourceName};
use crate::domain::links::Linked;
use crate::domain::marks::Marks;

/// A booking system we read.
pub trait Source: Send + Sync {
    /// Its configured name.
    fn name(&self) -> &SourceName;

    /// Reads every future appointment (`floor <= start`) in one consistent read, or says that
    /// nothing changed since the last complete one.
    fn snapshot(
        &mut self,
        floor: DateTime<Utc>,
    ) -> impl Future<Output = Result<Look, SourceError>> + Send;

    /// Reads like [`Source::snapshot`], and leaves out the rows that only say what is known already:
    /// they are noted with the marks. A source that can tells them apart while it reads, so that a
    /// million rows that say nothing new need not stand in memory.
    fn sift(
        &mut self,
        floor: DateTime<Utc>,
        known: &mut Marks,
    ) -> impl Future<Output = Result<Look, SourceError>> + Send {
        async move {
            let look = self.snapshot(floor).await?;
            Ok(match look {
                Look::Unchanged => look,
                Look::Snapshot(snapshot) => Look::Snapshot(snapshot.sifted(floor, known)),
            })
        }
    }

    /// Reads the rows of these keys wherever they stand in time.
    fn look_up(
        &mut self,
        keys: &[BookingKey],
    ) -> impl Future<Output = Result<Snapshot, SourceError>> + Send;

    /// Forgets what it knows of the last read, so that the next snapshot reads everything.
    fn forget(&mut self);

    /// What identifies the mapping: with another one, the same rows may mean something else.
    fn mapping(&self) -> Option<String> {
        None
    }
}

/// The result of looking at a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// The source itself says that nothing was written since the last complete snapshot.
    Unchanged,
    /// A read that ran to its end.
    Snapshot(Snapshot),
}

/// One complete read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The rows that could be understood.
    pub rows: Vec<Appointment>,
    /// The keys of rows that are there but could not be understood; their old state is kept.
    pub unreadable: BTreeSet<BookingKey>,
    /// What rows say beside the appointment, whether understood or not; rows that say nothing are
    /// left out.
    pub linked: BTreeMap<BookingKey, Linked>,
    /// What could not be understood, one entry per row and column.
    pub faults: Vec<RowFault>,
    /// It shows only some of the bookings: what it lacks says nothing.
    pub partial: bool,
    /// So many rows more were read and left out, since they say what is known.
    pub left_out: u32,
}

impl Snapshot {
    /// The same without the rows that say what is known, and nothing of other bookings.
    #[must_use]
    pub fn sifted(mut self, floor: DateTime<Utc>, known: &mut Marks) -> Self {
        known.begin(floor);
        let linked = &self.linked;
        let left_out = &mut self.left_out;
        self.rows.retain(|row| {
            let place = known.find(&row.key.0);
            let place = place.filter(|_| !linked.contains_key(&row.key));
            let place = place.filter(|at| known.is_as_known(*at, row.fingerprint()));
            if let Some(at) = place {
                known.leave_out(at);
                *left_out += 1;
            }
            place.is_none()
        });
        self
    }
}

/// One value that could not be understood. It never holds a contact's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The row's key, if it has one.
    pub key: Option<BookingKey>,
    /// The column.
    pub column: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.key.as_ref().map_or("(no key)", |key| key.0.as_str());
        write!(f, "row {key}, column {}: {}", self.column, self.problem)
    }
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It cannot be reached or does not answer in time: nobody's state changes.
    #[error("source \"{source_name}\" cannot be read: {problem}")]
    Unavailable {
        /// The source.
        source_name: SourceName,
        /// What went wrong.
        problem: String,
    },
    /// What it returns does not fit the mapping: a configuration error.
    #[error("source \"{source_name}\": {problem}")]
    Mapping {
        /// The source.
        source_name: SourceName,
        /// What is wrong and what to do.
        problem: String,
    },
}
