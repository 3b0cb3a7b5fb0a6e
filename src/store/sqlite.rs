//! The store of one machine: SQLite with a write-ahead log, every commit synced to disk.
//!
//! One daemon at a time holds `<file>.lock`; verbs write beside it. All writes of a process go
//! through one task that commits them in groups ([`writer`]); reads have connections of their own
//! and always see one consistent moment. What the rows mean is decided in the modules beside this
//! one; here they are only loaded, saved and searched.

mod cells;
mod desk;
mod ledger;
mod load;
mod nodes;
mod outbox;
mod save;
mod tally;
mod words;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::task::JoinHandle;

use super::{
    Act, ActError, Acted, Batch, Call, Claim, ClaimAsk, Cluster, Desk, Fault, Gauges, Known,
    Ledger, Marks, MustBePhoned, Outbox, Record, Recorded, Report, ReportEffect, Settlement,
    StoreError, StoreResult, Story, SweepLimits, Swept, Tally, Unresolved,
};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::closing::Announced;
use crate::domain::message::Channel;
use writer::{Held, Write, Writer};

/// Every migration in order; the number of one is its place, counted from 1.
const MIGRATIONS: [&str; 1] = [include_str!("../../migrations/sqlite/0001_spine.sql")];
/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read.
const READERS: u32 = 4;
/// How long a read waits for a free connection.
const READER_TIMEOUT: Duration = Duration::from_secs(10);

/// Who opens the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The daemon: alone, creates and migrates the file.
    Daemon,
    /// A verb that writes, beside the daemon or without it.
    Verb,
    /// A verb that only reads.
    ReadOnly,
}

type Reading<'c, T> = Pin<Box<dyn Future<Output = StoreResult<T>> + Send + 'c>>;

/// A store in one SQLite file. Clones share it.
#[derive(Clone)]
pub struct Sqlite {
    readers: SqlitePool,
    writer: Option<Writer>,
    ended: Arc<tokio::sync::Mutex<Option<JoinHandle<()>>>>,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sqlite")
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl Sqlite {
    /// Opens the store.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another daemon holds it, [`StoreError::Unavailable`] when the
    /// file is not there or cannot be opened, [`StoreError::Unfit`] when its settings or schema do
    /// not fit this program.
    pub async fn open(path: &Path, access: Access) -> StoreResult<Self> {
        let lock = match access {
            Access::Daemon => Some(take_lock(path)?),
            Access::Verb | Access::ReadOnly => {
                must_exist(path)?;
                None
            }
        };
        let options = options(path, access == Access::Daemon);
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
            .connect_lazy_with(options.clone().pragma("query_only", "on"));
        let (writer, ended) = match access {
            Access::ReadOnly => {
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
    pub async fn close(self) {
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

    async fn write<W: Write>(&self, work: W) -> StoreResult<W::Answer> {
        let read_only = || StoreError::Unfit("the store was opened for reading only".to_owned());
        self.writer
            .as_ref()
            .ok_or_else(read_only)?
            .write(work)
            .await
    }

    /// Reads in one transaction, so that every statement sees the same moment. The task runs on
    /// when the caller goes away: a database future is never cancelled on a living connection.
    async fn read<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut SqliteConnection) -> Reading<'c, T> + Send + 'static,
    {
        let readers = self.readers.clone();
        let task = tokio::spawn(async move {
            let mut transaction = readers.begin().await?;
            let result = work(&mut transaction).await;
            transaction.rollback().await?;
            result
        });
        let ended = task.await;
        ended.map_err(|e| StoreError::Unavailable(format!("a read ended early: {e}")))?
    }
}

fn options(path: &Path, create: bool) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // What is erased is overwritten, not only forgotten.
        .pragma("secure_delete", "on")
}

/// The daemon's exclusive lock. It is a file of its own, since verbs write to the database itself
/// while the daemon runs; the system takes it back however the daemon ends.
fn take_lock(path: &Path) -> StoreResult<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let shown = name.display();
    let file = File::options().create(true).append(true).open(&name);
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
        StoreError::InDoubt(_) | StoreError::Taken(_) | StoreError::Corrupt(_) => error,
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
        if found != wanted {
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
    let cells = cells::Cells(&row);
    Ok((cells.count("writes")?, cells.count("reads")?))
}

impl Ledger for Sqlite {
    async fn marks(&self, source: &SourceName, floor: DateTime<Utc>) -> StoreResult<Marks> {
        let source = source.clone();
        self.read(move |c| Box::pin(async move { ledger::marks(c, &source, floor).await }))
            .await
    }

    async fn known(&self, source: &SourceName, keys: &[BookingKey]) -> StoreResult<Vec<Known>> {
        let (source, keys) = (source.clone(), keys.to_vec());
        self.read(move |c| {
            Box::pin(async move {
                let ids = ledger::ids_of(c, &source, keys.iter()).await?;
                ledger::known(c, &ids).await
            })
        })
        .await
    }

    async fn released(&self, limit: u32) -> StoreResult<Vec<Known>> {
        self.read(move |c| Box::pin(ledger::released(c, limit)))
            .await
    }

    async fn climbable(&self, limit: u32) -> StoreResult<Vec<Known>> {
        self.read(move |c| Box::pin(ledger::climbable(c, limit)))
            .await
    }

    async fn closings(&self, now: DateTime<Utc>) -> StoreResult<Vec<Announced>> {
        self.read(move |c| Box::pin(ledger::closings(c, now))).await
    }

    async fn record(&self, record: Record) -> StoreResult<Recorded> {
        self.write(record).await
    }
}

impl Outbox for Sqlite {
    async fn claim(&self, ask: &ClaimAsk) -> StoreResult<Vec<Claim>> {
        self.write(ask.clone()).await
    }

    async fn settle(&self, settlements: &[Settlement]) -> StoreResult<Vec<bool>> {
        self.write(outbox::Settle(settlements.to_vec())).await
    }

    async fn report(&self, reports: &[Report]) -> StoreResult<Vec<ReportEffect>> {
        self.write(outbox::TakeReports(reports.to_vec())).await
    }

    async fn sweep(&self, now: DateTime<Utc>, limits: SweepLimits) -> StoreResult<Swept> {
        self.write(outbox::Sweep { now, limits }).await
    }

    async fn to_ask(&self, gateway: &str, limit: u32) -> StoreResult<Vec<Unresolved>> {
        let gateway = gateway.to_owned();
        self.read(move |c| Box::pin(async move { outbox::to_ask(c, &gateway, limit).await }))
            .await
    }

    async fn erase(&self, before: DateTime<Utc>, limit: u32) -> StoreResult<u32> {
        self.write(outbox::Erase { before, limit }).await
    }

    async fn next_due(&self, channel: Channel) -> StoreResult<Option<DateTime<Utc>>> {
        self.read(move |c| Box::pin(outbox::next_due(c, channel)))
            .await
    }

    async fn secret(&self, name: &str) -> StoreResult<[u8; 32]> {
        self.write(nodes::Secret(name.to_owned())).await
    }
}

impl Desk for Sqlite {
    async fn act(&self, act: &Act) -> Result<Acted, ActError> {
        self.write(act.clone()).await?
    }

    async fn tally(&self, now: DateTime<Utc>) -> StoreResult<Tally> {
        self.read(move |c| Box::pin(tally::tally(c, now))).await
    }

    async fn must_be_phoned(&self, now: DateTime<Utc>, limit: u32) -> StoreResult<MustBePhoned> {
        self.read(move |c| Box::pin(desk::must_be_phoned(c, now, limit)))
            .await
    }

    async fn calls(&self) -> StoreResult<Vec<Call>> {
        self.read(move |c| Box::pin(desk::calls(c))).await
    }

    async fn faults(&self) -> StoreResult<Vec<Fault>> {
        self.read(move |c| Box::pin(desk::faults(c))).await
    }

    async fn batches(&self) -> StoreResult<Vec<Batch>> {
        self.read(move |c| Box::pin(desk::batches(c))).await
    }

    async fn explain(&self, name: &str) -> StoreResult<Vec<Story>> {
        let name = name.to_owned();
        self.read(move |c| Box::pin(async move { desk::explain(c, &name).await }))
            .await
    }

    async fn gauges(&self, now: DateTime<Utc>) -> StoreResult<Gauges> {
        self.read(move |c| Box::pin(desk::gauges(c, now))).await
    }
}

impl Cluster for Sqlite {
    async fn join(&self, node: &str) -> StoreResult<u32> {
        self.write(nodes::Join(node.to_owned())).await
    }

    async fn beat(&self, node: &str) -> StoreResult<()> {
        self.write(nodes::Beat(node.to_owned())).await
    }
}
