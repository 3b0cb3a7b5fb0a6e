//! A source of any kind, so that what is behind the edge needs to know one only.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::settings::{Reads, Settings};
use super::sql::SqlSource;
use super::{Look, Snapshot, Source, SourceError};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::directory::Directory;

/// A booking system that is open.
pub enum AnySource {
    /// A SQL database.
    Sql(Box<SqlSource>),
}

impl AnySource {
    /// Opens the booking system and checks that the mapping fits it.
    ///
    /// # Errors
    /// [`SourceError`] says what does not fit, or is not there.
    pub async fn open(settings: Settings, directory: Arc<Directory>) -> Result<Self, SourceError> {
        match settings.reads {
            Reads::Sql(sql) => Ok(Self::Sql(Box::new(SqlSource::open(sql, directory).await?))),
        }
    }

    /// What the account that reads may write to, in words: it should be able to read only.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] when the booking system does not answer.
    pub async fn may_write(&mut self) -> Result<Option<String>, SourceError> {
        match self {
            Self::Sql(source) => source.may_write().await,
        }
    }
}

impl Source for AnySource {
    fn name(&self) -> &SourceName {
        match self {
            Self::Sql(source) => source.name(),
        }
    }

    async fn snapshot(&mut self, floor: DateTime<Utc>) -> Result<Look, SourceError> {
        match self {
            Self::Sql(source) => source.snapshot(floor).await,
        }
    }

    async fn look_up(&mut self, keys: &[BookingKey]) -> Result<Snapshot, SourceError> {
        match self {
            Self::Sql(source) => source.look_up(keys).await,
        }
    }

    fn forget(&mut self) {
        match self {
            Self::Sql(source) => source.forget(),
        }
    }

    fn mapping(&self) -> Option<String> {
        match self {
            Self::Sql(source) => source.mapping(),
        }
    }
}
