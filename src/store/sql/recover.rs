//! How the store stands to what a node remembers, its locks, and what resolves them.

use chrono::DateTime;
use serde_json::{Value, json};

use super::Write;
use super::cells::{Cells, corrupt};
use super::conn::Conn;
use super::load;
use super::save::{history, save};
use crate::store::ledger::RESTORED;
use crate::store::recovering::{GHOST_CAUSE, GHOST_GATEWAY, GHOST_NO, TURNS_PASSED_OVER};
use crate::store::rows::{Hand, HistoryRow};
use crate::store::{
    Act, ActError, Acted, AttemptId, ClaimAsk, Lock, Locked, Newest, Recovery, Remembered,
    Standing, StoreResult,
};

/// The name of the lock of a whole store in `meta`; that of a node's has the node's name behind it.
const LOCKED: &str = "locked";

/// How the store stands to what a node remembers.
pub(super) async fn standing(
    conn: &mut Conn<'_>,
    node: &str,
    remembered: Option<Remembered>,
) -> StoreResult<Standing> {
    let mut standing = Standing::default();
    let meta = conn.query("SELECT name, value FROM meta ORDER BY name");
    for row in &meta.rows().await? {
        let cells = Cells(row);
        let (name, value) = (cells.text("name")?, cells.text("value")?);
        match name.as_str() {
            "store_id" => standing.store = value,
            "recoveries" => {
                standing.recoveries = value.parse().map_err(|_| corrupt("recoveries", &value))?;
            }
            name if name == LOCKED || name.starts_with("locked ") => {
                standing.locks.push(read_lock(&value)?);
            }
            _ => {}
        }
    }
    let sql = "SELECT count(*) FROM node WHERE name = $1";
    standing.knows_node = conn.query(sql).bind(node).number().await? > 0;
    standing.holds_it = holds(conn, remembered).await?;
    let sql = "SELECT id, nonce, intent_at FROM attempt ORDER BY id DESC LIMIT 1";
    if let Some(row) = conn.query(sql).maybe().await? {
        let cells = Cells(&row);
        standing.newest = Some(Newest {
            attempt: AttemptId(cells.int("id")?),
            nonce: cells.count("nonce")?,
            at: cells.time("intent_at")?,
        });
    }
    Ok(standing)
}

/// Whether the attempt that a node remembers is there.
async fn holds(conn: &mut Conn<'_>, remembered: Option<Remembered>) -> StoreResult<bool> {
    let Some(mark) = remembered.filter(|mark| mark.attempt.0 > 0) else {
        return Ok(true);
    };
    let sql = "SELECT count(*) FROM attempt WHERE id = $1 AND nonce = $2";
    let query = conn.query(sql).bind(mark.attempt.0).bind(mark.nonce);
    Ok(query.number().await? > 0)
}

impl ClaimAsk {
    /// Whether this node may claim: no lock stands, and what it remembers is there, unless a person
    /// has recovered the store since.
    pub(super) async fn may_claim(&self, conn: &mut Conn<'_>) -> StoreResult<bool> {
        let sql = "SELECT count(*) FROM meta WHERE name = $1 OR name = $2";
        let query = conn.query(sql).bind(LOCKED);
        if query.bind(node_lock(&self.node)).number().await? > 0 {
            return Ok(false);
        }
        if holds(conn, self.remembered).await? {
            return Ok(true);
        }
        let then = self.remembered.map_or(0, |mark| mark.recoveries);
        Ok(recoveries(conn).await? > then)
    }
}

async fn recoveries(conn: &mut Conn<'_>) -> StoreResult<u32> {
    let sql = "SELECT value FROM meta WHERE name = 'recoveries'";
    let row = conn.query(sql).maybe().await?;
    let Some(row) = row else { return Ok(0) };
    let value = Cells(&row).text("value")?;
    value.parse().map_err(|_| corrupt("recoveries", &value))
}

fn node_lock(node: &str) -> String {
    format!("{LOCKED} {node}")
}

impl Write for Lock {
    type Answer = ();

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let name = match self.why {
            Locked::OlderState | Locked::Moved => LOCKED.to_owned(),
            Locked::NoJournal => node_lock(&self.node),
        };
        let value = json!({
            "node": self.node,
            "why": self.why.word(),
            "since": self.since.timestamp_millis(),
            "remembered": self.remembered.0,
            "newest": self.newest.map(|n| json!([n.attempt.0, n.nonce, n.at.timestamp_millis()])),
        });
        let sql = "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        let query = conn.query(sql).bind(name).bind(value.to_string());
        query.run().await?;
        Ok(())
    }

    fn wakes(&self) -> bool {
        true
    }
}

/// Whether the store was copied into another database, and nobody has decided otherwise.
pub(super) async fn has_moved(conn: &mut Conn<'_>) -> StoreResult<bool> {
    let sql = "SELECT value FROM meta WHERE name = $1";
    let Some(row) = conn.query(sql).bind(LOCKED).maybe().await? else {
        return Ok(false);
    };
    Ok(read_lock(&Cells(&row).text("value")?)?.why == Locked::Moved)
}

fn read_lock(text: &str) -> StoreResult<Lock> {
    let read = || {
        let value: Value = serde_json::from_str(text).ok()?;
        let newest = value["newest"].as_array().and_then(|newest| {
            Some(Newest {
                attempt: AttemptId(newest.first()?.as_i64()?),
                nonce: u32::try_from(newest.get(1)?.as_i64()?).ok()?,
                at: DateTime::from_timestamp_millis(newest.get(2)?.as_i64()?)?,
            })
        });
        Some(Lock {
            node: value["node"].as_str()?.to_owned(),
            why: Locked::from_word(value["why"].as_str()?)?,
            since: DateTime::from_timestamp_millis(value["since"].as_i64()?)?,
            remembered: AttemptId(value["remembered"].as_i64()?),
            newest,
        })
    };
    read().ok_or_else(|| corrupt("locked", "a lock that cannot be read"))
}

/// Each message that may have been sent after the state put back has an attempt that says so.
const GHOSTS: &str = "
INSERT INTO attempt (message, no, fence, gateway, node, intent_at, nonce, outcome, cause, settled_at)
SELECT m.id, $1, m.fence, $2, $3, $4, 0, 'unknown', $5, $4
FROM message m WHERE m.state IN ('ready', 'held') AND m.channel <> 'phone'
ORDER BY m.id ON CONFLICT (message, no) DO NOTHING";

impl Act {
    /// Resolves every lock that stands.
    pub(super) async fn recover(
        &self,
        conn: &mut Conn<'_>,
        how: Recovery,
    ) -> StoreResult<Result<Acted, ActError>> {
        conn.lock_creation().await?;
        let sql = "DELETE FROM meta WHERE name = 'locked' OR name LIKE 'locked %'";
        if conn.query(sql).run().await? == 0 {
            return Ok(Err(ActError::NotLocked));
        }
        let count = match how {
            Recovery::Ask => self.doubt(conn).await?,
            Recovery::AsItStands => 0,
        };
        let next = recoveries(conn).await? + 1;
        let sql = "INSERT INTO meta (name, value) VALUES ('recoveries', $1)
                   ON CONFLICT (name) DO UPDATE SET value = $1";
        conn.query(sql).bind(next.to_string()).run().await?;
        // A node without a journal may begin anew.
        conn.query("DELETE FROM node").run().await?;
        // What somebody reads just now was compared with what may have been wrong.
        let sql =
            "UPDATE source SET fence = fence + $1, reader = NULL, life = NULL, lease_until = NULL";
        conn.query(sql).bind(TURNS_PASSED_OVER).run().await?;
        history(conn, &[HistoryRow::of_act(self, "recovered")]).await?;
        Ok(Ok(Acted { count }))
    }

    /// What waits may have been sent, and what the sources show may have been told.
    async fn doubt(&self, conn: &mut Conn<'_>) -> StoreResult<u32> {
        let at = self.at.timestamp_millis();
        let query = conn.query(GHOSTS).bind(GHOST_NO).bind(GHOST_GATEWAY);
        let query = query.bind(&self.actor).bind(at).bind(GHOST_CAUSE);
        query.run().await?;
        let sql = "SELECT id FROM notice WHERE ended_at IS NULL AND superseded = 0 ORDER BY id";
        let open = conn.query(sql).numbers().await?;
        let mut tables = load::by_notices(conn, &open).await?;
        load::next_ids(conn, &mut tables).await?;
        let count = tables.recover(&Hand {
            actor: &self.actor,
            at: self.at,
            request: Some(&self.idempotency_key),
        });
        save(conn, &tables).await?;
        let sql = "UPDATE source SET mapping = $1 WHERE baseline = 1";
        conn.query(sql).bind(RESTORED).run().await?;
        Ok(count)
    }
}
