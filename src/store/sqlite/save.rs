//! Writes back what an operation touched in `Tables`: one set-based statement per table.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::SqliteConnection;

use super::cells::{address_cells, hex, kind_word, ladder_text};
use super::words;
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
pub(super) async fn save(conn: &mut SqliteConnection, tables: &Tables) -> StoreResult<()> {
    batches(conn, tables).await?;
    appointments(conn, tables).await?;
    notices(conn, tables).await?;
    messages(conn, tables).await?;
    attempts(conn, tables).await?;
    reports(conn, tables).await?;
    history(conn, &tables.history).await
}

async fn write(conn: &mut SqliteConnection, sql: &'static str, rows: &[Value]) -> StoreResult<()> {
    for chunk in rows.chunks(ROWS_PER_STATEMENT) {
        let json = json!(chunk).to_string();
        sqlx::query(sql).bind(json).execute(&mut *conn).await?;
    }
    Ok(())
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

async fn batches(conn: &mut SqliteConnection, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.batches.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| Some((id, tables.batches.get(id)?)))
        .map(|(id, b)| {
            json!([
                id.0,
                b.source.0,
                b.braked.word(),
                words::batch_state(b.state),
                b.version,
                b.changes,
                b.known,
                ms(b.held_at)
            ])
        })
        .collect();
    let sql = "INSERT INTO batch (id, source, braked, state, version, changes, known, held_at)
               SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
                      value->>7
               FROM json_each(?1) WHERE true
               ON CONFLICT (id) DO UPDATE SET state = excluded.state, version = excluded.version";
    write(conn, sql, &rows).await
}

async fn appointments(conn: &mut SqliteConnection, tables: &Tables) -> StoreResult<()> {
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
                a.absent
            ])
        })
        .collect();
    let sql = "INSERT INTO appointment (id, source, key, revision, standing, start_at, office,
                 district, service, base_standing, base_start_at, base_office, fingerprint, absent)
               SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
                      value->>7, value->>8, value->>9, value->>10, value->>11,
                      unhex(value->>12), value->>13
               FROM json_each(?1) WHERE true
               ON CONFLICT (id) DO UPDATE SET revision = excluded.revision,
                 standing = excluded.standing, start_at = excluded.start_at,
                 office = excluded.office, district = excluded.district,
                 service = excluded.service, base_standing = excluded.base_standing,
                 base_start_at = excluded.base_start_at, base_office = excluded.base_office,
                 fingerprint = excluded.fingerprint, absent = excluded.absent";
    write(conn, sql, &rows).await?;
    let ids: Vec<_> = touched.iter().map(|id| json!(id.0)).collect();
    let sql = "DELETE FROM appointment_person
               WHERE appointment IN (SELECT value FROM json_each(?1))";
    write(conn, sql, &ids).await?;
    let people = touched
        .iter()
        .filter_map(|id| Some((*id, tables.people.get(id)?)));
    let rows: Vec<_> = people
        .flat_map(|(id, people)| person_rows(id, people))
        .collect();
    let sql = "INSERT INTO appointment_person (appointment, place, role, phone, phone_unusable,
                 email, email_unusable, language)
               SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
                      value->>7
               FROM json_each(?1)";
    write(conn, sql, &rows).await
}

fn person_rows(id: AppointmentId, people: &[Recipient]) -> impl Iterator<Item = Value> + '_ {
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
            person.language.map(Language::tag)
        ])
    })
}

async fn notices(conn: &mut SqliteConnection, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.notices.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| Some(notice_row(id.0, tables.notices.get(id)?)))
        .collect();
    let sql = "INSERT INTO notice (id, appointment, revision, purpose, occasion, role, kind,
                 old_standing, old_start_at, old_office, new_standing, new_start_at, new_office,
                 district, office, ladder, on_unknown, reference, due_by, not_after, superseded,
                 climb, ended_at, batch)
               SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
                      value->>7, value->>8, value->>9, value->>10, value->>11, value->>12,
                      value->>13, value->>14, value->>15, value->>16, value->>17, value->>18,
                      value->>19, value->>20, value->>21, value->>22, value->>23
               FROM json_each(?1) WHERE true
               ON CONFLICT (id) DO UPDATE SET kind = excluded.kind,
                 old_standing = excluded.old_standing, old_start_at = excluded.old_start_at,
                 old_office = excluded.old_office, new_standing = excluded.new_standing,
                 new_start_at = excluded.new_start_at, new_office = excluded.new_office,
                 district = excluded.district, office = excluded.office, ladder = excluded.ladder,
                 on_unknown = excluded.on_unknown, reference = excluded.reference,
                 due_by = excluded.due_by, not_after = excluded.not_after,
                 superseded = excluded.superseded, climb = excluded.climb,
                 ended_at = excluded.ended_at, batch = excluded.batch";
    write(conn, sql, &rows).await
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
        maybe_ms(n.ended_at),
        n.batch.map(|b| b.0)
    ])
}

async fn messages(conn: &mut SqliteConnection, tables: &Tables) -> StoreResult<()> {
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
    let sql = "INSERT INTO message (id, notice, rung, channel, state, reason, told_on, gateway_key,
                 sender, encoding, units, parts, due_by, not_after, not_before, give_up_at, fence,
                 attempts, lease_until, node, report_by, first_attempt_at, told_at, may_be_out,
                 accepted, possible_duplicate, repeat, machines, machine_at)
               SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
                      value->>7, value->>8, value->>9, value->>10, value->>11, value->>12,
                      value->>13, value->>14, value->>15, value->>16, value->>17, value->>18,
                      value->>19, value->>20, value->>21, value->>22, value->>23, value->>24,
                      value->>25, value->>26, value->>27, value->>28
               FROM json_each(?1) WHERE true
               ON CONFLICT (id) DO UPDATE SET channel = excluded.channel, state = excluded.state,
                 reason = excluded.reason, told_on = excluded.told_on,
                 gateway_key = excluded.gateway_key, sender = excluded.sender,
                 encoding = excluded.encoding, units = excluded.units, parts = excluded.parts,
                 due_by = excluded.due_by, not_after = excluded.not_after,
                 not_before = excluded.not_before, give_up_at = excluded.give_up_at,
                 report_by = excluded.report_by, told_at = excluded.told_at,
                 may_be_out = excluded.may_be_out, accepted = excluded.accepted,
                 possible_duplicate = excluded.possible_duplicate, repeat = excluded.repeat,
                 machines = excluded.machines, machine_at = excluded.machine_at";
    write(conn, sql, &rows).await?;
    let people = tables.message_people.iter();
    let rows: Vec<_> = people
        .map(|(id, person)| {
            let (kind, address) = address_cells(&person.address);
            json!([id.0, address, kind, hex(&person.body)])
        })
        .collect();
    let sql = "INSERT INTO message_person (message, address, address_kind, body)
               SELECT value->>0, value->>1, value->>2, unhex(value->>3)
               FROM json_each(?1) WHERE true
               ON CONFLICT (message) DO UPDATE SET address = excluded.address,
                 address_kind = excluded.address_kind, body = excluded.body";
    write(conn, sql, &rows).await
}

fn message_row(id: MessageId, m: &MessageRow, notice: &NoticeRow) -> Value {
    json!([
        id.0,
        m.notice.0,
        m.rung,
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
        ms(m.give_up_at),
        m.fence,
        m.attempts,
        m.lease_until.map(|l| l.0),
        m.node,
        maybe_ms(m.report_by),
        maybe_ms(m.first_attempt_at),
        maybe_ms(m.told_at),
        i64::from(m.may_be_out),
        i64::from(m.accepted),
        i64::from(m.possible_duplicate),
        i64::from(m.repeat),
        m.machines,
        maybe_ms(m.machine_at)
    ])
}

async fn attempts(conn: &mut SqliteConnection, tables: &Tables) -> StoreResult<()> {
    let touched = tables.touched.attempts.iter();
    let rows: Vec<_> = touched
        .filter_map(|id| Some((id, tables.attempts.get(id)?)))
        .map(|(id, a)| {
            let outcome = a.outcome.map(words::came);
            json!([id.0, outcome, a.cause, a.gateway_id, maybe_ms(a.settled_at)])
        })
        .collect();
    let sql = "UPDATE attempt SET outcome = j.value->>1, cause = j.value->>2,
                 gateway_id = j.value->>3, settled_at = j.value->>4
               FROM json_each(?1) j WHERE attempt.id = j.value->>0";
    write(conn, sql, &rows).await
}

async fn reports(conn: &mut SqliteConnection, tables: &Tables) -> StoreResult<()> {
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
    let sql = "INSERT INTO report (id, attempt, nonce, state, detail, at, standing)
               SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6
               FROM json_each(?1) WHERE true
               ON CONFLICT (id) DO UPDATE SET standing = excluded.standing";
    write(conn, sql, &rows).await
}

/// Appends to the history.
pub(super) async fn history(conn: &mut SqliteConnection, lines: &[HistoryRow]) -> StoreResult<()> {
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
    let sql = "INSERT INTO history (at, actor, request, appointment, notice, message, batch,
                 channel, district, office, event, from_state, to_state, detail)
               SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6,
                      value->>7, value->>8, value->>9, value->>10, value->>11, value->>12,
                      value->>13
               FROM json_each(?1)";
    write(conn, sql, &rows).await
}
