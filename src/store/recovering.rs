//! What becomes of what waits in a store of which an older state was put back: some of it may have
//! been sent since. Nothing here does I/O or reads a clock.
//!
//! Each such message carries an attempt of which nothing is known, numbered 0, so that it counts as
//! perhaps handed over for ever. What was never tried waits in a batch for a person's yes; what was
//! tried before is not tried again and its person must be phoned.

use std::collections::BTreeMap;

use super::BatchId;
use super::rows::{BatchRow, BatchState, Hand, MessageRow, draw};
use super::tables::Tables;
use crate::domain::appointment::SourceName;
use crate::domain::brake::Braked;
use crate::domain::ladder::Ladder;
use crate::domain::message::{Channel, Event, MessageId, MessageState, Reason};
use crate::domain::notice::NoticeId;

/// The number of the attempt that stands for what may have happened after the state put back.
pub(crate) const GHOST_NO: u32 = 0;
/// Its gateway, and its cause.
pub(crate) const GHOST_GATEWAY: &str = "(before the recovery)";
pub(crate) const GHOST_CAUSE: &str = "an older state of the store was put back";

/// So many turns to read a source are passed over: the state that was lost may have given them out,
/// and whoever has one of them records nothing more.
pub(crate) const TURNS_PASSED_OVER: i64 = 1_000_000;

/// What a recovery asks of one message.
enum Doubt {
    /// Never tried, as far as is known: a person says yes or no.
    Ask,
    /// Tried before: not again.
    Phone,
    /// It is held already; it only bears the mark.
    Mark,
}

impl MessageRow {
    /// Whether it may have been handed over without the store's knowing.
    pub(crate) fn is_doubtful(&self) -> bool {
        let waits = matches!(self.state, MessageState::Ready | MessageState::Held);
        waits && self.channel != Channel::Phone
    }

    fn doubt(&self) -> Option<Doubt> {
        match self.state {
            _ if self.channel == Channel::Phone => None,
            MessageState::Ready if self.attempts == 0 => Some(Doubt::Ask),
            MessageState::Ready | MessageState::Sending | MessageState::Unknown => {
                Some(Doubt::Phone)
            }
            MessageState::Held => Some(Doubt::Mark),
            MessageState::Accepted
            | MessageState::Delivered
            | MessageState::Undelivered
            | MessageState::Unconfirmed
            | MessageState::Failed
            | MessageState::Superseded
            | MessageState::Expired
            | MessageState::Suppressed => None,
        }
    }
}

impl Tables {
    /// Treats every notice at hand as one of which more may have been sent than is known; how many
    /// messages that concerns. The attempts numbered 0 stand already.
    pub(crate) fn recover(&mut self, hand: &Hand<'_>) -> u32 {
        let mut batches = BTreeMap::new();
        let notices: Vec<NoticeId> = self.notices.keys().copied().collect();
        let mut count = 0;
        for id in notices {
            self.cut_ladder(id);
            let messages = self.notices.get(&id).map(|n| n.messages.clone());
            for message in messages.unwrap_or_default() {
                count += u32::from(self.doubt(message, id, &mut batches, hand));
            }
            self.review(id, hand.at);
        }
        for id in batches.into_values() {
            let people = self.people_in(id);
            if let Some(batch) = self.batches.get_mut(&id) {
                batch.changes = people;
            }
        }
        count
    }

    fn doubt(
        &mut self,
        id: MessageId,
        notice: NoticeId,
        batches: &mut BTreeMap<SourceName, BatchId>,
        hand: &Hand<'_>,
    ) -> bool {
        let Some(doubt) = self.messages.get(&id).and_then(MessageRow::doubt) else {
            return false;
        };
        match doubt {
            Doubt::Ask => {
                let batch = self.batch_for(notice, batches, hand);
                if let Some(row) = self.notices.get_mut(&notice) {
                    row.was_in.extend(row.batch);
                    row.batch = batch;
                    self.touched.notices.insert(notice);
                }
                self.shift(id, Event::Hold, Some(Reason::Brake), hand, GHOST_CAUSE);
            }
            Doubt::Phone => {
                self.shift(id, Event::LeaseEnded, None, hand, GHOST_CAUSE);
                self.shift(id, Event::Hold, Some(Reason::Unknown), hand, GHOST_CAUSE);
            }
            Doubt::Mark => {
                self.write_history(Some(id), notice, hand, "doubted", (None, None), GHOST_CAUSE)
            }
        }
        if let Some(row) = self.messages.get_mut(&id) {
            row.may_be_out = true;
            row.possible_duplicate = true;
        }
        self.touched.messages.insert(id);
        true
    }

    fn batch_for(
        &mut self,
        notice: NoticeId,
        batches: &mut BTreeMap<SourceName, BatchId>,
        hand: &Hand<'_>,
    ) -> Option<BatchId> {
        let appointment = self.notices.get(&notice)?.appointment;
        let source = self.appointments.get(&appointment)?.source.clone();
        if let Some(batch) = batches.get(&source) {
            return Some(*batch);
        }
        let id = BatchId(draw(&mut self.next.batch));
        self.batches.insert(
            id,
            BatchRow {
                source: source.clone(),
                braked: Braked::Restored,
                state: BatchState::Held,
                version: 1,
                changes: 0,
                known: 0,
                held_at: hand.at,
                canary: None,
                released_at: None,
            },
        );
        self.touched.batches.insert(id);
        batches.insert(source, id);
        Some(id)
    }

    /// Beyond the rungs that stand, only the phone is left: a further one may have been opened, and
    /// used, after the state put back.
    fn cut_ladder(&mut self, id: NoticeId) {
        let Some(row) = self.notices.get(&id) else {
            return;
        };
        let rungs = row.messages.iter().filter_map(|m| self.messages.get(m));
        let Some(highest) = rungs.map(|m| usize::from(m.rung)).max() else {
            return;
        };
        let kept = row.ladder.channels().iter().take(highest + 1).copied();
        let cut = Ladder::new(&kept.collect::<Vec<_>>());
        if let Some(row) = self.notices.get_mut(&id).filter(|n| n.ladder != cut) {
            row.ladder = cut;
            self.touched.notices.insert(id);
        }
    }
}
