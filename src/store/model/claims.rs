//! Claims on the model: what may leave now, and the intent to send it.

use std::collections::BTreeSet;

use super::{State, most};
use crate::domain::message::{Event, MessageId, MessageState, Next, next};
use crate::store::rows::{AttemptRow, BatchState, Hand, MessageRow, Millis, NoticeRow, draw};
use crate::store::{AttemptId, Claim, ClaimAsk};

impl State {
    /// Takes what may leave, earliest deadline first, as far as the tokens go.
    pub(super) fn claim(&mut self, ask: &ClaimAsk) -> Vec<Claim> {
        if self.disowned.contains(&(ask.node.clone(), ask.nonce)) || !self.may_claim(ask) {
            return Vec::new();
        }
        let bucket = self.tokens(ask);
        let limit = bucket.map_or(ask.limit, |bucket| ask.limit.min(bucket.tokens()));
        let messages = self.tables.messages.iter();
        let mut picked: Vec<_> = messages
            .filter_map(|(id, m)| Some((*id, m, self.tables.notices.get(&m.notice)?)))
            .filter(|(_, m, n)| self.may_leave(m, n, ask))
            .map(|(id, _, n)| (n.due_by, id))
            .collect();
        picked.sort_unstable();
        picked.truncate(most(limit));
        let claims = picked.into_iter().filter_map(|(_, id)| self.take(id, ask));
        let claims: Vec<Claim> = claims.collect();
        self.spend(ask, bucket, claims.len());
        claims
    }

    fn may_leave(&self, message: &MessageRow, notice: &NoticeRow, ask: &ClaimAsk) -> bool {
        let older_is_in_the_air = |n: &NoticeRow| {
            let mut messages = n
                .messages
                .iter()
                .filter_map(|m| self.tables.messages.get(m));
            (n.appointment, &n.role) == (notice.appointment, &notice.role)
                && n.revision < notice.revision
                && messages.any(|m| self.in_the_air(m))
        };
        let until = self.db_now.plus(Millis::of(ask.lease));
        let again_is_safe = message.gateway.as_ref() == Some(&ask.gateway)
            && message.dedup_until.is_some_and(|end| until <= end);
        message.channel == ask.channel
            && (!message.repeat || again_is_safe)
            && matches!(next(message.state, Event::Claim), Next::To(_))
            && message.not_before <= ask.now
            && message.open_until.is_none_or(|end| ask.now < end)
            && ask.now < notice.not_after
            && !notice.superseded
            && self.tables.hold_on(message, notice).is_none()
            && !self.tables.notices.values().any(older_is_in_the_air)
    }

    /// What a node need not begin any more, because somebody stopped it since it was claimed.
    pub(super) fn stopped(&self, node: &str, gateway: &str) -> BTreeSet<AttemptId> {
        let tables = &self.tables;
        let is_stopped = |m: &MessageRow| {
            let notice = tables.notices.get(&m.notice);
            notice.is_some_and(|notice| {
                tables.hold_on(m, notice).is_some() || tables.is_told_by_phone(notice)
            }) || tables.batch_of(m.notice) == Some(BatchState::Discarded)
        };
        let messages = tables.messages.values().filter(|m| {
            m.state == MessageState::Sending
                && m.node.as_deref() == Some(node)
                && m.gateway.as_deref() == Some(gateway)
                && is_stopped(m)
        });
        messages
            .filter_map(|m| m.attempt_ids.last().copied())
            .collect()
    }

    /// Whether a node may still be handing it over, whatever a report has said of an earlier attempt.
    fn in_the_air(&self, message: &MessageRow) -> bool {
        let newest = message.attempt_ids.last();
        let newest = newest.and_then(|attempt| self.tables.attempts.get(attempt));
        let held = message.lease_until.is_some_and(|end| self.db_now < end);
        match message.state {
            MessageState::Sending => true,
            MessageState::Delivered => held && newest.is_some_and(|a| a.outcome.is_none()),
            _ => false,
        }
    }

    fn take(&mut self, id: MessageId, ask: &ClaimAsk) -> Option<Claim> {
        let attempt = AttemptId(1 + draw(&mut self.next_attempt));
        let hand = Hand::part("dispatch", ask.now);
        let now = self.db_now;
        let row = self.tables.messages.get_mut(&id)?;
        row.fence += 1;
        row.attempts += 1;
        row.node = Some(ask.node.clone());
        row.lease_until = Some(now.plus(Millis::of(ask.lease)));
        if !row.may_be_out || row.gateway.as_ref() != Some(&ask.gateway) {
            row.dedup_until = ask.unknowns.dedup_until(now);
        }
        row.gateway = Some(ask.gateway.clone());
        row.quarantine = Millis::of(ask.unknowns.quarantine);
        let lookup = Millis::of(ask.unknowns.lookup);
        row.lookup = match row.may_be_out {
            true => row.lookup.max(lookup),
            false => lookup,
        };
        row.first_attempt_at = row.first_attempt_at.or(Some(ask.now));
        row.may_be_out = true;
        row.attempt_ids.push(attempt);
        let (fence, attempts) = (row.fence, row.attempts);
        self.tables
            .attempts
            .insert(attempt, AttemptRow::of(id, fence, &ask.gateway, ask.nonce));
        let detail = format!("attempt {attempts} through {}", ask.gateway);
        self.tables.shift(id, Event::Claim, None, &hand, &detail);
        let row = self.tables.messages.get(&id)?;
        let person = self.tables.message_people.get(&id)?;
        Some(Claim {
            message: id,
            attempt,
            nonce: ask.nonce,
            fence,
            attempts,
            address: person.address.clone(),
            body: person.body.clone(),
            sender: row.sender.clone(),
            gateway_key: row.gateway_key.clone(),
            not_after: self.tables.notices.get(&row.notice)?.not_after,
            give_up_at: row.give_up_at,
        })
    }
}
