//! A node's name on a database that others share: an advisory lock of one session, looked after by
//! each beat.
//!
//! The session ends with a restart of the server, or where a link is cut, while the node lives on.
//! So nobody takes the lock's absence for a death: a node begins to send only within [`TRUST`] of
//! its last beat, each beat is written by the very session that holds the lock, and whoever takes
//! the name later leaves leases alone until that time has passed.

use std::time::Duration;

use sqlx::PgConnection;

use super::Server;
use crate::store::sql::{Conn, Write, nodes::Beat};
use crate::store::{StoreError, StoreResult};

/// So long after a beat a node may begin to send.
pub(crate) const TRUST: Duration = Duration::from_secs(30);

/// How long a beat may take: a few of them have to fit into [`TRUST`].
const BEAT_PATIENCE: Duration = Duration::from_secs(5);

/// A name that this process has, or had until its session was lost.
pub(super) struct Name {
    node: String,
    /// Names this process among the sessions of the server, so that it knows its own.
    life: String,
    session: Option<PgConnection>,
}

impl Server {
    /// Takes a node's name, as long as this process lives. The answer is whether it is new to it:
    /// then another process may have had it before, and may live still.
    pub(in crate::store) async fn take_name(&self, node: &str) -> StoreResult<bool> {
        let mut held = self.name.lock().await;
        if self.still_held(&mut held, node).await {
            return Ok(false);
        }
        let is_new = held.is_none();
        self.take_anew(&mut held, node).await?;
        Ok(is_new)
    }

    /// Says that the node is alive, and takes its name again where the session was lost.
    pub(in crate::store) async fn beat(&self, node: &str) -> StoreResult<()> {
        let mut held = self.name.lock().await;
        if self.still_held(&mut held, node).await {
            return Ok(());
        }
        self.take_anew(&mut held, node).await?;
        match self.still_held(&mut held, node).await {
            true => Ok(()),
            false => Err(unavailable("the session of the node's name was lost")),
        }
    }

    /// Beats through the session that holds the name; one that fails is never used again.
    async fn still_held(&self, held: &mut Option<Name>, node: &str) -> bool {
        let Some(name) = held.as_mut().filter(|name| name.node == node) else {
            return false;
        };
        let Some(mut session) = name.session.take() else {
            return false;
        };
        let beat = Beat(node.to_owned());
        let mut conn = Conn::Postgres(&mut session);
        let beaten = tokio::time::timeout(self.beat_patience(), beat.write(&mut conn)).await;
        if matches!(beaten, Ok(Ok(()))) {
            name.session = Some(session);
        }
        name.session.is_some()
    }

    async fn take_anew(&self, held: &mut Option<Name>, node: &str) -> StoreResult<()> {
        let life = match held.as_ref() {
            Some(name) if name.node == node => name.life.clone(),
            _ => format!("varsel {:016x}", rand::random::<u64>()),
        };
        let limit = self.beat_patience();
        let taking = tokio::time::timeout(limit, self.lock_name(node, &life)).await;
        let session = taking.unwrap_or_else(|_| Err(super::no_answer(limit)))?;
        *held = Some(Name {
            node: node.to_owned(),
            life,
            session: Some(session),
        });
        Ok(())
    }

    async fn lock_name(&self, node: &str, life: &str) -> StoreResult<PgConnection> {
        let mut conn = self.writers.connect().await?;
        let sql = "SELECT set_config('application_name', $1, false)";
        sqlx::query(sql).bind(life).execute(&mut conn).await?;
        let sql = "SELECT pg_try_advisory_lock(hashtextextended('varsel node ' || $1, 0))";
        let taken: bool = sqlx::query_scalar(sql)
            .bind(node)
            .fetch_one(&mut conn)
            .await?;
        if taken {
            return Ok(conn);
        }
        if end_own_ghost(&mut conn, life).await? {
            return Err(unavailable(
                "this node's earlier session still holds its name; it is being ended",
            ));
        }
        Err(StoreError::Taken(format!(
            "a node named \"{node}\" runs on this database; give this one another [node] name"
        )))
    }

    fn beat_patience(&self) -> Duration {
        self.writers.patience().min(BEAT_PATIENCE)
    }
}

/// A session of this process whose link was cut may live on at the server and hold the name. The
/// answer is whether there was one.
async fn end_own_ghost(conn: &mut PgConnection, life: &str) -> StoreResult<bool> {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE application_name = $1 AND pid <> pg_backend_pid()";
    let ended: i64 = sqlx::query_scalar(sql).bind(life).fetch_one(conn).await?;
    Ok(ended > 0)
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}
