//! What moves messages: claims, settlements, reports, sweeps and erasure as writes.

use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::SqliteConnection;

use super::cells::Cells;
use super::load::{self, db_now, list, numbers, rows};
use super::save::save;
use super::writer::Write;
use crate::domain::message::{Channel, MessageId};
use crate::domain::notice::NoticeId;
use crate::store::life::{Due, SweepTimes};
use crate::store::rows::{Hand, Millis};
use crate::store::tables::Tables;
use crate::store::{
    AttemptId, BatchId, Claim, ClaimAsk, Report, ReportEffect, Settlement, StoreResult,
    SweepLimits, Swept, Unresolved,
};

/// Picks what may leave, earliest deadline first. The index is named because it is in that order:
/// the work is that of the limit, however many messages wait.
const PICK: &str = "
SELECT m.id FROM message m INDEXED BY message_claim CROSS JOIN notice n ON n.id = m.notice
WHERE m.channel = ?1 AND m.state = 'ready' AND m.not_before <= ?2 AND m.not_after > ?2
  AND n.superseded = 0 AND (m.repeat = 0 OR (m.gateway = ?4 AND m.dedup_until >= ?5))
  AND NOT EXISTS (
    SELECT 1 FROM notice o JOIN message om ON om.notice = o.id AND om.state = 'sending'
    WHERE o.appointment = n.appointment AND o.role = n.role AND o.revision < n.revision)
ORDER BY m.due_by, m.id LIMIT ?3";

/// The intent: `domain::message` allows `claim` in `ready` only, and so does this. A gateway counts
/// its window from the first hand-over that may have reached it.
const TAKE: &str = "
UPDATE message SET state = 'sending', reason = NULL, fence = fence + 1, attempts = attempts + 1,
  node = ?2, lease_until = ?3, first_attempt_at = coalesce(first_attempt_at, ?4), may_be_out = 1,
  gateway = ?5, quarantine = ?6, lookup = ?7,
  dedup_until = CASE WHEN may_be_out = 1 AND gateway = ?5 THEN dedup_until ELSE ?8 END
WHERE state = 'ready' AND id IN (SELECT value FROM json_each(?1))";

const OPEN_ATTEMPTS: &str = "
INSERT INTO attempt (message, no, fence, gateway, node, intent_at, nonce)
SELECT m.id, m.attempts, m.fence, ?2, ?3, ?4, ?5
FROM json_each(?1) j CROSS JOIN message m ON m.id = j.value ORDER BY j.key";

const WRITE_CLAIMS: &str = "
INSERT INTO history (at, actor, appointment, notice, message, batch, channel, district, office,
  event, from_state, to_state, detail)
SELECT ?2, 'dispatch', n.appointment, n.id, m.id, n.batch, m.channel, n.district, n.office,
  'claim', 'ready', 'sending', 'attempt ' || m.attempts || ' through ' || ?3
FROM json_each(?1) j CROSS JOIN message m ON m.id = j.value JOIN notice n ON n.id = m.notice
ORDER BY j.key";

const READ_CLAIMS: &str = "
SELECT m.id, a.id AS attempt, a.nonce, m.fence, m.attempts, p.address, p.address_kind, p.body, m.sender,
  m.gateway_key, m.not_after, m.give_up_at
FROM json_each(?1) j CROSS JOIN message m ON m.id = j.value
  JOIN attempt a ON a.message = m.id AND a.no = m.attempts
  JOIN message_person p ON p.message = m.id
ORDER BY j.key";

impl Write for ClaimAsk {
    type Answer = Vec<Claim>;

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<Vec<Claim>> {
        let at = self.now.timestamp_millis();
        let db_now = db_now(conn).await?;
        let lease_until = db_now.plus(Millis::of(self.lease));
        let picked: Vec<i64> = sqlx::query_scalar(PICK)
            .bind(self.channel.word())
            .bind(at)
            .bind(self.limit)
            .bind(&self.gateway)
            .bind(lease_until.0)
            .fetch_all(&mut *conn)
            .await?;
        if picked.is_empty() {
            return Ok(Vec::new());
        }
        let ids = list(picked);
        sqlx::query(TAKE)
            .bind(&ids)
            .bind(&self.node)
            .bind(lease_until.0)
            .bind(at)
            .bind(&self.gateway)
            .bind(Millis::of(self.unknowns.quarantine).0)
            .bind(Millis::of(self.unknowns.lookup).0)
            .bind(self.unknowns.dedup_until(db_now).map(|until| until.0))
            .execute(&mut *conn)
            .await?;
        let open = sqlx::query(OPEN_ATTEMPTS).bind(&ids).bind(&self.gateway);
        let open = open.bind(&self.node).bind(at).bind(self.nonce);
        open.execute(&mut *conn).await?;
        let line = sqlx::query(WRITE_CLAIMS).bind(&ids).bind(at);
        line.bind(&self.gateway).execute(&mut *conn).await?;
        let claims = rows(conn, READ_CLAIMS, &ids).await?;
        claims.iter().map(|row| claim(Cells(row))).collect()
    }
}

fn claim(cells: Cells<'_>) -> StoreResult<Claim> {
    Ok(Claim {
        message: MessageId(cells.int("id")?),
        attempt: AttemptId(cells.int("attempt")?),
        nonce: cells.count("nonce")?,
        fence: cells.int("fence")?,
        attempts: cells.count("attempts")?,
        address: cells.address()?,
        body: cells.bytes("body")?,
        sender: cells.text("sender")?,
        gateway_key: cells.text("gateway_key")?,
        not_after: cells.time("not_after")?,
        give_up_at: cells.time("give_up_at")?,
    })
}

/// Settlements as one write.
pub(super) struct Settle(pub(super) Vec<Settlement>);

impl Write for Settle {
    type Answer = Vec<bool>;

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<Vec<bool>> {
        let ids: Vec<_> = self.0.iter().map(|s| s.message.0).collect();
        let mut tables = load::by_messages(conn, &ids).await?;
        let moved = self.0.iter().map(|s| tables.settle(s)).collect();
        save(conn, &tables).await?;
        Ok(moved)
    }
}

/// Reports as one write.
pub(super) struct TakeReports(pub(super) Vec<Report>);

impl Write for TakeReports {
    type Answer = Vec<ReportEffect>;

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<Vec<ReportEffect>> {
        let attempts = list(self.0.iter().map(|r| r.attempt.0));
        let mut tables = by_attempts(conn, &attempts).await?;
        // Reports about attempts that are not known stand in the table too, parked.
        load::reports(conn, &mut tables, &attempts).await?;
        let effects = self.0.iter().map(|r| tables.report(r)).collect();
        save(conn, &tables).await?;
        Ok(effects)
    }
}

async fn by_attempts(conn: &mut SqliteConnection, attempts: &str) -> StoreResult<Tables> {
    let sql =
        "SELECT DISTINCT a.message FROM json_each(?1) j CROSS JOIN attempt a ON a.id = j.value";
    let messages = numbers(conn, sql, attempts).await?;
    let mut tables = load::by_messages(conn, &messages).await?;
    load::next_ids(conn, &mut tables).await?;
    Ok(tables)
}

/// What time asks for.
pub(super) struct Sweep {
    pub(super) now: DateTime<Utc>,
    pub(super) limits: SweepLimits,
}

/// The messages for which a kind of step may be due; `Tables::due` has the last word.
fn due_messages(due: Due) -> &'static str {
    match due {
        Due::LeaseEnd => {
            "SELECT id FROM message WHERE state = 'sending' AND lease_until <= ?2
             ORDER BY lease_until, id LIMIT ?3"
        }
        Due::Expiry => {
            "SELECT id FROM message WHERE state IN ('ready', 'held') AND not_after <= ?1
             ORDER BY not_after, id LIMIT ?3"
        }
        Due::WindowEnd => {
            "SELECT id FROM message WHERE state = 'ready' AND repeat = 1 AND dedup_until <= ?2
             ORDER BY dedup_until, id LIMIT ?3"
        }
        Due::Resolution => {
            "SELECT id FROM message
             WHERE state = 'unknown' AND lease_until + quarantine + lookup <= ?2
             ORDER BY lease_until + quarantine + lookup, id LIMIT ?3"
        }
        Due::ReportDeadline => {
            "SELECT id FROM message WHERE state = 'accepted' AND report_by <= ?1
             ORDER BY report_by, id LIMIT ?3"
        }
    }
}

impl Write for Sweep {
    type Answer = Swept;

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<Swept> {
        let times = SweepTimes {
            now: self.now,
            db_now: db_now(conn).await?,
        };
        let mut ids: Vec<i64> = Vec::new();
        for due in Due::ALL {
            let found = sqlx::query_scalar::<_, i64>(due_messages(due))
                .bind(self.now.timestamp_millis())
                .bind(times.db_now.0)
                .bind(self.limits.batch);
            ids.extend(found.fetch_all(&mut *conn).await?);
        }
        let mut swept = Swept::default();
        if !ids.is_empty() {
            let mut tables = load::by_messages(conn, &ids).await?;
            let ids: Vec<_> = ids.into_iter().map(MessageId).collect();
            swept = tables.sweep(&ids, &times);
            save(conn, &tables).await?;
        }
        self.unpark(conn).await?;
        swept.let_go = self.let_go(conn).await?;
        self.end_empty_batches(conn).await?;
        Ok(swept)
    }
}

impl Sweep {
    /// Tries parked reports again whose attempt is known by now.
    async fn unpark(&self, conn: &mut SqliteConnection) -> StoreResult<()> {
        let sql = "SELECT DISTINCT r.attempt FROM report r
                   JOIN attempt a ON a.id = r.attempt AND a.nonce = r.nonce
                   WHERE r.standing = 'parked' ORDER BY r.attempt LIMIT ?1";
        let found: Vec<i64> = sqlx::query_scalar(sql)
            .bind(self.limits.batch)
            .fetch_all(&mut *conn)
            .await?;
        if found.is_empty() {
            return Ok(());
        }
        let mut tables = by_attempts(conn, &list(found)).await?;
        tables.unpark(&Hand::part("upkeep", self.now));
        save(conn, &tables).await
    }

    /// Parked reports whose attempt has not come to light in time are kept and tried no more.
    async fn let_go(&self, conn: &mut SqliteConnection) -> StoreResult<u32> {
        let sql = "UPDATE report SET standing = 'let_go' WHERE id IN (
                     SELECT id FROM report WHERE standing = 'parked' AND at <= ?1
                     ORDER BY at, id LIMIT ?2)";
        let old = sqlx::query(sql).bind(self.limits.parked_before(self.now).timestamp_millis());
        let done = old.bind(self.limits.batch).execute(conn).await?;
        Ok(u32::try_from(done.rows_affected()).unwrap_or(u32::MAX))
    }

    async fn end_empty_batches(&self, conn: &mut SqliteConnection) -> StoreResult<()> {
        let sql = "SELECT b.id FROM batch b WHERE b.state IN ('held', 'releasing')
                   AND NOT EXISTS (
                     SELECT 1 FROM notice n JOIN message m ON m.notice = n.id
                     WHERE n.batch = b.id AND m.state = 'held' AND m.reason = 'brake')";
        let empty: Vec<i64> = sqlx::query_scalar(sql).fetch_all(&mut *conn).await?;
        if empty.is_empty() {
            return Ok(());
        }
        let mut tables = Tables::default();
        load::add_batches(conn, &mut tables, &empty).await?;
        let ids: Vec<_> = empty.into_iter().map(BatchId).collect();
        tables.end_empty_batches(&ids, self.now);
        save(conn, &tables).await
    }
}

/// The unknowns about which a gateway may be asked; `Tables::unresolved` has the last word.
pub(super) async fn to_ask(
    conn: &mut SqliteConnection,
    gateway: &str,
    limit: u32,
) -> StoreResult<Vec<Unresolved>> {
    let db_now = db_now(conn).await?;
    let sql = "SELECT id FROM message
               WHERE gateway = ?1 AND state = 'unknown' AND lookup > 0
                 AND lease_until + quarantine <= ?2
               ORDER BY lease_until + quarantine, id LIMIT ?3";
    let found = sqlx::query_scalar::<_, i64>(sql);
    let ids = found.bind(gateway).bind(db_now.0).bind(limit);
    let ids = ids.fetch_all(&mut *conn).await?;
    let tables = load::by_messages(conn, &ids).await?;
    let ids = ids.into_iter().map(MessageId);
    Ok(ids
        .filter_map(|id| tables.unresolved(id, gateway, db_now))
        .collect())
}

/// Personal data of what ended before a time.
pub(super) struct Erase {
    pub(super) before: DateTime<Utc>,
    pub(super) limit: u32,
}

impl Write for Erase {
    type Answer = u32;

    async fn write(&self, conn: &mut SqliteConnection) -> StoreResult<u32> {
        let before = self.before.timestamp_millis();
        // What a person was told decides what they must be told next, so a notice stays whole until
        // its appointment is over too.
        let sql = "SELECT n.id FROM notice n JOIN appointment a ON a.id = n.appointment
                   WHERE n.ended_at < ?1 AND n.reference IS NOT NULL AND n.not_after < ?1
                     AND a.start_at < ?1
                   ORDER BY n.ended_at, n.id LIMIT ?2";
        let query = sqlx::query_scalar(sql).bind(before).bind(self.limit);
        let ended: Vec<i64> = query.fetch_all(&mut *conn).await?;
        if !ended.is_empty() {
            let mut tables = load::by_notices(conn, &ended).await?;
            let ids: Vec<_> = ended.iter().copied().map(NoticeId).collect();
            let erased = tables.erase(&ids);
            save(conn, &tables).await?;
            let sql = "DELETE FROM message_person
                       WHERE message IN (SELECT value FROM json_each(?1))";
            let erased = list(erased.iter().map(|m| m.0));
            sqlx::query(sql).bind(erased).execute(&mut *conn).await?;
        }
        let people = self.erase_people(conn).await?;
        // Either may have reached the limit, and then there is more to erase at once.
        Ok(u32::try_from(ended.len().max(people)).unwrap_or(u32::MAX))
    }
}

impl Erase {
    /// Past appointments whose notices are all erased lose their persons, and with them the
    /// fingerprint that was made of them.
    async fn erase_people(&self, conn: &mut SqliteConnection) -> StoreResult<usize> {
        let sql = "SELECT a.id FROM appointment a
                   WHERE a.start_at < ?1 AND a.fingerprint IS NOT NULL AND NOT EXISTS (
                     SELECT 1 FROM notice n
                     WHERE n.appointment = a.id AND n.reference IS NOT NULL)
                   ORDER BY a.start_at LIMIT ?2";
        let past: Vec<i64> = sqlx::query_scalar(sql)
            .bind(self.before.timestamp_millis())
            .bind(self.limit)
            .fetch_all(&mut *conn)
            .await?;
        let count = past.len();
        let past = json!(past).to_string();
        for sql in [
            "DELETE FROM appointment_person
             WHERE appointment IN (SELECT value FROM json_each(?1))",
            "UPDATE appointment SET fingerprint = NULL
             WHERE id IN (SELECT value FROM json_each(?1))",
        ] {
            sqlx::query(sql).bind(&past).execute(&mut *conn).await?;
        }
        Ok(count)
    }
}

/// The instant at which the next message of a channel may leave.
pub(super) async fn next_due(
    conn: &mut SqliteConnection,
    channel: Channel,
) -> StoreResult<Option<DateTime<Utc>>> {
    let sql = "SELECT min(not_before) AS next FROM message WHERE channel = ?1 AND state = 'ready'";
    let row = sqlx::query(sql)
        .bind(channel.word())
        .fetch_one(conn)
        .await?;
    Cells(&row).maybe_time("next")
}
