//! One open connection to a booking system's database, whatever the engine.
//!
//! An engine knows how to enter its kind of database so that nothing can be written, how to begin
//! one consistent read, and how to hand out rows of texts while they arrive. It knows neither the
//! mapping nor what a row means, and after any error its owner drops it.

use std::pin::Pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::{ColumnIndex, Database, Decode, Row, Type};

use super::place::Place;
use crate::domain::appointment::SourceName;
use crate::source::SourceError;
use crate::source::row::Glimpse;

mod mysql;
mod postgres;
mod sqlite;

/// What an engine is asked, as a future that borrows the connection.
pub(super) type Step<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// What takes the rows, one by one, as they arrive.
pub(super) type Take<'a> = &'a mut (dyn FnMut(&[Glimpse<'_>]) -> Result<(), SourceError> + Send);

/// A connection to one database.
pub(super) trait Link: Send + Sync {
    /// Whether the place still leads to the database that is open.
    fn is_current(&mut self) -> Step<'_, bool>;

    /// The names of a query's columns; the query is prepared and not run.
    fn columns(&mut self, probe: String) -> Step<'_, Vec<String>>;

    /// How this engine writes a column of the query `q`, by the name it was given there.
    fn quoted(&self, column: &str) -> String;

    /// How this engine makes a text of it.
    fn as_text(&self, quoted: &str) -> String;

    /// Begins one consistent read that cannot write, and says which state of the database it sees,
    /// where the engine knows: the same state, the same rows.
    fn begin(&mut self) -> Step<'_, Option<i64>>;

    /// Ends the read.
    fn end(&mut self) -> Step<'_, ()>;

    /// The rows of a statement, each with `width` texts.
    fn rows<'a>(&'a mut self, sql: String, width: usize, take: Take<'a>) -> Step<'a, ()>;

    /// The rows of a statement without WHERE whose text `id` is among these.
    fn rows_of<'a>(
        &'a mut self,
        sql: String,
        id: String,
        keys: Vec<String>,
        width: usize,
        take: Take<'a>,
    ) -> Step<'a, ()>;

    /// The server's clock, in seconds since 1970; `None` where there is no server.
    fn now(&mut self) -> Step<'_, Option<i64>>;

    /// How the engine would run a statement, in its own words, a line for each step.
    fn explain(&mut self, sql: String) -> Step<'_, Vec<String>>;

    /// What this account may write to, in words, though its session cannot.
    fn may_write(&mut self) -> Step<'_, Option<String>>;
}

/// Enters a database; within `timeout` each statement ends, at the server too.
pub(super) async fn open(
    place: &Place,
    named: Named,
    timeout: Duration,
) -> Result<Box<dyn Link>, SourceError> {
    Ok(match place {
        Place::Sqlite(path) => Box::new(sqlite::Lite::open(path, named).await?),
        Place::Postgres(address) => Box::new(postgres::Pg::open(address, named, timeout).await?),
        Place::Mysql(address) => Box::new(mysql::My::open(address, named, timeout).await?),
    })
}

/// The source's name, to tell its troubles.
#[derive(Clone)]
pub(super) struct Named(pub(super) SourceName);

impl Named {
    /// What the database does not understand of the configuration.
    pub(super) fn misfit(&self, problem: impl Into<String>) -> SourceError {
        SourceError::Mapping {
            source_name: self.0.clone(),
            problem: problem.into(),
        }
    }

    /// What keeps the database from being read just now.
    pub(super) fn unavailable(&self, problem: impl Into<String>) -> SourceError {
        SourceError::Unavailable {
            source_name: self.0.clone(),
            problem: problem.into(),
        }
    }
}

/// Hands out a statement's rows as texts while they arrive.
async fn stream<DB: Database>(
    mut rows: BoxStream<'_, Result<DB::Row, sqlx::Error>>,
    explain: impl Fn(sqlx::Error) -> SourceError,
    width: usize,
    take: Take<'_>,
) -> Result<(), SourceError>
where
    usize: ColumnIndex<DB::Row>,
    for<'r> &'r str: Decode<'r, DB> + Type<DB>,
{
    while let Some(row) = rows.try_next().await.map_err(&explain)? {
        // Text that is no UTF-8 is the row's fault, not the statement's.
        let cell = |index| row.try_get::<Option<&str>, _>(index).map_err(|_| ());
        let cells: Vec<_> = (0..width).map(|index| cell(index).transpose()).collect();
        take(&cells)?;
    }
    Ok(())
}
