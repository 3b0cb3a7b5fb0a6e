//! Alarms as rows: raised, ended, given out to one node, and acknowledged.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::Write;
use super::cells::Cells;
use super::conn::Conn;
use super::save::history;
use crate::domain::alarm::{Alarm, AlarmId, AlarmKind, Concern};
use crate::store::alarms::Sighting;
use crate::store::rows::HistoryRow;
use crate::store::{Act, ActError, Acted, StoreResult};

/// The amount of an alarm is the one that was told of last, or less where there is less by now: who acknowledges it knows of
/// no more. One that is due is given out in the same transaction.
const RAISE: &str = "
INSERT INTO alarm (kind, subject, node, text, amount, since, tell_at)
SELECT {text 0}, {text 1}, {text 2}, {text 3}, {int 4}, $2, $2 FROM {rows 1} WHERE true
ON CONFLICT (kind, subject, node) WHERE ended_at IS NULL DO UPDATE SET text = excluded.text,
  amount = CASE WHEN excluded.amount < alarm.amount THEN excluded.amount
                WHEN alarm.tell_at <= $2 THEN excluded.amount ELSE alarm.amount END,
  acked_at = CASE WHEN excluded.amount > alarm.amount THEN NULL ELSE alarm.acked_at END,
  acked_by = CASE WHEN excluded.amount > alarm.amount THEN NULL ELSE alarm.acked_by END
  WHERE alarm.text <> excluded.text OR alarm.amount <> excluded.amount";

const END: &str = "
UPDATE alarm SET ended_at = $2 WHERE ended_at IS NULL AND node IN ('', $3)
  AND NOT EXISTS (SELECT 1 FROM {rows 1}
    WHERE {text 0} = alarm.kind AND {text 1} = alarm.subject AND {text 2} = alarm.node)";

const GIVE_OUT: &str = "
UPDATE alarm SET tell_at = $2, told = told + 1
WHERE ended_at IS NULL AND acked_at IS NULL AND tell_at <= $1 RETURNING *";

impl Write for Sighting {
    type Answer = Vec<Alarm>;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Vec<Alarm>> {
        // Two nodes that raise the same at once would wait for each other.
        conn.lock_creation().await?;
        let row =
            |c: &Concern| json!([c.kind.word(), c.subject, self.seen_by(c), c.text, c.amount]);
        let rows: Vec<_> = self.concerns.iter().map(row).collect();
        let now = self.now.timestamp_millis();
        conn.query(RAISE).bind_rows(&rows).bind(now).run().await?;
        let end = conn.query(END).bind_rows(&rows).bind(now);
        end.bind(&self.node).run().await?;
        let given = conn.query(GIVE_OUT).bind(now);
        let given = given.bind(self.again().timestamp_millis()).rows().await?;
        let mut given = read(&given)?;
        given.sort_by_key(|alarm| alarm.id);
        Ok(given)
    }
}

/// Somebody has been told.
pub(super) struct Told {
    pub(super) alarms: Vec<AlarmId>,
    pub(super) again: DateTime<Utc>,
}

impl Write for Told {
    type Answer = ();

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let ids: Vec<i64> = self.alarms.iter().map(|id| id.0).collect();
        let sql = "UPDATE alarm SET tell_at = $2 WHERE id IN (SELECT j.value FROM {ints 1})";
        let told = conn.query(sql).bind(ids);
        told.bind(self.again.timestamp_millis()).run().await?;
        Ok(())
    }
}

/// The alarms that stand, oldest first.
pub(super) async fn standing(conn: &mut Conn<'_>) -> StoreResult<Vec<Alarm>> {
    let sql = "SELECT * FROM alarm WHERE ended_at IS NULL ORDER BY since, id";
    read(&conn.query(sql).rows().await?)
}

fn read(rows: &[super::conn::Row]) -> StoreResult<Vec<Alarm>> {
    rows.iter().map(|row| alarm(Cells(row))).collect()
}

fn alarm(cells: Cells<'_>) -> StoreResult<Alarm> {
    let at = cells.maybe_time("acked_at")?;
    Ok(Alarm {
        id: AlarmId(cells.int("id")?),
        concern: Concern {
            kind: cells.word("kind", AlarmKind::from_word)?,
            subject: cells.text("subject")?,
            text: cells.text("text")?,
            amount: cells.count("amount")?,
        },
        node: cells.text("node")?,
        since: cells.time("since")?,
        told: cells.count("told")?,
        acknowledged: cells.maybe_text("acked_by")?.zip(at),
    })
}

impl Act {
    /// Somebody knows. Whoever says so after another only says it, too.
    pub(super) async fn acknowledge(
        &self,
        conn: &mut Conn<'_>,
        id: AlarmId,
    ) -> StoreResult<Result<Acted, ActError>> {
        let sql =
            "UPDATE alarm SET acked_at = coalesce(acked_at, $2), acked_by = coalesce(acked_by, $3)
                   WHERE id = $1 AND ended_at IS NULL";
        let query = conn.query(sql).bind(id.0).bind(self.at.timestamp_millis());
        if query.bind(&self.actor).run().await? == 0 {
            return Ok(Err(ActError::NoAlarm(id)));
        }
        history(conn, &[HistoryRow::of_act(self, "alarm_acknowledged")]).await?;
        Ok(Ok(Acted { count: 1 }))
    }
}
