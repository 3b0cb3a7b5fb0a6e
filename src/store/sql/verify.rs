//! Whether a store is whole: what the engine can check, and the laws that its rows must keep.
//!
//! It names rows by number only, and changes nothing.

use super::Database;
use super::cells::Cells;
use super::conn::Conn;
use crate::domain::message::MessageState;
use crate::store::StoreResult;

/// Rows named per law.
const NAMED: u32 = 10;

/// A law that rows of a store break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// What is wrong, as a sentence about the rows.
    pub law: String,
    /// Their table.
    pub table: String,
    /// How many there are.
    pub count: u32,
    /// The first of them, by number.
    pub rows: Vec<i64>,
}

/// A law: the table its rows are of, what is said of rows that break it, and how they are found, as
/// `id`.
struct Law {
    table: &'static str,
    broken: &'static str,
    sql: &'static str,
}

const fn law(table: &'static str, broken: &'static str, sql: &'static str) -> Law {
    Law { table, broken, sql }
}

const LAWS: &[Law] = &[
    law(
        "message",
        "were handed over without an attempt",
        "SELECT m.id FROM message m WHERE m.channel <> 'phone'
           AND m.state IN ('sending', 'accepted', 'delivered', 'undelivered', 'unconfirmed')
           AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.message = m.id AND a.no > 0)",
    ),
    law(
        "message",
        "count other attempts than they have",
        "SELECT m.id FROM message m WHERE m.attempts <>
           (SELECT count(*) FROM attempt a WHERE a.message = m.id AND a.no > 0)",
    ),
    law(
        "message",
        "are being sent without a lease",
        "SELECT m.id FROM message m WHERE m.state = 'sending'
           AND (m.lease_until IS NULL OR m.node IS NULL)",
    ),
    law(
        "message",
        "may be out and do not say so",
        "SELECT m.id FROM message m WHERE m.may_be_out = 0
           AND m.state IN ('sending', 'unknown')",
    ),
    law(
        "message",
        "were accepted and no acceptance is kept",
        "SELECT m.id FROM message m WHERE m.state = 'accepted' AND m.accepted = 0",
    ),
    law(
        "message",
        "are held without a reason",
        "SELECT m.id FROM message m WHERE m.state = 'held' AND m.reason IS NULL",
    ),
    law(
        "message",
        "are held by the brake without a batch that waits",
        "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
         LEFT JOIN batch b ON b.id = n.batch
         WHERE m.state = 'held' AND m.reason = 'brake'
           AND (b.id IS NULL OR b.state NOT IN ('held', 'releasing'))",
    ),
    law(
        "message",
        "have no text, though their notice is not erased",
        "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
         WHERE n.reference IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM message_person p WHERE p.message = m.id)",
    ),
    law(
        "message",
        "would share a text with another address",
        "SELECT m.id FROM message m JOIN message l ON l.id = m.bundle AND l.bundle = l.id
         JOIN message_person p ON p.message = m.id JOIN message_person q ON q.message = l.id
         WHERE m.channel <> l.channel OR p.address <> q.address",
    ),
    law(
        "message",
        "keep an address or text of an erased notice",
        "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
         JOIN message_person p ON p.message = m.id WHERE n.reference IS NULL",
    ),
    law(
        "message",
        "have another deadline than their notice",
        "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
         WHERE m.due_by <> n.due_by OR m.not_after <> n.not_after",
    ),
    law(
        "message",
        "may leave for a superseded notice",
        "SELECT m.id FROM message m JOIN notice n ON n.id = m.notice
         WHERE m.state = 'ready' AND n.superseded = 1",
    ),
    law(
        "notice",
        "have no verdict, and nothing of them is in motion",
        "SELECT n.id FROM notice n WHERE n.ended_at IS NULL AND n.climb = 0
           AND NOT EXISTS (SELECT 1 FROM message m WHERE m.notice = n.id
             AND m.state IN ('ready', 'sending', 'accepted', 'unknown', 'held'))",
    ),
    law(
        "notice",
        "have ended, and a message of them is in motion",
        "SELECT n.id FROM notice n WHERE n.ended_at IS NOT NULL
           AND EXISTS (SELECT 1 FROM message m WHERE m.notice = n.id
             AND m.state IN ('ready', 'sending', 'unknown', 'held'))",
    ),
    law(
        "notice",
        "have no message at all",
        "SELECT n.id FROM notice n
         WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.notice = n.id)",
    ),
    law(
        "notice",
        "are of a revision that their appointment has not reached",
        "SELECT n.id FROM notice n JOIN appointment a ON a.id = n.appointment
         WHERE n.revision > a.revision",
    ),
    law(
        "appointment",
        "are erased and keep their persons",
        "SELECT DISTINCT a.id FROM appointment a
         JOIN appointment_person p ON p.appointment = a.id WHERE a.fingerprint IS NULL",
    ),
    law(
        "report",
        "were used, and their attempt is not there",
        "SELECT r.id FROM report r WHERE r.standing IN ('waiting', 'used')
           AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.id = r.attempt)",
    ),
];

impl Database {
    /// Everything about the store that is not as it must be, the engine's own findings first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn verify(&self) -> StoreResult<Vec<Breach>> {
        let mut breaches = self.read(|c| Box::pin(engine(c))).await?;
        let states: Vec<_> = MessageState::ALL.iter().map(|s| s.word()).collect();
        let sql = format!(
            "SELECT m.id FROM message m WHERE m.state NOT IN ('{}')",
            states.join("', '")
        );
        breaches.extend(
            self.broken("message", "stand in no known state", sql)
                .await?,
        );
        for law in LAWS {
            let found = self.broken(law.table, law.broken, law.sql.to_owned());
            breaches.extend(found.await?);
        }
        Ok(breaches)
    }

    async fn broken(
        &self,
        table: &'static str,
        law: &'static str,
        sql: String,
    ) -> StoreResult<Option<Breach>> {
        self.read(move |c| {
            Box::pin(async move {
                let count = format!("SELECT count(*) FROM ({sql}) q");
                let count = c.query(&count).number().await?;
                let first = format!("SELECT q.id FROM ({sql}) q ORDER BY q.id LIMIT $1");
                let rows = match count {
                    0 => Vec::new(),
                    _ => c.query(&first).bind(NAMED).numbers().await?,
                };
                Ok((count > 0).then(|| Breach {
                    law: law.to_owned(),
                    table: table.to_owned(),
                    count: u32::try_from(count).unwrap_or(u32::MAX),
                    rows,
                }))
            })
        })
        .await
    }
}

/// What SQLite finds in its own file. PostgreSQL holds its references at every write.
async fn engine(conn: &mut Conn<'_>) -> StoreResult<Vec<Breach>> {
    if !conn.is_sqlite() {
        return Ok(Vec::new());
    }
    let mut breaches = Vec::new();
    for row in &conn.query("PRAGMA integrity_check(20)").rows().await? {
        let said = Cells(row).text("integrity_check")?;
        if said != "ok" {
            breaches.push(Breach {
                law: format!("the file is damaged: {said}"),
                table: "file".to_owned(),
                count: 1,
                rows: Vec::new(),
            });
        }
    }
    let sql = "SELECT \"table\" AS name, rowid AS id FROM pragma_foreign_key_check";
    for row in &conn.query(sql).rows().await? {
        let cells = Cells(row);
        breaches.push(Breach {
            law: "refer to a row that is not there".to_owned(),
            table: cells.text("name")?,
            count: 1,
            rows: cells.maybe_int("id")?.into_iter().collect(),
        });
    }
    Ok(breaches)
}
