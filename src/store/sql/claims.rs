//! Claims as writes: the intent with its own row, by which a claim in doubt can be disowned.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::Write;
use super::bundles::Bundles;
use super::cells::Cells;
use super::conn::Conn;
use super::holds::covered;
use super::load;
use super::save::save;
use crate::domain::message::MessageId;
use crate::store::rows::Millis;
use crate::store::{AttemptId, Claim, ClaimAsk, Settlement, StoreResult};

/// Whether a node may still be handing message `om` over. A report on an earlier attempt may have said
/// that it arrived, while its newest one has neither an outcome nor come to its lease's end.
macro_rules! in_the_air {
    ($db_now:literal) => {
        concat!(
            "(om.state = 'sending' OR (om.state = 'delivered' AND om.lease_until > ",
            $db_now,
            " AND EXISTS (SELECT 1 FROM attempt t
        WHERE t.message = om.id AND t.no = om.attempts AND t.outcome IS NULL)))"
        )
    };
}

/// Whether nothing older of the person of notice `n` is still in the air.
macro_rules! nothing_older {
    ($db_now:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM notice o JOIN message om ON om.notice = o.id
    WHERE o.appointment = n.appointment AND o.role = n.role AND o.revision < n.revision
      AND ",
            in_the_air!($db_now),
            ")"
        )
    };
}
pub(super) use {in_the_air, nothing_older};

/// Picks what may leave, each bundle by the message that speaks for it, earliest deadline first. The index is
/// named because it is in that order: the work is that of the limit, however many messages wait.
const PICK: &str = concat!(
    "
SELECT m.id FROM message m {index message_claim} {join} notice n ON n.id = m.notice
  {join} appointment a ON a.id = n.appointment
WHERE m.channel = $1 AND m.state = 'ready' AND m.not_before <= $2 AND m.not_after > $2
  AND (m.open_until IS NULL OR m.open_until > $2)
  AND n.superseded = 0 AND (m.repeat = 0 OR (m.gateway = $4 AND m.dedup_until >= $5))
  AND (m.bundle IS NULL OR m.bundle = m.id OR NOT EXISTS (
    SELECT 1 FROM message l JOIN notice ln ON ln.id = l.notice
    WHERE l.id = m.bundle AND l.bundle = l.id AND l.state = 'ready' AND l.repeat = 0 AND m.repeat = 0
      AND ((m.attempts = 0 AND l.attempts = 0) OR (m.together = 1 AND l.together = 1))
      AND l.not_before <= $2
      AND l.not_after > $2 AND (l.open_until IS NULL OR l.open_until > $2) AND ln.superseded = 0))
  AND ",
    nothing_older!("$6"),
    "
  AND NOT ",
    covered!(),
    "
ORDER BY m.due_by, m.id LIMIT $3 {lock a or skip}"
);

/// The intent: `domain::message` allows `claim` in `ready` only, and so does this. A gateway counts
/// its window from the first hand-over that may have reached it.
const TAKE: &str = "
UPDATE message SET state = 'sending', reason = NULL, fence = fence + 1, attempts = attempts + 1,
  together = 0, node = $2, lease_until = $3, first_attempt_at = coalesce(first_attempt_at, $4), may_be_out = 1,
  gateway = $5, quarantine = $6,
  lookup = CASE WHEN may_be_out = 1 AND lookup > $7 THEN lookup ELSE $7 END,
  dedup_until = CASE WHEN may_be_out = 1 AND gateway = $5 THEN dedup_until ELSE $8 END
WHERE id IN (SELECT j.value FROM {ints 1})
  AND state = 'ready' AND not_before <= $4 AND not_after > $4
  AND (open_until IS NULL OR open_until > $4)
  AND (repeat = 0 OR (gateway = $5 AND dedup_until >= $3))";

/// What was picked is looked at once more where a lock may have been waited for, and what it guards may have
/// changed. SQLite's one writer has seen it in this very transaction.
const STILL: &str = concat!(
    "
  AND NOT EXISTS (
    SELECT 1 FROM notice n JOIN notice o ON o.appointment = n.appointment AND o.role = n.role
      JOIN message om ON om.notice = o.id
    WHERE n.id = message.notice AND o.revision < n.revision AND ",
    in_the_air!("$9"),
    ")
  AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.id = message.notice AND n.superseded = 1)"
);

const OPEN_ATTEMPTS: &str = "
INSERT INTO attempt (message, no, fence, gateway, node, intent_at, nonce)
SELECT m.id, m.attempts, m.fence, $2, $3, $4, $5
FROM {ints 1} {join} message m ON m.id = j.value ORDER BY j.key";

const WRITE_CLAIMS: &str = "
INSERT INTO history (at, actor, appointment, notice, message, batch, channel, district, office,
  event, from_state, to_state, detail)
SELECT $2, 'dispatch', n.appointment, n.id, m.id, n.batch, m.channel, n.district, n.office,
  'claim', 'ready', 'sending', 'attempt ' || m.attempts || ' through ' || $3
    || CASE WHEN m.together = 1 AND m.bundle <> m.id THEN ', with message ' || m.bundle ELSE '' END
FROM {ints 1} {join} message m ON m.id = j.value JOIN notice n ON n.id = m.notice
ORDER BY j.key";

const READ_CLAIMS: &str = "
SELECT m.id, a.id AS attempt, a.nonce, m.fence, m.attempts, p.address, p.address_kind,
  CASE WHEN m.together = 1 THEN p.shared ELSE p.body END AS body, m.sender, m.gateway_key,
  CASE WHEN m.together = 1 THEN (SELECT min(o.not_after) FROM message o
      WHERE o.bundle = m.id AND o.together = 1 AND o.state = 'sending')
    ELSE m.not_after END AS not_after,
  CASE WHEN m.together = 1 THEN (SELECT min(o.give_up_at) FROM message o
      WHERE o.bundle = m.id AND o.together = 1 AND o.state = 'sending')
    ELSE m.give_up_at END AS give_up_at
FROM {ints 1} {join} message m ON m.id = j.value
  JOIN attempt a ON a.message = m.id AND a.no = m.attempts
  JOIN message_person p ON p.message = m.id
ORDER BY j.key";

impl Write for ClaimAsk {
    type Answer = Vec<Claim>;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Vec<Claim>> {
        conn.keep_holds_off().await?;
        let bucket = self.tokens(conn).await?;
        let limit = bucket.map_or(self.limit, |bucket| self.limit.min(bucket.tokens()));
        if limit == 0 {
            return Ok(Vec::new());
        }
        let at = self.now.timestamp_millis();
        let db_now = conn.now().await?;
        let lease_until = db_now.plus(Millis::of(self.lease));
        let pick = conn.query(PICK).bind(self.channel.word()).bind(at);
        let pick = pick
            .bind(limit)
            .bind(&self.gateway)
            .bind(lease_until.0)
            .bind(db_now.0);
        let picked = pick.numbers().await?;
        let mut bundles = Bundles::of(conn, &picked, (at, db_now.0)).await?;
        let mut picked = bundles.with_others(&picked);
        if picked.is_empty() || !self.may_claim(conn).await? {
            return Ok(Vec::new());
        }
        if !self.is_ours(conn).await? {
            return Ok(Vec::new());
        }
        let still = if conn.is_sqlite() { "" } else { STILL };
        let take = conn
            .query(&format!("{TAKE}{still} RETURNING id"))
            .bind(&picked)
            .bind(&self.node)
            .bind(lease_until.0)
            .bind(at)
            .bind(&self.gateway)
            .bind(Millis::of(self.unknowns.quarantine).0)
            .bind(Millis::of(self.unknowns.lookup).0)
            .bind(self.unknowns.dedup_until(db_now).map(|until| until.0));
        let take = match still {
            "" => take,
            _ => take.bind(db_now.0),
        };
        let taken = take.numbers().await?;
        // A set comes back in any order; the picked one is that of the deadlines.
        let mut set: BTreeSet<i64> = taken.into_iter().collect();
        picked.retain(|id| set.remove(id));
        let taken = picked;
        bundles.keep_whole(&taken);
        let on_the_wire = bundles.on_the_wire(&taken);
        if let Some(bucket) = bucket {
            self.spend(conn, bucket, on_the_wire.len()).await?;
        }
        let open = conn.query(OPEN_ATTEMPTS).bind(&taken).bind(&self.gateway);
        let open = open.bind(&self.node).bind(at).bind(self.nonce);
        open.run().await?;
        bundles.mark(conn).await?;
        let line = conn.query(WRITE_CLAIMS).bind(&taken).bind(at);
        line.bind(&self.gateway).run().await?;
        let claims = conn.query(READ_CLAIMS).bind(&on_the_wire).rows().await?;
        Ok(claims
            .iter()
            .filter_map(|row| understood(Cells(row)))
            .collect())
    }
}

impl ClaimAsk {
    /// Writes the claim's own row; `false` means that it was disowned meanwhile.
    async fn is_ours(&self, conn: &mut Conn<'_>) -> StoreResult<bool> {
        let sql = "INSERT INTO claim (node, nonce, at) VALUES ($1, $2, {now})
                   ON CONFLICT (node, nonce) DO UPDATE SET at = excluded.at
                   WHERE claim.disowned = 0";
        let row = conn.query(sql).bind(&self.node).bind(self.nonce);
        Ok(row.run().await? == 1)
    }
}

/// The index holds what is being sent, which is what the nodes have in hand.
const STOPPED: &str = concat!(
    "
SELECT DISTINCT coalesce(t.carrier, t.id) FROM message m JOIN notice n ON n.id = m.notice
  JOIN attempt t ON t.message = m.id AND t.no = m.attempts
WHERE m.state = 'sending' AND m.node = $1 AND m.gateway = $2 AND (
  EXISTS (SELECT 1 FROM message p
    WHERE p.notice = n.id AND p.channel = 'phone' AND p.state = 'delivered')
  OR EXISTS (SELECT 1 FROM batch b WHERE b.id = n.batch AND b.state = 'discarded')
  OR ",
    covered!(),
    ")"
);

/// What a node need not begin any more.
pub(super) async fn stopped(
    conn: &mut Conn<'_>,
    node: &str,
    gateway: &str,
) -> StoreResult<BTreeSet<AttemptId>> {
    let found = conn.query(STOPPED).bind(node).bind(gateway);
    Ok(found.numbers().await?.into_iter().map(AttemptId).collect())
}

/// A claim that is in doubt.
pub(super) struct Disown {
    pub(super) ask: ClaimAsk,
    pub(super) at: DateTime<Utc>,
}

impl Write for Disown {
    type Answer = u32;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<u32> {
        // A claim that is still being committed makes this wait for its end: reading the row would
        // not, and would find nothing.
        let first = "INSERT INTO claim (node, nonce, at, disowned) VALUES ($1, $2, {now}, 1)
                     ON CONFLICT (node, nonce) DO NOTHING";
        let late = "UPDATE claim SET disowned = 1 WHERE node = $1 AND nonce = $2";
        let (node, nonce) = (&self.ask.node, self.ask.nonce);
        if conn.query(first).bind(node).bind(nonce).run().await? == 1 {
            return Ok(0);
        }
        conn.query(late).bind(node).bind(nonce).run().await?;
        let sql = "SELECT id, message, fence FROM attempt
                   WHERE nonce = $2 AND node = $1 AND outcome IS NULL ORDER BY id";
        let open = conn.query(sql).bind(node).bind(nonce).rows().await?;
        let settlements = open.iter().map(|row| self.settlement(Cells(row)));
        let settlements = settlements.collect::<StoreResult<Vec<_>>>()?;
        let ids: Vec<i64> = settlements.iter().map(|s| s.message.0).collect();
        let mut tables = load::by_messages(conn, &ids).await?;
        for settlement in &settlements {
            tables.settle_alone(settlement);
        }
        save(conn, &tables).await?;
        Ok(u32::try_from(settlements.len()).unwrap_or(u32::MAX))
    }
}

impl Disown {
    fn settlement(&self, cells: Cells<'_>) -> StoreResult<Settlement> {
        let message = MessageId(cells.int("message")?);
        let attempt = AttemptId(cells.int("id")?);
        let fence = cells.int("fence")?;
        Ok(Settlement::disowned(message, attempt, fence, self.at))
    }
}

/// Claims so old that no COMMIT of theirs can still be under way.
pub(super) struct ForgetClaims {
    pub(super) limit: u32,
}

/// How long a claim's row is kept.
const CLAIM_KEPT: Millis = Millis(7 * 24 * 3600 * 1000);

impl Write for ForgetClaims {
    type Answer = ();

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        let sql = "DELETE FROM claim WHERE (node, nonce) IN (
                     SELECT c.node, c.nonce FROM claim c WHERE c.at < {now} - $1
                     ORDER BY c.at LIMIT $2 {lock c or skip})";
        let old = conn.query(sql).bind(CLAIM_KEPT.0).bind(self.limit);
        old.run().await?;
        Ok(())
    }
}

/// A claim whose row cannot be understood is not sent; its lease ends, and it is unknown like any other
/// of which nobody can tell.
fn understood(cells: Cells<'_>) -> Option<Claim> {
    let claim = claim(cells);
    if let Err(problem) = &claim {
        let message = cells.int("id").unwrap_or_default();
        tracing::error!(message, "not sent, its row cannot be understood: {problem}");
    }
    claim.ok()
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
