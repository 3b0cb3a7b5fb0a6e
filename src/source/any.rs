//! A source of any kind, so that what is behind the edge needs to know one only.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::files::FolderSource;
use super::http::HttpSource;
use super::settings::{Reads, Settings};
use super::sql::SqlSource;
use super::{Look, Snapshot, Source, SourceError, Survey};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::directory::Directory;
use crate::domain::marks::Marks;

/// A booking system that is open.
pub enum AnySource {
    /// A SQL database.
    Sql(Box<SqlSource>),
    /// CSV files in a folder.
    Csv(Box<FolderSource>),
    /// JSON over HTTP.
    Json(Box<HttpSource>),
}

impl AnySource {
    /// Opens the booking system and checks that the mapping fits it.
    ///
    /// # Errors
    /// [`SourceError`] says what does not fit, or is not there.
    pub async fn open(settings: Settings, directory: Arc<Directory>) -> Result<Self, SourceError> {
        let mut source = Self::closed(settings, directory)?;
        source.try_out().await?;
        Ok(source)
    }

    /// A booking system that nobody has looked at yet: each read opens what is not open.
    ///
    /// # Errors
    /// [`SourceError::Mapping`] says what the directory does not know.
    pub fn closed(settings: Settings, directory: Arc<Directory>) -> Result<Self, SourceError> {
        Ok(match settings.reads {
            Reads::Sql(sql) => Self::Sql(Box::new(SqlSource::closed(sql, directory)?)),
            Reads::Csv(csv) => Self::Csv(Box::new(FolderSource::closed(csv, directory)?)),
            Reads::Json(json) => Self::Json(Box::new(HttpSource::closed(json, directory)?)),
        })
    }

    /// Looks whether the booking system is there and the mapping fits it.
    ///
    /// # Errors
    /// [`SourceError`] says what does not fit, or is not there.
    pub async fn try_out(&mut self) -> Result<(), SourceError> {
        match self {
            Self::Sql(source) => source.try_out().await,
            Self::Csv(source) => source.try_out().await,
            Self::Json(source) => source.try_out().await,
        }
    }

    /// What the account that reads may write to, in words: it should be able to read only.
    ///
    /// # Errors
    /// [`SourceError::Unavailable`] when the booking system does not answer.
    pub async fn may_write(&mut self) -> Result<Option<String>, SourceError> {
        match self {
            Self::Sql(source) => source.may_write().await,
            // In a folder we do what we were told to do there; of a server we only ask.
            Self::Csv(_) | Self::Json(_) => Ok(None),
        }
    }

    /// What one read of the future holds, counted; nothing is concluded from it.
    ///
    /// # Errors
    /// As for a snapshot, except that rows which cannot be understood are counted.
    pub async fn survey(&mut self, floor: DateTime<Utc>) -> Result<Survey, SourceError> {
        match self {
            Self::Sql(source) => source.survey(floor).await,
            Self::Csv(source) => source.survey(floor).await,
            Self::Json(source) => source.survey(floor).await,
        }
    }
}

impl Source for AnySource {
    fn name(&self) -> &SourceName {
        match self {
            Self::Sql(source) => source.name(),
            Self::Csv(source) => source.name(),
            Self::Json(source) => source.name(),
        }
    }

    async fn snapshot(&mut self, floor: DateTime<Utc>) -> Result<Look, SourceError> {
        match self {
            Self::Sql(source) => source.snapshot(floor).await,
            Self::Csv(source) => source.snapshot(floor).await,
            Self::Json(source) => source.snapshot(floor).await,
        }
    }

    async fn sift(&mut self, floor: DateTime<Utc>, known: &mut Marks) -> Result<Look, SourceError> {
        match self {
            Self::Sql(source) => source.sift(floor, known).await,
            Self::Csv(source) => source.sift(floor, known).await,
            Self::Json(source) => source.sift(floor, known).await,
        }
    }

    async fn look_up(&mut self, keys: &[BookingKey]) -> Result<Snapshot, SourceError> {
        match self {
            Self::Sql(source) => source.look_up(keys).await,
            Self::Csv(source) => source.look_up(keys).await,
            Self::Json(source) => source.look_up(keys).await,
        }
    }

    fn forget(&mut self) {
        match self {
            Self::Sql(source) => source.forget(),
            Self::Csv(source) => source.forget(),
            Self::Json(source) => source.forget(),
        }
    }

    fn mapping(&self) -> Option<String> {
        match self {
            Self::Sql(source) => source.mapping(),
            Self::Csv(source) => source.mapping(),
            Self::Json(source) => source.mapping(),
        }
    }
}
