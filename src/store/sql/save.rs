//! Writes back what an operation touched in `Tables`: one set-based statement per table.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::cells::{address_cells, hex, kind_word, ladder_text};
use super::conn::Conn;
use super::words;
use crate::domain::about::About;
use crate::domain::appointment::BookingState;
use crate::domain::language::Language;
use crate::domain::message::MessageId;
use crate::domain::recipient::Recipient;
use crate::store::StoreResult;
use crate::store::rows::{AppointmentId, HistoryRow, MessageRow, NoticeRow};
use crate::store::tables::Tables;

/// Rows per statement: bounds the memory of one JSON text.
const ROWS_PER_STATEMENT: usize = 500;

/// Writes everything that was touched.
pub(super) async fn save(conn: &mut Conn<'_>, tables: &Tables) -> StoreResult<()> {
    batches(conn, tables).await?;
    appointments(conn, tables).await?;
    notices(conn, tables).await?;
    messages(conn, tables).await?;
    attempts(conn, tables).await?;
    reports(conn, tables).await?;
    history(conn, &tables.history).await
}

async fn write(conn: &mut Conn<'_>, sql: &str, rows: &[Value]) -> StoreResult<()> {
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        conn.query(sql).bind_rows(chunk).run().await?;
    }
    Ok(())
}

/// The statement that inserts rows with these columns in this order, each with its kind before it:
/// `int`, `text`, or `bytes`, which a row carries as hexadecimal text.
fn insert(table: &str, columns: &str) -> String {
    let columns = columns.split(", ").filter_map(|c| c.split_once(' '));
    let names: Vec<_> = columns.clone().map(|(_, name)| name).collect();
    let cells: Vec<_> = columns
        .enumerate()
        .map(|(place, (kind, _))| format!("{{{kind} {place}}}"))
        .collect();
    let (names, cells) = (names.join(", "), cells.join(", "));
    format!("INSERT INTO {table} ({names}) SELECT {cells} FROM {{rows 1}} WHERE true")
}

/// The same, where a row may be there already. It is found by its first column; the columns of
/// `changing`, which come last, take their new values.
fn upsert(table: &str, fixed: &str, changing: &str) -> String {
    let key = fixed.split([' ', ',']).nth(1).unwrap_or_default();
    let names = changing.split(", ").filter_map(|c| c.split_once(' '));
    let sets: Vec<_> = names.map(|(_, n)| format!("{n} = excluded.{n}")).collect();
    let (insert, sets) = (
        insert(table, &format!("{fixed}, {changing}")),
        sets.join(", "),
    );
    format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {sets}")
}

fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

fn maybe_ms(at: Option<DateTime<Utc>>) -> Option<i64> {
    at.map(ms)
}

fn state(state: &BookingState) -> [Value; 3] {
    [
        json!(words::standing(state.standing)),
        json!(ms(state.start)),
        json!(state.office.0),
    ]
}

async fn batches(conn: &mut Conn<'_>, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.batches.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| Some((id, tables.batches.get(id)?)))
        .map(|(id, b)| {
            json!([
                id.0,
                b.source.0,
                b.braked.word(),
                b.changes,
                b.known,
                ms(b.held_at),
                words::batch_state(b.state),
                b.version,
                b.canary.map(|canary| canary.0),
                maybe_ms(b.released_at)
            ])
        })
        .collect();
    let sql = upsert(
        "batch",
        "int id, text source, text braked, int changes, int known, int held_at",
        "text state, int version, int canary, int released_at",
    );
    write(conn, &sql, &rows).await
}

async fn appointments(conn: &mut Conn<'_>, tables: &Tables) -> StoreResult<()> {
    let touched = &tables.touched.appointments;
    let rows: Vec<_> = touched
        .iter()
        .filter_map(|id| Some((id, tables.appointments.get(id)?)))
        .map(|(id, a)| {
            let [standing, start, office] = state(&a.state);
            let [base_standing, base_start, base_office] = state(&a.base);
            let print = a.fingerprint.map(|f| hex(&f.0.to_be_bytes()));
            json!([
                id.0,
                a.source.0,
                a.key.0,
                a.revision,
                standing,
                start,
                office,
                a.district.as_ref().map(|d| &d.0),
                a.service.0,
                base_standing,
                base_start,
                base_office,
                print,
                a.absent,
                words::occasions(&a.occasions),
                ms(a.seen_at)
            ])
        })
        .collect();
    let sql = upsert(
        "appointment",
        "int id, text source, text key",
        "int revision, text standing, int start_at, text office, text district, \
         text service, text base_standing, int base_start_at, text base_office, \
         bytes fingerprint, int absent, text occasions, int seen_at",
    );
    write(conn, &sql, &rows).await?;
    let ids: Vec<i64> = touched.iter().map(|id| id.0).collect();
    let sql = "DELETE FROM appointment_person
               WHERE appointment IN (SELECT j.value FROM {ints 1})";
    conn.query(sql).bind(ids).run().await?;
    let people = touched
        .iter()
        .filter_map(|id| Some((*id, tables.people.get(id)?)));
    let rows: Vec<_> = people
        .flat_map(|(id, people)| {
            let about = tables.abouts.get(&id).map(About::words);
            person_rows(id, people, about.unwrap_or_default())
        })
        .collect();
    let sql = insert(
        "appointment_person",
        "int appointment, int place, text role, text phone, text phone_unusable, text email, \
         text email_unusable, text language, text about",
    );
    write(conn, &sql, &rows).await
}

fn person_rows(
    id: AppointmentId,
    people: &[Recipient],
    about: String,
) -> impl Iterator<Item = Value> + '_ {
    people.iter().enumerate().map(move |(place, person)| {
        let (phone, email) = (&person.contact.phone, &person.contact.email);
        json!([
            id.0,
            place,
            person.role.to_string(),
            phone.as_ref().ok().map(|p| p.expose()),
            phone.as_ref().err().map(|why| why.word()),
            email.as_ref().ok().map(|e| e.expose()),
            email.as_ref().err().map(|why| why.word()),
            person.language.map(Language::tag),
            about
        ])
    })
}

async fn notices(conn: &mut Conn<'_>, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.notices.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| Some(notice_row(id.0, tables.notices.get(id)?)))
        .collect();
    let sql = upsert(
        "notice",
        "int id, int appointment, int revision, text purpose, int occasion, text role",
        "text kind, text old_standing, int old_start_at, text old_office, text new_standing, \
         int new_start_at, text new_office, text district, text office, text ladder, \
         text on_unknown, text reference, int due_by, int not_after, int superseded, \
         int climb, int promises, int ended_at, int batch, text was_in",
    );
    write(conn, &sql, &rows).await
}

fn notice_row(id: i64, n: &NoticeRow) -> Value {
    let [old_standing, old_start, old_office] = state(&n.change.old);
    let [new_standing, new_start, new_office] = state(&n.change.new);
    json!([
        id,
        n.appointment.0,
        n.revision,
        n.purpose.word(),
        n.occasion,
        n.role.to_string(),
        kind_word(n.change.kind),
        old_standing,
        old_start,
        old_office,
        new_standing,
        new_start,
        new_office,
        n.district.0,
        n.office.0,
        ladder_text(&n.ladder),
        n.on_unknown.word(),
        n.reference.map(|r| r.to_string()),
        ms(n.due_by),
        ms(n.not_after),
        i64::from(n.superseded),
        i64::from(n.climb),
        i64::from(n.promises),
        maybe_ms(n.ended_at),
        n.batch.map(|b| b.0),
        n.was_in
            .iter()
            .map(|b| format!(",{},", b.0))
            .collect::<String>()
    ])
}

async fn messages(conn: &mut Conn<'_>, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.messages.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| {
            let message = tables.messages.get(id)?;
            Some(message_row(
                *id,
                message,
                tables.notices.get(&message.notice)?,
            ))
        })
        .collect();
    let sql = upsert(
        "message",
        "int id, int notice, int rung, int fence, int attempts, int lease_until, text node, \
         int first_attempt_at",
        "text channel, text state, text reason, text told_on, text gateway_key, text sender, \
         text encoding, int units, int parts, int due_by, int not_after, int not_before, \
         text send_hours, int open_until, int give_up_at, int last_try, int report_by, int told_at, int may_be_out, int accepted, \
         int possible_duplicate, int repeat, int climbed, int machines, int machine_at, \
         int bundle, int others",
    );
    write(conn, &sql, &rows).await?;
    let people = tables.message_people.iter();
    let rows: Vec<_> = people
        .map(|(id, person)| {
            let (kind, address) = address_cells(&person.address);
            let shared = person.shared.as_ref().map(|text| hex(text));
            json!([id.0, address, kind, hex(&person.body), shared])
        })
        .collect();
    let sql = upsert(
        "message_person",
        "int message",
        "text address, text address_kind, bytes body, bytes shared",
    );
    write(conn, &sql, &rows).await
}

fn message_row(id: MessageId, m: &MessageRow, notice: &NoticeRow) -> Value {
    json!([
        id.0,
        m.notice.0,
        m.rung,
        m.fence,
        m.attempts,
        m.lease_until.map(|l| l.0),
        m.node,
        maybe_ms(m.first_attempt_at),
        m.channel.word(),
        m.state.word(),
        m.reason.map(|r| r.word()),
        m.told_on.word(),
        m.gateway_key,
        m.sender,
        m.size.map(|s| s.encoding.word()),
        m.size.map(|s| s.units),
        m.size.map(|s| s.parts),
        ms(notice.due_by),
        ms(notice.not_after),
        ms(m.not_before),
        m.hours.map(|hours| hours.to_string()),
        maybe_ms(m.open_until),
        ms(m.give_up_at),
        maybe_ms(m.last_try),
        maybe_ms(m.report_by),
        maybe_ms(m.told_at),
        i64::from(m.may_be_out),
        i64::from(m.accepted),
        i64::from(m.possible_duplicate),
        i64::from(m.repeat),
        i64::from(m.climbed),
        m.machines,
        maybe_ms(m.machine_at),
        m.bundle.map(|lead| lead.0),
        m.others
    ])
}

async fn attempts(conn: &mut Conn<'_>, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.attempts.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| Some((id, tables.attempts.get(id)?)))
        .map(|(id, a)| {
            let outcome = a.outcome.map(words::came);
            json!([id.0, outcome, a.cause, a.gateway_id, maybe_ms(a.settled_at)])
        })
        .collect();
    let sql = "UPDATE attempt SET outcome = {text 1}, cause = {text 2}, gateway_id = {text 3},
                 settled_at = {int 4}
               FROM {rows 1} WHERE attempt.id = {int 0}";
    write(conn, sql, &rows).await
}

async fn reports(conn: &mut Conn<'_>, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.reports.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| Some((id, tables.reports.get(id)?)))
        .map(|(id, r)| {
            json!([
                id,
                r.attempt.0,
                r.nonce,
                r.state.word(),
                r.detail,
                ms(r.at),
                words::report_standing(r.standing)
            ])
        })
        .collect();
    let sql = upsert(
        "report",
        "int id, int attempt, int nonce, text state, text detail, int at",
        "text standing",
    );
    write(conn, &sql, &rows).await
}

/// Appends to the history.
pub(super) async fn history(conn: &mut Conn<'_>, lines: &[HistoryRow]) -> StoreResult<()> {
    let rows: Vec<_> = lines
        .iter()
        .map(|h| {
            json!([
                ms(h.at),
                h.actor,
                h.request,
                h.appointment.map(|a| a.0),
                h.notice.map(|n| n.0),
                h.message.map(|m| m.0),
                h.batch.map(|b| b.0),
                h.channel.map(|c| c.word()),
                h.district.as_ref().map(|d| &d.0),
                h.office.as_ref().map(|o| &o.0),
                h.event,
                h.from.map(|s| s.word()),
                h.to.map(|s| s.word()),
                h.detail
            ])
        })
        .collect();
    let sql = insert(
        "history",
        "int at, text actor, text request, int appointment, int notice, int message, \
         int batch, text channel, text district, text office, text event, text from_state, \
         text to_state, text detail",
    );
    write(conn, &sql, &rows).await
}
