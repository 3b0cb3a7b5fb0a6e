//! What people do and read: acts as writes, and the batches, stories and gauges as reads.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::Write;
use super::cells::Cells;
use super::conn::Conn;
use super::ledger::{add_closing, end_closing};
use super::lists;
use super::load;
use super::outbox::by_batch;
use super::recover::has_moved;
use super::save::{history, save};
use super::tally::people;
use super::words;
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::brake::Braked;
use crate::domain::directory::OfficeId;
use crate::domain::message::{Channel, MessageId, MessageState};
use crate::domain::notice::{NoticeId, Purpose};
use crate::domain::reference::Reference;
use crate::domain::verdict::{self, Word};
use crate::store::deeds::sample;
use crate::store::listing;
use crate::store::rows::{AppointmentId, BatchState, HistoryRow, MessagePerson};
use crate::store::tables::Tables;
use crate::store::{
    Act, ActError, Acted, Batch, BatchId, Deed, Fault, FirstOut, Gauges, MustBePhoned, Sample,
    StoreResult, Story, StoryLine,
};

/// Texts of a batch that a person is shown: of each purpose and channel the one in the middle, what
/// most people will read first. The earliest would be the exceptions, at short notice.
const SAMPLES: u32 = 3;

impl Write for Act {
    type Answer = Result<Acted, ActError>;

    async fn write(&self, conn: &mut Conn<'_>) -> StoreResult<Self::Answer> {
        if matches!(self.deed, Deed::ReleaseFirst(..) | Deed::StartWave(..)) {
            // The first people of a batch become a batch of their own; a wave gets a number.
            conn.lock_creation().await?;
        }
        let sql = "SELECT answer FROM act WHERE idempotency_key = $1";
        let query = conn.query(sql).bind(&self.idempotency_key);
        if let Some(row) = query.maybe().await? {
            let count = Cells(&row).count("answer")?;
            return Ok(Ok(Acted { count }));
        }
        if !matches!(self.deed, Deed::Recover(_)) && has_moved(conn).await? {
            return Ok(Err(ActError::Moved));
        }
        let acted = match &self.deed {
            Deed::Release(_) | Deed::ReleaseFirst(..) | Deed::Discard(_) => {
                self.on_batch(conn).await?
            }
            Deed::StartWave(wave, seen) => self.start_wave(conn, (wave, *seen)).await?,
            Deed::Correct(seen) => self.correct(conn, seen).await?,
            Deed::AddClosing(closing) => {
                add_closing(conn, closing, &self.actor, self.at).await?;
                let line = HistoryRow::of_act(self, "closing_added");
                history(conn, &[line]).await?;
                Ok(Acted { count: 1 })
            }
            Deed::EndClosing(id) if end_closing(conn, *id, self.at).await? => {
                let line = HistoryRow::of_act(self, "closing_ended");
                history(conn, &[line]).await?;
                Ok(Acted { count: 1 })
            }
            Deed::EndClosing(id) => Err(ActError::NoClosing(*id)),
            Deed::AddList(list) => Ok(self.add_list(conn, list).await?),
            Deed::LiftList(id) => self.lift_list(conn, *id).await?,
            Deed::AckAlarm(id) => self.acknowledge(conn, *id).await?,
            Deed::Recover(how) => self.recover(conn, *how).await?,
            Deed::AddHold(on) => self.add_hold(conn, on).await?,
            Deed::LiftHold(id) => self.lift_hold(conn, *id).await?,
            Deed::Tick(reference) => self.on_call(conn, *reference, false).await?,
            Deed::AnsweringMachine(reference) => self.on_call(conn, *reference, true).await?,
        };
        if let Ok(acted) = &acted {
            self.keep(conn, acted.count).await?;
        }
        Ok(acted)
    }

    fn is_large(&self) -> bool {
        true
    }
}

impl Act {
    async fn on_batch(&self, conn: &mut Conn<'_>) -> StoreResult<Result<Acted, ActError>> {
        let Some(batch) = self.deed.batch() else {
            return Ok(Ok(Acted { count: 0 }));
        };
        let sql = "SELECT id FROM notice WHERE batch = $1 ORDER BY id";
        let query = conn.query(sql).bind(batch.0);
        let notices = query.numbers().await?;
        let mut tables = load::by_notices(conn, &notices).await?;
        conn.lock_batches(&[batch.0]).await?;
        if matches!(self.deed, Deed::ReleaseFirst(..)) {
            load::next_ids(conn, &mut tables).await?;
        }
        load::add_batches(conn, &mut tables, &[batch.0]).await?;
        let acted = tables.act_on_batch(self);
        if acted.is_ok() {
            save(conn, &tables).await?;
        }
        Ok(acted)
    }

    async fn on_call(
        &self,
        conn: &mut Conn<'_>,
        reference: Reference,
        machine: bool,
    ) -> StoreResult<Result<Acted, ActError>> {
        let sql = "SELECT id FROM notice WHERE reference = $1";
        let query = conn.query(sql).bind(reference.to_string());
        let notices = query.numbers().await?;
        let mut tables = load::by_notices(conn, &notices).await?;
        let acted = tables.tick(self, reference, machine);
        save(conn, &tables).await?;
        Ok(acted)
    }

    async fn keep(&self, conn: &mut Conn<'_>, count: u32) -> StoreResult<()> {
        let sql = "INSERT INTO act (idempotency_key, actor, reason, at, request, answer)
                   VALUES ($1, $2, $3, $4, $5, $6)";
        conn.query(sql)
            .bind(&self.idempotency_key)
            .bind(&self.actor)
            .bind(&self.reason)
            .bind(self.at.timestamp_millis())
            .bind(self.deed.words())
            .bind(count)
            .run()
            .await?;
        Ok(())
    }
}

/// The batches that wait for a person or are being released, oldest first.
pub(super) async fn batches(conn: &mut Conn<'_>) -> StoreResult<Vec<Batch>> {
    let sql = "SELECT * FROM batch WHERE state IN ('held', 'releasing') ORDER BY held_at, id";
    let found = conn.query(sql).rows().await?;
    let mut batches = Vec::with_capacity(found.len());
    for row in &found {
        let mut batch = batch(Cells(row))?;
        count_people(conn, &mut batch).await?;
        batch.samples = samples(conn, batch.id).await?;
        batch.first = first_out(conn, Cells(row)).await?;
        batches.push(batch);
    }
    Ok(batches)
}

fn batch(cells: Cells<'_>) -> StoreResult<Batch> {
    Ok(Batch {
        id: BatchId(cells.int("id")?),
        version: cells.count("version")?,
        people: 0,
        source: SourceName(cells.text("source")?),
        braked: cells.word("braked", Braked::from_word)?,
        held_at: cells.time("held_at")?,
        first_due_by: None,
        offices: BTreeMap::new(),
        purposes: BTreeMap::new(),
        releasing: cells.word("state", words::read_batch_state)? == BatchState::Releasing,
        first: None,
        samples: Vec::new(),
    })
}

/// The first people of a batch, where they were let go before the rest.
async fn first_out(conn: &mut Conn<'_>, cells: Cells<'_>) -> StoreResult<Option<FirstOut>> {
    let Some(canary) = cells.maybe_int("canary")? else {
        return Ok(None);
    };
    let tables = by_batch(conn, canary).await?;
    Ok(tables.first_out(BatchId(canary)))
}

async fn count_people(conn: &mut Conn<'_>, batch: &mut Batch) -> StoreResult<()> {
    let sql = "SELECT office, count(*) AS people, min(due_by) AS first_due_by FROM (
                 SELECT n.office, n.appointment, n.role, min(n.due_by) AS due_by
                 FROM notice n JOIN message m ON m.notice = n.id
                 WHERE n.batch = $1 AND m.state = 'held' AND m.reason = 'brake'
                 GROUP BY n.office, n.appointment, n.role) AS person
               GROUP BY office";
    for row in &conn.query(sql).bind(batch.id.0).rows().await? {
        let cells = Cells(row);
        let people = cells.count("people")?;
        batch
            .offices
            .insert(OfficeId(cells.text("office")?), people);
        let due_by = cells.maybe_time("first_due_by")?;
        batch.first_due_by = [batch.first_due_by, due_by].into_iter().flatten().min();
    }
    let sql = "SELECT purpose, count(*) AS people FROM (
                 SELECT DISTINCT n.purpose, n.appointment, n.role
                 FROM notice n JOIN message m ON m.notice = n.id
                 WHERE n.batch = $1 AND m.state = 'held' AND m.reason = 'brake') AS person
               GROUP BY purpose";
    for row in &conn.query(sql).bind(batch.id.0).rows().await? {
        let cells = Cells(row);
        let purpose = cells.word("purpose", Purpose::from_word)?;
        batch.purposes.insert(purpose, cells.count("people")?);
    }
    let sql = "SELECT count(*) FROM (
                 SELECT DISTINCT n.appointment, n.role
                 FROM notice n JOIN message m ON m.notice = n.id
                 WHERE n.batch = $1 AND m.state = 'held' AND m.reason = 'brake') AS person";
    let people = conn.query(sql).bind(batch.id.0).number().await?;
    batch.people = u32::try_from(people).unwrap_or(u32::MAX);
    Ok(())
}

async fn samples(conn: &mut Conn<'_>, batch: BatchId) -> StoreResult<Vec<Sample>> {
    let sql = "SELECT k.channel, p.body FROM (
                 SELECT m.channel, m.id,
                   row_number() OVER (PARTITION BY n.purpose, m.channel ORDER BY m.due_by, m.id) AS place,
                   count(*) OVER (PARTITION BY n.purpose, m.channel) AS readers
                 FROM notice n JOIN message m ON m.notice = n.id
                 WHERE n.batch = $1 AND m.state = 'held' AND m.reason = 'brake'
                   AND m.channel <> 'phone') AS k
               JOIN message_person p ON p.message = k.id
               WHERE k.place = (k.readers + 1) / 2 ORDER BY k.readers DESC, k.id LIMIT $2";
    let query = conn.query(sql).bind(batch.0).bind(SAMPLES);
    let found = query.rows().await?;
    let text = |row| {
        let cells = Cells(row);
        let channel = cells.word("channel", Channel::from_word)?;
        Ok(sample(channel, &cells.bytes("body")?))
    };
    found.iter().map(text).collect()
}

/// The stories of whatever `name` names.
pub(super) async fn explain(conn: &mut Conn<'_>, name: &str) -> StoreResult<Vec<Story>> {
    let mut stories = Vec::new();
    for id in find(conn, name).await? {
        let mut tables = load::by_appointments(conn, &[id]).await?;
        let mut aside = load::Aside::default();
        load::attempts(conn, &mut tables, &mut aside).await?;
        addresses(conn, &mut tables).await?;
        aside.none()?;
        let lines = listing::among(lines(conn, id).await?, &lists::naming(conn, id).await?);
        stories.extend(tables.story(AppointmentId(id), lines));
    }
    Ok(stories)
}

/// Adds where each message goes; its bytes stay where they are.
async fn addresses(conn: &mut Conn<'_>, tables: &mut Tables) -> StoreResult<()> {
    let sql = "SELECT p.message, p.address, p.address_kind FROM {ints 1}
               {join} message_person p ON p.message = j.value";
    let ids: Vec<i64> = tables.messages.keys().map(|id| id.0).collect();
    for row in &conn.query(sql).bind(ids).rows().await? {
        let cells = Cells(row);
        let person = MessagePerson {
            address: cells.address()?,
            body: Vec::new(),
            shared: None,
        };
        let id = MessageId(cells.int("message")?);
        tables.message_people.insert(id, person);
    }
    Ok(())
}

/// Who must be phoned: only an appointment with an open phone rung can hold such a person.
pub(super) async fn must_be_phoned(
    conn: &mut Conn<'_>,
    now: DateTime<Utc>,
    limit: u32,
) -> StoreResult<MustBePhoned> {
    let sql = "SELECT DISTINCT n.appointment FROM message m JOIN notice n ON n.id = m.notice
               WHERE m.state = 'ready' AND m.channel = 'phone' AND m.due_by > $1
               ORDER BY n.appointment";
    let query = conn.query(sql).bind(now.timestamp_millis());
    let ids = query.numbers().await?;
    let mut tables = load::by_appointments(conn, &ids).await?;
    load::people(conn, &mut tables).await?;
    Ok(tables.must_be_phoned(now, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// What is not understood now.
pub(super) async fn faults(conn: &mut Conn<'_>) -> StoreResult<Vec<Fault>> {
    let sql = "SELECT * FROM fault ORDER BY source, key, place";
    let found = conn.query(sql).rows().await?;
    let fault = |row| {
        let cells = Cells(row);
        let key = Some(cells.text("key")?).filter(|key| !key.is_empty());
        Ok(Fault {
            source: SourceName(cells.text("source")?),
            key: key.map(BookingKey),
            column: cells.text("place")?,
            problem: cells.text("problem")?,
            since: cells.time("since")?,
        })
    };
    found.iter().map(fault).collect()
}

/// The sources that have a booking of this key.
pub(super) async fn sources_with(conn: &mut Conn<'_>, key: &str) -> StoreResult<Vec<SourceName>> {
    let sql = "SELECT source FROM appointment WHERE key = $1 ORDER BY source";
    let found = conn.query(sql).bind(key).rows().await?;
    let name = |row| Cells(row).text("source").map(SourceName);
    found.iter().map(name).collect()
}

async fn find(conn: &mut Conn<'_>, name: &str) -> StoreResult<Vec<i64>> {
    if let Ok(reference) = name.parse::<Reference>() {
        let sql = "SELECT appointment FROM notice WHERE reference = $1";
        let query = conn.query(sql).bind(reference.to_string());
        let mut found = query.numbers().await?;
        if !found.is_empty() {
            let sql = "SELECT DISTINCT o.appointment FROM notice n
                       JOIN message l ON l.notice = n.id AND l.others > 0
                       JOIN message m ON m.bundle = l.id AND m.id <> l.id AND m.together = 1
                       JOIN notice o ON o.id = m.notice
                       WHERE n.reference = $1 AND o.appointment <> n.appointment
                       ORDER BY o.appointment";
            let query = conn.query(sql).bind(reference.to_string());
            found.extend(query.numbers().await?);
            return Ok(found);
        }
    }
    let sql = "SELECT id FROM appointment WHERE key = $1 OR (source = $2 AND key = $3) ORDER BY id";
    let (source, key) = name.split_once('/').unwrap_or_default();
    let query = conn.query(sql).bind(name).bind(source).bind(key);
    query.numbers().await
}

/// What happened to an appointment, and to the batches that held its notices.
async fn lines(conn: &mut Conn<'_>, appointment: i64) -> StoreResult<Vec<StoryLine>> {
    let sql = "SELECT * FROM history WHERE appointment = $1
                 OR (appointment IS NULL AND batch IN (
                   SELECT n.batch FROM notice n WHERE n.appointment = $1))
               ORDER BY id";
    let query = conn.query(sql).bind(appointment);
    let found = query.rows().await?;
    found.iter().map(|row| line(Cells(row))).collect()
}

fn line(cells: Cells<'_>) -> StoreResult<StoryLine> {
    Ok(StoryLine {
        at: cells.time("at")?,
        actor: cells.text("actor")?,
        notice: cells.maybe_int("notice")?.map(NoticeId),
        channel: cells.maybe_word("channel", Channel::from_word)?,
        event: cells.text("event")?,
        from: cells.maybe_word("from_state", MessageState::from_word)?,
        to: cells.maybe_word("to_state", MessageState::from_word)?,
        detail: cells.text("detail")?,
    })
}

/// How far ahead the gauge of untold people looks.
const UNTOLD_HORIZON: TimeDelta = TimeDelta::hours(24);

/// What the gauges show.
pub(super) async fn gauges(conn: &mut Conn<'_>, now: DateTime<Utc>) -> StoreResult<Gauges> {
    let at = now.timestamp_millis();
    let sql = "SELECT min(not_before) AS first FROM message {index message_next}
               WHERE state = 'ready' AND channel IN ('sms', 'email')
                 AND not_before <= $1 AND not_after > $1";
    let row = conn.query(sql).bind(at).one().await?;
    let first = Cells(&row).maybe_time("first")?;
    let sql = "SELECT count(*) FROM batch WHERE state = 'held'";
    let held_batches = conn.query(sql).number().await?;
    let sql = "SELECT count(*) FROM hold WHERE lifted_at IS NULL";
    let operator_holds = conn.query(sql).number().await?;
    let sql = "SELECT count(*) FROM (
                 SELECT DISTINCT n.appointment, n.role
                 FROM message m JOIN notice n ON n.id = m.notice
                 WHERE m.state = 'ready' AND m.channel = 'phone') AS person";
    let call_list_people = conn.query(sql).number().await?;
    let mut gauges = Gauges {
        untold_people_24h: untold(conn, now, UNTOLD_HORIZON).await?,
        oldest_due_seconds: first.map_or(0.0, |first| seconds(now - first)),
        held_batches: u32::try_from(held_batches).unwrap_or(u32::MAX),
        call_list_people: u32::try_from(call_list_people).unwrap_or(u32::MAX),
        operator_holds: u32::try_from(operator_holds).unwrap_or(u32::MAX),
        snapshot_age_seconds: BTreeMap::new(),
    };
    let sql = "SELECT name, snapshot_at FROM source WHERE snapshot_at IS NOT NULL ORDER BY name";
    for row in &conn.query(sql).rows().await? {
        let cells = Cells(row);
        let age = seconds(now - cells.time("snapshot_at")?);
        let name = SourceName(cells.text("name")?);
        gauges.snapshot_age_seconds.insert(name, age);
    }
    Ok(gauges)
}

fn seconds(length: TimeDelta) -> f64 {
    length.as_seconds_f64()
}

/// How many people are not told whose deadline lies within this time from now.
pub(super) async fn untold(
    conn: &mut Conn<'_>,
    now: DateTime<Utc>,
    within: TimeDelta,
) -> StoreResult<u32> {
    let until = now + within;
    let sql = "SELECT DISTINCT appointment FROM notice WHERE due_by > $1 AND due_by <= $2";
    let query = conn.query(sql).bind(now.timestamp_millis());
    let query = query.bind(until.timestamp_millis());
    let ids = query.numbers().await?;
    let untold = |notices: &Vec<_>| {
        verdict::standing_notice(notices).is_some_and(|notice| {
            let word = verdict::word(notice, now);
            let near = notice.due_by > now && notice.due_by <= until;
            near && !matches!(word, Word::Told | Word::LeftOut)
        })
    };
    let people = people(conn, Some(ids)).await?;
    let count = people
        .people
        .values()
        .filter(|notices| untold(notices))
        .count();
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}
