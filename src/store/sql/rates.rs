//! The tokens of a gateway's rate: one row for all nodes, on the database's own clock, taken within the
//! claim that spends them.

use super::cells::Cells;
use super::conn::Conn;
use crate::domain::rate::{Bucket, Rate};
use crate::store::{ClaimAsk, StoreResult};

const READ: &str = "SELECT b.thousandths, b.at FROM bucket b WHERE b.gateway = $1";

impl ClaimAsk {
    /// The tokens that are there, and nobody else takes any until this transaction ends; `None`
    /// where the gateway has no rate.
    pub(super) async fn tokens(&self, conn: &mut Conn<'_>) -> StoreResult<Option<Bucket>> {
        let Some(rate) = self.rate else {
            return Ok(None);
        };
        // Two nodes that both found no row would each have a burst of their own.
        let sql = "INSERT INTO bucket (gateway, thousandths, at) VALUES ($1, $2, {now})
                   ON CONFLICT (gateway) DO NOTHING";
        let full = conn.query(sql).bind(&self.gateway);
        full.bind(rate.full(0).thousandths).run().await?;
        let row = conn.query(&format!("{READ} {{lock b}}"));
        let row = row.bind(&self.gateway).one().await?;
        // The clock is read when the lock is held: what another node wrote meanwhile is older.
        let now = conn.now().await?;
        Ok(Some(rate.filled(bucket(Cells(&row))?, now.0)))
    }

    /// Takes what was claimed out of the bucket.
    pub(super) async fn spend(
        &self,
        conn: &mut Conn<'_>,
        bucket: Bucket,
        claimed: usize,
    ) -> StoreResult<()> {
        let rest = bucket.without(u32::try_from(claimed).unwrap_or(u32::MAX));
        let sql = "UPDATE bucket SET thousandths = $2, at = $3 WHERE gateway = $1";
        let query = conn.query(sql).bind(&self.gateway).bind(rest.thousandths);
        query.bind(rest.at_ms).run().await?;
        Ok(())
    }
}

/// How long until there are tokens again.
pub(super) async fn wait(
    conn: &mut Conn<'_>,
    gateway: &str,
    rate: Rate,
) -> StoreResult<std::time::Duration> {
    let now = conn.now().await?;
    let row = conn.query(READ).bind(gateway).maybe().await?;
    let bucket = row.map(|row| bucket(Cells(&row))).transpose()?;
    Ok(bucket.map_or_else(Default::default, |bucket| rate.wait(bucket, now.0)))
}

fn bucket(cells: Cells<'_>) -> StoreResult<Bucket> {
    Ok(Bucket {
        thousandths: cells.int("thousandths")?,
        at_ms: cells.int("at")?,
    })
}
