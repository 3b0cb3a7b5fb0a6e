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
            .filter(|(id, m, n)| {
                self.may_leave(m, n, ask) && !self.waits_for_its_bundle(*id, m, ask)
            })
            .map(|(id, _, n)| (n.due_by, id))
            .collect();
        picked.sort_unstable();
        picked.truncate(most(limit));
        let with_others = picked.into_iter().map(|(_, id)| (id, self.others(id, ask)));
        let picked: Vec<_> = with_others.collect();
        let claims = picked
            .iter()
            .filter_map(|(id, others)| self.take_all(*id, others, ask));
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
        // Who stops one of a bundle stops its hand-over; the others leave by themselves.
        let on_the_wire = |id: AttemptId| tables.attempts.get(&id)?.carrier.or(Some(id));
        messages
            .filter_map(|m| m.attempt_ids.last().copied())
            .filter_map(on_the_wire)
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

    /// Whether the message that speaks for this one is about to leave, and this one may still join it.
    fn waits_for_its_bundle(&self, id: MessageId, message: &MessageRow, ask: &ClaimAsk) -> bool {
        let lead = message.bundle.filter(|lead| *lead != id);
        let leaves = |lead: MessageId| {
            let row = self.tables.messages.get(&lead)?;
            let notice = self.tables.notices.get(&row.notice)?;
            let leaves = row.bundle == Some(lead)
                && row.state == MessageState::Ready
                && !row.repeat
                && message.may_join(row)
                && row.not_before <= ask.now
                && ask.now < notice.not_after
                && row.open_until.is_none_or(|end| ask.now < end)
                && !notice.superseded;
            Some(leaves)
        };
        lead.and_then(leaves).unwrap_or_default()
    }

    /// What leaves with a message that speaks for others: all of them, or none.
    fn others(&self, lead: MessageId, ask: &ClaimAsk) -> Vec<MessageId> {
        let Some(row) = self.tables.messages.get(&lead) else {
            return Vec::new();
        };
        let messages = self.tables.messages.iter();
        let others = messages.filter(|(id, m)| m.bundle == Some(lead) && **id != lead);
        let people = &self.tables.message_people;
        let says_the_same = |id: &MessageId| {
            let both = (people.get(id), people.get(&lead));
            matches!(both, (Some(one), Some(other))
                if one.shared.is_some() && (&one.shared, &one.address) == (&other.shared, &other.address))
        };
        let may_join = |m: &MessageRow| {
            let notice = self.tables.notices.get(&m.notice);
            m.may_join(row) && notice.is_some_and(|notice| self.may_leave(m, notice, ask))
        };
        let free: Vec<_> = others
            .filter(|(id, m)| may_join(m) && says_the_same(id))
            .map(|(id, _)| *id)
            .collect();
        let whole = row.bundle == Some(lead) && free.len() == most(row.others);
        if whole { free } else { Vec::new() }
    }

    fn take_all(&mut self, id: MessageId, others: &[MessageId], ask: &ClaimAsk) -> Option<Claim> {
        if others.is_empty() {
            return self.take(id, None, ask);
        }
        let claim = self.take(id, Some(id), ask)?;
        for other in others {
            self.take(*other, Some(id), ask);
            if let Some(attempt) = self.newest_attempt(*other) {
                attempt.carrier = Some(claim.attempt);
            }
        }
        let all = || std::iter::once(&id).chain(others);
        let rows = || all().filter_map(|m| self.tables.messages.get(m));
        let notices = rows().filter_map(|row| self.tables.notices.get(&row.notice));
        Some(Claim {
            body: self.tables.message_people.get(&id)?.shared.clone()?,
            not_after: notices.map(|notice| notice.not_after).min()?,
            give_up_at: rows().map(|row| row.give_up_at).min()?,
            ..claim
        })
    }

    fn newest_attempt(&mut self, id: MessageId) -> Option<&mut AttemptRow> {
        let newest = self.tables.messages.get(&id)?.attempt_ids.last()?;
        self.tables.attempts.get_mut(newest)
    }

    /// Takes one message, with the others of the bundle for which `lead` speaks or alone.
    fn take(&mut self, id: MessageId, lead: Option<MessageId>, ask: &ClaimAsk) -> Option<Claim> {
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
        row.together = lead.is_some();
        if row.together {
            // It is not asked for by one message's key, nor taken once by it.
            (row.lookup, row.dedup_until) = (Millis(0), None);
        }
        row.first_attempt_at = row.first_attempt_at.or(Some(ask.now));
        row.may_be_out = true;
        row.attempt_ids.push(attempt);
        let (fence, attempts) = (row.fence, row.attempts);
        self.tables
            .attempts
            .insert(attempt, AttemptRow::of(id, fence, &ask.gateway, ask.nonce));
        let with = lead.filter(|lead| *lead != id);
        let with = with.map(|lead| format!(", with message {}", lead.0));
        let with = with.unwrap_or_default();
        let detail = format!("attempt {attempts} through {}{with}", ask.gateway);
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
