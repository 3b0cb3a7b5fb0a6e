//! The call list as statements: who stands on it, and whom holds hide from it.

use super::conn::Conn;
use super::load;
use crate::store::tables::Tables;
use crate::store::{Call, StoreResult};

/// The call list: only an appointment with an open phone rung can be on it.
pub(super) async fn calls(conn: &mut Conn<'_>) -> StoreResult<Vec<Call>> {
    let sql = "SELECT DISTINCT n.appointment FROM message m JOIN notice n ON n.id = m.notice
               WHERE m.state = 'ready' AND m.channel = 'phone' ORDER BY n.appointment";
    Ok(on_the_phone(conn, sql).await?.calls())
}

/// The calls that holds have stopped.
pub(super) async fn stopped_calls(conn: &mut Conn<'_>) -> StoreResult<Vec<Call>> {
    let sql = "SELECT DISTINCT n.appointment FROM message m JOIN notice n ON n.id = m.notice
               WHERE m.state = 'held' AND m.reason = 'operator' AND m.channel = 'phone'
               ORDER BY n.appointment";
    Ok(on_the_phone(conn, sql).await?.stopped_calls())
}

/// These appointments, with whom they concern.
async fn on_the_phone(conn: &mut Conn<'_>, sql: &'static str) -> StoreResult<Tables> {
    let ids = conn.query(sql).numbers().await?;
    let mut tables = load::by_appointments(conn, &ids).await?;
    load::people(conn, &mut tables).await?;
    Ok(tables)
}
