//! One hand-over: whether the message may still leave when its turn on the wire comes, what is given
//! to the gateway, and what its answer means for the message.

use std::time::Duration;

use tokio::sync::Semaphore;

use crate::channel::report_token::{Named, token};
use crate::channel::{Body, Outgoing};
use crate::clock::Mono;
use crate::domain::breaker::Passage;
use crate::domain::message::{Event, Reason};
use crate::domain::outcome::{AttemptFacts, Blame, Decision, Outcome, after_attempt};
use crate::sabotage::{self, Guard};
use crate::service::{Gateway, Shared};
use crate::store::{Claim, Settlement};

/// No message is handed over for less than this: gateways refuse a validity of nothing.
const LEAST_VALIDITY: Duration = Duration::from_secs(60);

/// What became of a claim.
pub(super) enum Handed {
    /// It was handed over, or tried to be.
    Over(Outcome),
    /// Nobody tried: it goes back as it was.
    Back(&'static str),
}

/// What a hand-over waits for before it begins.
pub(super) struct Start<'a, R> {
    /// Its turn on the wire.
    pub(super) wire: &'a Semaphore,
    /// Ends when the message is called back.
    pub(super) recalled: R,
    /// It does not begin after this.
    pub(super) before: Mono,
    /// Whether it goes ahead alone.
    pub(super) passage: Passage,
}

/// One hand-over: the last looks before the first byte, and what came of it.
pub(super) async fn hand_over<R: Future<Output = ()>>(
    shared: &Shared,
    gateway: &Gateway,
    claim: &Claim,
    start: Start<'_, R>,
) -> Handed {
    if !gateway.mode.allows(&claim.address) {
        return Handed::Over(Outcome::Withheld(Reason::Trial));
    }
    let permit = tokio::select! {
        biased;
        () = start.recalled => return Handed::Back("a person's word stopped it before the wire was free"),
        permit = start.wire.acquire() => permit,
    };
    let Ok(_permit) = permit else {
        return Handed::Back("the node was stopping");
    };
    // What may be sent when it is claimed may have to stay when its turn on the wire comes.
    if start.passage == Passage::All && shared.pauses.holds(&gateway.name) {
        return Handed::Back("its gateway is left alone");
    }
    if shared.sending.may_send().is_err() {
        return Handed::Back("what becomes of it could not be written down");
    }
    let left = (claim.not_after - shared.clock.now()).to_std();
    let Some(left) = left.ok().filter(|left| !left.is_zero()) else {
        let why = "it was useless before the wire was free";
        return Handed::Over(not_sent(why.to_owned()));
    };
    let validity = left.max(LEAST_VALIDITY);
    let named = Named {
        attempt: claim.attempt.0,
        nonce: claim.nonce,
    };
    let outgoing = Outgoing {
        address: claim.address.clone(),
        body: Body(claim.body.clone()),
        gateway_key: claim.gateway_key.clone(),
        report_token: token(&shared.report_secret, named),
        validity,
        sender: claim.sender.clone(),
        start_before: shared.trust.at_most(start.before),
    };
    // A hand-over that takes longer than its time is cut off: what it came to is not known.
    let sent = tokio::time::timeout(gateway.longest_send, gateway.gate.send(&outgoing)).await;
    Handed::Over(sent.unwrap_or_else(|_| Outcome::Unknown {
        cause: "no answer in time".into(),
    }))
}

/// Certainly not sent, and the gateway has no part in it.
pub(super) fn not_sent(cause: String) -> Outcome {
    Outcome::NotSent {
        cause,
        retry_after: None,
        blame: Blame::Message,
    }
}

/// What nobody tried is ready as it was: no wait, and no word that its rung had no success.
pub(super) fn given_back(shared: &Shared, claim: &Claim, why: &str) -> Settlement {
    Settlement {
        message: claim.message,
        attempt: claim.attempt,
        fence: claim.fence,
        outcome: not_sent(why.to_owned()),
        decision: Decision::of(Event::NotSent),
        at: shared.clock.now(),
    }
}

/// What an outcome means for its message.
pub(super) fn settlement(
    shared: &Shared,
    gateway: &Gateway,
    claim: &Claim,
    outcome: Outcome,
) -> Settlement {
    let outcome = match outcome {
        Outcome::Unknown { cause } if sabotage::is_off(Guard::Unknown) => not_sent(cause),
        outcome => outcome,
    };
    let now = shared.clock.now();
    let facts = AttemptFacts {
        now,
        attempts: claim.attempts,
        give_up_at: claim.give_up_at.min(claim.not_after),
        report_within: gateway.report_within,
        report_least: shared.rules.rung_time.least,
        jitter: shared.chance.jitter(),
    };
    let left_alone = || shared.pauses.holds(&gateway.name);
    let decision = match outcome {
        // It waits for nothing: another gateway takes it at once.
        Outcome::NotSent {
            blame: Blame::Gateway | Blame::Account,
            ..
        } if gateway.is_backed && left_alone() => Decision::of(Event::NotSent),
        // Nothing takes over from what is useless: it is ready once more, and upkeep says that it
        // expired.
        Outcome::NotSent { .. } if claim.not_after <= now => Decision::of(Event::NotSent),
        _ => after_attempt(&outcome, &facts, &shared.retry),
    };
    Settlement {
        message: claim.message,
        attempt: claim.attempt,
        fence: claim.fence,
        outcome,
        decision,
        at: now,
    }
}
