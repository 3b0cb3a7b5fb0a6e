//! Lists that cancel appointments, as statements.

use std::collections::BTreeSet;

use serde_json::json;

use super::cells::Cells;
use super::conn::Conn;
use super::save::history;
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::list::ListId;
use crate::store::listing::{Lifted, Listing};
use crate::store::rows::HistoryRow;
use crate::store::{Act, ActError, Acted, NewList, StandingList, StoreResult};

/// Entries per statement: bounds the memory of one JSON text.
const ENTRIES_PER_STATEMENT: usize = 1_000;

/// What lists cancel of a source.
pub(super) async fn listed(
    conn: &mut Conn<'_>,
    source: &SourceName,
) -> StoreResult<BTreeSet<BookingKey>> {
    let sql = "SELECT DISTINCT e.key FROM list_entry e JOIN list l ON l.id = e.list
               WHERE e.source = $1 AND l.lifted_at IS NULL";
    let found = conn.query(sql).bind(&source.0).rows().await?;
    let keys = found.iter().map(|row| Cells(row).text("key"));
    keys.map(|key| key.map(BookingKey)).collect()
}

/// The lists that stand, oldest first.
pub(super) async fn lists(conn: &mut Conn<'_>) -> StoreResult<Vec<StandingList>> {
    let sql = "SELECT l.*, (SELECT count(*) FROM list_entry e WHERE e.list = l.id) AS appointments
               FROM list l WHERE l.lifted_at IS NULL ORDER BY l.id";
    let found = conn.query(sql).rows().await?;
    found.iter().map(|row| standing(Cells(row))).collect()
}

fn standing(cells: Cells<'_>) -> StoreResult<StandingList> {
    Ok(StandingList {
        id: ListId(cells.int("id")?),
        file: cells.text("file")?,
        digest: cells.text("digest")?,
        signed_by: cells.text("signed_by")?,
        actor: cells.text("actor")?,
        reason: cells.text("reason")?,
        since: cells.time("added_at")?,
        appointments: cells.count("appointments")?,
    })
}

/// The lists that name an appointment, or did until they were lifted; oldest first.
pub(super) async fn naming(conn: &mut Conn<'_>, appointment: i64) -> StoreResult<Vec<Listing>> {
    let sql = "SELECT l.*, (SELECT count(*) FROM list_entry o WHERE o.list = l.id) AS appointments,
                 a.actor AS lifted_by, a.reason AS lifted_why
               FROM appointment p
               JOIN list_entry e ON e.source = p.source AND e.key = p.key
               JOIN list l ON l.id = e.list
               LEFT JOIN act a ON l.lifted_at IS NOT NULL
                 AND a.request = 'lift list ' || CAST(l.id AS TEXT)
               WHERE p.id = $1 ORDER BY l.id";
    let found = conn.query(sql).bind(appointment).rows().await?;
    let listing = |row| {
        let cells = Cells(row);
        let lifted = match cells.maybe_time("lifted_at")? {
            None => None,
            Some(at) => Some(Lifted {
                at,
                actor: cells.maybe_text("lifted_by")?.unwrap_or_default(),
                reason: cells.maybe_text("lifted_why")?.unwrap_or_default(),
            }),
        };
        let list = standing(cells)?;
        Ok(Listing { list, lifted })
    };
    found.iter().map(listing).collect()
}

impl Act {
    /// Writes a list down, unless the same one stands.
    pub(super) async fn add_list(&self, conn: &mut Conn<'_>, list: &NewList) -> StoreResult<Acted> {
        let acted = Acted {
            count: u32::try_from(list.named.len()).unwrap_or(u32::MAX),
        };
        let sql = "SELECT count(*) FROM list WHERE digest = $1 AND lifted_at IS NULL";
        if conn.query(sql).bind(&list.digest).number().await? > 0 {
            return Ok(acted);
        }
        let sql = "INSERT INTO list (file, digest, signed_by, actor, reason, added_at)
                   VALUES ($1, $2, $3, $4, $5, $6) RETURNING id";
        let query = conn.query(sql).bind(&list.file).bind(&list.digest);
        let query = query.bind(&list.signed_by).bind(&self.actor);
        let query = query.bind(&self.reason).bind(self.at.timestamp_millis());
        let id = query.number().await?;
        let rows: Vec<_> = list.named.iter().map(|(s, k)| json!([s.0, k.0])).collect();
        let sql = "INSERT INTO list_entry (list, source, key)
                   SELECT $2, {text 0}, {text 1} FROM {rows 1} WHERE true";
        for chunk in rows.chunks(ENTRIES_PER_STATEMENT) {
            conn.query(sql).bind_rows(chunk).bind(id).run().await?;
        }
        history(conn, &[HistoryRow::of_act(self, "list_added")]).await?;
        Ok(acted)
    }

    /// Lifts a list.
    pub(super) async fn lift_list(
        &self,
        conn: &mut Conn<'_>,
        id: ListId,
    ) -> StoreResult<Result<Acted, ActError>> {
        let sql = "UPDATE list SET lifted_at = $2 WHERE id = $1 AND lifted_at IS NULL";
        let query = conn.query(sql).bind(id.0).bind(self.at.timestamp_millis());
        if query.run().await? == 0 {
            return Ok(Err(ActError::NoList(id)));
        }
        history(conn, &[HistoryRow::of_act(self, "list_lifted")]).await?;
        let sql = "SELECT count(*) FROM list_entry WHERE list = $1";
        let count = conn.query(sql).bind(id.0).number().await?;
        Ok(Ok(Acted {
            count: u32::try_from(count).unwrap_or(u32::MAX),
        }))
    }
}
