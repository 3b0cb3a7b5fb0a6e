//! The store of many nodes: a PostgreSQL database that every node writes to.
//!
//! Each write is one transaction in a task of its own with a limit. When the limit passes, or
//! anything fails, the connection is dropped and never used again: no database future is cancelled
//! on a connection that lives on. Until COMMIT was sent, that means that nothing was written; from
//! then on nobody knows, and the caller is told so. What is read and written stands in `sql`.

mod connections;
mod fitness;
mod hearing;
mod name;
mod warnings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use self::connections::Connections;
use self::hearing::Hearing;
use self::name::Name;
pub(super) use self::name::TRUST;
use super::sql::{Access, Conn, Read, Schema, Write};
use super::{StoreError, StoreResult};

/// Connections that write, per node: batches matter more than their number.
const WRITERS: usize = 4;
/// Connections that read, of their own, so that no page can keep an outcome from being written.
const READERS: usize = 4;
/// How long what touches few rows may take: a link that swallows replies must not stall a line for
/// long. It is more than a wait for a lock may take (`lock_timeout`).
const PATIENCE: Duration = Duration::from_secs(8);
/// How much longer a write may take that touches many rows, or a read: such as a snapshot's record.
/// Together it is less than a drain may last by default.
const MORE_PATIENCE: u32 = 3;

/// Where a database is and how to enter it. It prints without its password.
#[derive(Clone)]
pub struct Address {
    options: PgConnectOptions,
    shown: String,
    patience: Duration,
}

/// Why an address is none.
#[derive(Debug, thiserror::Error)]
pub enum AddressFault {
    /// A password in an address ends up in process lists and logs.
    #[error("it holds a password; put that into a file and name the file in password_file")]
    Password,
    /// It does not read as `postgres://USER@HOST:PORT/DATABASE`.
    #[error("it does not read as postgres://USER@HOST:PORT/DATABASE: {0}")]
    Form(String),
}

impl Address {
    /// Reads `postgres://USER@HOST:PORT/DATABASE`, where a socket's folder may follow as `?host=`.
    ///
    /// # Errors
    /// [`AddressFault`].
    pub fn parse(url: &str) -> Result<Self, AddressFault> {
        let user = url
            .split_once("//")
            .and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
        if user.is_some_and(|(user, _)| user.contains(':')) || url.contains("password=") {
            return Err(AddressFault::Password);
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(AddressFault::Form("another scheme".to_owned()));
        }
        let options: Result<PgConnectOptions, sqlx::Error> = url.parse();
        let options = options.map_err(|error| AddressFault::Form(error.to_string()))?;
        Ok(Self {
            options: options.application_name("varsel"),
            shown: url.to_owned(),
            patience: PATIENCE,
        })
    }

    /// The same with a password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.options = self.options.password(password);
        self
    }

    /// The same with another limit for what touches few rows.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Names the database in an error of reaching it.
    fn at(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unavailable(why) => {
                StoreError::Unavailable(format!("{}: {why}", self.shown))
            }
            StoreError::Unfit(why) => StoreError::Unfit(format!("{}: {why}", self.shown)),
            StoreError::InDoubt(_)
            | StoreError::Taken(_)
            | StoreError::Overtaken(_)
            | StoreError::Corrupt(_) => error,
        }
    }
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A store in a PostgreSQL database. Clones share it.
#[derive(Clone)]
pub(super) struct Server {
    writers: Arc<Connections>,
    readers: Arc<Connections>,
    hearing: Option<Arc<Hearing>>,
    name: Arc<tokio::sync::Mutex<Option<Name>>>,
    read_only: bool,
}

impl Server {
    /// Opens the store; see [`super::Database::open`].
    pub(super) async fn open(address: &Address, access: Access) -> StoreResult<Self> {
        let writers = Connections::new(address.clone(), WRITERS);
        let readers = Connections::new(address.clone(), READERS);
        let migrated = async {
            let mut line = writers.line().await?;
            let conn = line.conn().await?;
            fitness::migrate(conn, access).await?;
            line.keep();
            Ok::<_, StoreError>(())
        };
        let limit = writers.patience_with(true);
        match tokio::time::timeout(limit, migrated).await {
            Ok(done) => done.map_err(|error| address.at(error))?,
            Err(_) => return Err(address.at(no_answer(limit))),
        }
        let hearing = (access == Access::Daemon).then(|| Hearing::start(address));
        Ok(Self {
            writers,
            readers,
            hearing,
            name: Arc::default(),
            read_only: matches!(access, Access::ReadOnly | Access::Check),
        })
    }

    /// Waits until everything asked for is written, and closes every connection.
    pub(super) async fn close(self) {
        if let Some(hearing) = &self.hearing {
            hearing.stop();
        }
        self.writers.close().await;
        self.readers.close().await;
        drop(self.name.lock().await.take());
    }

    /// Has something written in a transaction of its own.
    pub(super) async fn write<W: Write>(&self, work: W) -> StoreResult<W::Answer> {
        if self.read_only {
            let why = "the store was opened for reading only";
            return Err(StoreError::Unfit(why.to_owned()));
        }
        let writers = Arc::clone(&self.writers);
        // A task of its own runs on when the caller goes away.
        let task = tokio::spawn(async move {
            let committing = AtomicBool::new(false);
            let limit = writers.patience_with(work.is_large());
            let written = tokio::time::timeout(limit, transact(&writers, &work, &committing)).await;
            let result = written.unwrap_or_else(|_| Err(no_answer(limit)));
            match result {
                Err(StoreError::Unavailable(why)) if committing.load(Ordering::Relaxed) => {
                    Err(StoreError::InDoubt(why))
                }
                result => result,
            }
        });
        let ended = task.await;
        ended.map_err(|e| StoreError::InDoubt(format!("a write ended early: {e}")))?
    }

    /// Reads in one transaction that sees one moment.
    pub(super) async fn read<T: Send + 'static>(&self, work: impl Read<T>) -> StoreResult<T> {
        let readers = Arc::clone(&self.readers);
        let task = tokio::spawn(async move {
            let limit = readers.patience_with(true);
            let reading = async {
                let mut line = readers.line().await?;
                let conn = line
                    .begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    .await?;
                let result = work(&mut Conn::PostgresReading(conn)).await?;
                statement(conn, "ROLLBACK").await?;
                line.keep();
                Ok(result)
            };
            let read = tokio::time::timeout(limit, reading).await;
            read.unwrap_or_else(|_| Err(no_answer(limit)))
        });
        let ended = task.await;
        ended.map_err(|e| StoreError::Unavailable(format!("a read ended early: {e}")))?
    }

    /// Waits until another node has written something that may concern this one.
    pub(super) async fn woken(&self) {
        match &self.hearing {
            Some(hearing) => hearing.woken().await,
            None => std::future::pending().await,
        }
    }
}

/// Of which version the schema of a database is.
pub(super) async fn version(address: &Address) -> StoreResult<Schema> {
    let reading = async {
        let mut conn = connect(address).await?;
        let version = fitness::version(&mut conn).await?;
        let _ = conn.close().await;
        Ok(version)
    };
    let read = tokio::time::timeout(address.patience, reading).await;
    let read = read.unwrap_or_else(|_| Err(no_answer(address.patience)));
    read.map_err(|error| address.at(error))
}

/// A connection of one's own to a server that keeps its promises.
pub(super) async fn connect(address: &Address) -> StoreResult<PgConnection> {
    Connections::new(address.clone(), 1).connect().await
}

/// One transaction. `committing` is set from the moment at which nobody can tell any more.
async fn transact<W: Write>(
    writers: &Arc<Connections>,
    work: &W,
    committing: &AtomicBool,
) -> StoreResult<W::Answer> {
    let mut line = writers.line().await?;
    let conn = line.begin("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
    let answer = work.write(&mut Conn::Postgres(conn)).await?;
    if work.wakes() {
        statement(conn, hearing::NOTIFY).await?;
    }
    committing.store(true, Ordering::Relaxed);
    let (committed, warned) = warnings::heard(sqlx::raw_sql("COMMIT").execute(&mut *conn)).await;
    if let Err(error) = committed {
        if certainly_undone(&error) {
            committing.store(false, Ordering::Relaxed);
        }
        return Err(error.into());
    }
    if warned {
        let why = "the server ended its wait for the standby early (see its warning in its log)";
        return Err(StoreError::Unavailable(why.to_owned()));
    }
    line.keep();
    Ok(answer)
}

/// Whether the server itself says that a COMMIT came to nothing.
fn certainly_undone(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| says_undone(&code))
}

/// The SQLSTATE classes that say so: a broken constraint (23), a state that cannot be committed (25), a
/// rollback for the sake of others (40); but for the one code among them that says that nobody knows.
fn says_undone(code: &str) -> bool {
    const COMPLETION_UNKNOWN: &str = "40003";
    let classes = ["23", "25", "40"];
    code != COMPLETION_UNKNOWN && classes.iter().any(|class| code.starts_with(class))
}

fn no_answer(limit: Duration) -> StoreError {
    StoreError::Unavailable(format!("no answer within {} ms", limit.as_millis()))
}

async fn statement(conn: &mut PgConnection, sql: &'static str) -> StoreResult<()> {
    sqlx::raw_sql(sql).execute(conn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::says_undone;

    #[test]
    fn only_a_code_that_is_certain_takes_a_commit_back() {
        for undone in ["23505", "25P02", "40001", "40P01", "40002", "40000"] {
            assert!(says_undone(undone), "{undone}");
        }
        for unclear in ["40003", "08006", "57P01", "53100", "58030", "XX000"] {
            assert!(!says_undone(unclear), "{unclear}");
        }
    }
}
