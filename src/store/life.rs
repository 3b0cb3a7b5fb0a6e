//! What settlements and time do to the rows at hand.
//!
//! Transitions are fenced, evidence is not: whatever comes is kept with its attempt, and a late
//! word may still resolve an unknown. Nothing here does I/O or reads a clock.

use chrono::{DateTime, Utc};
use std::collections::BTreeSet;

use super::rows::{Came, DbTime, Hand, MessageRow, Millis, NoticeRow};
use super::tables::Tables;
use super::{AttemptId, Settlement, Swept, Unresolved};
use crate::domain::message::{self, Event, MessageId, MessageState, Next, Reason, ToldOn};
use crate::domain::notice::{NoticeId, OnUnknown};
use crate::domain::outcome::Outcome;
use crate::sabotage::{self, Guard};

/// What time asks of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// Its lease ended without an outcome.
    LeaseEnd,
    /// Its `not_after` passed before it left.
    Expiry,
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
    pub(crate) const ALL: [Self; 7] = [
        Self::LeaseEnd,
        Self::Expiry,
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
}

impl Tables {
    /// Keeps an outcome with its attempt and moves the message if it may move.
    pub(crate) fn settle(&mut self, settlement: &Settlement) -> bool {
        let Some(row) = self.messages.get(&settlement.message) else {
            return false;
        };
        let newest = row.fence == settlement.fence || sabotage::is_off(Guard::Fence);
        if !self.keep_outcome(settlement) {
            return false;
        }
        let hand = Hand::part("dispatch", settlement.at);
        let event = self.weigh(settlement);
        let moved = self.move_on(settlement, event, newest, &hand);
        self.remember_acceptance(settlement);
        self.apply_waiting(settlement.attempt, &hand);
        self.let_go_if_outdated(settlement.message, &hand);
        moved
    }

    /// Appends the outcome to the attempt. A certain one replaces an unknown, nothing replaces a
    /// certain one. `false` means that there is no such attempt of this message.
    fn keep_outcome(&mut self, settlement: &Settlement) -> bool {
        let attempt = self.attempts.get_mut(&settlement.attempt);
        let Some(attempt) = attempt.filter(|a| a.message == settlement.message) else {
            return false;
        };
        if matches!(attempt.outcome, None | Some(Came::Unknown)) {
            attempt.outcome = Some(came(&settlement.outcome));
            attempt.cause = settlement.outcome.cause().map(str::to_owned);
            attempt.settled_at = Some(settlement.at);
            if let Outcome::Accepted { gateway_id } = &settlement.outcome {
                attempt.gateway_id.clone_from(gateway_id);
            }
            self.touched.attempts.insert(settlement.attempt);
        }
        self.recount(settlement.message);
        true
    }

    /// Whether any attempt may still have reached the person.
    fn recount(&mut self, id: MessageId) {
        let Some(row) = self.messages.get_mut(&id) else {
            return;
        };
        let mut attempts = row.attempt_ids.iter();
        row.may_be_out = attempts.any(|a| self.attempts.get(a).is_none_or(|a| a.may_be_out()));
        self.touched.messages.insert(id);
    }

    /// What the settlement means for the message: a failure of the newest attempt cannot undo the
    /// acceptance of an older one.
    fn weigh(&self, settlement: &Settlement) -> Event {
        let event = settlement.decision.event;
        let negative = matches!(
            event,
            Event::NotSent | Event::GaveUp | Event::Refused | Event::Unclear | Event::Suppress
        );
        let accepted = |m: &MessageRow| {
            let mut attempts = m.attempt_ids.iter().filter_map(|a| self.attempts.get(a));
            attempts.any(|a| a.outcome == Some(Came::Accepted))
        };
        let row = self.messages.get(&settlement.message);
        if negative && row.is_some_and(accepted) {
            Event::Accepted
        } else {
            event
        }
    }

    fn move_on(
        &mut self,
        settlement: &Settlement,
        event: Event,
        newest: bool,
        hand: &Hand<'_>,
    ) -> bool {
        let id = settlement.message;
        let Some(row) = self.messages.get(&id) else {
            return false;
        };
        let notice = row.notice;
        let counts = newest || (event == Event::Accepted && row.state != MessageState::Sending);
        let seen = as_evidence_finds_it(row);
        let detail = settlement.outcome.cause().unwrap_or_default();
        match message::next(seen, event) {
            Next::To(to) if counts => {
                let reason = settlement.decision.reason;
                self.put(id, to, reason, hand, event.word(), detail);
                if let (MessageState::Ready, Some(at), Some(row)) = (
                    to,
                    settlement.decision.not_before,
                    self.messages.get_mut(&id),
                ) {
                    row.not_before = at;
                }
                true
            }
            Next::To(_) | Next::Stay | Next::Refused => {
                let word = settlement.outcome.word();
                self.write_history(Some(id), notice, hand, word, (None, None), detail);
                false
            }
        }
    }

    fn remember_acceptance(&mut self, settlement: &Settlement) {
        if let (Some(row), Outcome::Accepted { .. }) = (
            self.messages.get_mut(&settlement.message),
            &settlement.outcome,
        ) {
            row.accepted = true;
            // Where acceptance is enough, silence must not take it back.
            let waits = row.told_on != ToldOn::Accepted;
            row.report_by = settlement.decision.report_by.filter(|_| waits);
        }
    }

    /// A message that would wait or be repeated although a newer revision stands, or although the
    /// person was told by phone, is superseded instead, and its notice is brought up to date.
    pub(super) fn let_go_if_outdated(&mut self, id: MessageId, hand: &Hand<'_>) {
        let Some(row) = self.messages.get(&id) else {
            return;
        };
        let (state, notice) = (row.state, row.notice);
        let waits = matches!(state, MessageState::Ready | MessageState::Held);
        let void = self.notices.get(&notice).is_some_and(|n| self.is_void(n));
        if waits && void {
            self.shift(id, Event::Supersede, None, hand, "");
        }
        self.review(notice, hand.at);
    }

    fn is_void(&self, notice: &NoticeRow) -> bool {
        self.is_outdated(notice) || self.is_told_by_phone(notice)
    }

    /// Takes the personal data out of ended notices: their references go here, and the messages
    /// named in the answer lose address and text.
    pub(crate) fn erase(&mut self, ids: &[NoticeId]) -> Vec<MessageId> {
        let mut messages = Vec::new();
        for id in ids {
            let Some(notice) = self.notices.get_mut(id) else {
                continue;
            };
            messages.extend(notice.messages.iter().copied());
            if let Some(reference) = notice.reference.take() {
                self.references.remove(&reference);
            }
            self.touched.notices.insert(*id);
        }
        for id in &messages {
            self.message_people.remove(id);
        }
        messages
    }

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
            MessageState::Ready => self.hold_on(row, notice).map(|_| Due::Stop),
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
                Some(Due::Free) => swept.freed += self.step(id, Event::Release, None, &hand),
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

    fn end_lease(&mut self, id: MessageId, hand: &Hand<'_>) -> u32 {
        let event = match sabotage::is_off(Guard::LeaseEnd) {
            true => Event::NotSent,
            false => Event::LeaseEnded,
        };
        let moved = self.step(id, event, None, hand);
        let last = self.messages.get(&id).and_then(|m| m.attempt_ids.last());
        if let Some(attempt) = last.copied() {
            self.apply_waiting(attempt, hand);
        }
        moved
    }

    /// What may be asked about a message: its quarantine is over, and this gateway can say more.
    pub(crate) fn unresolved(
        &self,
        id: MessageId,
        gateway: &str,
        db_now: DbTime,
    ) -> Option<Unresolved> {
        let row = self.messages.get(&id)?;
        let may_be_asked = row.state == MessageState::Unknown
            && row.lookup > Millis(0)
            && row.gateway.as_deref() == Some(gateway)
            && row.quarantine_end() <= db_now;
        let is_unclear = |a: &AttemptId| {
            let attempt = self.attempts.get(a);
            attempt.is_some_and(|a| matches!(a.outcome, None | Some(Came::Unknown)))
        };
        let unclear = row.attempt_ids.iter().copied().filter(is_unclear);
        may_be_asked.then(|| Unresolved {
            message: id,
            unclear: unclear.collect(),
            fence: row.fence,
            attempts: row.attempts,
            gateway_key: row.gateway_key.clone(),
            give_up_at: row.give_up_at,
        })
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
        if self.is_void(notice) {
            self.step(id, Event::Supersede, None, hand);
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

/// The state in which evidence finds a message: what is held after an unknown is still unknown to
/// whoever knows what became of it.
pub(super) fn as_evidence_finds_it(row: &MessageRow) -> MessageState {
    match (row.state, row.reason) {
        (MessageState::Held, Some(Reason::Unknown)) => MessageState::Unknown,
        (state, _) => state,
    }
}

fn came(outcome: &Outcome) -> Came {
    match outcome {
        Outcome::Accepted { .. } => Came::Accepted,
        Outcome::NotSent { .. } => Came::NotSent,
        Outcome::Refused { .. } => Came::Refused,
        Outcome::Unknown { .. } => Came::Unknown,
        Outcome::Withheld(_) => Came::Withheld,
    }
}
