//! Recording what intake decided: beliefs compared, copies replaced, older notices superseded, new
//! ones written. Nothing here does I/O or reads a clock.

use std::collections::BTreeSet;

use super::rows::{
    AppointmentId, AppointmentRow, BatchRow, BatchState, Hand, HistoryRow, NoticeKey, NoticeRow,
    draw,
};
use super::tables::Tables;
use super::{BatchId, Entry, NewBundle, NewMessage, NewNotice, Record, Recorded};
use crate::domain::diff::ABSENT_BEFORE_GONE;
use crate::domain::message::{Event, MessageId};
use crate::domain::notice::NoticeId;
use crate::sabotage::{self, Guard};

impl Tables {
    /// Writes a record as far as its beliefs still stand. `baseline` tells whether the source's
    /// baseline was complete before it.
    pub(crate) fn record(&mut self, record: &Record, baseline: bool) -> Recorded {
        let mut recorded = Recorded {
            batch: self.new_batch(record),
            ..Recorded::default()
        };
        let mut writing = Writing {
            hand: Hand::part("intake", record.at),
            baseline,
            batch: recorded.batch,
            recorded: &mut recorded,
            bundled: Vec::new(),
        };
        for entry in &record.entries {
            if self.stands(entry) && !self.clashes(entry) {
                self.write_entry(entry, &mut writing);
            } else {
                let key = entry.appointment.key.clone();
                writing.recorded.conflicts.push(key);
            }
        }
        let bundled = writing.bundled;
        self.join(bundled);
        recorded
    }

    fn new_batch(&mut self, record: &Record) -> Option<BatchId> {
        let batch = record.batch?;
        let id = BatchId(draw(&mut self.next.batch));
        self.batches.insert(
            id,
            BatchRow {
                source: record.source.clone(),
                braked: batch.braked,
                state: BatchState::Held,
                version: 1,
                changes: batch.changes,
                known: batch.known,
                held_at: record.at,
                canary: None,
                released_at: None,
            },
        );
        self.touched.batches.insert(id);
        Some(id)
    }

    fn find(&self, entry: &Entry) -> Option<AppointmentId> {
        let appointment = &entry.appointment;
        let key = (appointment.source.clone(), appointment.key.clone());
        self.keys.get(&key).copied()
    }

    /// Whether what the decision rested on still stands.
    fn stands(&self, entry: &Entry) -> bool {
        let known = self.find(entry).and_then(|id| self.known(id));
        known.map(|known| known.believed()) == entry.believed || sabotage::is_off(Guard::Belief)
    }

    /// Whether a reference or gateway key belongs to something else already.
    fn clashes(&self, entry: &Entry) -> bool {
        let (mut references, mut keys) = (BTreeSet::new(), BTreeSet::new());
        entry.notices.iter().any(|new| {
            let notice = self.same_notice(entry, new);
            let own = notice.and_then(|id| self.notices.get(&id));
            let reference_taken = match own {
                Some(own) => own.reference != Some(new.reference),
                None => self.references.contains_key(&new.reference),
            };
            let key_taken = |m: &NewMessage| {
                let holder = self.gateway_keys.get(&m.gateway_key);
                holder.is_some_and(|holder| self.rung_of(notice, m.rung) != Some(*holder))
            };
            reference_taken
                || !references.insert(new.reference)
                || new.messages.iter().any(key_taken)
                || !new.messages.iter().all(|m| keys.insert(&m.gateway_key))
        })
    }

    /// The notice that stands already under the key of `new`.
    fn same_notice(&self, entry: &Entry, new: &NewNotice) -> Option<NoticeId> {
        let key: NoticeKey = (entry.revision, new.purpose, new.occasion, new.role.clone());
        let mut notices = self.appointments.get(&self.find(entry)?)?.notices.iter();
        let same = |n: &NoticeRow| (n.revision, n.purpose, n.occasion, n.role.clone()) == key;
        notices
            .find(|id| self.notices.get(id).is_some_and(same))
            .copied()
    }

    pub(super) fn rung_of(&self, notice: Option<NoticeId>, rung: u8) -> Option<MessageId> {
        let mut messages = self.notices.get(&notice?)?.messages.iter();
        messages
            .find(|id| self.messages.get(id).is_some_and(|m| m.rung == rung))
            .copied()
    }

    fn write_entry(&mut self, entry: &Entry, writing: &mut Writing<'_>) {
        let id = self.write_copy(entry, writing);
        if entry.supersede {
            self.supersede_before(id, entry.revision, writing);
        }
        for new in &entry.notices {
            self.write_notice(id, entry, new, writing);
        }
        writing.recorded.written += 1;
        if let Some(closing) = entry.admitted_by {
            *writing.recorded.admitted.entry(closing).or_default() += 1;
        } else {
            writing.recorded.changes += u32::from(entry.is_change());
        }
    }

    fn write_copy(&mut self, entry: &Entry, writing: &Writing<'_>) -> AppointmentId {
        let appointment = &entry.appointment;
        let found = self.find(entry);
        let id = found.unwrap_or_else(|| AppointmentId(draw(&mut self.next.appointment)));
        let old = self.appointments.remove(&id);
        let event = match &old {
            None => "seen",
            Some(old) if old.revision < entry.revision => "changed",
            Some(_) => "refreshed",
        };
        let district = entry.notices.first().map(|n| n.district.clone());
        // Before the baseline is complete nobody is told anything, so what is read now is what the
        // person believes; and what they did themself they know.
        let believes_old = writing.baseline && !entry.rebase;
        let base = old.as_ref().filter(|_| believes_old).map(|o| &o.base);
        let absent = old.as_ref().map_or(0, |o| o.absent);
        let row = AppointmentRow {
            source: appointment.source.clone(),
            key: appointment.key.clone(),
            revision: entry.revision,
            state: appointment.state.clone(),
            service: appointment.service.clone(),
            base: base.unwrap_or(&appointment.state).clone(),
            district: district.or_else(|| old.as_ref().and_then(|o| o.district.clone())),
            fingerprint: entry
                .seen
                .or_else(|| old.as_ref().and_then(|o| o.fingerprint))
                .or_else(|| Some(appointment.fingerprint())),
            // Only who looked at the source can say that a row is there again.
            absent: match entry.seen {
                _ if entry.gone => absent.max(ABSENT_BEFORE_GONE),
                Some(_) => 0,
                None => absent,
            },
            seen_at: old.as_ref().map_or(writing.hand.at, |o| o.seen_at),
            occasions: old
                .iter()
                .flat_map(|o| &o.occasions)
                .filter(|occasion| !entry.settled.contains(occasion))
                .cloned()
                .collect(),
            notices: old.map(|o| o.notices).unwrap_or_default(),
        };
        self.history.push(seen_line(id, &row, event, &writing.hand));
        self.appointments.insert(id, row);
        let key = (appointment.source.clone(), appointment.key.clone());
        self.keys.insert(key, id);
        self.people.insert(id, appointment.recipients.clone());
        self.abouts.insert(id, appointment.about.clone());
        self.touched.appointments.insert(id);
        id
    }

    /// A recorded change: what has not left for an older revision never will.
    fn supersede_before(&mut self, id: AppointmentId, revision: u32, writing: &mut Writing<'_>) {
        let notices = self.appointments.get(&id).map(|a| a.notices.clone());
        for notice in notices.unwrap_or_default() {
            let older = self.notices.get(&notice).filter(|n| n.revision < revision);
            for message in older.map(|n| n.messages.clone()).unwrap_or_default() {
                self.supersede(message, writing);
            }
            self.review(notice, writing.hand.at);
        }
    }

    pub(super) fn supersede(&mut self, message: MessageId, writing: &mut Writing<'_>) {
        let moved = self.shift(message, Event::Supersede, None, &writing.hand, "");
        writing.recorded.superseded += u32::from(moved.is_some());
    }

    fn write_notice(
        &mut self,
        id: AppointmentId,
        entry: &Entry,
        new: &NewNotice,
        writing: &mut Writing<'_>,
    ) {
        let notice = match self.same_notice(entry, new) {
            Some(notice) => {
                self.renew(notice, new, writing);
                notice
            }
            None => self.create(id, entry.revision, new, writing),
        };
        // What a person threw away does not come back with a new telephone number.
        let discarded = self.batch_of(notice) == Some(BatchState::Discarded);
        if !discarded {
            self.write_rungs(notice, new, entry.release, writing);
        }
        self.touched.notices.insert(notice);
        self.review(notice, writing.hand.at);
    }

    fn create(
        &mut self,
        id: AppointmentId,
        revision: u32,
        new: &NewNotice,
        writing: &mut Writing<'_>,
    ) -> NoticeId {
        let notice = NoticeId(draw(&mut self.next.notice));
        self.notices.insert(
            notice,
            NoticeRow {
                appointment: id,
                revision,
                purpose: new.purpose,
                occasion: new.occasion,
                role: new.role.clone(),
                change: new.change.clone(),
                district: new.district.clone(),
                office: new.office.clone(),
                ladder: new.ladder.clone(),
                on_unknown: new.on_unknown,
                reference: Some(new.reference),
                due_by: new.due_by,
                not_after: new.not_after,
                superseded: false,
                climb: false,
                promises: new.promises,
                ended_at: None,
                batch: writing.batch,
                was_in: Vec::new(),
                messages: Vec::new(),
            },
        );
        self.references.insert(new.reference, notice);
        if let Some(appointment) = self.appointments.get_mut(&id) {
            appointment.notices.push(notice);
        }
        let detail = format!("{} to {}", new.purpose, new.role);
        self.write_history(
            None,
            notice,
            &writing.hand,
            "recorded",
            (None, None),
            &detail,
        );
        writing.recorded.notices += 1;
        notice
    }

    /// A notice's own facts follow the new plan until something of it was handed over.
    fn renew(&mut self, notice: NoticeId, new: &NewNotice, writing: &Writing<'_>) {
        let held = self.batch_of(notice) == Some(BatchState::Held);
        let Some(row) = self.notices.get(&notice) else {
            return;
        };
        let messages = row.messages.clone();
        let attempted = |m: &MessageId| self.messages.get(m).is_some_and(|m| m.attempts > 0);
        let untouched = !messages.iter().any(attempted);
        let Some(row) = self.notices.get_mut(&notice) else {
            return;
        };
        row.promises |= new.promises;
        if untouched {
            row.change = new.change.clone();
            row.district = new.district.clone();
            row.office = new.office.clone();
            row.ladder = new.ladder.clone();
            row.on_unknown = new.on_unknown;
            row.due_by = new.due_by;
            row.not_after = new.not_after;
            self.touched.messages.extend(messages);
        }
        if !held && writing.batch.is_some() {
            row.was_in.extend(row.batch);
            row.batch = writing.batch;
        }
    }

    pub(super) fn batch_of(&self, notice: NoticeId) -> Option<BatchState> {
        let batch = self.notices.get(&notice)?.batch?;
        self.batches.get(&batch).map(|b| b.state)
    }
}

/// One record being written.
pub(super) struct Writing<'a> {
    pub(super) hand: Hand<'a>,
    baseline: bool,
    batch: Option<BatchId>,
    recorded: &'a mut Recorded,
    /// What was written for a bundle.
    pub(super) bundled: Vec<(MessageId, NewBundle)>,
}

fn seen_line(
    id: AppointmentId,
    row: &AppointmentRow,
    event: &'static str,
    hand: &Hand<'_>,
) -> HistoryRow {
    HistoryRow {
        at: hand.at,
        actor: hand.actor.to_owned(),
        request: None,
        appointment: Some(id),
        notice: None,
        message: None,
        batch: None,
        channel: None,
        district: row.district.clone(),
        office: Some(row.state.office.clone()),
        event,
        from: None,
        to: None,
        detail: format!("revision {}", row.revision),
    }
}
