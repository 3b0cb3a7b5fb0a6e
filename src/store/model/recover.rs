//! The model's nodes: how it stands to what one remembers, its locks, and what resolves them.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Model, State};
use crate::domain::alarm::{Alarm, AlarmId};
use crate::domain::message::{MessageId, MessageState};
use crate::store::ledger::RESTORED;
use crate::store::recovering::{GHOST_CAUSE, GHOST_GATEWAY};
use crate::store::rows::{AttemptRow, Came, Hand, HistoryRow, draw};
use crate::store::{
    Act, ActError, Acted, AttemptId, ClaimAsk, Cluster, Lock, Locked, Newest, Recovery, Remembered,
    Sighting, Standing, StoreResult,
};

impl Cluster for Model {
    async fn join(&self, node: &str) -> StoreResult<u32> {
        let mut state = self.state();
        state.nodes.insert(node.to_owned());
        let now = state.db_now;
        let held = state.tables.messages.values_mut().filter(|m| {
            m.state == MessageState::Sending
                && m.node.as_deref() == Some(node)
                && m.lease_until > Some(now)
        });
        let mut ended = 0;
        for message in held {
            message.lease_until = Some(now);
            ended += 1;
        }
        Ok(ended)
    }

    async fn beat(&self, node: &str) -> StoreResult<Option<Duration>> {
        self.state().nodes.insert(node.to_owned());
        Ok(None)
    }

    async fn raise(&self, sighting: &Sighting) -> StoreResult<Vec<Alarm>> {
        Ok(self.state().raise(sighting))
    }

    async fn alarms_told(&self, told: &[AlarmId], again: DateTime<Utc>) -> StoreResult<()> {
        self.state().alarms_told(told, again);
        Ok(())
    }

    async fn standing(&self, node: &str, remembered: Option<Remembered>) -> StoreResult<Standing> {
        Ok(self.state().standing(node, remembered))
    }

    async fn lock(&self, lock: &Lock) -> StoreResult<()> {
        self.state().lock(lock);
        Ok(())
    }

    async fn woken(&self) {
        std::future::pending().await
    }
}

impl State {
    pub(super) fn may_claim(&self, ask: &ClaimAsk) -> bool {
        let locked = self.locks.iter().any(|lock| lock.keeps(&ask.node));
        let then = ask.remembered.map_or(0, |mark| mark.recoveries);
        !locked && (self.holds(ask.remembered) || self.recoveries > then)
    }

    fn holds(&self, remembered: Option<Remembered>) -> bool {
        remembered.is_none_or(|mark| {
            let attempt = self.tables.attempts.get(&mark.attempt);
            mark.attempt.0 == 0 || attempt.is_some_and(|a| a.nonce == mark.nonce)
        })
    }

    pub(super) fn standing(&self, node: &str, remembered: Option<Remembered>) -> Standing {
        let newest = self.tables.attempts.last_key_value();
        Standing {
            store: "model".to_owned(),
            recoveries: self.recoveries,
            knows_node: self.nodes.contains(node),
            holds_it: self.holds(remembered),
            // The model does not keep when an attempt was made.
            newest: newest.map(|(id, row)| Newest {
                attempt: *id,
                nonce: row.nonce,
                at: DateTime::UNIX_EPOCH,
            }),
            locks: self.locks.clone(),
        }
    }

    pub(super) fn lock(&mut self, lock: &Lock) {
        let same = |old: &Lock| match lock.why {
            Locked::OlderState | Locked::Moved => old.why != Locked::NoJournal,
            Locked::NoJournal => old.why == Locked::NoJournal && old.node == lock.node,
        };
        if !self.locks.iter().any(same) {
            self.locks.push(lock.clone());
        }
    }

    pub(super) fn recover(&mut self, act: &Act, how: Recovery) -> Result<Acted, ActError> {
        if self.locks.is_empty() {
            return Err(ActError::NotLocked);
        }
        self.locks.clear();
        let concerned = match how {
            Recovery::Ask => self.doubt(act),
            Recovery::AsItStands => 0,
        };
        self.recoveries += 1;
        self.nodes.clear();
        self.end_turns();
        let line = HistoryRow::of_act(act, "recovered");
        self.tables.history.push(line);
        Ok(Acted { count: concerned })
    }

    fn doubt(&mut self, act: &Act) -> u32 {
        let messages = self.tables.messages.iter();
        let doubtful = messages.filter(|(_, m)| m.is_doubtful()).map(|(id, _)| *id);
        for id in doubtful.collect::<Vec<_>>() {
            self.ghost(id, act);
        }
        for source in self.sources.values_mut().filter(|s| s.snapshot.is_some()) {
            source.mapping = Some(RESTORED.to_owned());
        }
        self.tables.recover(&Hand {
            actor: &act.actor,
            at: act.at,
            request: Some(&act.idempotency_key),
        })
    }

    fn ghost(&mut self, id: MessageId, act: &Act) {
        let attempt = AttemptId(1 + draw(&mut self.next_attempt));
        let fence = self.tables.messages.get(&id).map_or(0, |m| m.fence);
        let row = AttemptRow {
            outcome: Some(Came::Unknown),
            cause: Some(GHOST_CAUSE.to_owned()),
            settled_at: Some(act.at),
            ..AttemptRow::of(id, fence, GHOST_GATEWAY, 0)
        };
        self.tables.attempts.insert(attempt, row);
        if let Some(message) = self.tables.messages.get_mut(&id) {
            message.attempt_ids.push(attempt);
        }
    }
}
