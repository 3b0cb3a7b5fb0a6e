//! One connection to a SQLite file: opens it read-only, wraps the query, and reads whole snapshots.
//!
//! It decides nothing about the meaning of a row; that is `mapping`. After any error or time-out it
//! is dropped by its owner and never used again.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Days, Utc};
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, Row, SqlSafeStr, Statement,
};

use super::mapping::{Filling, Mapping};
use super::row::{Column, Raw};
use super::{Look, Settings, Snapshot, SourceError};
use crate::domain::appointment::{BookingKey, SourceName};

/// How long a reader waits for a writer that holds the whole file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// After so many steps of SQLite's machine it asks whether anybody still waits for the result.
const STEPS_BETWEEN_CHECKS: i32 = 100_000;

/// An open database with its wrapped queries.
pub(super) struct Reader {
    connection: SqliteConnection,
    abandoned: Arc<AtomicBool>,
    source: SourceName,
    timeout: Duration,
    file: FileId,
    columns: Vec<Column>,
    wrapped: String,
    /// The wrapped query of a snapshot; with the settings' condition it takes the floor's day.
    future: String,
    has_floor: bool,
    /// SQLite's `data_version` of the last complete snapshot.
    seen: Option<i64>,
}

/// Which file stands behind a path: device and inode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FileId(u64, u64);

impl FileId {
    async fn of(path: &Path) -> std::io::Result<Self> {
        let meta = tokio::fs::metadata(path).await?;
        Ok(Self(meta.dev(), meta.ino()))
    }
}

/// Ends a statement that still runs when nobody waits for it any more: dropping the connection
/// alone would leave its thread computing.
impl Drop for Reader {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Reader {
    /// Opens the file and checks that every mandatory column is there.
    pub(super) async fn open(settings: &Settings) -> Result<Self, SourceError> {
        let fail = |problem| SourceError::Unavailable {
            source_name: settings.name.clone(),
            problem,
        };
        let path = settings.path.display();
        let file = FileId::of(&settings.path)
            .await
            .map_err(|why| fail(format!("the database {path} cannot be opened: {why}")))?;
        let work = Self::connect(settings, file);
        tokio::time::timeout(settings.statement_timeout, work)
            .await
            .unwrap_or_else(|_| Err(fail(format!("the database {path} does not answer"))))
    }

    async fn connect(settings: &Settings, file: FileId) -> Result<Self, SourceError> {
        let explain = |error| explain(&settings.name, &error);
        let options = SqliteConnectOptions::new()
            .filename(&settings.path)
            .read_only(true)
            .create_if_missing(false)
            .pragma("query_only", "ON")
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .map_err(explain)?;
        let abandoned = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&abandoned);
        let mut handle = connection.lock_handle().await.map_err(explain)?;
        handle.set_progress_handler(STEPS_BETWEEN_CHECKS, move || !asked.load(Ordering::Relaxed));
        drop(handle);

        let query = settings.query.trim().trim_end_matches(';').to_owned();
        let probe = AssertSqlSafe(format!("SELECT * FROM (\n{query}\n) AS q LIMIT 0"));
        let statement = connection.prepare(probe.into_sql_str()).await;
        let statement = statement.map_err(explain)?;
        let found: Vec<&str> = statement.columns().iter().map(|c| c.name()).collect();
        let misfit = |problem| SourceError::Mapping {
            source_name: settings.name.clone(),
            problem,
        };
        let columns = Column::among(&found).map_err(misfit)?;
        let wrapped = wrap(&query, &columns);
        let future = match &settings.floor {
            Some(condition) => with_floor(&wrapped, condition).map_err(misfit)?,
            None => wrapped.clone(),
        };
        let statement = AssertSqlSafe(future.clone()).into_sql_str();
        connection.prepare(statement).await.map_err(explain)?;
        Ok(Self {
            connection,
            abandoned,
            source: settings.name.clone(),
            timeout: settings.statement_timeout,
            file,
            columns,
            wrapped,
            future,
            has_floor: settings.floor.is_some(),
            seen: None,
        })
    }

    /// Whether the path still leads to the file that is open.
    pub(super) async fn is_current(&self, settings: &Settings) -> bool {
        FileId::of(&settings.path)
            .await
            .is_ok_and(|id| id == self.file)
    }

    pub(super) fn forget(&mut self) {
        self.seen = None;
    }

    /// One complete read of the future, or the news that nothing was written since the last one.
    pub(super) async fn snapshot(
        &mut self,
        mapping: &Mapping,
        floor: DateTime<Utc>,
    ) -> Result<Look, SourceError> {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.read_future(mapping, floor)).await {
            Ok(look) => look,
            Err(_) => Err(self.late()),
        }
    }

    /// The rows of these keys, wherever they stand in time.
    pub(super) async fn look_up(
        &mut self,
        mapping: &Mapping,
        keys: &[BookingKey],
    ) -> Result<Snapshot, SourceError> {
        let keys: Vec<&str> = keys.iter().map(|key| key.0.as_str()).collect();
        let keys = serde_json::Value::from(keys).to_string();
        let condition = r#"CAST(q."id" AS TEXT) IN (SELECT value FROM json_each(?1))"#;
        let sql = format!("{} WHERE {condition}", self.wrapped);
        let timeout = self.timeout;
        let work = self.read_rows(sql, Some(keys), mapping.filling(None));
        match tokio::time::timeout(timeout, work).await {
            Ok(snapshot) => snapshot,
            Err(_) => Err(self.late()),
        }
    }

    /// The version is read in the transaction of the rows: what is committed after it is seen by the
    /// next look, never lost between the two.
    async fn read_future(
        &mut self,
        mapping: &Mapping,
        floor: DateTime<Utc>,
    ) -> Result<Look, SourceError> {
        self.run("BEGIN").await?;
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut self.connection)
            .await
            .map_err(|error| explain(&self.source, &error))?;
        if self.seen == Some(version) {
            self.run("COMMIT").await?;
            return Ok(Look::Unchanged);
        }
        let day = self.has_floor.then(|| floor_day(floor));
        let work = self.read_rows(self.future.clone(), day, mapping.filling(Some(floor)));
        let snapshot = work.await?;
        self.run("COMMIT").await?;
        self.seen = Some(version);
        Ok(Look::Snapshot(snapshot))
    }

    async fn read_rows(
        &mut self,
        sql: String,
        bound: Option<String>,
        mut filling: Filling<'_>,
    ) -> Result<Snapshot, SourceError> {
        let mut query = sqlx::query(AssertSqlSafe(sql));
        if let Some(bound) = bound {
            query = query.bind(bound);
        }
        let mut rows = query.fetch(&mut self.connection);
        while let Some(row) = rows
            .try_next()
            .await
            .map_err(|error| explain(&self.source, &error))?
        {
            filling.take(&raw(&row, &self.columns))?;
        }
        Ok(filling.end())
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), SourceError> {
        match sqlx::query(sql).execute(&mut self.connection).await {
            Ok(_) => Ok(()),
            Err(error) => Err(explain(&self.source, &error)),
        }
    }

    fn late(&self) -> SourceError {
        SourceError::Unavailable {
            source_name: self.source.clone(),
            problem: format!(
                "the query took longer than {} s; nothing is concluded from it",
                self.timeout.as_secs_f32()
            ),
        }
    }
}

/// The query with every mapped column as text, in the order of `columns`. The columns are named
/// through the alias, because SQLite reads a quoted name that it does not know as a string.
fn wrap(query: &str, columns: &[Column]) -> String {
    let cast = |column: &Column| format!("CAST(q.\"{0}\" AS TEXT) AS \"{0}\"", column.name());
    let list: Vec<String> = columns.iter().map(cast).collect();
    // The line break keeps a comment at the query's end from swallowing the bracket.
    format!("SELECT {} FROM (\n{query}\n) AS q", list.join(", "))
}

/// The wrapped query with the settings' condition; the driver wants its parameter numbered.
fn with_floor(wrapped: &str, condition: &str) -> Result<String, String> {
    if condition.contains(":floor") {
        let condition = condition.replace(":floor", "?1");
        Ok(format!("{wrapped} WHERE ({condition})"))
    } else {
        Err(format!(
            "the floor \"{condition}\" does not name :floor; it is written like start >= :floor"
        ))
    }
}

/// The day that the pushed-down condition compares with: a day early, since starts are written in
/// zones up to half a day away from UTC, and without a time, since sources write it in many ways.
fn floor_day(floor: DateTime<Utc>) -> String {
    let day = floor.date_naive();
    day.checked_sub_days(Days::new(1))
        .unwrap_or(day)
        .to_string()
}

fn raw(row: &SqliteRow, columns: &[Column]) -> Raw {
    let mut raw = Raw::default();
    for (index, column) in columns.iter().enumerate() {
        // Text that is no UTF-8 is the row's fault, not the statement's.
        raw.set(*column, row.try_get(index).map_err(|_| ()));
    }
    raw
}

/// Says what SQLite says; its own error 1 means that the query does not fit the database.
fn explain(source: &SourceName, error: &sqlx::Error) -> SourceError {
    let source_name = source.clone();
    let database = error.as_database_error();
    if let Some(fault) = database.filter(|fault| fault.code().as_deref() == Some("1")) {
        let problem = format!("the query does not fit the database: {}", fault.message());
        return SourceError::Mapping {
            source_name,
            problem,
        };
    }
    SourceError::Unavailable {
        source_name,
        problem: error.to_string(),
    }
}
