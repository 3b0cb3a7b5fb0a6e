//! Which messages may or may not have reached their gateway, read for people.

use super::conn::Conn;
use super::load;
use crate::store::{StoreResult, Unclear};

/// `Tables::unclear` has the last word; both parts are short where all is well.
const UNCLEAR: &str = "
SELECT id FROM message WHERE state = 'unknown'
  OR (state = 'held' AND reason IN ('unknown', 'poison'))
ORDER BY due_by, id LIMIT $1";

pub(super) async fn unclear(conn: &mut Conn<'_>, limit: u32) -> StoreResult<Vec<Unclear>> {
    let ids = conn.query(UNCLEAR).bind(limit).numbers().await?;
    let tables = load::by_messages(conn, &ids).await?;
    Ok(tables.unclear(ids.len()))
}
