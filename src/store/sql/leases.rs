//! The right to read a source: one node at a time, on the database's clock, with a fence that each
//! record has to show.

use super::Write;
use super::cells::Cells;
use super::conn::Conn;
use crate::store::rows::Millis;
use crate::store::{Lease, LeaseAsk, Record, StoreError, StoreResult};

impl Write for LeaseAsk {
    type Answer = Option<Lease>;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Option<Lease>> {
        let sql = "INSERT INTO source (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
        conn.query(sql).bind(&self.source.0).run().await?;
        // Looked at before it is written: whoever records holds the row's lock.
        let sql = "SELECT count(*) FROM source
                   WHERE name = $1 AND reader <> $2 AND lease_until > {now}";
        let anothers = conn.query(sql).bind(&self.source.0).bind(&self.node);
        if anothers.number().await? > 0 {
            return Ok(None);
        }
        let sql = "UPDATE source SET reader = $2, life = $3, lease_until = {now} + $4,
                     fence = fence + CASE WHEN reader = $2 AND life = $3 THEN 0 ELSE 1 END
                   WHERE name = $1 AND (reader IS NULL OR reader = $2 OR lease_until <= {now})
                   RETURNING fence";
        let query = conn.query(sql).bind(&self.source.0).bind(&self.node);
        let query = query.bind(self.life).bind(Millis::of(self.length).0);
        let row = query.maybe().await?;
        let lease = |row| {
            Ok(Lease {
                fence: Cells(&row).int("fence")?,
                length: self.length,
            })
        };
        row.map(lease).transpose()
    }
}

impl Record {
    /// Makes sure that nobody else has begun to read the source, and that nobody does before this
    /// is written; the lease begins anew.
    pub(super) async fn check_lease(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let Some(lease) = self.lease else {
            return Ok(());
        };
        let sql = "UPDATE source SET lease_until = {now} + $3
                   WHERE name = $1 AND fence = $2 AND lease_until > {now}";
        let query = conn.query(sql).bind(&self.source.0).bind(lease.fence);
        if query.bind(Millis::of(lease.length).0).run().await? == 1 {
            return Ok(());
        }
        Err(StoreError::Overtaken(format!(
            "this node's turn to read source \"{}\" was over before it had finished",
            self.source
        )))
    }
}
