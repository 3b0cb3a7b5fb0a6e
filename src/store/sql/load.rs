//! Brings the rows that an operation concerns into `Tables`: a handful of set-based reads, however
//! many rows there are.

use std::collections::{BTreeMap, BTreeSet};

use super::cells::{Cells, corrupt, read_ladder};
use super::conn::{Conn, Row};
use super::words;
use crate::domain::about::About;
use crate::domain::appointment::{BookingKey, Fingerprint, SourceName};
use crate::domain::brake::Braked;
use crate::domain::contact::{Contact, Email, Phone, Unusable};
use crate::domain::directory::{DistrictId, OfficeId, ServiceId};
use crate::domain::message::{Channel, MessageId, MessageState, Reason, ToldOn};
use crate::domain::notice::{NoticeId, OnUnknown, Purpose};
use crate::domain::recipient::Recipient;
use crate::domain::segments::Encoding;
use crate::store::rows::{
    AppointmentId, AppointmentRow, AttemptRow, BatchRow, DbTime, MessageRow, Millis, NoticeRow,
    ReportRow, Size,
};
use crate::store::tables::Tables;
use crate::store::{AttemptId, BatchId, ReportState, StoreError, StoreResult};

/// Loads appointments with all their notices and messages, but no personal data. Who writes has
/// locked them. A row that cannot be understood fails it: what is decided on must be whole.
pub(super) async fn by_appointments(conn: &mut Conn<'_>, ids: &[i64]) -> StoreResult<Tables> {
    let (mut tables, mut aside) = (Tables::default(), Aside::default());
    appointments(conn, &mut tables, ids).await?;
    let sql = "SELECT n.* FROM {ints 1} {join} notice n ON n.appointment = j.value ORDER BY n.id";
    let rows = conn.query(sql).bind(ids).rows().await?;
    notices(&mut tables, &mut aside, &rows)?;
    messages(conn, &mut tables, &mut aside).await?;
    batches(conn, &mut tables).await?;
    aside.none()?;
    Ok(tables)
}

/// Locks the appointments of these notices, and loads them with all the notices' messages, attempts
/// and reports, but no personal data. A notice of which a row cannot be understood is set aside
/// whole, and spoils no other.
pub(super) async fn by_notices(conn: &mut Conn<'_>, ids: &[i64]) -> StoreResult<Tables> {
    let (mut tables, mut aside) = (Tables::default(), Aside::default());
    // Whose a notice is never changes, so this may be read before the lock.
    let sql = "SELECT DISTINCT n.appointment FROM {ints 1} {join} notice n ON n.id = j.value
               ORDER BY n.appointment";
    let owners = conn.query(sql).bind(ids).numbers().await?;
    conn.lock_appointments(&owners).await?;
    appointments(conn, &mut tables, &owners).await?;
    let sql = "SELECT n.* FROM {ints 1} {join} notice n ON n.id = j.value ORDER BY n.id";
    let rows = conn.query(sql).bind(ids).rows().await?;
    notices(&mut tables, &mut aside, &rows)?;
    messages(conn, &mut tables, &mut aside).await?;
    conn.lock_batches(&batch_ids(&tables)).await?;
    batches(conn, &mut tables).await?;
    attempts(conn, &mut tables, &mut aside).await?;
    if !aside.is_empty() {
        set_aside(conn, &mut tables, &aside).await?;
    }
    Ok(tables)
}

/// Takes the notices out of which a row could not be understood, and remembers their messages.
async fn set_aside(conn: &mut Conn<'_>, tables: &mut Tables, aside: &Aside) -> StoreResult<()> {
    let notices: Vec<i64> = aside.0.keys().map(|id| id.0).collect();
    let sql = "SELECT m.id, m.notice FROM {ints 1} {join} message m ON m.notice = j.value";
    for row in &conn.query(sql).bind(notices).rows().await? {
        let (message, notice) = (Cells(row).int("id")?, Cells(row).int("notice")?);
        if let Some(problem) = aside.0.get(&NoticeId(notice)) {
            tables.set_aside.insert(MessageId(message), problem.clone());
        }
    }
    for (id, problem) in &aside.0 {
        tracing::error!(
            notice = id.0,
            "left as it is, a row cannot be understood: {problem}"
        );
        tables.take_out(*id);
    }
    Ok(())
}

/// Loads what [`by_notices`] loads, for the notices of these messages.
pub(super) async fn by_messages(conn: &mut Conn<'_>, ids: &[i64]) -> StoreResult<Tables> {
    let sql = "SELECT DISTINCT m.notice FROM {ints 1} {join} message m ON m.id = j.value";
    let notices = conn.query(sql).bind(ids).numbers().await?;
    by_notices(conn, &notices).await
}

/// The notices of which a row cannot be understood, each with what is wrong.
#[derive(Default)]
pub(super) struct Aside(BTreeMap<NoticeId, String>);

impl Aside {
    /// What a row says; `None`, and the notice is set aside, where it cannot be understood.
    fn read<T>(&mut self, notice: NoticeId, read: StoreResult<T>) -> StoreResult<Option<T>> {
        match read {
            Ok(value) => Ok(Some(value)),
            Err(StoreError::Corrupt(problem)) => {
                self.0.entry(notice).or_insert(problem);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Nothing was set aside.
    pub(super) fn none(&self) -> StoreResult<()> {
        let first = self.0.first_key_value();
        first.map_or(Ok(()), |(notice, problem)| {
            let of = format!("notice {}: {problem}", notice.0);
            Err(StoreError::Corrupt(of))
        })
    }
}

async fn appointments(conn: &mut Conn<'_>, tables: &mut Tables, ids: &[i64]) -> StoreResult<()> {
    let sql = "SELECT a.* FROM {ints 1} {join} appointment a ON a.id = j.value";
    for row in &conn.query(sql).bind(ids).rows().await? {
        let cells = Cells(row);
        let id = AppointmentId(cells.int("id")?);
        let appointment = appointment(cells)?;
        let key = (appointment.source.clone(), appointment.key.clone());
        tables.keys.insert(key, id);
        tables.appointments.insert(id, appointment);
    }
    Ok(())
}

fn appointment(cells: Cells<'_>) -> StoreResult<AppointmentRow> {
    let print = cells.maybe_bytes("fingerprint")?;
    Ok(AppointmentRow {
        source: SourceName(cells.text("source")?),
        key: BookingKey(cells.text("key")?),
        revision: cells.count("revision")?,
        state: cells.state(["standing", "start_at", "office"])?,
        service: ServiceId(cells.text("service")?),
        base: cells.state(["base_standing", "base_start_at", "base_office"])?,
        district: cells.maybe_text("district")?.map(DistrictId),
        fingerprint: print.map(|bytes| fingerprint(&bytes)).transpose()?,
        absent: cells.count("absent")?,
        seen_at: cells.time("seen_at")?,
        occasions: cells.word("occasions", words::read_occasions)?,
        notices: Vec::new(),
    })
}

pub(super) fn fingerprint(bytes: &[u8]) -> StoreResult<Fingerprint> {
    let bytes = <[u8; 16]>::try_from(bytes);
    let bytes = bytes.map_err(|_| corrupt("fingerprint", "not 16 bytes"))?;
    Ok(Fingerprint(u128::from_be_bytes(bytes)))
}

/// Adds the persons of the appointments at hand.
pub(super) async fn people(conn: &mut Conn<'_>, tables: &mut Tables) -> StoreResult<()> {
    let sql = "SELECT p.* FROM {ints 1} {join} appointment_person p ON p.appointment = j.value
               ORDER BY p.appointment, p.place";
    let ids: Vec<i64> = tables.appointments.keys().map(|id| id.0).collect();
    for row in &conn.query(sql).bind(ids).rows().await? {
        let cells = Cells(row);
        let id = AppointmentId(cells.int("appointment")?);
        tables.people.entry(id).or_default().push(recipient(cells)?);
        let about = cells.text("about")?;
        let read = About::from_words(&about).ok_or_else(|| corrupt("about", "unknown word"))?;
        tables.abouts.insert(id, read);
    }
    Ok(())
}

fn recipient(cells: Cells<'_>) -> StoreResult<Recipient> {
    let why = |name| cells.maybe_word(name, Unusable::from_word);
    let phone = cells.maybe_text("phone")?.map(|p| Phone::from_stored(&p));
    let email = cells.maybe_text("email")?.map(|e| Email::from_stored(&e));
    Ok(Recipient {
        role: cells.parsed("role")?,
        contact: Contact {
            phone: phone.ok_or(why("phone_unusable")?.unwrap_or(Unusable::Missing)),
            email: email.ok_or(why("email_unusable")?.unwrap_or(Unusable::Missing)),
        },
        language: cells.maybe_parsed("language")?,
    })
}

pub(super) fn notices(tables: &mut Tables, aside: &mut Aside, rows: &[Row]) -> StoreResult<()> {
    for row in rows {
        let cells = Cells(row);
        let id = NoticeId(cells.int("id")?);
        let Some(notice) = aside.read(id, notice(cells))? else {
            continue;
        };
        if let Some(appointment) = tables.appointments.get_mut(&notice.appointment) {
            appointment.notices.push(id);
        }
        if let Some(reference) = notice.reference {
            tables.references.insert(reference, id);
        }
        tables.notices.insert(id, notice);
    }
    Ok(())
}

fn notice(cells: Cells<'_>) -> StoreResult<NoticeRow> {
    Ok(NoticeRow {
        appointment: AppointmentId(cells.int("appointment")?),
        revision: cells.count("revision")?,
        purpose: cells.word("purpose", Purpose::from_word)?,
        occasion: cells.count("occasion")?,
        role: cells.parsed("role")?,
        change: cells.change()?,
        district: DistrictId(cells.text("district")?),
        office: OfficeId(cells.text("office")?),
        ladder: cells.word("ladder", read_ladder)?,
        on_unknown: cells.word("on_unknown", OnUnknown::from_word)?,
        reference: cells.maybe_parsed("reference")?,
        due_by: cells.time("due_by")?,
        not_after: cells.time("not_after")?,
        superseded: cells.flag("superseded")?,
        climb: cells.flag("climb")?,
        promises: cells.flag("promises")?,
        ended_at: cells.maybe_time("ended_at")?,
        batch: cells.maybe_int("batch")?.map(BatchId),
        was_in: batches_of(&cells.text("was_in")?)?,
        messages: Vec::new(),
    })
}

/// The batches that a notice was in, as its row lists them: each between two commas.
fn batches_of(list: &str) -> StoreResult<Vec<BatchId>> {
    let ids = list.split(',').filter(|id| !id.is_empty());
    let read = |id: &str| id.parse().map(BatchId).map_err(|_| corrupt("was_in", list));
    ids.map(read).collect()
}

async fn messages(conn: &mut Conn<'_>, tables: &mut Tables, aside: &mut Aside) -> StoreResult<()> {
    let sql = "SELECT m.* FROM {ints 1} {join} message m ON m.notice = j.value
               ORDER BY m.notice, m.rung";
    let ids: Vec<i64> = tables.notices.keys().map(|id| id.0).collect();
    let rows = conn.query(sql).bind(ids).rows().await?;
    take_messages(tables, aside, &rows)
}

pub(super) fn take_messages(
    tables: &mut Tables,
    aside: &mut Aside,
    rows: &[Row],
) -> StoreResult<()> {
    for row in rows {
        let cells = Cells(row);
        let (id, notice) = (MessageId(cells.int("id")?), NoticeId(cells.int("notice")?));
        let Some(message) = aside.read(notice, message(cells))? else {
            continue;
        };
        if let Some(notice) = tables.notices.get_mut(&message.notice) {
            notice.messages.push(id);
        }
        tables.gateway_keys.insert(message.gateway_key.clone(), id);
        tables.messages.insert(id, message);
    }
    Ok(())
}

fn message(cells: Cells<'_>) -> StoreResult<MessageRow> {
    let encoding = cells.maybe_word("encoding", Encoding::from_word)?;
    let (units, parts) = (cells.maybe_count("units")?, cells.maybe_count("parts")?);
    Ok(MessageRow {
        notice: NoticeId(cells.int("notice")?),
        rung: cells.count("rung")?,
        channel: cells.word("channel", Channel::from_word)?,
        state: cells.word("state", MessageState::from_word)?,
        reason: cells.maybe_word("reason", Reason::from_word)?,
        told_on: cells.word("told_on", ToldOn::from_word)?,
        gateway_key: cells.text("gateway_key")?,
        sender: cells.text("sender")?,
        size: encoding.map(|encoding| Size {
            encoding,
            units: units.unwrap_or_default(),
            parts: parts.unwrap_or_default(),
        }),
        not_before: cells.time("not_before")?,
        hours: cells.maybe_parsed("send_hours")?,
        open_until: cells.maybe_time("open_until")?,
        give_up_at: cells.time("give_up_at")?,
        last_try: cells.maybe_time("last_try")?,
        fence: cells.int("fence")?,
        attempts: cells.count("attempts")?,
        lease_until: cells.maybe_int("lease_until")?.map(DbTime),
        node: cells.maybe_text("node")?,
        gateway: cells.maybe_text("gateway")?,
        quarantine: Millis(cells.int("quarantine")?),
        lookup: Millis(cells.int("lookup")?),
        dedup_until: cells.maybe_int("dedup_until")?.map(DbTime),
        repeat: cells.flag("repeat")?,
        report_by: cells.maybe_time("report_by")?,
        first_attempt_at: cells.maybe_time("first_attempt_at")?,
        told_at: cells.maybe_time("told_at")?,
        may_be_out: cells.flag("may_be_out")?,
        accepted: cells.flag("accepted")?,
        possible_duplicate: cells.flag("possible_duplicate")?,
        climbed: cells.flag("climbed")?,
        machines: cells.count("machines")?,
        machine_at: cells.maybe_time("machine_at")?,
        bundle: cells.maybe_int("bundle")?.map(MessageId),
        others: cells.count("others")?,
        together: cells.flag("together")?,
        attempt_ids: Vec::new(),
    })
}

fn batch_ids(tables: &Tables) -> Vec<i64> {
    let ids = tables.notices.values().filter_map(|n| n.batch);
    let ids: BTreeSet<i64> = ids.map(|id| id.0).collect();
    ids.into_iter().collect()
}

async fn batches(conn: &mut Conn<'_>, tables: &mut Tables) -> StoreResult<()> {
    let ids = batch_ids(tables);
    add_batches(conn, tables, &ids).await
}

/// Adds the rows of these batches.
pub(super) async fn add_batches(
    conn: &mut Conn<'_>,
    tables: &mut Tables,
    ids: &[i64],
) -> StoreResult<()> {
    if ids.is_empty() {
        return Ok(());
    }
    let sql = "SELECT b.* FROM {ints 1} {join} batch b ON b.id = j.value";
    for row in &conn.query(sql).bind(ids).rows().await? {
        let cells = Cells(row);
        tables.batches.insert(
            BatchId(cells.int("id")?),
            BatchRow {
                source: SourceName(cells.text("source")?),
                braked: cells.word("braked", Braked::from_word)?,
                state: cells.word("state", words::read_batch_state)?,
                version: cells.count("version")?,
                changes: cells.count("changes")?,
                known: cells.count("known")?,
                held_at: cells.time("held_at")?,
                canary: cells.maybe_int("canary")?.map(BatchId),
                released_at: cells.maybe_time("released_at")?,
            },
        );
    }
    Ok(())
}

/// Adds the attempts of the messages at hand, with every report about them.
pub(super) async fn attempts(
    conn: &mut Conn<'_>,
    tables: &mut Tables,
    aside: &mut Aside,
) -> StoreResult<()> {
    let sql = "SELECT a.* FROM {ints 1} {join} attempt a ON a.message = j.value
               ORDER BY a.message, a.no";
    let ids: Vec<i64> = tables.messages.keys().map(|id| id.0).collect();
    for row in &conn.query(sql).bind(ids).rows().await? {
        let cells = Cells(row);
        let (id, message) = (
            AttemptId(cells.int("id")?),
            MessageId(cells.int("message")?),
        );
        let Some(row) = tables.messages.get_mut(&message) else {
            continue;
        };
        if let Some(attempt) = aside.read(row.notice, attempt(message, cells))? {
            row.attempt_ids.push(id);
            tables.attempts.insert(id, attempt);
        }
    }
    let ids: Vec<i64> = tables.attempts.keys().map(|id| id.0).collect();
    reports(conn, tables, aside, &ids).await
}

fn attempt(message: MessageId, cells: Cells<'_>) -> StoreResult<AttemptRow> {
    Ok(AttemptRow {
        message,
        fence: cells.int("fence")?,
        gateway: cells.text("gateway")?,
        nonce: cells.count("nonce")?,
        outcome: cells.maybe_word("outcome", words::read_came)?,
        cause: cells.maybe_text("cause")?,
        gateway_id: cells.maybe_text("gateway_id")?,
        settled_at: cells.maybe_time("settled_at")?,
        carrier: cells.maybe_int("carrier")?.map(AttemptId),
    })
}

/// Adds every report about these attempts. One that cannot be understood sets its message's notice
/// aside, if that is at hand.
pub(super) async fn reports(
    conn: &mut Conn<'_>,
    tables: &mut Tables,
    aside: &mut Aside,
    attempts: &[i64],
) -> StoreResult<()> {
    let sql = "SELECT r.* FROM {ints 1} {join} report r ON r.attempt = j.value";
    for row in &conn.query(sql).bind(attempts).rows().await? {
        let cells = Cells(row);
        let attempt = tables.attempts.get(&AttemptId(cells.int("attempt")?));
        let message = attempt.and_then(|a| tables.messages.get(&a.message));
        let report = match message.map(|m| m.notice) {
            Some(notice) => aside.read(notice, report(cells))?,
            None => Some(report(cells)?),
        };
        if let Some(report) = report {
            tables.reports.insert(cells.int("id")?, report);
        }
    }
    Ok(())
}

fn report(cells: Cells<'_>) -> StoreResult<ReportRow> {
    Ok(ReportRow {
        attempt: AttemptId(cells.int("attempt")?),
        nonce: cells.count("nonce")?,
        state: cells.word("state", ReportState::from_word)?,
        detail: cells.text("detail")?,
        at: cells.time("at")?,
        standing: cells.word("standing", words::read_report_standing)?,
    })
}

/// Reads the numbers that the next rows get. Nobody else creates rows while this transaction lives:
/// its first statement was [`Conn::lock_creation`].
pub(super) async fn next_ids(conn: &mut Conn<'_>, tables: &mut Tables) -> StoreResult<()> {
    let sql = "SELECT (SELECT coalesce(max(id), 0) + 1 FROM appointment) AS appointment,
                      (SELECT coalesce(max(id), 0) + 1 FROM notice) AS notice,
                      (SELECT coalesce(max(id), 0) + 1 FROM message) AS message,
                      (SELECT coalesce(max(id), 0) + 1 FROM report) AS report,
                      (SELECT coalesce(max(id), 0) + 1 FROM batch) AS batch";
    let row = conn.query(sql).one().await?;
    let cells = Cells(&row);
    let next = &mut tables.next;
    next.appointment = cells.int("appointment")?;
    next.notice = cells.int("notice")?;
    next.message = cells.int("message")?;
    next.report = cells.int("report")?;
    next.batch = cells.int("batch")?;
    Ok(())
}
