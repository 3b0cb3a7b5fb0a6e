//! Settlements as a write: the plain ones set by set, all others row by row.
//!
//! Nearly every settlement is the same: the first attempt of a notice's only message was accepted while
//! nothing else had happened. What that means is written here as statements over whole sets, as a claim is
//! ([`super::claims`]); whatever differs in any point is left to `Tables::settle`, which knows all cases.
//! The random lives of the contract suite hold both against the model.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Write;
use super::bundles::carried_by;
use super::cells::Cells;
use super::conn::Conn;
use super::load;
use super::save::save;
use crate::domain::message::{Event, MessageId};
use crate::domain::outcome::{Decision, Outcome};
use crate::store::{Settled, Settlement, StoreResult};

/// Settlements as one write.
pub(super) struct Settle(pub(super) Vec<Settlement>);

/// Which of the rows are plain in the store, too: the claim is the message's newest and only one, its notice
/// waits for nothing else, and nobody has said anything of it.
const PICK: &str = "
SELECT m.id, m.notice FROM {rows 1} {join} message m ON m.id = {int 0}
  {join} attempt t ON t.id = {int 1} {join} notice n ON n.id = m.notice
  {join} appointment a ON a.id = n.appointment
WHERE m.state = 'sending' AND m.fence = {int 2} AND m.told_on IN ('accepted', 'delivered', 'unconfirmed')
  AND t.message = m.id AND t.outcome IS NULL AND t.carrier IS NULL AND m.together = 0
  AND n.superseded = 0 AND n.climb = 0 AND n.ended_at IS NULL AND a.revision = n.revision
  AND (n.batch IS NULL OR EXISTS (
    SELECT 1 FROM batch b WHERE b.id = n.batch AND b.state = 'released'))
  AND NOT EXISTS (SELECT 1 FROM message o WHERE o.notice = n.id AND o.id <> m.id)
  AND NOT EXISTS (SELECT 1 FROM attempt o WHERE o.message = m.id AND o.id <> t.id)
  AND NOT EXISTS (SELECT 1 FROM attempt o WHERE o.carrier = t.id)
  AND NOT EXISTS (SELECT 1 FROM report r WHERE r.attempt = t.id)";

/// What an acceptance does to an attempt, its message and its notice, in this order: the notice has ended
/// where nothing more is waited for. Cell 6 is the notice's number, so that SQLite finds it by that.
const TAKE: [&str; 4] = [
    "UPDATE attempt SET outcome = 'accepted', gateway_id = {text 3}, settled_at = {int 4}
     FROM {rows 1} WHERE attempt.id = {int 1}",
    "UPDATE message SET state = 'accepted', reason = NULL, accepted = 1, may_be_out = 1, repeat = 0,
       told_at = CASE WHEN told_on <> 'delivered' THEN coalesce(told_at, {int 4}) END,
       report_by = CASE WHEN told_on <> 'accepted' THEN {int 5} END
     FROM {rows 1} WHERE message.id = {int 0}",
    "UPDATE notice SET ended_at = {int 4} FROM {rows 1} WHERE notice.id = {int 6}
       AND (SELECT m.report_by FROM message m WHERE m.id = {int 0}) IS NULL",
    "INSERT INTO history (at, actor, appointment, notice, message, batch, channel, district, office,
       event, from_state, to_state, detail)
     SELECT {int 4}, 'dispatch', n.appointment, n.id, m.id, n.batch, m.channel, n.district, n.office,
       'accepted', 'sending', 'accepted', ''
     FROM {rows 1} {join} message m ON m.id = {int 0} {join} notice n ON n.id = m.notice",
];

impl Write for Settle {
    type Answer = Vec<Settled>;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Vec<Settled>> {
        self.lock(conn).await?;
        let plain = self.settle_plain(conn).await?;
        let rest = |s: &&Settlement| !plain.contains(&s.message);
        let attempts: Vec<i64> = self.0.iter().filter(rest).map(|s| s.attempt.0).collect();
        if attempts.is_empty() {
            return Ok(vec![Settled::Moved; self.0.len()]);
        }
        let mut ids = carried_by(conn, &attempts).await?;
        ids.extend(self.0.iter().filter(rest).map(|s| s.message.0));
        let mut tables = load::by_messages(conn, &ids).await?;
        let settled = self.0.iter().map(|s| match plain.contains(&s.message) {
            true => Settled::Moved,
            false => tables.settle(s),
        });
        let settled = settled.collect();
        save(conn, &tables).await?;
        Ok(settled)
    }
}

impl Settle {
    /// Locks the appointments of all messages at once, those carried along included: in parts, two settlements
    /// could wait for each other.
    async fn lock(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        if conn.is_sqlite() {
            return Ok(());
        }
        let attempts: Vec<i64> = self.0.iter().map(|s| s.attempt.0).collect();
        let mut messages = carried_by(conn, &attempts).await?;
        messages.extend(self.0.iter().map(|s| s.message.0));
        let sql = "SELECT DISTINCT n.appointment FROM {ints 1} {join} message m ON m.id = j.value
                     {join} notice n ON n.id = m.notice ORDER BY n.appointment";
        let owners = conn.query(sql).bind(&messages).numbers().await?;
        conn.lock_appointments(&owners).await
    }

    /// Settles what is plain; the answer is which messages were.
    async fn settle_plain(&self, conn: &mut Conn<'_>) -> StoreResult<BTreeSet<MessageId>> {
        let mut rows = self.plain_rows();
        if rows.is_empty() {
            return Ok(BTreeSet::new());
        }
        let asked: Vec<Value> = rows.values().cloned().map(Value::Array).collect();
        let (mut plain, mut chosen) = (BTreeSet::new(), Vec::new());
        for found in &conn.query(PICK).bind_rows(&asked).rows().await? {
            let (message, notice) = (Cells(found).int("id")?, Cells(found).int("notice")?);
            if let Some(mut row) = rows.remove(&MessageId(message)) {
                row.push(json!(notice));
                chosen.push(Value::Array(row));
                plain.insert(MessageId(message));
            }
        }
        if !chosen.is_empty() {
            for sql in TAKE {
                conn.query(sql).bind_rows(&chosen).run().await?;
            }
        }
        Ok(plain)
    }

    /// What is plain as far as the settlements themselves say. Two words on one message are weighed one
    /// after the other, and so are not.
    fn plain_rows(&self) -> BTreeMap<MessageId, Vec<Value>> {
        let mut rows = BTreeMap::new();
        let mut twice = Vec::new();
        for settlement in &self.0 {
            let row = settlement.plain_row().unwrap_or_default();
            if rows.insert(settlement.message, row).is_some() {
                twice.push(settlement.message);
            }
        }
        rows.retain(|message, row| !row.is_empty() && !twice.contains(message));
        rows
    }
}

impl Settlement {
    /// Message, attempt, fence, the gateway's identifier, when, and until when a report is waited for.
    fn plain_row(&self) -> Option<Vec<Value>> {
        let (
            Outcome::Accepted { gateway_id },
            Decision {
                event: Event::Accepted,
                reason: None,
                report_by,
                ..
            },
        ) = (&self.outcome, &self.decision)
        else {
            return None;
        };
        Some(vec![
            json!(self.message.0),
            json!(self.attempt.0),
            json!(self.fence),
            json!(gateway_id),
            json!(self.at.timestamp_millis()),
            json!(report_by.map(|at| at.timestamp_millis())),
        ])
    }
}
