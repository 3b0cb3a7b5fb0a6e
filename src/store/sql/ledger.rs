//! What intake reads, and the one write that records what it decided.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::json;

use super::Write;
use super::cells::{Cells, corrupt};
use super::conn::{Conn, Row};
use super::load;
use super::save::save;
use super::words;
use crate::domain::appointment::{BookingKey, Fingerprint, SourceName, Standing};
use crate::domain::brake::LATELY;
use crate::domain::closing::{Announced, Closing, ClosingId, ClosingKind, NextStep};
use crate::domain::directory::{OfficeId, ServiceKind};
use crate::domain::language::{Language, Texts};
use crate::domain::marks::{Mark, Marks};
use crate::domain::message::MessageId;
use crate::domain::notice::NoticeId;
use crate::store::tables::Tables;
use crate::store::{Known, NewFault, Page, Record, Recorded, StoreResult, Watched};

/// The marks of a source's bookings from `now` on.
pub(super) async fn marks(
    conn: &mut Conn<'_>,
    source: &SourceName,
    now: DateTime<Utc>,
) -> StoreResult<Marks> {
    let sql = "SELECT key, fingerprint, absent, standing, start_at FROM appointment
               WHERE source = $1 AND start_at >= $2";
    let query = conn.query(sql).bind(&source.0).bind(now.timestamp_millis());
    let mut marks = Marks::default();
    let each = |row: &Row| {
        let cells = Cells(row);
        let print = cells.maybe_bytes("fingerprint")?;
        let print = print.map(|bytes| load::fingerprint(&bytes)).transpose()?;
        let mark = Mark {
            fingerprint: print.unwrap_or(Fingerprint(0)),
            absent: cells.count("absent")?,
            cancelled: cells.text("standing")? == words::standing(Standing::Cancelled),
            start: cells.time("start_at")?,
        };
        marks.set(&BookingKey(cells.text("key")?), &mark);
        Ok(())
    };
    query.each(each).await?;
    Ok(marks)
}

/// What is remembered of a source itself, and what was found of it in the hour before.
pub(super) async fn watched(
    conn: &mut Conn<'_>,
    source: &SourceName,
    now: DateTime<Utc>,
) -> StoreResult<Watched> {
    let sql = "SELECT baseline, snapshot_at, mapping FROM source WHERE name = $1";
    let row = conn.query(sql).bind(&source.0).maybe().await?;
    let Some(row) = row else {
        return Ok(Watched::default());
    };
    let cells = Cells(&row);
    Ok(Watched {
        baseline: cells.flag("baseline")?,
        snapshot_at: cells.maybe_time("snapshot_at")?,
        mapping: cells.maybe_text("mapping")?,
        lately: lately(conn, source, now).await?,
    })
}

async fn lately(conn: &mut Conn<'_>, source: &SourceName, now: DateTime<Utc>) -> StoreResult<u32> {
    let sql = "SELECT CAST(coalesce(sum(f.changes), 0) AS BIGINT) FROM found f
               LEFT JOIN batch b ON b.id = f.batch
               WHERE f.source = $1 AND f.at > $2 AND (f.batch IS NULL OR b.state = 'held')";
    let query = conn.query(sql).bind(&source.0);
    let found = query.bind((now - LATELY).timestamp_millis()).number();
    Ok(u32::try_from(found.await?).unwrap_or(u32::MAX))
}

/// Everything known of these appointments, in the order of their numbers.
pub(super) async fn known(conn: &mut Conn<'_>, ids: &[i64]) -> StoreResult<Vec<Known>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut tables = load::by_appointments(conn, ids).await?;
    load::people(conn, &mut tables).await?;
    let ids = tables.appointments.keys();
    Ok(ids.filter_map(|id| tables.known(*id)).collect())
}

/// The numbers of the bookings with these keys.
pub(super) async fn ids_of(
    conn: &mut Conn<'_>,
    source: &SourceName,
    keys: impl Iterator<Item = &BookingKey>,
) -> StoreResult<Vec<i64>> {
    let keys: Vec<String> = keys.map(|k| k.0.clone()).collect();
    let sql = "SELECT DISTINCT a.id FROM {texts 1}
               {join} appointment a ON a.source = $2 AND a.key = j.value ORDER BY a.id";
    let query = conn.query(sql).bind(keys).bind(&source.0);
    query.numbers().await
}

/// Bookings whose batch is being released and of which the brake still holds messages.
pub(super) async fn released(conn: &mut Conn<'_>, page: Page) -> StoreResult<Vec<Known>> {
    let sql = "SELECT DISTINCT n.appointment FROM batch b
               JOIN notice n ON n.batch = b.id
               JOIN message m ON m.notice = n.id AND m.state = 'held' AND m.reason = 'brake'
               WHERE b.state = 'releasing' AND n.appointment > $2
               ORDER BY n.appointment LIMIT $1";
    let query = conn.query(sql).bind(page.limit).bind(page.after.0);
    let ids = query.numbers().await?;
    known(conn, &ids).await
}

/// Bookings with a notice whose next rung is due.
pub(super) async fn climbable(conn: &mut Conn<'_>, page: Page) -> StoreResult<Vec<Known>> {
    let sql = "SELECT DISTINCT appointment FROM notice WHERE climb = 1 AND appointment > $2
               ORDER BY appointment LIMIT $1";
    let query = conn.query(sql).bind(page.limit).bind(page.after.0);
    let ids = query.numbers().await?;
    known(conn, &ids).await
}

/// Bookings for which a person asked for something that can be written now.
pub(super) async fn asked(conn: &mut Conn<'_>, page: Page) -> StoreResult<Vec<Known>> {
    let sql = "SELECT id FROM appointment
               WHERE occasions <> '' AND id > $2
                 AND (standing = 'active' OR occasions LIKE '%\"rebooking\"%')
               ORDER BY id LIMIT $1";
    let query = conn.query(sql).bind(page.limit).bind(page.after.0);
    let ids = query.numbers().await?;
    known(conn, &ids).await
}

impl Write for Record {
    type Answer = Recorded;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Recorded> {
        let creates = self.batch.is_some() || !self.entries.is_empty();
        if creates {
            conn.lock_creation().await?;
        }
        self.check_lease(conn).await?;
        let ids = self.lock(conn).await?;
        let baseline = self.write_source(conn).await?;
        self.write_absences(conn).await?;
        self.write_faults(conn).await?;
        if !creates {
            return Ok(Recorded::default());
        }
        let mut tables = self.load(conn, &ids).await?;
        let recorded = tables.record(self, baseline);
        save(conn, &tables).await?;
        for (closing, count) in &recorded.admitted {
            let sql = "UPDATE closing SET admitted = admitted + $2 WHERE id = $1";
            let query = conn.query(sql).bind(closing.0).bind(*count);
            query.run().await?;
        }
        self.write_found(conn, &recorded).await?;
        Ok(recorded)
    }

    fn wakes(&self) -> bool {
        !self.entries.is_empty()
    }

    fn is_large(&self) -> bool {
        true
    }
}

impl Record {
    /// Locks every booking it concerns; the answer is those of the entries.
    async fn lock(&self, conn: &mut Conn<'_>) -> StoreResult<Vec<i64>> {
        let entries = self.entries.iter().map(|e| &e.appointment.key);
        let concerned = entries.clone().chain(&self.absent).chain(&self.back);
        let concerned = ids_of(conn, &self.source, concerned).await?;
        conn.lock_appointments(&concerned).await?;
        let sql = "SELECT DISTINCT n.batch FROM {ints 1}
                   {join} notice n ON n.appointment = j.value AND n.batch IS NOT NULL";
        let batches = conn.query(sql).bind(&concerned).numbers().await?;
        conn.lock_batches(&batches).await?;
        ids_of(conn, &self.source, entries).await
    }

    /// Makes the source fresh; the answer is whether its baseline was complete before.
    async fn write_source(&self, conn: &mut Conn<'_>) -> StoreResult<bool> {
        let sql = "SELECT coalesce(max(baseline), 0) FROM source WHERE name = $1";
        let baseline = conn.query(sql).bind(&self.source.0).number().await? != 0;
        let sql = "INSERT INTO source (name) VALUES ($1) ON CONFLICT (name) DO NOTHING";
        conn.query(sql).bind(&self.source.0).run().await?;
        if let Some(snapshot) = self.snapshot {
            let sql =
                "UPDATE source SET baseline = 1, snapshot_at = $2, row_count = $3, faults = $4
                       WHERE name = $1";
            let query = conn.query(sql).bind(&self.source.0);
            let query = query.bind(self.at.timestamp_millis());
            query
                .bind(snapshot.rows)
                .bind(snapshot.faults)
                .run()
                .await?;
        }
        if let Some(mapping) = &self.mapping {
            let sql = "UPDATE source SET mapping = $2 WHERE name = $1";
            let query = conn.query(sql).bind(&self.source.0);
            query.bind(mapping.as_str()).run().await?;
        }
        Ok(baseline)
    }

    /// What counts against the limits of the hour. What is older than that counts no more.
    async fn write_found(&self, conn: &mut Conn<'_>, recorded: &Recorded) -> StoreResult<()> {
        let changes = self.counted(recorded);
        if changes == 0 {
            return Ok(());
        }
        let sql = "DELETE FROM found WHERE source = $1 AND at <= $2";
        let query = conn.query(sql).bind(&self.source.0);
        let old = (self.at - LATELY).timestamp_millis();
        query.bind(old).run().await?;
        let sql = "INSERT INTO found (source, at, changes, batch) VALUES ($1, $2, $3, $4)";
        let query = conn.query(sql).bind(&self.source.0);
        let query = query.bind(self.at.timestamp_millis()).bind(changes);
        query
            .bind(recorded.batch.map(|batch| batch.0))
            .run()
            .await?;
        Ok(())
    }

    async fn write_absences(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let absent = "UPDATE appointment
                      SET absent = CASE WHEN absent < 255 THEN absent + 1 ELSE 255 END
                      WHERE source = $1 AND key IN (SELECT j.value FROM {texts 2})";
        let back = "UPDATE appointment SET absent = 0
                    WHERE source = $1 AND key IN (SELECT j.value FROM {texts 2})";
        for (sql, keys) in [(absent, &self.absent), (back, &self.back)] {
            if !keys.is_empty() {
                let keys: Vec<String> = keys.iter().map(|k| k.0.clone()).collect();
                let query = conn.query(sql).bind(&self.source.0).bind(keys);
                query.run().await?;
            }
        }
        Ok(())
    }

    /// What is not understood any longer goes; what still reads the same keeps its time.
    async fn write_faults(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let Some(faults) = &self.faults else {
            return Ok(());
        };
        let row = |f: &NewFault| {
            let key = f.key.as_ref().map_or("", |key| key.0.as_str());
            json!([key, f.column, f.problem])
        };
        let rows: Vec<_> = faults.iter().map(row).collect();
        let gone = "DELETE FROM fault WHERE source = $1 AND (key, place, problem) NOT IN
                      (SELECT {text 0}, {text 1}, {text 2} FROM {rows 2})";
        let query = conn.query(gone).bind(&self.source.0).bind_rows(&rows);
        query.run().await?;
        if faults.is_empty() {
            return Ok(());
        }
        let new = "INSERT INTO fault (source, key, place, problem, since)
                   SELECT $1, {text 0}, {text 1}, {text 2}, $3 FROM {rows 2}
                   WHERE true ON CONFLICT (source, key, place) DO NOTHING";
        let query = conn.query(new).bind(&self.source.0).bind_rows(&rows);
        query.bind(self.at.timestamp_millis()).run().await?;
        Ok(())
    }

    /// What stands now of the bookings concerned, and who holds the names that the new rows want.
    async fn load(&self, conn: &mut Conn<'_>, ids: &[i64]) -> StoreResult<Tables> {
        let mut tables = load::by_appointments(conn, ids).await?;
        load::next_ids(conn, &mut tables).await?;
        let notices = || self.entries.iter().flat_map(|e| &e.notices);
        let references: Vec<_> = notices().map(|n| n.reference.to_string()).collect();
        let sql = "SELECT n.id, n.reference FROM {texts 1}
                   {join} notice n ON n.reference = j.value";
        for row in &conn.query(sql).bind(references).rows().await? {
            let cells = Cells(row);
            let id = NoticeId(cells.int("id")?);
            tables.references.insert(cells.parsed("reference")?, id);
        }
        let messages = notices().flat_map(|n| &n.messages);
        let keys: Vec<String> = messages.map(|m| m.gateway_key.clone()).collect();
        let sql = "SELECT m.id, m.gateway_key FROM {texts 1}
                   {join} message m ON m.gateway_key = j.value";
        for row in &conn.query(sql).bind(keys).rows().await? {
            let cells = Cells(row);
            let id = MessageId(cells.int("id")?);
            tables.gateway_keys.insert(cells.text("gateway_key")?, id);
        }
        Ok(tables)
    }
}

/// The closings that end on `now`'s day or later. The offices' own calendars may be a day behind
/// UTC, so one day more is given.
pub(super) async fn closings(
    conn: &mut Conn<'_>,
    now: DateTime<Utc>,
) -> StoreResult<Vec<Announced>> {
    let sql = "SELECT * FROM closing WHERE ended_at IS NULL AND last_day >= $1 ORDER BY id";
    let day = (now - TimeDelta::days(1)).date_naive().to_string();
    let found = conn.query(sql).bind(day).rows().await?;
    found.iter().map(|row| announced(Cells(row))).collect()
}

fn announced(cells: Cells<'_>) -> StoreResult<Announced> {
    Ok(Announced {
        id: ClosingId(cells.int("id")?),
        closing: closing(cells)?,
        admitted: cells.count("admitted")?,
        actor: cells.text("actor")?,
    })
}

fn closing(cells: Cells<'_>) -> StoreResult<Closing> {
    let list = |name: &str| -> StoreResult<Vec<String>> {
        serde_json::from_str(&cells.text(name)?).map_err(|e| corrupt(name, &e.to_string()))
    };
    let kinds = list("kinds")?;
    let kinds: Option<_> = kinds
        .iter()
        .map(|word| ServiceKind::from_word(word))
        .collect();
    let reason: BTreeMap<String, String> = serde_json::from_str(&cells.text("reason")?)
        .map_err(|e| corrupt("reason", &e.to_string()))?;
    let reason = reason.into_iter().map(|(tag, text)| {
        Ok((
            tag.parse::<Language>()
                .map_err(|_| corrupt("reason", &tag))?,
            text,
        ))
    });
    Ok(Closing {
        offices: list("offices")?.into_iter().map(OfficeId).collect(),
        kinds: kinds.ok_or_else(|| corrupt("kinds", "unknown kind"))?,
        from: cells.parsed::<NaiveDate>("first_day")?,
        to: cells.parsed::<NaiveDate>("last_day")?,
        kind: cells.word("kind", ClosingKind::from_word)?,
        next: cells.word("next", NextStep::from_word)?,
        reason: Texts(reason.collect::<StoreResult<_>>()?),
        max: cells.count("max")?,
    })
}

/// Writes a closing that a person announced.
pub(super) async fn add_closing(
    conn: &mut Conn<'_>,
    closing: &Closing,
    actor: &str,
    at: DateTime<Utc>,
) -> StoreResult<()> {
    let offices: Vec<_> = closing.offices.iter().map(|o| &o.0).collect();
    let kinds: Vec<_> = closing.kinds.iter().map(|kind| kind.word()).collect();
    let reason = closing.reason.0.iter();
    let reason: BTreeMap<_, _> = reason.map(|(l, text)| (l.tag(), text)).collect();
    let sql = "INSERT INTO closing
                 (offices, kinds, first_day, last_day, kind, next, reason, actor, added_at, max)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    conn.query(sql)
        .bind(json!(offices).to_string())
        .bind(json!(kinds).to_string())
        .bind(closing.from.to_string())
        .bind(closing.to.to_string())
        .bind(closing.kind.word())
        .bind(closing.next.word())
        .bind(json!(reason).to_string())
        .bind(actor)
        .bind(at.timestamp_millis())
        .bind(closing.max)
        .run()
        .await?;
    Ok(())
}

/// Ends a closing; `false` means that none stands under this number.
pub(super) async fn end_closing(
    conn: &mut Conn<'_>,
    id: ClosingId,
    at: DateTime<Utc>,
) -> StoreResult<bool> {
    let sql = "UPDATE closing SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
    let query = conn.query(sql).bind(id.0).bind(at.timestamp_millis());
    Ok(query.run().await? == 1)
}
