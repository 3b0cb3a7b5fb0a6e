//! Waves of invitations: the rows that a wave looks at are brought together, and what was decided is
//! written.

use serde_json::json;

use super::conn::Conn;
use super::load;
use super::save::save;
use crate::store::tables::Tables;
use crate::store::{Act, ActError, Acted, Commitment, NewWave, SeenWave, StoreResult, Wave};

/// What a wave would do.
pub(super) async fn wave(conn: &mut Conn<'_>, wave: &NewWave, limit: u32) -> StoreResult<Wave> {
    let ids = concerned(conn, wave).await?;
    let tables = load(conn, &ids).await?;
    Ok(tables.wave(wave, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// The numbers of the appointments that a wave may invite, and of those that share a number or an
/// address with one of them.
async fn concerned(conn: &mut Conn<'_>, wave: &NewWave) -> StoreResult<Vec<i64>> {
    let offices: Vec<String> = wave.offices.iter().map(|office| office.0.clone()).collect();
    let sql = "SELECT DISTINCT n.appointment FROM notice n
               JOIN appointment a ON a.id = n.appointment
               WHERE a.standing = 'cancelled' AND n.purpose = 'cancellation'
                 AND n.old_office IN (SELECT j.value FROM {texts 1})
               ORDER BY n.appointment";
    let invited = conn.query(sql).bind(offices).numbers().await?;
    with_same_address(conn, invited).await
}

/// These appointments, and those that share a number or an address with one of them.
async fn with_same_address(conn: &mut Conn<'_>, ids: Vec<i64>) -> StoreResult<Vec<i64>> {
    let sql = "SELECT DISTINCT q.appointment FROM appointment_person q
               WHERE q.phone IN (SELECT p.phone FROM {ints 1}
                   {join} appointment_person p ON p.appointment = j.value)
                 OR q.email IN (SELECT p.email FROM {ints 1}
                   {join} appointment_person p ON p.appointment = j.value)
               ORDER BY q.appointment";
    let mut all = conn.query(sql).bind(&ids).numbers().await?;
    all.extend(ids);
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// What was promised and is not kept yet.
pub(super) async fn commitments(conn: &mut Conn<'_>) -> StoreResult<Vec<Commitment>> {
    let sql = "SELECT appointment FROM notice WHERE promises = 1
               UNION SELECT id FROM appointment WHERE occasions <> ''";
    let promised = conn.query(sql).numbers().await?;
    let ids = with_same_address(conn, promised).await?;
    Ok(load(conn, &ids).await?.commitments())
}

async fn load(conn: &mut Conn<'_>, ids: &[i64]) -> StoreResult<Tables> {
    let mut tables = load::by_appointments(conn, ids).await?;
    load::people(conn, &mut tables).await?;
    Ok(tables)
}

impl Act {
    /// Asks for the invitations of a wave.
    pub(super) async fn start_wave(
        &self,
        conn: &mut Conn<'_>,
        (wave, seen): (&NewWave, SeenWave),
    ) -> StoreResult<Result<Acted, ActError>> {
        let ids = concerned(conn, wave).await?;
        conn.lock_appointments(&ids).await?;
        let mut tables = load(conn, &ids).await?;
        let sql = "SELECT coalesce(max(id), 0) + 1 FROM wave";
        let id = conn.query(sql).number().await?;
        let number = u32::try_from(id).unwrap_or(u32::MAX);
        let acted = tables.start_wave(self, (wave, seen), number);
        if let Ok(acted) = &acted {
            let offices: Vec<_> = wave.offices.iter().map(|office| &office.0).collect();
            let services: Vec<_> = wave.services.iter().map(|service| &service.0).collect();
            let sql = "INSERT INTO wave
                         (id, offices, services, capacity, until, people, reason, actor, started_at)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            conn.query(sql)
                .bind(id)
                .bind(json!(offices).to_string())
                .bind(json!(services).to_string())
                .bind(wave.capacity)
                .bind(wave.until.to_string())
                .bind(acted.count)
                .bind(&self.reason)
                .bind(&self.actor)
                .bind(self.at.timestamp_millis())
                .run()
                .await?;
            save(conn, &tables).await?;
        }
        Ok(acted)
    }
}
