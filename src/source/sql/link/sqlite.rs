//! A SQLite file, opened read-only.
//!
//! SQLite computes where it is called, so each step runs on a thread of its own, and rows come over in
//! handfuls while the next are read. It knows no mapping; a connection whose step was given up is gone.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Params};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::{Link, Named, Step, Take};
use crate::source::SourceError;
use crate::source::row::Glimpse;

/// How long a reader waits for a writer that holds the whole file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// After so many steps of SQLite's machine it asks whether anybody still waits for the result.
const STEPS_BETWEEN_CHECKS: i32 = 100_000;

/// Rows that come over at once: so many that the threads seldom wait for each other.
const HANDFUL: usize = 500;

/// Handfuls that lie between the reader and whoever takes them.
const READ_AHEAD: usize = 2;

/// Some rows: their texts one after another, and of each cell where it ends, if there is anything in it.
#[derive(Default)]
struct Handful {
    texts: Vec<u8>,
    ends: Vec<Option<usize>>,
}

impl Handful {
    fn add(&mut self, text: Option<&[u8]>) {
        self.ends.push(text.map(|text| {
            self.texts.extend_from_slice(text);
            self.texts.len()
        }));
    }

    /// Shows row after row. Bytes that are no UTF-8 are the row's fault, not the statement's.
    fn show(&self, width: usize, take: Take<'_>) -> Result<(), SourceError> {
        let mut from = 0;
        for row in self.ends.chunks(width) {
            let cells = row.iter().map(|end| {
                end.map(|to| {
                    let text = &self.texts[std::mem::replace(&mut from, to)..to];
                    std::str::from_utf8(text).map_err(|_| ())
                })
            });
            let cells: Vec<Glimpse<'_>> = cells.collect();
            take(&cells)?;
        }
        Ok(())
    }
}

/// An open file.
pub(super) struct Lite {
    /// Absent while a step has it, and for good where that step was given up. Nobody ever waits for
    /// the lock: a connection may not be looked at from two threads, and this says that it is not.
    connection: Mutex<Option<Connection>>,
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

/// Ends a statement that still runs when nobody waits for it any more.
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
        let mut lite = Self {
            connection: Mutex::default(),
            abandoned: Arc::default(),
            named,
            path: path.to_owned(),
            file,
        };
        let (path, abandoned) = (lite.path.clone(), Arc::clone(&lite.abandoned));
        let opened = spawn_blocking(move || enter(&path, abandoned)).await;
        let opened = opened.map_err(|_| lite.gone())?;
        let opened = opened.map_err(|error| explain(&lite.named, &error))?;
        *lite.connection() = Some(opened);
        Ok(lite)
    }

    /// One step on a thread that may wait.
    async fn on_a_thread<T: Send + 'static>(
        &mut self,
        step: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, SourceError> {
        let connection = self.connection().take().ok_or_else(|| self.gone())?;
        let done = spawn_blocking(move || (step(&connection), connection)).await;
        let (done, connection) = done.map_err(|_| self.gone())?;
        *self.connection() = Some(connection);
        done.map_err(|error| explain(&self.named, &error))
    }

    /// The rows of a statement, handed on in their order while the next ones are read.
    async fn stream(
        &mut self,
        sql: String,
        parameters: impl Params + Send + 'static,
        width: usize,
        take: Take<'_>,
    ) -> Result<(), SourceError> {
        let (hand_on, mut handfuls) = mpsc::channel(READ_AHEAD);
        let reading =
            self.on_a_thread(move |connection| read(connection, &sql, parameters, width, &hand_on));
        let taking = async move {
            while let Some(handful) = handfuls.recv().await {
                Handful::show(&handful, width, &mut *take)?;
            }
            Ok(())
        };
        // A row that is not taken ends the channel with it, and that ends the reading.
        let (read, taken) = futures_util::future::join(reading, taking).await;
        taken.and(read)
    }

    fn connection(&mut self) -> &mut Option<Connection> {
        self.connection
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&self) -> SourceError {
        let problem = "the connection was given up in the middle of a step; it is opened anew";
        self.named.unavailable(problem)
    }
}

/// Opens a file so that nothing can be written, and nothing goes on that nobody waits for.
fn enter(path: &Path, abandoned: Arc<AtomicBool>) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.progress_handler(
        STEPS_BETWEEN_CHECKS,
        Some(move || abandoned.load(Ordering::Relaxed)),
    )?;
    Ok(connection)
}

/// Reads a statement's rows until there is none left, or nobody who takes them.
fn read(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    width: usize,
    hand_on: &mpsc::Sender<Handful>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut handful = Handful::default();
    while let Some(row) = rows.next()? {
        for index in 0..width {
            handful.add(row.get_ref(index)?.as_bytes_or_null()?);
        }
        if handful.ends.len() >= HANDFUL * width
            && hand_on.blocking_send(std::mem::take(&mut handful)).is_err()
        {
            return Ok(());
        }
    }
    // Nobody takes it where a row before was refused, which is told there.
    let _ = hand_on.blocking_send(handful);
    Ok(())
}

impl Link for Lite {
    fn is_current(&mut self) -> Step<'_, bool> {
        Box::pin(async {
            let now = FileId::of(&self.path).await;
            Ok(now.is_ok_and(|id| id == self.file))
        })
    }

    fn columns(&mut self, probe: String) -> Step<'_, Vec<String>> {
        Box::pin(self.on_a_thread(move |connection| {
            let statement = connection.prepare(&probe)?;
            let names = statement.column_names();
            Ok(names.into_iter().map(str::to_owned).collect())
        }))
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
        Box::pin(self.on_a_thread(|connection| {
            connection.execute_batch("BEGIN")?;
            let version = connection.query_row("PRAGMA data_version", [], |row| row.get(0));
            version.map(Some)
        }))
    }

    fn end(&mut self) -> Step<'_, ()> {
        Box::pin(self.on_a_thread(|connection| connection.execute_batch("COMMIT")))
    }

    fn rows<'a>(&'a mut self, sql: String, width: usize, take: Take<'a>) -> Step<'a, ()> {
        Box::pin(self.stream(sql, [], width, take))
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
        Box::pin(self.stream(sql, [keys], width, take))
    }

    fn now(&mut self) -> Step<'_, Option<i64>> {
        Box::pin(async { Ok(None) })
    }

    fn explain(&mut self, sql: String) -> Step<'_, Vec<String>> {
        Box::pin(self.on_a_thread(move |connection| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let details = statement.query_map([], |row| row.get("detail"))?;
            details.collect()
        }))
    }

    fn may_write(&mut self) -> Step<'_, Option<String>> {
        // Who may write to a file is the operating system's matter; we opened it for reading only.
        Box::pin(async { Ok(None) })
    }
}

/// Says what SQLite says; its own error 1 means that the query does not fit the database.
fn explain(named: &Named, error: &rusqlite::Error) -> SourceError {
    match error.sqlite_error().map(|fault| fault.extended_code) {
        Some(1) => named.misfit(format!("the query does not fit the database: {error}")),
        Some(code) => named.unavailable(format!("SQLite says \"{error}\" (code {code})")),
        None => named.unavailable(error.to_string()),
    }
}
