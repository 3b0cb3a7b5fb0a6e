//! What a node tells of itself, and the secrets of the store.

use std::time::Duration;

use super::Write;
use super::cells::{Cells, corrupt};
use super::conn::Conn;
use crate::store::StoreResult;
use crate::store::rows::Millis;

/// A node has just started: what an earlier process of its name held, it holds no more.
pub(super) struct Join {
    pub(super) node: String,
    /// So long after its last beat the earlier process may still begin to send; zero where it is
    /// certainly dead.
    pub(super) trust: Duration,
}

impl Write for Join {
    type Answer = u32;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<u32> {
        let now = conn.now().await?.0;
        // Of a node that a recovery has forgotten nobody knows when it beat last.
        let sql = "SELECT coalesce(max(beat_at), $2) FROM node WHERE name = $1";
        let last_beat = conn.query(sql).bind(&self.node).bind(now).number().await?;
        let end = now.max(last_beat + Millis::of(self.trust).0);
        let sql = "INSERT INTO node (name, started_at, beat_at) VALUES ($1, $2, $2)
                   ON CONFLICT (name) DO UPDATE SET started_at = $2, beat_at = $2";
        conn.query(sql).bind(&self.node).bind(now).run().await?;
        let sql = "SELECT DISTINCT n.appointment FROM message m JOIN notice n ON n.id = m.notice
                   WHERE m.state = 'sending' AND m.node = $1 ORDER BY n.appointment";
        let concerned = conn.query(sql).bind(&self.node).numbers().await?;
        conn.lock_appointments(&concerned).await?;
        let sql = "UPDATE message SET lease_until = $2
                   WHERE state = 'sending' AND node = $1 AND lease_until > $2";
        let ended = conn.query(sql).bind(&self.node).bind(end).run().await?;
        Ok(u32::try_from(ended).unwrap_or(u32::MAX))
    }
}

/// A node is alive.
pub(in crate::store) struct Beat(pub(in crate::store) String);

impl Write for Beat {
    type Answer = ();

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let now = conn.now().await?.0;
        let sql = "INSERT INTO node (name, started_at, beat_at) VALUES ($1, $2, $2)
                   ON CONFLICT (name) DO UPDATE SET beat_at = $2";
        conn.query(sql).bind(&self.0).bind(now).run().await?;
        Ok(())
    }
}

/// A secret, drawn when it is first asked for.
pub(super) struct Secret(pub(super) String);

impl Write for Secret {
    type Answer = [u8; 32];

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<[u8; 32]> {
        let drawn: [u8; 32] = rand::random();
        let sql = "INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        let query = conn.query(sql).bind(&self.0).bind(drawn.as_slice());
        query.run().await?;
        let sql = "SELECT value FROM secret WHERE name = $1";
        let row = conn.query(sql).bind(&self.0).one().await?;
        let kept = Cells(&row).bytes("value")?;
        kept.try_into()
            .map_err(|_| corrupt("value", "a secret has 32 bytes"))
    }
}
