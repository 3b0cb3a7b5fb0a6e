//! What time does to the rows at hand: leases that end, rungs that have had their time, windows that
//! close, unknowns after their quarantine. Nothing here does I/O or reads a clock.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::rows::{DbTime, Hand, MessageRow, NoticeRow};
use super::tables::Tables;
use super::{SweepLimits, Swept};
use crate::domain::message::{Channel, Event, MessageId, MessageState, Reason};
use crate::domain::notice::OnUnknown;
use crate::domain::plan::RungTime;
use crate::domain::send_hours::Slot;
use crate::sabotage::{self, Guard};

/// A message is not handed over again once so many senders have ended with it in their hands. One
/// life or two may be anybody's fault, and in a crash all that was in the air has lost one.
const LIVES: usize = 10;

/// What time asks of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// Its lease ended without an outcome.
    LeaseEnd,
    /// Its `not_after` passed before it left.
    Expiry,
    /// Nobody handed it over while there was time on its rung.
    GiveUp,
    /// The window in which it might have left has closed.
    Closed,
    /// It is to be handed over again, and the gateway would no longer know that it is the same.
    WindowEnd,
    /// Its quarantine is over, and so is the time to ask its gateway.
    Resolution,
    /// No report came in time.
    ReportDeadline,
    /// An operator's hold covers it.
    Stop,
    /// The operator's hold that stopped it was lifted.
    Free,
}

impl Due {
    /// Every kind, in the order in which a sweep looks for them.
    pub(crate) const ALL: [Self; 9] = [
        Self::LeaseEnd,
        Self::Expiry,
        Self::GiveUp,
        Self::Closed,
        Self::WindowEnd,
        Self::Resolution,
        Self::ReportDeadline,
        Self::Stop,
        Self::Free,
    ];
}

/// The present of a sweep on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SweepTimes {
    pub(crate) now: DateTime<Utc>,
    pub(crate) db_now: DbTime,
    pub(crate) rung_time: RungTime,
    pub(crate) quiet_reserve: Duration,
    /// Messages due by this or earlier have had the time of their rung; none has where it is `None`.
    pub(crate) over_by: Option<DateTime<Utc>>,
}

impl SweepTimes {
    pub(crate) fn new(now: DateTime<Utc>, db_now: DbTime, limits: &SweepLimits) -> Self {
        Self {
            now,
            db_now,
            rung_time: limits.rung_time,
            quiet_reserve: limits.quiet_reserve,
            over_by: limits.over_by(now),
        }
    }

    /// Whether a message that is ready has had the time of its rung. The phone is the last one.
    fn are_over(&self, row: &MessageRow, notice: &NoticeRow) -> bool {
        row.channel != Channel::Phone
            && row.not_before.max(row.give_up_at) <= self.now
            && self.over_by.is_some_and(|by| {
                notice.due_by <= by || row.last_try.is_some_and(|last| last <= self.now)
            })
    }
}

impl Tables {
    /// What time asks of a message, if anything.
    pub(crate) fn due(&self, id: MessageId, times: &SweepTimes) -> Option<Due> {
        let row = self.messages.get(&id)?;
        let notice = self.notices.get(&row.notice)?;
        let not_after = notice.not_after;
        let has_come = |time: DbTime| time <= times.db_now;
        match row.state {
            MessageState::Sending => {
                has_come(row.lease_until.unwrap_or_default()).then_some(Due::LeaseEnd)
            }
            MessageState::Ready | MessageState::Held if not_after <= times.now => Some(Due::Expiry),
            MessageState::Ready if row.repeat && has_come(row.dedup_until.unwrap_or_default()) => {
                Some(Due::WindowEnd)
            }
            MessageState::Ready if self.hold_on(row, notice).is_some() => Some(Due::Stop),
            MessageState::Ready if row.open_until.is_some_and(|end| end <= times.now) => {
                Some(Due::Closed)
            }
            MessageState::Ready => times.are_over(row, notice).then_some(Due::GiveUp),
            MessageState::Held if row.is_stopped() => {
                self.hold_on(row, notice).is_none().then_some(Due::Free)
            }
            MessageState::Held => None,
            MessageState::Unknown => {
                has_come(row.quarantine_end().plus(row.lookup)).then_some(Due::Resolution)
            }
            MessageState::Accepted => row
                .report_by
                .filter(|by| *by <= times.now)
                .map(|_| Due::ReportDeadline),
            MessageState::Delivered
            | MessageState::Undelivered
            | MessageState::Unconfirmed
            | MessageState::Failed
            | MessageState::Superseded
            | MessageState::Expired
            | MessageState::Suppressed => None,
        }
    }

    /// Does what time asks of these messages; each takes at most one step.
    ///
    /// They are taken by number whatever made a backend find them: the order in which leases end
    /// hangs on a store's clock, and the history must not.
    pub(crate) fn sweep(&mut self, ids: &[MessageId], times: &SweepTimes) -> Swept {
        let hand = Hand::part("upkeep", times.now);
        let mut swept = Swept::default();
        let ids: BTreeSet<MessageId> = ids.iter().copied().collect();
        for id in ids {
            match self.due(id, times) {
                Some(Due::LeaseEnd) => swept.leases_ended += self.end_lease(id, &hand),
                Some(Due::Expiry) => swept.expired += self.step(id, Event::Expire, None, &hand),
                Some(Due::Closed) => {
                    let least = times.rung_time.least;
                    swept.closed_out += self.time_anew(id, times, least);
                }
                Some(Due::GiveUp) => swept.gave_way += self.give_up(id, &hand),
                Some(Due::WindowEnd) => {
                    swept.windows_closed += self.step(id, Event::WindowClosed, None, &hand);
                }
                Some(Due::Resolution) => self.resolve(id, times.db_now, &hand, &mut swept),
                Some(Due::ReportDeadline) => {
                    swept.unconfirmed += self.step(id, Event::ReportDeadline, None, &hand);
                }
                Some(Due::Stop) => {
                    let why = self.stopped_by(id).unwrap_or_default();
                    let stopped = self.shift(id, Event::Hold, Some(Reason::Operator), &hand, &why);
                    swept.stopped += u32::from(stopped.is_some());
                }
                Some(Due::Free) => swept.freed += self.free(id, times, &hand),
                None => {}
            }
        }
        swept
    }

    fn step(&mut self, id: MessageId, event: Event, reason: Option<Reason>, h: &Hand<'_>) -> u32 {
        let moved = self.shift(id, event, reason, h, "").is_some();
        self.let_go_if_outdated(id, h);
        u32::from(moved)
    }

    /// Nobody handed it over in time. What may be out all the same is not called failed.
    fn give_up(&mut self, id: MessageId, hand: &Hand<'_>) -> u32 {
        let Some(row) = self.messages.get_mut(&id) else {
            return 0;
        };
        row.repeat = false;
        match row.may_be_out {
            true => self.step(id, Event::Hold, Some(Reason::Unknown), hand),
            false => self.step(id, Event::GaveUp, Some(Reason::Unreachable), hand),
        }
    }

    /// The hold is lifted: the time of its rung begins anew, since nobody could try it meanwhile.
    fn free(&mut self, id: MessageId, times: &SweepTimes, hand: &Hand<'_>) -> u32 {
        self.time_anew(id, times, Duration::MAX);
        self.step(id, Event::Release, None, hand)
    }

    /// It leaves in the opening that is or comes next; its rung has time until then and, up to
    /// `at_most`, from then on.
    fn time_anew(&mut self, id: MessageId, times: &SweepTimes, at_most: Duration) -> u32 {
        let notice = self.messages.get(&id).map(|m| m.notice);
        let due_by = notice.and_then(|notice| self.notices.get(&notice));
        let due_by = due_by.map(|notice| notice.due_by);
        let (Some(row), Some(due_by)) = (self.messages.get_mut(&id), due_by) else {
            return 0;
        };
        let (from, by) = (row.not_before.max(times.now), (due_by, row.last_try));
        let slot = row
            .hours
            .map(|hours| hours.slot(from, by, times.quiet_reserve));
        let slot = slot.unwrap_or(Slot::any_hour(from));
        (row.not_before, row.open_until) = (slot.from, slot.until);
        let rung_time = RungTime {
            most: times.rung_time.most.min(at_most),
            ..times.rung_time
        };
        let anew = rung_time.give_up_at(slot.from, by);
        row.give_up_at = row.give_up_at.max(anew);
        self.touched.messages.insert(id);
        1
    }

    fn end_lease(&mut self, id: MessageId, hand: &Hand<'_>) -> u32 {
        let event = match sabotage::is_off(Guard::LeaseEnd) {
            true => Event::NotSent,
            false => Event::LeaseEnded,
        };
        let moved = self.step(id, event, None, hand);
        // What the last attempt came to is unknown, what an older one came to may not be.
        if self.messages.get(&id).is_some_and(|row| row.accepted) {
            self.step(id, Event::Accepted, None, hand);
        }
        let last = self.messages.get(&id).and_then(|m| m.attempt_ids.last());
        if let Some(attempt) = last.copied() {
            self.apply_waiting(attempt, hand);
        }
        moved
    }

    /// How many senders ended before they could say what came of this message: the attempt stands
    /// before its effect, and its outcome never came.
    fn lives_taken(&self, row: &MessageRow) -> usize {
        let attempts = row.attempt_ids.iter().filter_map(|a| self.attempts.get(a));
        attempts.filter(|a| a.outcome.is_none()).count()
    }

    /// An unknown after its quarantine: superseded, handed over again where the gateway cannot make
    /// two of it, handed over once more at the risk of a second one, or held.
    fn resolve(&mut self, id: MessageId, db_now: DbTime, hand: &Hand<'_>, swept: &mut Swept) {
        let Some((row, notice)) = self
            .messages
            .get(&id)
            .and_then(|row| Some((row, self.notices.get(&row.notice)?)))
        else {
            return;
        };
        let in_time = hand.at < row.give_up_at.min(notice.not_after);
        let once_more = notice.on_unknown == OnUnknown::Retry && !row.possible_duplicate && in_time;
        let again = in_time && row.dedup_until.is_some_and(|until| db_now < until);
        if self.void(id).is_some() {
            self.step(id, Event::Supersede, None, hand);
        } else if self.lives_taken(row) >= LIVES {
            swept.held += self.step(id, Event::Hold, Some(Reason::Poison), hand);
        } else if again {
            if let Some(row) = self.messages.get_mut(&id) {
                row.repeat = true;
            }
            swept.repeated += self.step(id, Event::Repeat, None, hand);
        } else if once_more {
            if let Some(row) = self.messages.get_mut(&id) {
                row.possible_duplicate = true;
            }
            swept.retried += self.step(id, Event::Retry, None, hand);
        } else {
            swept.held += self.step(id, Event::Hold, Some(Reason::Unknown), hand);
        }
    }
}
