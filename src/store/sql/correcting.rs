//! Correcting a batch that was wrong: its rows are brought together, and what was decided is written.

use super::conn::Conn;
use super::load;
use super::save::save;
use crate::store::tables::Tables;
use crate::store::{Act, ActError, Acted, BatchId, SeenBatch, StoreResult, Wrong};

/// What a batch that was wrong has come to.
pub(super) async fn wrong(
    conn: &mut Conn<'_>,
    batch: BatchId,
    limit: u32,
) -> StoreResult<Option<Wrong>> {
    let ids = concerned(conn, batch).await?;
    let tables = load(conn, batch, &ids).await?;
    Ok(tables.wrong(batch, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// The numbers of the appointments that a batch concerns.
async fn concerned(conn: &mut Conn<'_>, batch: BatchId) -> StoreResult<Vec<i64>> {
    let sql = "SELECT DISTINCT appointment FROM notice WHERE batch = $1 ORDER BY appointment";
    conn.query(sql).bind(batch.0).numbers().await
}

async fn load(conn: &mut Conn<'_>, batch: BatchId, ids: &[i64]) -> StoreResult<Tables> {
    let mut tables = load::by_appointments(conn, ids).await?;
    load::add_batches(conn, &mut tables, &[batch.0]).await?;
    Ok(tables)
}

impl Act {
    /// Stops what a batch has not sent, and asks for the correction of what it has.
    pub(super) async fn correct(
        &self,
        conn: &mut Conn<'_>,
        seen: &SeenBatch,
    ) -> StoreResult<Result<Acted, ActError>> {
        let ids = concerned(conn, seen.batch).await?;
        conn.lock_appointments(&ids).await?;
        let sql = "SELECT DISTINCT n.batch FROM {ints 1}
                   {join} notice n ON n.appointment = j.value AND n.batch IS NOT NULL";
        let mut batches = conn.query(sql).bind(&ids).numbers().await?;
        batches.push(seen.batch.0);
        conn.lock_batches(&batches).await?;
        let mut tables = load(conn, seen.batch, &ids).await?;
        load::people(conn, &mut tables).await?;
        let acted = tables.correct(self, seen);
        if acted.is_ok() {
            save(conn, &tables).await?;
        }
        Ok(acted)
    }
}
