//! The one writer: a task with a connection of its own that commits what waits as one group.
//!
//! Each request stands in its own savepoint, so that one that fails takes no other with it; one
//! COMMIT makes them durable; then, and only then, they are answered. No request is ever cancelled:
//! whoever stops waiting merely misses the answer.

use std::fs::File;
use std::pin::Pin;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::durability;
use crate::sabotage;
use crate::store::sql::{Conn, Write};
use crate::store::{StoreError, StoreResult};

/// Requests that may wait for the writer; beyond it callers wait.
const WAITING_LIMIT: usize = 256;
/// Requests that one commit carries at most.
const GROUP_LIMIT: usize = 64;

type Step<'c> = Pin<Box<dyn Future<Output = StoreResult<()>> + Send + 'c>>;

/// A request with its way back, whatever its type.
trait Request: Send {
    fn run<'c>(&'c mut self, conn: &'c mut SqliteConnection) -> Step<'c>;
    fn answer(self: Box<Self>, committed: StoreResult<()>);
}

struct Pending<W: Write> {
    work: W,
    result: Option<StoreResult<W::Answer>>,
    reply: oneshot::Sender<StoreResult<W::Answer>>,
}

impl<W: Write> Request for Pending<W> {
    fn run<'c>(&'c mut self, conn: &'c mut SqliteConnection) -> Step<'c> {
        Box::pin(async move {
            let result = self.work.write(&mut Conn::Sqlite(conn)).await;
            let failed = result.as_ref().err().map(again);
            self.result = Some(result);
            failed.map_or(Ok(()), Err)
        })
    }

    fn answer(self: Box<Self>, committed: StoreResult<()>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) | (_, Err(error)) => Err(error),
            (Some(Ok(answer)), Ok(())) => Ok(answer),
            (None, Ok(())) => Err(StoreError::Unavailable(
                "the write was not tried".to_owned(),
            )),
        };
        // Nobody may be waiting any more; the write stands all the same.
        let _ = self.reply.send(result);
    }
}

/// The way to the writer's task.
#[derive(Clone)]
pub(super) struct Writer {
    requests: mpsc::Sender<Box<dyn Request>>,
    stop: CancellationToken,
}

/// What the task holds for as long as it lives.
pub(super) struct Held {
    pub(super) options: SqliteConnectOptions,
    pub(super) conn: SqliteConnection,
    /// The daemon's exclusive lock: it goes after the connection.
    pub(super) lock: Option<File>,
}

impl Writer {
    /// Starts the task; it ends when it is told to stop or the last handle is gone.
    pub(super) fn start(held: Held) -> (Self, tokio::task::JoinHandle<()>) {
        let (requests, waiting) = mpsc::channel(WAITING_LIMIT);
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(held, waiting, stop.clone()));
        (Self { requests, stop }, task)
    }

    /// Takes no more requests; those that wait are still written.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Has something written and waits until it is durable.
    pub(super) async fn write<W: Write>(&self, work: W) -> StoreResult<W::Answer> {
        let (reply, answer) = oneshot::channel();
        let pending = Pending {
            work,
            result: None,
            reply,
        };
        let gone = || StoreError::Unavailable("the store is closed".to_owned());
        let sent = self.requests.send(Box::new(pending)).await;
        sent.map_err(|_| gone())?;
        answer
            .await
            .map_err(|_| StoreError::InDoubt("the writer ended".to_owned()))?
    }
}

async fn serve(held: Held, mut waiting: mpsc::Receiver<Box<dyn Request>>, stop: CancellationToken) {
    let Held {
        options,
        conn,
        lock,
    } = held;
    let mut conn = Some(conn);
    let mut group = Vec::with_capacity(GROUP_LIMIT);
    while next_group(&mut waiting, &mut group, &stop).await > 0 {
        if conn.is_none() {
            conn = reopen(&options).await;
        }
        let outcome = match &mut conn {
            Some(conn) => commit_group(conn, &mut group).await,
            None => Err(StoreError::Unavailable(
                "the database cannot be opened again".to_owned(),
            )),
        };
        if outcome.is_err() {
            // Whatever this connection believes after an error, the file knows better.
            conn = None;
        }
        for request in group.drain(..) {
            request.answer(outcome.as_ref().copied().map_err(again));
        }
    }
    if let Some(conn) = conn {
        let _ = conn.close().await;
    }
    drop(lock);
}

/// Waits for requests; 0 means that none will come any more.
async fn next_group(
    waiting: &mut mpsc::Receiver<Box<dyn Request>>,
    group: &mut Vec<Box<dyn Request>>,
    stop: &CancellationToken,
) -> usize {
    tokio::select! {
        biased;
        () = stop.cancelled() => waiting.close(),
        received = waiting.recv_many(group, GROUP_LIMIT) => return received,
    }
    waiting.recv_many(group, GROUP_LIMIT).await
}

async fn reopen(options: &SqliteConnectOptions) -> Option<SqliteConnection> {
    let mut conn = options.connect().await.ok()?;
    durability(&mut conn).await.ok()?;
    Some(conn)
}

/// One transaction for the whole group. An error before COMMIT means that nothing was written; an
/// error of COMMIT itself means that nobody knows.
async fn commit_group(
    conn: &mut SqliteConnection,
    group: &mut [Box<dyn Request>],
) -> StoreResult<()> {
    statement(conn, "BEGIN IMMEDIATE").await?;
    if let [alone] = group {
        // It takes no other with it, so it needs no savepoint.
        if alone.run(conn).await.is_err() {
            return statement(conn, "ROLLBACK").await;
        }
        return commit(conn).await;
    }
    for request in group.iter_mut() {
        statement(conn, "SAVEPOINT request").await?;
        if request.run(conn).await.is_err() {
            statement(conn, "ROLLBACK TO request").await?;
        }
        statement(conn, "RELEASE request").await?;
    }
    commit(conn).await
}

async fn commit(conn: &mut SqliteConnection) -> StoreResult<()> {
    sabotage::point("writer.before_commit");
    let committed = statement(conn, "COMMIT").await;
    sabotage::point("writer.after_commit");
    committed.map_err(|error| {
        let StoreError::Unavailable(why) = error else {
            return error;
        };
        StoreError::InDoubt(why)
    })
}

async fn statement(conn: &mut SqliteConnection, sql: &'static str) -> StoreResult<()> {
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}

/// The same error for one more caller.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why) => StoreError::Unavailable(why.clone()),
        StoreError::InDoubt(why) => StoreError::InDoubt(why.clone()),
        StoreError::Taken(why) => StoreError::Taken(why.clone()),
        StoreError::Overtaken(why) => StoreError::Overtaken(why.clone()),
        StoreError::Unfit(why) => StoreError::Unfit(why.clone()),
        StoreError::Corrupt(why) => StoreError::Corrupt(why.clone()),
    }
}
