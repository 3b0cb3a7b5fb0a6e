//! Whether a gateway is left alone: hears every outcome, lets `domain::breaker` decide, and tells those
//! who have to know. It keeps no message and moves none.

use std::sync::Arc;

use crate::clock::Mono;
use crate::domain::breaker::{Breaker, Heard, Passage, Turn};
use crate::domain::outcome::{Blame, Outcome};
use crate::service::Shared;

/// What one node knows of one gateway.
pub(super) struct Resting {
    shared: Arc<Shared>,
    gateway: String,
    breaker: Breaker,
}

impl Resting {
    pub(super) fn new(shared: Arc<Shared>, gateway: &str, breaker: Breaker) -> Self {
        let gateway = gateway.to_owned();
        Self {
            shared,
            gateway,
            breaker,
        }
    }

    /// What may go to the gateway now.
    pub(super) fn passage(&self) -> Passage {
        self.breaker.passage(Mono::now().shown())
    }

    /// Hears what came of a hand-over.
    pub(super) fn hear(&mut self, outcome: &Outcome) {
        let Some(heard) = Heard::of(outcome) else {
            return;
        };
        let cause = outcome.cause().unwrap_or_default();
        let (shared, gateway) = (&self.shared, &self.gateway);
        match self.breaker.hear(heard, Mono::now().shown()) {
            Some(Turn::Opened(rest)) => {
                let seconds = rest.as_secs();
                tracing::error!(gateway, seconds, "the gateway is paused: {cause}");
                shared.metrics.gateway_paused(gateway, true);
                shared.pauses.pause(gateway, &why(outcome, cause));
                // Another gateway may take over.
                shared.wakes.messages();
            }
            Some(Turn::Stayed(_)) => drop(shared.pauses.pause(gateway, &why(outcome, cause))),
            Some(Turn::Closed) => {
                tracing::info!(gateway, "the gateway is used again");
                shared.metrics.gateway_paused(gateway, false);
                shared.pauses.end(gateway);
            }
            None => {}
        }
    }
}

/// Why it is left alone, for people.
fn why(outcome: &Outcome, cause: &str) -> String {
    let locked = matches!(
        outcome,
        Outcome::NotSent {
            blame: Blame::Account,
            ..
        }
    );
    match locked {
        true => cause.to_owned(),
        false => format!("it fails again and again, at last so: {cause}"),
    }
}
