//! What a node tells of itself, and the secrets of the store.

use sqlx::SqliteConnection;

use super::cells::corrupt;
use super::load::db_now;
use super::writer::Write;
use crate::store::StoreResult;

/// A node has just started under the exclusive lock: whatever it held before, it holds no more.
pub(super) struct Join(pub(super) String);

impl Write for Join {
    type Answer = u32;

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<u32> {
        let now = db_now(conn).await?.0;
        let sql = "INSERT INTO node (name, started_at, beat_at) VALUES (?1, ?2, ?2)
                   ON CONFLICT (name) DO UPDATE SET started_at = ?2, beat_at = ?2";
        sqlx::query(sql)
            .bind(&self.0)
            .bind(now)
            .execute(&mut *conn)
            .await?;
        let sql = "UPDATE message SET lease_until = ?2
                   WHERE state = 'sending' AND node = ?1 AND lease_until > ?2";
        let ended = sqlx::query(sql)
            .bind(&self.0)
            .bind(now)
            .execute(conn)
            .await?;
        Ok(u32::try_from(ended.rows_affected()).unwrap_or(u32::MAX))
    }
}

/// A node is alive.
pub(super) struct Beat(pub(super) String);

impl Write for Beat {
    type Answer = ();

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<()> {
        let now = db_now(conn).await?.0;
        let sql = "INSERT INTO node (name, started_at, beat_at) VALUES (?1, ?2, ?2)
                   ON CONFLICT (name) DO UPDATE SET beat_at = ?2";
        sqlx::query(sql)
            .bind(&self.0)
            .bind(now)
            .execute(conn)
            .await?;
        Ok(())
    }
}

/// A secret, drawn when it is first asked for.
pub(super) struct Secret(pub(super) String);

impl Write for Secret {
    type Answer = [u8; 32];

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<[u8; 32]> {
        let drawn: [u8; 32] = rand::random();
        let sql = "INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING";
        let query = sqlx::query(sql).bind(&self.0).bind(drawn.as_slice());
        query.execute(&mut *conn).await?;
        let sql = "SELECT value FROM secret WHERE name = ?1";
        let kept: Vec<u8> = sqlx::query_scalar(sql)
            .bind(&self.0)
            .fetch_one(conn)
            .await?;
        kept.try_into()
            .map_err(|_| corrupt("value", "a secret has 32 bytes"))
    }
}
