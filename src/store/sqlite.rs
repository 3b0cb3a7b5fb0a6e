//! The store of one machine: SQLite with a write-ahead log, every commit synced to disk.
//!
//! One daemon at a time holds `<file>.lock`; verbs write beside it. All writes of a process go
//! through one task that commits them in groups ([`writer`]); reads have connections of their own
//! and always see one consistent moment. What is read and written stands in `sql`.

mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::task::JoinHandle;

use super::sql::{Access, Conn, Read, Schema, Write};
use super::{StoreError, StoreResult};
use crate::sabotage::{self, Guard};
use writer::{Held, Writer};

/// Every migration in order; the number of one is its place, counted from 1.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0001_spine.sql")];
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What the writer keeps in memory of the file, in KiB and so with a minus: what a batch touches lies far apart.
const WRITER_CACHE: &str = "-16384";
/// The log is taken over into the file when it has so many pages (16 MiB), and not after each few batches.
const CHECKPOINT_PAGES: &str = "4000";
/// Rows that the thread of a connection may hand over before somebody takes them: the two would else wake
/// each other every few rows.
const ROWS_AHEAD: usize = 1024;
/// Connections that read.
const READERS: u32 = 4;
/// How long a read waits for a free connection.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// A store in one SQLite file. Clones share it.
#[derive(Clone)]
pub(super) struct File {
    readers: SqlitePool,
    writer: Option<Writer>,
    ended: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl File {
    /// Opens the store.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another daemon holds it, [`StoreError::Unavailable`] when the
    /// file is not there or cannot be opened, [`StoreError::Unfit`] when its settings or schema do
    /// not fit this program.
    pub(super) async fn open(path: &Path, access: Access) -> StoreResult<Self> {
        let lock = match access {
            Access::Daemon => Some(take_lock(path)?),
            Access::Verb | Access::ReadOnly | Access::Check => {
                must_exist(path)?;
                None
            }
        };
        let read = options(path, access == Access::Daemon);
        let options = read
            .clone()
            .pragma("cache_size", WRITER_CACHE)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES);
        let opened = async {
            let mut conn = options.connect().await?;
            durability(&mut conn).await?;
            migrate(&mut conn, access).await?;
            Ok::<_, StoreError>(conn)
        };
        let conn = opened.await.map_err(|error| at(path, error))?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(READER_TIMEOUT)
            .connect_lazy_with(read.pragma("query_only", "on"));
        let (writer, ended) = match access {
            Access::ReadOnly | Access::Check => {
                conn.close().await?;
                (None, None)
            }
            Access::Daemon | Access::Verb => {
                let (writer, task) = Writer::start(Held {
                    options,
                    conn,
                    lock,
                });
                (Some(writer), Some(task))
            }
        };
        Ok(Self {
            readers,
            writer,
            ended: Arc::new(tokio::sync::Mutex::new(ended)),
        })
    }

    /// Waits until everything asked for is written, closes the file and gives the lock back. Clones
    /// that still live are told from now on that the store is closed.
    pub(super) async fn close(self) {
        let Self {
            readers,
            writer,
            ended,
        } = self;
        if let Some(writer) = writer {
            writer.stop();
        }
        if let Some(task) = ended.lock().await.take() {
            // A writer that panicked has nothing left to close.
            let _ = task.await;
        }
        readers.close().await;
    }

    /// Has something written by the one writer.
    pub(super) async fn write<W: Write>(&self, work: W) -> StoreResult<W::Answer> {
        let read_only = || StoreError::Unfit("the store was opened for reading only".to_owned());
        self.writer
            .as_ref()
            .ok_or_else(read_only)?
            .write(work)
            .await
    }

    /// Reads in one transaction, so that every statement sees the same moment. The task runs on
    /// when the caller goes away: a database future is never cancelled on a living connection.
    pub(super) async fn read<T: Send + 'static>(&self, work: impl Read<T>) -> StoreResult<T> {
        let readers = self.readers.clone();
        let task = tokio::spawn(async move {
            let mut transaction = readers.begin().await?;
            let result = work(&mut Conn::Sqlite(&mut transaction)).await;
            transaction.rollback().await?;
            result
        });
        let ended = task.await;
        ended.map_err(|e| StoreError::Unavailable(format!("a read ended early: {e}")))?
    }
}

/// A connection of one's own to a file that is there: what it commits is on the disk, too.
pub(super) async fn connect(path: &Path) -> StoreResult<SqliteConnection> {
    let opened = async {
        let mut conn = options(path, false).connect().await?;
        durability(&mut conn).await?;
        Ok::<_, StoreError>(conn)
    };
    opened.await.map_err(|error| at(path, error))
}

/// Of which version the schema of a file is.
pub(super) async fn version(path: &Path) -> StoreResult<Schema> {
    let newest = MIGRATIONS.len();
    if !path.exists() {
        return Ok(Schema { found: 0, newest });
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let read = async {
        let mut conn = options.connect().await?;
        let (found, _) = schema(&mut conn).await?;
        conn.close().await?;
        Ok::<_, StoreError>(Schema { found, newest })
    };
    read.await.map_err(|error| at(path, error))
}

fn options(path: &Path, create: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous())
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .row_buffer_size(ROWS_AHEAD)
        // What is erased is overwritten, not only forgotten.
        .pragma("secure_delete", "on")
}

fn synchronous() -> SqliteSynchronous {
    if sabotage::is_off(Guard::Durability) || sabotage::is_off(Guard::Synced) {
        SqliteSynchronous::Off
    } else {
        SqliteSynchronous::Full
    }
}

/// The daemon's exclusive lock. It is a file of its own, since verbs write to the database itself
/// while the daemon runs; the system takes it back however the daemon ends.
fn take_lock(path: &Path) -> StoreResult<std::fs::File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let shown = name.display();
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&name);
    let file = file.map_err(|e| {
        StoreError::Unavailable(format!("the lock file {shown} cannot be opened: {e}"))
    })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Taken(format!(
            "{shown} is locked by a running daemon; stop it first, or give this one another file"
        ))),
        Err(std::fs::TryLockError::Error(e)) => Err(StoreError::Unavailable(format!(
            "the lock file {shown} cannot be locked: {e}"
        ))),
    }
}

fn must_exist(path: &Path) -> StoreResult<()> {
    if path.exists() {
        return Ok(());
    }
    let shown = path.display();
    Err(StoreError::Unavailable(format!(
        "{shown} does not exist; the daemon creates it when it first runs"
    )))
}

/// Names the file in an error of opening it.
fn at(path: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => {
            StoreError::Unavailable(format!("{}: {why}", path.display()))
        }
        StoreError::Unfit(why) => StoreError::Unfit(format!("{}: {why}", path.display())),
        StoreError::InDoubt(_)
        | StoreError::Taken(_)
        | StoreError::Overtaken(_)
        | StoreError::Corrupt(_) => error,
    }
}

/// Reads back what the promise rests on: that a commit is on the disk when it is answered.
async fn durability(conn: &mut SqliteConnection) -> StoreResult<()> {
    let wanted = [
        ("PRAGMA journal_mode", "wal"),
        ("PRAGMA synchronous", "2"),
        ("PRAGMA foreign_keys", "1"),
    ];
    for (pragma, wanted) in wanted {
        let row = sqlx::query(pragma).fetch_one(&mut *conn).await?;
        let found = row
            .try_get::<String, _>(0)
            .or_else(|_| row.try_get::<i64, _>(0).map(|n| n.to_string()))?;
        if found != wanted && !sabotage::is_off(Guard::Durability) {
            return Err(StoreError::Unfit(format!(
                "{pragma} is {found} and must be {wanted}; the file may lie on a network share, \
                 where SQLite cannot keep its promises"
            )));
        }
    }
    Ok(())
}

/// Brings the schema up to date, or says why this program must not touch it.
async fn migrate(conn: &mut SqliteConnection, access: Access) -> StoreResult<()> {
    let newest = MIGRATIONS.len();
    let (writes, reads) = schema(conn).await?;
    if reads > newest {
        return Err(StoreError::Unfit(format!(
            "its schema needs a program that knows version {reads}; this one knows {newest}; \
             install the newer release"
        )));
    }
    if writes < newest && access != Access::Daemon {
        return Err(StoreError::Unfit(format!(
            "its schema is of version {writes} and this program needs {newest}; \
             start the daemon of this release once"
        )));
    }
    for (number, migration) in (1..).zip(MIGRATIONS).skip(writes) {
        let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(migration).execute(&mut *transaction).await?;
        transaction.commit().await.map_err(|e| {
            StoreError::InDoubt(format!("migration {number} may or may not stand: {e}"))
        })?;
    }
    Ok(())
}

/// The newest migration applied, and the version one must know to read; zeros for an empty file.
async fn schema(conn: &mut SqliteConnection) -> StoreResult<(usize, usize)> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema'";
    let there: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await?;
    if there == 0 {
        return Ok((0, 0));
    }
    let row = sqlx::query("SELECT writes, reads FROM schema")
        .fetch_one(conn)
        .await?;
    let count = |name| {
        let number: i64 = row.try_get(name)?;
        Ok::<_, StoreError>(usize::try_from(number).unwrap_or_default())
    };
    Ok((count("writes")?, count("reads")?))
}
