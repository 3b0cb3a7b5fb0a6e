//! The rungs of a notice as a record wants them: opened, renewed until something of them was handed
//! over, superseded where they are no longer planned, held where the brake is shut. Nothing here
//! does I/O or reads a clock.

use super::recording::Writing;
use super::rows::{BatchState, Hand, MessagePerson, MessageRow, Millis, Size, draw};
use super::tables::Tables;
use super::{NewMessage, NewNotice};
use crate::domain::message::{Event, MessageId, MessageState, Reason};
use crate::domain::notice::NoticeId;

impl Tables {
    pub(super) fn write_rungs(
        &mut self,
        notice: NoticeId,
        new: &NewNotice,
        release: bool,
        writing: &mut Writing<'_>,
    ) {
        // Only a person opens the brake: a record may do so once the batch is being released. A notice
        // that was freed stays free, though others of its batch still wait for their turn.
        let brake = match self.batch_of(notice) {
            Some(BatchState::Held) => Brake::Shut,
            Some(BatchState::Releasing) if !release && self.is_braked(notice) => Brake::Kept,
            Some(_) | None => Brake::Open,
        };
        for message in &new.messages {
            match self.rung_of(Some(notice), message.rung) {
                None => self.add_message(notice, message, brake, &writing.hand),
                Some(id) => self.renew_message(id, message, brake, &writing.hand),
            }
            self.note_bundle(self.rung_of(Some(notice), message.rung), message, writing);
        }
        let planned = |rung| new.messages.iter().any(|m| m.rung == rung);
        let row = self.notices.get(&notice);
        for id in row.map(|n| n.messages.clone()).unwrap_or_default() {
            let Some(old) = self.messages.get(&id) else {
                continue;
            };
            if old.is_unsent() && !planned(old.rung) {
                self.supersede(id, writing);
            }
        }
    }

    /// Whether the brake keeps a message of this notice.
    fn is_braked(&self, notice: NoticeId) -> bool {
        let messages = self.notices.get(&notice).map(|row| &row.messages);
        let mut messages = messages.into_iter().flatten();
        messages.any(|id| self.messages.get(id).is_some_and(MessageRow::is_braked))
    }

    fn add_message(&mut self, notice: NoticeId, new: &NewMessage, brake: Brake, hand: &Hand<'_>) {
        let id = MessageId(draw(&mut self.next.message));
        let (state, reason) = start(new, brake);
        let climbed = self.is_climbed(notice);
        self.messages.insert(
            id,
            MessageRow {
                notice,
                rung: new.rung,
                channel: new.channel,
                state,
                reason,
                told_on: new.told_on,
                gateway_key: new.gateway_key.clone(),
                sender: new.sender.clone(),
                size: size(new),
                not_before: new.not_before,
                hours: new.hours,
                open_until: new.open_until,
                give_up_at: new.give_up_at,
                last_try: new.last_try,
                fence: 0,
                attempts: 0,
                lease_until: None,
                node: None,
                gateway: None,
                quarantine: Millis(0),
                lookup: Millis(0),
                dedup_until: None,
                repeat: false,
                report_by: None,
                first_attempt_at: None,
                told_at: None,
                may_be_out: false,
                accepted: false,
                possible_duplicate: false,
                climbed,
                machines: 0,
                machine_at: None,
                bundle: None,
                others: 0,
                together: false,
                attempt_ids: Vec::new(),
            },
        );
        self.write_person(id, new);
        self.gateway_keys.insert(new.gateway_key.clone(), id);
        self.touched.messages.insert(id);
        if let Some(row) = self.notices.get_mut(&notice) {
            let place = row
                .messages
                .partition_point(|m| self.messages.get(m).is_some_and(|m| m.rung < new.rung));
            row.messages.insert(place, id);
        }
        self.batch_changed(notice);
        self.write_history(Some(id), notice, hand, "opened", (None, Some(state)), "");
    }

    /// Whether a rung that is opened now takes over from one that was tried. Rungs that open together
    /// do not: each of them is meant.
    fn is_climbed(&self, notice: NoticeId) -> bool {
        let row = self.notices.get(&notice);
        let mut rungs = row.into_iter().flat_map(|n| &n.messages);
        rungs.any(|rung| {
            let message = self.messages.get(rung);
            message.is_some_and(|m| m.attempts > 0 || m.state == MessageState::Failed)
        })
    }

    fn write_person(&mut self, id: MessageId, new: &NewMessage) {
        let person = MessagePerson {
            address: new.address.clone(),
            body: new.body.clone(),
            shared: None,
        };
        self.message_people.insert(id, person);
    }

    /// Until the first attempt a rung takes the new address, text and times.
    fn renew_message(&mut self, id: MessageId, new: &NewMessage, brake: Brake, hand: &Hand<'_>) {
        let Some(row) = self.messages.get_mut(&id) else {
            return;
        };
        let dropped = row.state == MessageState::Superseded && row.attempts == 0;
        if !row.is_unsent() && !dropped {
            return;
        }
        row.channel = new.channel;
        row.told_on = new.told_on;
        self.gateway_keys.remove(&row.gateway_key);
        row.gateway_key = new.gateway_key.clone();
        row.sender = new.sender.clone();
        row.size = size(new);
        row.not_before = new.not_before;
        row.hours = new.hours;
        row.open_until = new.open_until;
        row.give_up_at = new.give_up_at;
        row.last_try = new.last_try;
        let (state, braked, notice) = (row.state, row.is_braked(), row.notice);
        let stopped = row.is_stopped();
        if state == MessageState::Ready {
            row.reason = new.reason;
        }
        self.gateway_keys.insert(new.gateway_key.clone(), id);
        self.write_person(id, new);
        self.touched.messages.insert(id);
        self.batch_changed(notice);
        let (to, reason) = start(new, brake);
        let climbed = self.is_climbed(notice);
        if dropped && let Some(row) = self.messages.get_mut(&id) {
            row.climbed = climbed;
        }
        if dropped {
            self.put(id, to, reason, hand, "reopened", "");
        } else if brake == Brake::Shut && stopped {
            // Lifting a person's hold must not free what the brake keeps. Until then the claim
            // itself leaves out what the hold covers.
            self.put(
                id,
                MessageState::Held,
                Some(Reason::Brake),
                hand,
                "hold",
                "",
            );
        } else if brake == Brake::Shut {
            self.shift(id, Event::Hold, Some(Reason::Brake), hand, "");
        } else if brake == Brake::Open && braked {
            self.shift(id, Event::Release, new.reason, hand, "");
        }
    }
}

/// What the brake does to the messages of one notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Brake {
    /// Its batch waits for a person: whatever has not left is held.
    Shut,
    /// Its batch is being released, but not by this record: what is held stays held.
    Kept,
    /// No batch, or a person released it: what was held may leave.
    Open,
}

fn start(new: &NewMessage, brake: Brake) -> (MessageState, Option<Reason>) {
    match brake {
        Brake::Shut | Brake::Kept => (MessageState::Held, Some(Reason::Brake)),
        Brake::Open => (MessageState::Ready, new.reason),
    }
}

fn size(new: &NewMessage) -> Option<Size> {
    let segments = new.segments.as_ref()?;
    Some(Size {
        encoding: segments.encoding,
        units: u32::try_from(segments.units).unwrap_or(u32::MAX),
        parts: u32::try_from(segments.parts).unwrap_or(u32::MAX),
    })
}
