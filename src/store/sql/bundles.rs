//! Bundles within a claim: which messages leave with those that were picked, and the marks that the
//! rest of the store goes by.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::Cells;
use super::claims::{in_the_air, nothing_older};
use super::conn::Conn;
use super::holds::covered;
use crate::store::StoreResult;

/// What belongs to picked messages and may leave now; each must be as free to leave as if it went alone, and be
/// told by the very text that its lead carries: a lead that was written anew speaks for others.
const OTHERS: &str = concat!(
    "
SELECT m.id, m.bundle, l.others FROM {ints 1} {join} message l ON l.id = j.value
  {join} message m ON m.bundle = l.id {join} notice n ON n.id = m.notice
  {join} appointment a ON a.id = n.appointment
  {join} message_person q ON q.message = l.id {join} message_person p ON p.message = m.id
WHERE p.shared = q.shared AND p.address = q.address AND l.others > 0 AND l.bundle = l.id AND m.id <> l.id AND m.channel = l.channel
  AND m.state = 'ready' AND m.not_before <= $2 AND m.not_after > $2
  AND (m.open_until IS NULL OR m.open_until > $2) AND n.superseded = 0 AND m.repeat = 0
  AND ((m.attempts = 0 AND l.attempts = 0) OR (m.together = 1 AND l.together = 1))
  AND ",
    nothing_older!("$3"),
    "
  AND NOT ",
    covered!(),
    "
ORDER BY j.key, m.id {lock a or skip}"
);

/// What is handed over together is not asked for by one message's key, nor taken once by it.
const MARK: &str = "
UPDATE message SET together = 1, lookup = 0, dedup_until = NULL
WHERE id IN (SELECT j.value FROM {ints 1})";

const CARRY: &str = "
UPDATE attempt SET carrier = (
    SELECT u.id FROM message r JOIN message l ON l.id = r.bundle
      JOIN attempt u ON u.message = l.id AND u.no = l.attempts
    WHERE r.id = attempt.message)
WHERE message IN (SELECT j.value FROM {ints 1})
  AND no = (SELECT r.attempts FROM message r WHERE r.id = attempt.message)";

/// The bundles of one claim: the first message of each, with the others.
#[derive(Default)]
pub(super) struct Bundles(BTreeMap<i64, Vec<i64>>);

impl Bundles {
    /// Those of the picked messages that are whole.
    pub(super) async fn of(
        conn: &mut Conn<'_>,
        picked: &[i64],
        (at, db_now): (i64, i64),
    ) -> StoreResult<Self> {
        let query = conn.query(OTHERS).bind(picked).bind(at).bind(db_now);
        let (mut found, mut wanted) = (BTreeMap::<i64, Vec<i64>>::new(), BTreeMap::new());
        for row in &query.rows().await? {
            let cells = Cells(row);
            let lead = cells.int("bundle")?;
            found.entry(lead).or_default().push(cells.int("id")?);
            wanted.insert(lead, cells.int("others")?);
        }
        found.retain(|lead, others| i64::try_from(others.len()).ok() == wanted.get(lead).copied());
        Ok(Self(found))
    }

    /// The picked messages, each followed by those that leave with it.
    pub(super) fn with_others(&self, picked: &[i64]) -> Vec<i64> {
        let others = |lead: &i64| self.0.get(lead).into_iter().flatten().copied();
        let each = picked
            .iter()
            .flat_map(|lead| std::iter::once(*lead).chain(others(lead)));
        each.collect()
    }

    /// A bundle of which not everything was taken is none.
    pub(super) fn keep_whole(&mut self, taken: &[i64]) {
        let taken: BTreeSet<&i64> = taken.iter().collect();
        self.0.retain(|lead, others| {
            taken.contains(lead) && others.iter().all(|o| taken.contains(o))
        });
    }

    /// Marks what leaves together; attempts must be open by then.
    pub(super) async fn mark(&self, conn: &mut Conn<'_>) -> StoreResult<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let leads: Vec<i64> = self.0.keys().copied().collect();
        let all = self.with_others(&leads);
        conn.query(MARK).bind(all).run().await?;
        let others: Vec<i64> = self.0.values().flatten().copied().collect();
        conn.query(CARRY).bind(others).run().await?;
        Ok(())
    }

    /// What is handed to the wire of everything taken.
    pub(super) fn on_the_wire(&self, taken: &[i64]) -> Vec<i64> {
        let carried: BTreeSet<&i64> = self.0.values().flatten().collect();
        let wire = taken.iter().filter(|id| !carried.contains(id));
        wire.copied().collect()
    }
}

/// The messages of attempts that left with the hand-over of these.
pub(super) async fn carried_by(conn: &mut Conn<'_>, attempts: &[i64]) -> StoreResult<Vec<i64>> {
    let sql = "SELECT DISTINCT t.message FROM {ints 1} {join} attempt t ON t.carrier = j.value";
    conn.query(sql).bind(attempts).numbers().await
}
