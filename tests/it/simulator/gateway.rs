//! Simulated gateways. What they make of a hand-over is the schedule's word; what they took is the
//! truth. The last look at the lease is the product's own.

use std::time::Duration;

use varsel::channel::report_token::verify;
use varsel::channel::{Channel as Gate, Outgoing, Sending, may_start};
use varsel::domain::message::Channel;
use varsel::domain::outcome::{Blame, Outcome};
use varsel::store::AttemptId;

use super::gates::{Door, Fate, Point, Word};
use super::truth::{HandOver, Truth};

/// One gateway as one node reaches it.
pub(super) struct SimGate {
    pub(super) channel: Channel,
    pub(super) name: &'static str,
    pub(super) door: Door,
    pub(super) truth: Truth,
    pub(super) secret: [u8; 32],
    /// Within this it takes a message under the same key only once.
    pub(super) dedup: Duration,
}

impl SimGate {
    async fn hand_over(&self, message: &Outgoing) -> Outcome {
        let attempt = verify(&self.secret, &message.report_token);
        let attempt = attempt.expect("the token is ours").attempt;
        let word = self.door.wait(Point::FirstByte(attempt)).await;
        if !may_start(message) {
            self.truth.lock().words.insert("too late".to_owned());
            return not_sent("the lease would have ended", Blame::Message);
        }
        match word {
            Word::Fate(Fate::NoConnection) => not_sent("no connection", Blame::Gateway),
            Word::Fate(Fate::Busy) => not_sent("busy", Blame::Gateway),
            Word::Fate(Fate::Locked) => not_sent("locked", Blame::Account),
            Word::Fate(Fate::Refuse) => Outcome::Refused {
                cause: "refused".to_owned(),
            },
            Word::Fate(Fate::Broken) => unknown("broken off"),
            _ => self.take(attempt, message).await,
        }
    }

    async fn take(&self, attempt: i64, message: &Outgoing) -> Outcome {
        {
            let mut happened = self.truth.lock();
            let key = &message.gateway_key;
            // What one gateway took, another knows nothing of.
            let ours = |t: &&HandOver| t.gateway == self.name && t.seen.0 == *key;
            let mut before = happened.taken.iter().filter(ours);
            let same = before.any(|t| !t.same && happened.time < t.at + self.dedup);
            let taken = HandOver {
                same,
                attempt: AttemptId(attempt),
                channel: self.channel,
                gateway: self.name,
                token: message.report_token.clone(),
                seen: (message.gateway_key.clone(), message.body.0.clone()),
                at: happened.time,
            };
            happened.taken.push(taken);
        }
        match self.door.wait(Point::Answer(attempt)).await {
            Word::Lost => unknown("the answer was lost"),
            _ => Outcome::Accepted {
                gateway_id: Some(attempt.to_string()),
            },
        }
    }
}

impl Gate for SimGate {
    fn send<'a>(&'a self, message: &'a Outgoing) -> Sending<'a> {
        Box::pin(self.hand_over(message))
    }
}

fn not_sent(cause: &str, blame: Blame) -> Outcome {
    Outcome::NotSent {
        cause: cause.to_owned(),
        retry_after: None,
        blame,
    }
}

fn unknown(cause: &str) -> Outcome {
    Outcome::Unknown {
        cause: cause.to_owned(),
    }
}
