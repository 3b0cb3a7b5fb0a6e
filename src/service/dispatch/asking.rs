//! Asking a gateway what became of unknowns: a few at a time, every one in its turn, and a gateway
//! that does not know is not asked without a pause.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock::Mono;
use crate::domain::message::MessageId;
use crate::domain::outcome::{AttemptFacts, Blame, Outcome, after_attempt};
use crate::service::{Gateway, Shared};
use crate::store::{Settlement, Unresolved};

/// Questions to one gateway at the same time.
const ASKED_AT_ONCE: usize = 8;

/// Unknowns that are looked at to choose from.
pub(super) const LOOKED_AT: u32 = 500;

/// The questions under way, and whose turn has been.
#[derive(Default)]
pub(super) struct Asking {
    open: BTreeSet<MessageId>,
    asked: BTreeSet<MessageId>,
    not_before: Option<Mono>,
}

impl Asking {
    /// Whether there is room, and the pause is over.
    pub(super) fn may_begin(&self) -> bool {
        let early = self.not_before.is_some_and(|at| Mono::now() < at);
        !early && self.open.len() < ASKED_AT_ONCE
    }

    pub(super) fn pause(&mut self, pause: Duration) {
        self.not_before = Some(Mono::now().plus(pause));
    }

    /// Those whose turn it is. Once everyone has been asked, a new round begins with the next pause.
    pub(super) fn choose(&mut self, unresolved: Vec<Unresolved>) -> Vec<Unresolved> {
        let room = ASKED_AT_ONCE.saturating_sub(self.open.len());
        let in_turn = |u: &Unresolved| !self.asked.contains(&u.message);
        let chosen: Vec<_> = unresolved.into_iter().filter(in_turn).take(room).collect();
        if chosen.is_empty() {
            // Whoever is still being asked is not asked twice at once.
            self.asked.clone_from(&self.open);
        }
        for one in &chosen {
            self.open.insert(one.message);
            self.asked.insert(one.message);
        }
        chosen
    }

    /// The gateway has answered, or not.
    pub(super) fn end(&mut self, message: MessageId) {
        self.open.remove(&message);
    }
}

/// What the gateway, asked, says of every attempt through it that is unclear: they had the same key,
/// so its answer is about all of them, and about no attempt through another gateway.
pub(super) async fn answers(
    shared: &Shared,
    gateway: &Gateway,
    asked: &Unresolved,
) -> Vec<Settlement> {
    let answer = gateway.gate.ask(&asked.gateway_key);
    let answer = tokio::time::timeout(gateway.longest_send, answer).await;
    let outcome = match answer {
        Ok(
            outcome @ (Outcome::Accepted { .. }
            | Outcome::NotSent {
                blame: Blame::Message,
                ..
            }),
        ) => outcome,
        // No word, or one that says nothing of the message.
        Ok(_) | Err(_) => return Vec::new(),
    };
    let now = shared.clock.now();
    let facts = AttemptFacts {
        now,
        attempts: asked.attempts,
        give_up_at: asked.give_up_at,
        report_within: gateway.report_within,
        report_least: shared.rules.rung_time.least,
        jitter: shared.chance.jitter(),
    };
    let decision = after_attempt(&outcome, &facts, &shared.retry);
    let of = |(attempt, fence)| Settlement {
        message: asked.message,
        attempt,
        fence,
        outcome: outcome.clone(),
        decision: decision.clone(),
        at: now,
    };
    asked.unclear.iter().copied().map(of).collect()
}
