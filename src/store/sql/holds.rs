//! Operator holds as rows: what stands, what it covers, and the acts that add and lift one.

use super::cells::{Cells, corrupt};
use super::conn::Conn;
use super::save::history;
use crate::domain::message::Channel;
use crate::store::rows::HistoryRow;
use crate::store::{Act, ActError, Acted, HoldId, HoldOn, StandingHold, StoreResult};

/// The condition that a standing hold covers message `m` of notice `n`.
macro_rules! covered {
    () => {
        "EXISTS (SELECT 1 FROM hold h WHERE h.lifted_at IS NULL AND (h.kind = 'all'
           OR (h.kind = 'office' AND h.name = n.office)
           OR (h.kind = 'channel' AND h.name = m.channel)
           OR (h.kind = 'batch' AND (h.name = CAST(n.batch AS TEXT)
             OR n.was_in LIKE '%,' || h.name || ',%'))))"
    };
}
pub(super) use covered;

/// The holds that stand, oldest first; how many messages each keeps is not counted.
pub(super) async fn standing(conn: &mut Conn<'_>) -> StoreResult<Vec<StandingHold>> {
    let sql = "SELECT * FROM hold WHERE lifted_at IS NULL ORDER BY id";
    let found = conn.query(sql).rows().await?;
    found.iter().map(|row| hold(Cells(row))).collect()
}

fn hold(cells: Cells<'_>) -> StoreResult<StandingHold> {
    let (kind, name) = (cells.text("kind")?, cells.text("name")?);
    Ok(StandingHold {
        id: HoldId(cells.int("id")?),
        on: HoldOn::read(&kind, &name).ok_or_else(|| corrupt("kind", &kind))?,
        reason: cells.text("reason")?,
        actor: cells.text("actor")?,
        since: cells.time("added_at")?,
        messages: 0,
        calls: 0,
    })
}

/// The holds that stand, each with the messages that it keeps from leaving.
pub(super) async fn holds(conn: &mut Conn<'_>) -> StoreResult<Vec<StandingHold>> {
    let mut holds = standing(conn).await?;
    for hold in &mut holds {
        hold.messages = kept_by(conn, hold.id, None).await?;
        hold.calls = kept_by(conn, hold.id, Some(Channel::Phone)).await?;
    }
    Ok(holds)
}

async fn kept_by(conn: &mut Conn<'_>, id: HoldId, only: Option<Channel>) -> StoreResult<u32> {
    let sql = "SELECT count(*) FROM message m JOIN notice n ON n.id = m.notice CROSS JOIN hold h
               WHERE h.id = $1 AND (m.state = 'ready'
                 OR (m.state = 'held' AND m.reason = 'operator'))
               AND ($2 = '' OR m.channel = $2)
               AND (h.kind = 'all'
                 OR (h.kind = 'office' AND h.name = n.office)
                 OR (h.kind = 'channel' AND h.name = m.channel)
                 OR (h.kind = 'batch' AND (h.name = CAST(n.batch AS TEXT)
             OR n.was_in LIKE '%,' || h.name || ',%')))";
    let query = conn.query(sql).bind(id.0);
    let kept = query.bind(only.map_or("", Channel::word)).number().await?;
    Ok(u32::try_from(kept).unwrap_or(u32::MAX))
}

impl Act {
    /// Stops what `on` covers.
    pub(super) async fn add_hold(
        &self,
        conn: &mut Conn<'_>,
        on: &HoldOn,
    ) -> StoreResult<Result<Acted, ActError>> {
        if let HoldOn::Batch(batch) = on {
            let sql = "SELECT count(*) FROM batch WHERE id = $1";
            if conn.query(sql).bind(batch.0).number().await? == 0 {
                return Ok(Err(ActError::NoBatch(*batch)));
            }
        }
        conn.await_claims().await?;
        let (kind, name) = on.words();
        let sql = "INSERT INTO hold (kind, name, reason, actor, added_at)
                   VALUES ($1, $2, $3, $4, $5) RETURNING id";
        let query = conn.query(sql).bind(kind).bind(name);
        let query = query.bind(&self.reason).bind(&self.actor);
        let id = query.bind(self.at.timestamp_millis()).number().await?;
        let line = HistoryRow::of_act(self, "hold_added");
        history(conn, &[line]).await?;
        let count = kept_by(conn, HoldId(id), None).await?;
        Ok(Ok(Acted { count }))
    }

    /// Lifts a hold; upkeep frees what it stopped.
    pub(super) async fn lift_hold(
        &self,
        conn: &mut Conn<'_>,
        id: HoldId,
    ) -> StoreResult<Result<Acted, ActError>> {
        let sql = "UPDATE hold SET lifted_at = $2 WHERE id = $1 AND lifted_at IS NULL";
        let query = conn.query(sql).bind(id.0).bind(self.at.timestamp_millis());
        if query.run().await? == 0 {
            return Ok(Err(ActError::NoHold(id)));
        }
        let line = HistoryRow::of_act(self, "hold_lifted");
        history(conn, &[line]).await?;
        let count = kept_by(conn, id, None).await?;
        Ok(Ok(Acted { count }))
    }
}
