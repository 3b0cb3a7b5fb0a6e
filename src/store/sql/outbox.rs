//! What moves messages beside claims and settlements: reports, sweeps and erasure as writes.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Write;
use super::bundles::carried_by;
use super::cells::{Cells, corrupt};
use super::conn::Conn;
use super::holds::{covered, standing};
use super::load;
use super::save::save;
use crate::domain::brake::Canary;
use crate::domain::message::{Channel, MessageId};
use crate::domain::notice::NoticeId;
use crate::store::due::{Due, SweepTimes};
use crate::store::outbox::Tried;
use crate::store::rows::Hand;
use crate::store::tables::Tables;
use crate::store::{BatchId, Report, ReportEffect, StoreResult, SweepLimits, Swept, Unresolved};

/// Reports as one write.
pub(super) struct TakeReports(pub(super) Vec<Report>);

impl Write for TakeReports {
    type Answer = Vec<ReportEffect>;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Vec<ReportEffect>> {
        conn.lock_creation().await?;
        let attempts: Vec<i64> = self.0.iter().map(|r| r.attempt.0).collect();
        let mut tables = by_attempts(conn, &attempts).await?;
        load::next_ids(conn, &mut tables).await?;
        // Reports about attempts that are not known stand in the table too, parked.
        let mut aside = load::Aside::default();
        load::reports(conn, &mut tables, &mut aside, &attempts).await?;
        aside.none()?;
        let effects = self.0.iter().map(|r| tables.report(r)).collect();
        save(conn, &tables).await?;
        Ok(effects)
    }
}

async fn by_attempts(conn: &mut Conn<'_>, attempts: &[i64]) -> StoreResult<Tables> {
    let sql = "SELECT DISTINCT a.message FROM {ints 1} {join} attempt a ON a.id = j.value";
    let mut messages = conn.query(sql).bind(attempts).numbers().await?;
    messages.extend(carried_by(conn, attempts).await?);
    load::by_messages(conn, &messages).await
}

/// The lines are there to try what waits.
pub(super) struct TriedNow {
    pub(super) now: DateTime<Utc>,
    pub(super) gap: Duration,
}

impl Write for TriedNow {
    type Answer = DateTime<Utc>;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<DateTime<Utc>> {
        let sql = "SELECT value FROM meta WHERE name = 'tried'";
        let before = match conn.query(sql).maybe().await? {
            Some(row) => Some(read_tried(&Cells(&row).text("value")?)?),
            None => None,
        };
        let tried = Tried::on(before, self.now, self.gap);
        let (last, since) = (tried.last, tried.since);
        let value = format!("{} {}", last.timestamp_millis(), since.timestamp_millis());
        let sql = "INSERT INTO meta (name, value) VALUES ('tried', $1)
                   ON CONFLICT (name) DO UPDATE SET value = $1";
        conn.query(sql).bind(value).run().await?;
        Ok(since)
    }
}

/// The two times as they stand in `meta`, the last one first.
fn read_tried(value: &str) -> StoreResult<Tried> {
    let time = |text: &str| DateTime::from_timestamp_millis(text.parse().ok()?);
    let times = value.split_once(' ');
    let times = times.and_then(|(last, since)| Some((time(last)?, time(since)?)));
    let (last, since) = times.ok_or_else(|| corrupt("tried", value))?;
    Ok(Tried { last, since })
}

/// What time asks of messages.
pub(super) struct Sweep {
    pub(super) now: DateTime<Utc>,
    pub(super) limits: SweepLimits,
}

/// The messages for which a kind of step may be due; `Tables::due` has the last word.
fn due_messages(due: Due) -> &'static str {
    match due {
        Due::LeaseEnd => {
            "SELECT id FROM message WHERE state = 'sending' AND lease_until <= $1
             ORDER BY lease_until, id LIMIT $2"
        }
        Due::Expiry => {
            "SELECT id FROM message WHERE state IN ('ready', 'held') AND not_after <= $1
             ORDER BY not_after, id LIMIT $2"
        }
        Due::GiveUp => concat!(
            "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
             WHERE m.state = 'ready' AND m.channel <> 'phone' AND m.give_up_at <= $1
               AND m.not_before <= $1 AND (m.due_by <= $3 OR m.last_try <= $1)
               AND (m.open_until IS NULL OR m.open_until > $1) AND NOT ",
            covered!(),
            " ORDER BY m.give_up_at, m.id LIMIT $2"
        ),
        Due::Closed => concat!(
            "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
             WHERE m.state = 'ready' AND m.open_until <= $1 AND NOT ",
            covered!(),
            " ORDER BY m.open_until, m.id LIMIT $2"
        ),
        Due::WindowEnd => {
            "SELECT id FROM message WHERE state = 'ready' AND repeat = 1 AND dedup_until <= $1
             ORDER BY dedup_until, id LIMIT $2"
        }
        Due::Resolution => {
            "SELECT id FROM message
             WHERE state = 'unknown' AND lease_until + quarantine + lookup <= $1
             ORDER BY lease_until + quarantine + lookup, id LIMIT $2"
        }
        Due::ReportDeadline => {
            "SELECT id FROM message WHERE state = 'accepted' AND report_by <= $1
             ORDER BY report_by, id LIMIT $2"
        }
        // A hold has no time of its own; every message's number lies above that of the parameter.
        Due::Stop => concat!(
            "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
             WHERE m.state = 'ready' AND m.id > $1 AND ",
            covered!(),
            " ORDER BY m.id LIMIT $2"
        ),
        Due::Free => concat!(
            "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
             WHERE m.state = 'held' AND m.reason = 'operator' AND m.id > $1 AND NOT ",
            covered!(),
            " ORDER BY m.id LIMIT $2"
        ),
    }
}

impl Write for Sweep {
    type Answer = Swept;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Swept> {
        let times = SweepTimes::new(self.now, conn.now().await?, &self.limits);
        let holds = standing(conn).await?;
        let mut ids: Vec<i64> = Vec::new();
        for due in Due::ALL {
            // Without a hold nothing is stopped, and nobody looks through all that waits.
            if due == Due::Stop && holds.is_empty() {
                continue;
            }
            let found = conn
                .query(due_messages(due))
                .bind(match due {
                    Due::Expiry | Due::GiveUp | Due::Closed | Due::ReportDeadline => {
                        self.now.timestamp_millis()
                    }
                    Due::LeaseEnd | Due::WindowEnd | Due::Resolution => times.db_now.0,
                    Due::Stop | Due::Free => 0,
                })
                .bind(self.limits.batch);
            let found = match (due, times.over_by) {
                (Due::GiveUp, None) => continue,
                (Due::GiveUp, Some(by)) => found.bind(by.timestamp_millis()),
                _ => found,
            };
            ids.extend(found.numbers().await?);
        }
        if ids.is_empty() {
            return Ok(Swept::default());
        }
        let mut tables = load::by_messages(conn, &ids).await?;
        tables.holds = holds;
        let ids: Vec<_> = ids.into_iter().map(MessageId).collect();
        let mut swept = tables.sweep(&ids, &times);
        let aside = ids.iter().filter(|id| tables.set_aside.contains_key(id));
        swept.set_aside = u32::try_from(aside.count()).unwrap_or(u32::MAX);
        save(conn, &tables).await?;
        Ok(swept)
    }

    fn is_large(&self) -> bool {
        true
    }
}

/// Parked reports whose attempt is known by now are tried again. A write of its own, as every other
/// part of a sweep: who locks once waits for nobody in a circle.
pub(super) struct Unpark {
    pub(super) now: DateTime<Utc>,
    pub(super) limit: u32,
}

impl Write for Unpark {
    type Answer = ();

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let sql = "SELECT DISTINCT r.attempt FROM report r
                   JOIN attempt a ON a.id = r.attempt AND a.nonce = r.nonce
                   WHERE r.standing = 'parked' ORDER BY r.attempt LIMIT $1";
        let found = conn.query(sql).bind(self.limit).numbers().await?;
        if found.is_empty() {
            return Ok(());
        }
        conn.lock_creation().await?;
        let mut tables = by_attempts(conn, &found).await?;
        load::next_ids(conn, &mut tables).await?;
        tables.unpark(&Hand::part("upkeep", self.now));
        save(conn, &tables).await
    }
}

/// Parked reports whose attempt has not come to light in time are kept and tried no more.
pub(super) struct LetGo {
    pub(super) now: DateTime<Utc>,
    pub(super) limits: SweepLimits,
}

impl Write for LetGo {
    type Answer = u32;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<u32> {
        let sql = "UPDATE report SET standing = 'let_go' WHERE id IN (
                     SELECT r.id FROM report r WHERE r.standing = 'parked' AND r.at <= $1
                     ORDER BY r.at, r.id LIMIT $2 {lock r or skip})";
        let before = self.limits.parked_before(self.now).timestamp_millis();
        let old = conn.query(sql).bind(before).bind(self.limits.batch);
        Ok(u32::try_from(old.run().await?).unwrap_or(u32::MAX))
    }
}

/// Batches whose first people have fared well for a while.
pub(super) struct ReleaseRests {
    pub(super) now: DateTime<Utc>,
    pub(super) limits: SweepLimits,
}

/// The held batches whose first people were let go long enough ago, with the batch of those.
const CANARIES: &str = "
SELECT b.id, b.canary FROM batch b JOIN batch c ON c.id = b.canary
WHERE b.state = 'held' AND c.state <> 'releasing' AND c.released_at <= $1 ORDER BY b.id";

impl Write for ReleaseRests {
    type Answer = ();

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let before = self.limits.canaries_before(self.now).timestamp_millis();
        for row in &conn.query(CANARIES).bind(before).rows().await? {
            let cells = Cells(row);
            let (id, canary) = (cells.int("id")?, cells.int("canary")?);
            let mut tables = by_batch(conn, canary).await?;
            if tables.canary_of(BatchId(canary)) != Canary::Fine {
                continue;
            }
            conn.lock_batches(&[id]).await?;
            load::add_batches(conn, &mut tables, &[id]).await?;
            tables.release_rest(BatchId(id), self.now);
            save(conn, &tables).await?;
        }
        Ok(())
    }
}

/// The notices of a batch with their messages.
pub(super) async fn by_batch(conn: &mut Conn<'_>, batch: i64) -> StoreResult<Tables> {
    let sql = "SELECT id FROM notice WHERE batch = $1 ORDER BY id";
    let notices = conn.query(sql).bind(batch).numbers().await?;
    load::by_notices(conn, &notices).await
}

/// Open batches of which nothing is held any more.
pub(super) struct EndEmptyBatches {
    pub(super) now: DateTime<Utc>,
}

/// The open batches, and of these those that hold nothing.
const EMPTY_BATCHES: &str = "
SELECT b.id FROM batch b WHERE b.state IN ('held', 'releasing')
  AND NOT EXISTS (
    SELECT 1 FROM notice n JOIN message m ON m.notice = n.id
    WHERE n.batch = b.id AND m.state = 'held' AND m.reason = 'brake')";

impl Write for EndEmptyBatches {
    type Answer = ();

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let empty = conn.query(EMPTY_BATCHES).numbers().await?;
        if empty.is_empty() {
            return Ok(());
        }
        conn.lock_batches(&empty).await?;
        // Whoever held the lock may have put something into one.
        let empty = conn.query(EMPTY_BATCHES).numbers().await?;
        let mut tables = Tables::default();
        load::add_batches(conn, &mut tables, &empty).await?;
        let ids: Vec<_> = empty.into_iter().map(BatchId).collect();
        tables.end_empty_batches(&ids, self.now);
        save(conn, &tables).await
    }
}

/// The unknowns about which a gateway may be asked; `Tables::unresolved` has the last word.
pub(super) async fn to_ask(
    conn: &mut Conn<'_>,
    gateway: &str,
    limit: u32,
) -> StoreResult<Vec<Unresolved>> {
    let db_now = conn.now().await?;
    let sql = "SELECT m.id FROM message m
               WHERE m.state = 'unknown' AND m.lookup > 0 AND m.lease_until + m.quarantine <= $2
                 AND EXISTS (SELECT 1 FROM attempt a WHERE a.message = m.id AND a.gateway = $1
                   AND a.carrier IS NULL AND (a.outcome IS NULL OR a.outcome = 'unknown')
                   AND NOT EXISTS (SELECT 1 FROM attempt c WHERE c.carrier = a.id))
               ORDER BY m.lease_until + m.quarantine, m.id LIMIT $3";
    let ids = conn.query(sql).bind(gateway).bind(db_now.0).bind(limit);
    let ids = ids.numbers().await?;
    let sql = "SELECT DISTINCT t.message FROM {ints 1} {join} attempt a ON a.message = j.value
                 {join} attempt t ON t.carrier = a.id";
    let mut all = conn.query(sql).bind(&ids).numbers().await?;
    all.extend(&ids);
    let tables = load::by_messages(conn, &all).await?;
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

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<u32> {
        let before = self.before.timestamp_millis();
        // What a person was told decides what they must be told next, so a notice stays whole until
        // its appointment is over too.
        let sql = "SELECT n.id FROM notice n JOIN appointment a ON a.id = n.appointment
                   WHERE n.ended_at < $1 AND n.reference IS NOT NULL AND n.not_after < $1
                     AND a.start_at < $1
                   ORDER BY n.ended_at, n.id LIMIT $2";
        let query = conn.query(sql).bind(before).bind(self.limit);
        let ended = query.numbers().await?;
        if !ended.is_empty() {
            let mut tables = load::by_notices(conn, &ended).await?;
            let ids: Vec<_> = ended.iter().copied().map(NoticeId).collect();
            let erased = tables.erase(&ids);
            save(conn, &tables).await?;
            let sql = "DELETE FROM message_person
                       WHERE message IN (SELECT j.value FROM {ints 1})";
            let erased: Vec<i64> = erased.iter().map(|m| m.0).collect();
            conn.query(sql).bind(erased).run().await?;
        }
        Ok(u32::try_from(ended.len()).unwrap_or(u32::MAX))
    }

    fn is_large(&self) -> bool {
        true
    }
}

/// Past appointments whose notices are all erased lose their persons, and with them the fingerprint
/// that was made of them.
pub(super) struct ErasePeople {
    pub(super) before: DateTime<Utc>,
    pub(super) limit: u32,
}

impl Write for ErasePeople {
    type Answer = u32;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<u32> {
        let sql = "SELECT a.id FROM appointment a
                   WHERE a.start_at < $1 AND a.fingerprint IS NOT NULL AND NOT EXISTS (
                     SELECT 1 FROM notice n
                     WHERE n.appointment = a.id AND n.reference IS NOT NULL)
                   ORDER BY a.start_at LIMIT $2 {lock a or skip}";
        let query = conn.query(sql).bind(self.before.timestamp_millis());
        let past = query.bind(self.limit).numbers().await?;
        for sql in [
            "DELETE FROM appointment_person
             WHERE appointment IN (SELECT j.value FROM {ints 1})",
            "UPDATE appointment SET fingerprint = NULL
             WHERE id IN (SELECT j.value FROM {ints 1})",
        ] {
            conn.query(sql).bind(&past).run().await?;
        }
        Ok(u32::try_from(past.len()).unwrap_or(u32::MAX))
    }

    fn is_large(&self) -> bool {
        true
    }
}

/// The instant at which the next message of a channel may leave.
pub(super) async fn next_due(
    conn: &mut Conn<'_>,
    channel: Channel,
) -> StoreResult<Option<DateTime<Utc>>> {
    let sql = "SELECT min(not_before) AS next FROM message WHERE channel = $1 AND state = 'ready'";
    let row = conn.query(sql).bind(channel.word()).one().await?;
    Cells(&row).maybe_time("next")
}
