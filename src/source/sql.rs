//! A booking system in a SQL database (SQLite, PostgreSQL, MySQL, MariaDB): a SELECT with named
//! columns is the mapping.
//!
//! The query is wrapped, never edited: every mapped column is cast to text, so that one decoder
//! reads them all and no driver guesses at types. The connection cannot write. A snapshot is one
//! statement in one read transaction that ran to its end, or it is an error.

mod bell;
mod link;
mod place;
mod reader;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::mapping::Mapping;
use super::{Look, Snapshot, Source, SourceError, Survey, Words};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::directory::Directory;
use crate::domain::marks::Marks;
pub use bell::Bell;
pub use place::{Address, AddressFault, Place};
use reader::Reader;

/// No statement may take longer; a database that hangs must not look like a calm one.
pub const STATEMENT_TIMEOUT: Duration = Duration::from_secs(20);

/// Everything the configuration says of one SQL source.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The source's name.
    pub name: SourceName,
    /// The database.
    pub place: Place,
    /// One SELECT. Its columns `id`, `status`, `start`, `office` and `service` are mandatory;
    /// `phone`, `email`, `language`, `tz`, `replaces`, `rescheduled` and `changed_by` are read if they
    /// are there. It must not depend on the present: the floor is ours.
    pub query: String,
    /// A condition in SQL that spares reading the past, such as `start >= :floor`; `:floor` is a day
    /// (`2021-03-15`) a little before the present, to be compared as text. Rows that pass it although
    /// they are past are dropped after reading.
    pub floor: Option<String>,
    /// The channel on which a PostgreSQL database says that something changed.
    pub listen: Option<String>,
    /// What its values mean.
    pub words: Words,
    /// No statement may take longer ([`STATEMENT_TIMEOUT`]).
    pub statement_timeout: Duration,
}

impl Settings {
    /// What rings when the database says that something changed, if it does.
    #[must_use]
    pub fn bell(&self) -> Option<Bell> {
        match (&self.place, &self.listen) {
            (Place::Postgres(address), Some(channel)) => {
                let (name, address) = (self.name.clone(), address.clone());
                Some(Bell::new(name, address, channel.clone()))
            }
            _ => None,
        }
    }
}

/// A source that reads a SQL database.
pub struct SqlSource {
    settings: Settings,
    mapping: Mapping,
    /// Kept between reads; taken out for each, and put back only if that read ended well.
    reader: Option<Reader>,
}

impl SqlSource {
    /// Opens the database and checks the mapping against its columns and the directory.
    ///
    /// # Errors
    /// [`SourceError::Mapping`] names a missing column or an unknown office or service;
    /// [`SourceError::Unavailable`] says why the database cannot be read.
    pub async fn open(settings: Settings, directory: Arc<Directory>) -> Result<Self, SourceError> {
        let mut source = Self::closed(settings, directory)?;
        source.try_out().await?;
        Ok(source)
    }

    /// The same, not opened yet.
    pub(super) fn closed(
        settings: Settings,
        directory: Arc<Directory>,
    ) -> Result<Self, SourceError> {
        let mapping = Mapping::new(settings.name.clone(), settings.words.clone(), directory)?;
        Ok(Self {
            settings,
            mapping,
            reader: None,
        })
    }

    /// Opens the database and checks the mapping against its columns.
    pub(super) async fn try_out(&mut self) -> Result<(), SourceError> {
        self.reader = Some(self.reader().await?);
        Ok(())
    }

    /// The reader of this database, or a new one after a failure and where the file was replaced:
    /// a connection to a file that is no longer there would see a calm that does not exist.
    async fn reader(&mut self) -> Result<Reader, SourceError> {
        match self.reader.take() {
            Some(mut reader) => match reader.is_current().await {
                true => Ok(reader),
                false => Reader::open(&self.settings).await,
            },
            None => Reader::open(&self.settings).await,
        }
    }

    /// What one read of the future holds, counted; nothing is concluded from it.
    ///
    /// # Errors
    /// As for a snapshot, except that rows which cannot be understood are counted.
    pub async fn survey(&mut self, floor: DateTime<Utc>) -> Result<Survey, SourceError> {
        let mut reader = self.reader().await?;
        let survey = reader.survey(&self.mapping, floor).await?;
        self.reader = Some(reader);
        Ok(survey)
    }

    /// What the account that reads may write to, in words: it should be able to read only. Nothing
    /// is written in any case, since the session cannot.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] when the database does not answer.
    pub async fn may_write(&mut self) -> Result<Option<String>, SourceError> {
        let mut reader = self.reader().await?;
        let answer = reader.may_write().await?;
        self.reader = Some(reader);
        Ok(answer)
    }
}

impl Source for SqlSource {
    fn name(&self) -> &SourceName {
        &self.settings.name
    }

    async fn snapshot(&mut self, floor: DateTime<Utc>) -> Result<Look, SourceError> {
        self.sift(floor, &mut Marks::default()).await
    }

    async fn sift(&mut self, floor: DateTime<Utc>, known: &mut Marks) -> Result<Look, SourceError> {
        let mut reader = self.reader().await?;
        let look = reader.sift(&self.mapping, floor, known).await?;
        self.reader = Some(reader);
        Ok(look)
    }

    async fn look_up(&mut self, keys: &[BookingKey]) -> Result<Snapshot, SourceError> {
        if keys.is_empty() {
            return Ok(Snapshot::default());
        }
        let mut reader = self.reader().await?;
        let snapshot = reader.look_up(&self.mapping, keys).await?;
        self.reader = Some(reader);
        Ok(snapshot)
    }

    fn forget(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.forget();
        }
    }

    fn mapping(&self) -> Option<String> {
        let place = self.settings.place.to_string();
        Some(self.mapping.fingerprint(&[&place, &self.settings.query]))
    }
}
