//! What settlements do to the rows at hand, and what becomes void by them.
//!
//! Transitions are fenced, evidence is not: whatever comes is kept with its attempt, and a late
//! word may still resolve an unknown. Nothing here does I/O or reads a clock.

use super::rows::{BatchState, Came, DbTime, Hand, MessageRow, Millis};
use super::tables::Tables;
use super::ticks::TOLD_BY_PHONE;
use super::{AttemptId, Settled, Settlement, Unresolved};
use crate::domain::message::{self, Event, MessageId, MessageState, Next, Reason, ToldOn};
use crate::domain::notice::NoticeId;
use crate::domain::outcome::Outcome;
use crate::sabotage::{self, Guard};

impl Tables {
    /// Keeps an outcome with its attempt and moves the message if it may move; and so for every message
    /// that left with it. The answer is that of the first.
    pub(crate) fn settle(&mut self, settlement: &Settlement) -> Settled {
        let settled = self.settle_alone(settlement);
        for carried in self.for_carried(settlement) {
            self.settle_alone(&carried);
        }
        settled
    }

    /// The same, for one message and none that left with it.
    pub(crate) fn settle_alone(&mut self, settlement: &Settlement) -> Settled {
        let Some(row) = self.messages.get(&settlement.message) else {
            let problem = self.set_aside.get(&settlement.message);
            return problem.cloned().map_or(Settled::Stayed, Settled::SetAside);
        };
        let newest = row.fence == settlement.fence || sabotage::is_off(Guard::Fence);
        if !self.keep_outcome(settlement) {
            return Settled::Stayed;
        }
        let hand = Hand::part("dispatch", settlement.at);
        let event = self.weigh(settlement);
        let moved = self.move_on(settlement, event, newest, &hand);
        self.remember_acceptance(settlement);
        self.apply_waiting(settlement.attempt, &hand);
        self.let_go_if_outdated(settlement.message, &hand);
        match moved {
            true => Settled::Moved,
            false => Settled::Stayed,
        }
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
    /// acceptance of an older one, and makes nothing certain of an older one that may be out.
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
        } else if ends(event) && row.is_some_and(|m| m.may_be_out) {
            Event::Unclear
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
        let counts = match newest {
            true => !frees_what_may_be_out(row, event),
            false => event == Event::Accepted && row.state != MessageState::Sending,
        };
        let seen = as_evidence_finds_it(row);
        let detail = settlement.outcome.cause().unwrap_or_default();
        match message::next(seen, event) {
            Next::To(to) if counts => {
                let decided = settlement.decision.event;
                let reason = settlement.decision.reason.filter(|_| event == decided);
                self.put(id, to, reason, hand, event.word(), detail);
                if to == MessageState::Unknown && ends(decided) {
                    // As where time ends it: it would only be refused again.
                    self.shift(id, Event::Hold, Some(Reason::Unknown), hand, "");
                }
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

    /// Brings the notice of a message that moved up to date: what waits or would be repeated, although
    /// nobody needs it any more, is superseded, the open call included.
    pub(super) fn let_go_if_outdated(&mut self, id: MessageId, hand: &Hand<'_>) {
        let Some(notice) = self.messages.get(&id).map(|m| m.notice) else {
            return;
        };
        let rungs = self.notices.get(&notice).map(|n| n.messages.clone());
        let discarded = self.batch_of(notice) == Some(BatchState::Discarded);
        for rung in rungs.unwrap_or_default() {
            if discarded {
                self.throw_away(rung, hand, "");
                continue;
            }
            let waits = self.messages.get(&rung).is_some_and(|m| match m.state {
                MessageState::Ready => true,
                // What is held after an unknown goes nowhere by itself, and stays what it is.
                MessageState::Held => m.reason != Some(Reason::Unknown) || self.is_outdated_rung(m),
                _ => false,
            });
            if let Some(why) = self.void(rung).filter(|_| waits) {
                self.shift(rung, Event::Supersede, None, hand, why);
            }
        }
        self.review(notice, hand.at);
    }

    /// What can still be stopped of a batch that was thrown away, or must not be handed over again.
    pub(super) fn throw_away(&mut self, id: MessageId, hand: &Hand<'_>, why: &str) {
        if self
            .messages
            .get(&id)
            .is_some_and(|m| is_stoppable(m.state))
        {
            self.shift(id, Event::Suppress, Some(Reason::Discarded), hand, why);
        }
    }

    fn is_outdated_rung(&self, message: &MessageRow) -> bool {
        let notice = self.notices.get(&message.notice);
        notice.is_some_and(|n| self.is_outdated(n))
    }

    /// Why a message need not leave any more, if it need not: a newer revision stands, or another
    /// rung has told the person. Rungs that were opened together are both meant; one that was
    /// climbed to, and one that it took over from, are not.
    pub(super) fn void(&self, id: MessageId) -> Option<&'static str> {
        let row = self.messages.get(&id)?;
        let notice = self.notices.get(&row.notice)?;
        if self.is_outdated(notice) {
            return Some("");
        }
        if self.is_told_by_phone(notice) {
            return Some(TOLD_BY_PHONE);
        }
        let others = notice.messages.iter().filter(|other| **other != id);
        let mut others = others.filter_map(|other| Some((other, self.messages.get(other)?)));
        let told =
            others.any(|(other, m)| m.brief(*other).has_told() && (row.climbed || m.climbed));
        told.then_some("told on another rung")
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

    /// What may be asked about a message: its quarantine is over, and this gateway can say more of the
    /// attempts that went through it.
    pub(crate) fn unresolved(
        &self,
        id: MessageId,
        gateway: &str,
        db_now: DbTime,
    ) -> Option<Unresolved> {
        let row = self.messages.get(&id)?;
        let unclear = |id: &AttemptId| {
            let attempt = self.attempts.get(id)?;
            let open = matches!(attempt.outcome, None | Some(Came::Unknown));
            // What left within another's hand-over was never there under its own key; and what carried
            // others is not what went alone under the same key.
            let alone = attempt.carrier.is_none() && self.carried_by(*id).is_empty();
            let asked = attempt.gateway == gateway && alone;
            (open && asked).then_some((*id, attempt.fence))
        };
        let unclear: Vec<_> = row.attempt_ids.iter().filter_map(unclear).collect();
        let may_be_asked = row.state == MessageState::Unknown
            && row.lookup > Millis(0)
            && !unclear.is_empty()
            && row.quarantine_end() <= db_now;
        may_be_asked.then(|| Unresolved {
            message: id,
            unclear,
            attempts: row.attempts,
            gateway_key: row.gateway_key.clone(),
            give_up_at: row.give_up_at,
        })
    }
}

/// The state in which evidence finds a message: what is held after an unknown is still unknown to
/// whoever knows what became of it.
pub(super) fn as_evidence_finds_it(row: &MessageRow) -> MessageState {
    match (row.state, row.reason) {
        (MessageState::Held, Some(Reason::Unknown | Reason::Poison)) => MessageState::Unknown,
        (state, _) => state,
    }
}

/// Whether no further attempt follows by itself.
fn ends(event: Event) -> bool {
    matches!(event, Event::GaveUp | Event::Refused)
}

/// Whether this would make a message `ready` as if none of its attempts could be out. That the last
/// of several was not sent says nothing of the ones before it: unless a second hand-over is allowed
/// and marked already, what stays unknown is resolved like any other unknown.
fn frees_what_may_be_out(row: &MessageRow, event: Event) -> bool {
    event == Event::NotSent
        && as_evidence_finds_it(row) == MessageState::Unknown
        && row.may_be_out
        && !row.possible_duplicate
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

/// Whether a message of a batch that was thrown away can still be stopped, or must not be repeated.
pub(super) fn is_stoppable(state: MessageState) -> bool {
    matches!(
        state,
        MessageState::Ready | MessageState::Held | MessageState::Unknown
    )
}
