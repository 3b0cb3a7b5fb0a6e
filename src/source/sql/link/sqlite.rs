//! A SQLite file, opened read-only.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqliteConnection};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions, Connection, Executor, SqlSafeStr, Statement,
};

use super::{Link, Named, Step, Take, stream};
use crate::source::SourceError;

/// How long a reader waits for a writer that holds the whole file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// After so many steps of SQLite's machine it asks whether anybody still waits for the result.
const STEPS_BETWEEN_CHECKS: i32 = 100_000;

/// An open file.
pub(super) struct Lite {
    connection: SqliteConnection,
    abandoned: Arc<AtomicBool>,
    named: Named,
    path: PathBuf,
    file: FileId,
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
impl Drop for Lite {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
    }
}

impl Lite {
    pub(super) async fn open(path: &Path, named: Named) -> Result<Self, SourceError> {
        let file = FileId::of(path).await.map_err(|why| {
            let path = path.display();
            named.unavailable(format!("the database {path} cannot be opened: {why}"))
        })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .create_if_missing(false)
            .pragma("query_only", "ON")
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let connection = SqliteConnection::connect_with(&options).await;
        let mut connection = connection.map_err(|error| explain(&named, &error))?;
        let abandoned = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&abandoned);
        let handle = connection.lock_handle().await;
        let mut handle = handle.map_err(|error| explain(&named, &error))?;
        handle.set_progress_handler(STEPS_BETWEEN_CHECKS, move || !asked.load(Ordering::Relaxed));
        drop(handle);
        Ok(Self {
            connection,
            abandoned,
            named,
            path: path.to_owned(),
            file,
        })
    }

    async fn run(&mut self, sql: &'static str) -> Result<(), SourceError> {
        match sqlx::query(sql).execute(&mut self.connection).await {
            Ok(_) => Ok(()),
            Err(error) => Err(explain(&self.named, &error)),
        }
    }
}

impl Link for Lite {
    fn is_current(&mut self) -> Step<'_, bool> {
        Box::pin(async {
            let now = FileId::of(&self.path).await;
            Ok(now.is_ok_and(|id| id == self.file))
        })
    }

    fn columns(&mut self, probe: String) -> Step<'_, Vec<String>> {
        Box::pin(async {
            let probe = AssertSqlSafe(probe).into_sql_str();
            let statement = self.connection.prepare(probe).await;
            let statement = statement.map_err(|error| explain(&self.named, &error))?;
            Ok(statement
                .columns()
                .iter()
                .map(|c| c.name().to_owned())
                .collect())
        })
    }

    /// Named through the alias, because SQLite reads a quoted name that it does not know as a string.
    fn quoted(&self, column: &str) -> String {
        format!("q.\"{}\"", column.replace('"', "\"\""))
    }

    fn as_text(&self, quoted: &str) -> String {
        format!("CAST({quoted} AS TEXT)")
    }

    /// The version is read in the transaction of the rows: what is committed after it is seen by the
    /// next look, never lost between the two.
    fn begin(&mut self) -> Step<'_, Option<i64>> {
        Box::pin(async {
            self.run("BEGIN").await?;
            let version = sqlx::query_scalar("PRAGMA data_version");
            let version: i64 = version
                .fetch_one(&mut self.connection)
                .await
                .map_err(|error| explain(&self.named, &error))?;
            Ok(Some(version))
        })
    }

    fn end(&mut self) -> Step<'_, ()> {
        Box::pin(self.run("COMMIT"))
    }

    fn rows<'a>(&'a mut self, sql: String, width: usize, take: Take<'a>) -> Step<'a, ()> {
        let explain = |error| explain(&self.named, &error);
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut self.connection);
        Box::pin(stream::<Sqlite>(rows, explain, width, take))
    }

    fn rows_of<'a>(
        &'a mut self,
        sql: String,
        id: String,
        keys: Vec<String>,
        width: usize,
        take: Take<'a>,
    ) -> Step<'a, ()> {
        let keys = serde_json::Value::from(keys).to_string();
        let sql = format!("{sql} WHERE {id} IN (SELECT value FROM json_each(?1))");
        let explain = |error| explain(&self.named, &error);
        let query = sqlx::query(AssertSqlSafe(sql)).bind(keys);
        let rows = query.fetch(&mut self.connection);
        Box::pin(stream::<Sqlite>(rows, explain, width, take))
    }

    fn now(&mut self) -> Step<'_, Option<i64>> {
        Box::pin(async { Ok(None) })
    }

    fn explain(&mut self, sql: String) -> Step<'_, Vec<String>> {
        Box::pin(async move {
            let sql = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows: Vec<(i64, i64, i64, String)> = sqlx::query_as(sql)
                .fetch_all(&mut self.connection)
                .await
                .map_err(|error| explain(&self.named, &error))?;
            Ok(rows.into_iter().map(|(.., detail)| detail).collect())
        })
    }

    fn may_write(&mut self) -> Step<'_, Option<String>> {
        // Who may write to a file is the operating system's matter; we opened it for reading only.
        Box::pin(async { Ok(None) })
    }
}

/// Says what SQLite says; its own error 1 means that the query does not fit the database.
fn explain(named: &Named, error: &sqlx::Error) -> SourceError {
    let database = error.as_database_error();
    match database.filter(|fault| fault.code().as_deref() == Some("1")) {
        Some(fault) => {
            let said = fault.message();
            named.misfit(format!("the query does not fit the database: {said}"))
        }
        None => named.unavailable(error.to_string()),
    }
}
