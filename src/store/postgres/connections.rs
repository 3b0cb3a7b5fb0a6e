//! A few connections that are lent out one at a time.
//!
//! A line that is not given back by [`Line::keep`] is dropped with its connection: whatever state
//! an error, a limit or a panic left it in, nobody meets it again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Address, MORE_PATIENCE, fitness, statement};
use crate::store::{StoreError, StoreResult};

/// The share of a task's time in which a connection that lay idle has to answer.
const IDLE_SHARE: u32 = 3;

/// Connections to one database, at most so many at once.
pub(super) struct Connections {
    address: Address,
    most: usize,
    idle: Mutex<Vec<PgConnection>>,
    permits: Arc<Semaphore>,
}

impl Connections {
    pub(super) fn new(address: Address, most: usize) -> Arc<Self> {
        Arc::new(Self {
            address,
            most,
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(most)),
        })
    }

    /// How long a task may take that touches few rows.
    pub(super) fn patience(&self) -> Duration {
        self.address.patience
    }

    /// How long a whole task may take, which may be one that touches many rows.
    pub(super) fn patience_with(&self, large: bool) -> Duration {
        self.address.patience * if large { MORE_PATIENCE } else { 1 }
    }

    /// Waits for a free line.
    pub(super) async fn line(self: &Arc<Self>) -> StoreResult<Line> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let closed = |_| StoreError::Unavailable("the store is closed".to_owned());
        Ok(Line {
            connections: Arc::clone(self),
            conn: None,
            _permit: permit.map_err(closed)?,
        })
    }

    /// Lends out no more, waits for what is lent out, and says goodbye to the server.
    pub(super) async fn close(&self) {
        let most = u32::try_from(self.most).unwrap_or(u32::MAX);
        let all = self.permits.acquire_many(most).await;
        self.permits.close();
        drop(all);
        for conn in self.take_idle() {
            let _ = tokio::time::timeout(self.address.patience, conn.close()).await;
        }
    }

    /// A connection of one's own.
    pub(super) async fn connect(&self) -> StoreResult<PgConnection> {
        let connecting = async {
            let mut conn = self.address.options.connect().await?;
            fitness::prepare(&mut conn).await?;
            Ok(conn)
        };
        connecting.await.map_err(|error| self.address.at(error))
    }

    fn take_idle(&self) -> Vec<PgConnection> {
        std::mem::take(&mut *self.idle())
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is lent out.
pub(super) struct Line {
    connections: Arc<Connections>,
    conn: Option<PgConnection>,
    _permit: OwnedSemaphorePermit,
}

impl Line {
    /// A new connection.
    pub(super) async fn conn(&mut self) -> StoreResult<&mut PgConnection> {
        let conn = self.connections.connect().await?;
        Ok(self.conn.insert(conn))
    }

    /// Begins a transaction. A connection that lay idle may have died with the server, or with a
    /// link that forgot it and says nothing; then the others died too, and a new one is made:
    /// nothing was asked of it yet.
    pub(super) async fn begin(&mut self, sql: &'static str) -> StoreResult<&mut PgConnection> {
        let lain_idle = self.connections.idle().pop();
        if let Some(mut conn) = lain_idle {
            let limit = self.connections.patience() / IDLE_SHARE;
            let begun = tokio::time::timeout(limit, statement(&mut conn, sql)).await;
            if matches!(begun, Ok(Ok(()))) {
                return Ok(self.conn.insert(conn));
            }
            drop(self.connections.take_idle());
        }
        let conn = self.conn().await?;
        statement(conn, sql).await?;
        Ok(conn)
    }

    /// Gives the connection back: its transaction has ended as it should.
    pub(super) fn keep(mut self) {
        if let Some(conn) = self.conn.take() {
            self.connections.idle().push(conn);
        }
    }
}
