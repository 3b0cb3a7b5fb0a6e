//! Dispatch: `outbox.claim ─▶ channel.send ─▶ outcome ─▶ outbox.settle`.
//!
//! One line per gateway. A step settles what has come back, claims what there is room for, and lets
//! it fly; hand-overs stream, and no batch waits for its slowest. While outcomes cannot be written,
//! nothing new is claimed.

mod asking;
mod flight;
mod recall;
mod resting;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::asking::Asking;
use self::flight::{Handed, Start, given_back, hand_over, not_sent, settlement};
use self::recall::Recall;
use self::resting::Resting;
use super::turns::Turn;
use super::{Gateway, Shared};
use crate::clock::Mono;
use crate::domain::breaker::{Breaker, Passage};
use crate::domain::message::{Event, MessageId};
use crate::domain::outcome::Outcome;
use crate::sabotage::{self, Guard};
use crate::store::{Claim, ClaimAsk, Outbox, Settled, Settlement, StoreError};

/// Outcomes are written at the latest after so many have come back.
const SETTLE_BATCH: usize = 500;

/// How long dispatch waits before it tries again to write outcomes that the store refused.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// What the line of a gateway is called.
#[must_use]
pub fn line(gateway: &str) -> String {
    format!("dispatch {gateway}")
}

/// The line of one gateway.
pub struct Dispatch<O> {
    shared: Arc<Shared>,
    outbox: O,
    gateway: Arc<Gateway>,
    wire: Arc<Semaphore>,
    flights: JoinSet<Flight>,
    asking: Asking,
    recall: Recall,
    landed: Vec<Settlement>,
    woken: watch::Receiver<()>,
    resting: Resting,
    /// A claim of which nobody knows whether it was committed: nothing new is claimed before it is
    /// disowned.
    in_doubt: Option<ClaimAsk>,
    /// The last claim found nothing, and is made once more: tokens may have come in between.
    once_more: bool,
}

/// What comes back from the gateway.
enum Flight {
    /// A hand-over has its outcome.
    Sent(Settlement),
    /// The gateway was asked about an unknown; nothing where it did not say.
    Asked(MessageId, Vec<Settlement>),
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DispatchStep {
    /// Outcomes written.
    pub settled: usize,
    /// Messages claimed and let fly.
    pub claimed: usize,
    /// Unknowns about which the gateway is being asked.
    pub asked: usize,
    /// There was room for more than was found.
    pub idle: bool,
}

impl<O: Outbox> Dispatch<O> {
    /// A line that hands messages to `gateway`.
    pub fn new(shared: Arc<Shared>, outbox: O, gateway: Gateway) -> Self {
        let wire = Arc::new(Semaphore::new(gateway.connections.max(1) as usize));
        let (flights, landed) = (JoinSet::new(), Vec::new());
        let woken = shared.wakes.dispatch.subscribe();
        let breaker = Breaker::new(gateway.breaker);
        let resting = Resting::new(Arc::clone(&shared), &gateway.name, breaker);
        Self {
            resting,
            shared,
            outbox,
            gateway: Arc::new(gateway),
            wire,
            flights,
            asking: Asking::default(),
            recall: Recall::new(),
            landed,
            woken,
            in_doubt: None,
            once_more: false,
        }
    }

    /// Works until `stop`; then claims nothing more, and ends when every hand-over has an outcome
    /// that is written.
    pub async fn run(mut self, stop: CancellationToken) {
        loop {
            self.shared.pulse.beat(&self.gateway.name);
            if stop.is_cancelled() {
                // What is claimed but not on the wire yet goes back, certainly not sent.
                self.wire.close();
            }
            let now = self.shared.clock.now();
            let step = match stop.is_cancelled() {
                true => self.wind_up(now).await,
                false => self.step(now).await,
            };
            self.shared.sending.note(&self.gateway.name, &step);
            let (pause, most) = match step {
                Ok(step) => {
                    self.shared.pulse.round(line(&self.gateway.name));
                    self.call_back().await;
                    (self.pause_after(step).await, self.longest_wait())
                }
                Err(error) => {
                    tracing::error!(
                        gateway = self.gateway.name,
                        "nothing new is claimed: {error}"
                    );
                    (Some(STORE_PAUSE), STORE_PAUSE)
                }
            };
            if stop.is_cancelled() && self.has_nothing_open() {
                self.shared.pulse.rest(&self.gateway.name);
                return;
            }
            self.wait(pause, most, &stop).await;
        }
    }

    /// Writes what has come back, then claims what there is room for.
    ///
    /// # Errors
    /// When the store fails: outcomes are kept and written later, and nothing new is claimed.
    pub async fn step(&mut self, now: DateTime<Utc>) -> Result<DispatchStep, StoreError> {
        let DispatchStep { settled, .. } = self.settle().await?;
        let passage = self.resting.passage();
        let asked = match passage {
            Passage::Nothing => 0,
            Passage::One | Passage::All => self.ask().await?,
        };
        let room = match self.is_its_turn() {
            true => self.room(passage),
            false => 0,
        };
        if room == 0 || self.shared.sending.may_send().is_err() {
            return Ok(DispatchStep {
                settled,
                claimed: 0,
                asked,
                idle: room > 0,
            });
        }
        let lease_from = Mono::now();
        let ask = ClaimAsk {
            channel: self.gateway.channel,
            gateway: self.gateway.name.clone(),
            node: self.shared.node.clone(),
            limit: room,
            lease: self.gateway.lease,
            now,
            nonce: self.shared.chance.nonce(),
            rate: self.gateway.rate,
            unknowns: self.gateway.unknowns,
            remembered: self.shared.sending.remembered(),
        };
        sabotage::point("dispatch.before_claim");
        let claims = self.claim(ask).await?;
        let claimed = claims.len();
        if claimed > 0 {
            sabotage::point("dispatch.after_claim");
        }
        let start_before = lease_from
            .plus(self.gateway.lease)
            .minus(self.gateway.longest_send);
        if let Err(problem) = self.shared.sending.claimed(&claims) {
            self.give_back(&claims, &problem.to_string());
            return Ok(DispatchStep {
                settled,
                claimed: 0,
                asked,
                idle: true,
            });
        }
        for claim in claims {
            self.fly(claim, start_before, passage);
        }
        Ok(DispatchStep {
            settled,
            claimed,
            asked,
            idle: claimed < room as usize,
        })
    }

    /// Whether messages are given to this gateway, and not to one that comes before it.
    fn is_its_turn(&self) -> bool {
        match &self.gateway.turn {
            Turn::First => true,
            Turn::After(others) => others.iter().all(|name| self.shared.pauses.holds(name)),
            Turn::Never => false,
        }
    }

    /// What could not be remembered outside the store does not leave.
    fn give_back(&mut self, claims: &[Claim], why: &str) {
        let back = |claim: &Claim| given_back(&self.shared, claim, why);
        self.landed.extend(claims.iter().map(back));
    }

    /// Writes what has come back and resolves what is in doubt, and claims nothing.
    ///
    /// # Errors
    /// As [`Dispatch::step`].
    pub async fn wind_up(&mut self, now: DateTime<Utc>) -> Result<DispatchStep, StoreError> {
        let step = self.settle().await?;
        self.resolve_doubt(now).await?;
        Ok(step)
    }

    /// Takes back what waits for the wire and was stopped since it was claimed. Outcomes are written before, and
    /// whoever cannot be called back leaves, as its claim allowed.
    async fn call_back(&mut self) {
        if !self.wire_is_full() {
            return;
        }
        let (node, gateway) = (&self.shared.node, &self.gateway.name);
        if let Err(error) = self.recall.look(&self.outbox, node, gateway).await {
            tracing::warn!(gateway, "nothing is called back: {error}");
        }
    }

    fn wire_is_full(&self) -> bool {
        self.wire.available_permits() == 0
    }

    /// Somebody may wait for the wire, and be stopped meanwhile.
    fn longest_wait(&self) -> Duration {
        match self.wire_is_full() {
            true => recall::LOOK_EVERY,
            false => self.shared.look_again,
        }
    }

    fn has_nothing_open(&self) -> bool {
        self.flights.is_empty() && self.landed.is_empty() && self.in_doubt.is_none()
    }

    /// Nothing of a claim in doubt is sent, so what it took goes back.
    async fn resolve_doubt(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        if let Some(doubtful) = &self.in_doubt {
            let returned = self.outbox.disown(doubtful, now).await?;
            tracing::warn!(
                gateway = self.gateway.name,
                messages = returned,
                "a claim in doubt was disowned"
            );
            self.in_doubt = None;
        }
        Ok(())
    }

    /// Claims, once the doubt about an earlier claim is resolved.
    async fn claim(&mut self, ask: ClaimAsk) -> Result<Vec<Claim>, StoreError> {
        self.resolve_doubt(ask.now).await?;
        let claims = self.outbox.claim(&ask).await;
        if let Err(StoreError::InDoubt(_)) = &claims {
            self.in_doubt = Some(ask);
        }
        claims
    }

    /// Waits until every hand-over has come back, and writes the outcomes.
    ///
    /// # Errors
    /// When the store fails; the outcomes are kept.
    pub async fn land(&mut self) -> Result<usize, StoreError> {
        while let Some(flight) = self.flights.join_next().await {
            self.keep(flight);
        }
        self.settle().await.map(|step| step.settled)
    }

    async fn settle(&mut self) -> Result<DispatchStep, StoreError> {
        while self.landed.len() < SETTLE_BATCH {
            let Some(flight) = self.flights.try_join_next() else {
                break;
            };
            self.keep(flight);
        }
        let settled = self.landed.len();
        if settled > 0 {
            sabotage::point("dispatch.before_settle");
            let written = self.outbox.settle(&self.landed).await;
            if written.is_err() && sabotage::is_off(Guard::CommitError) {
                self.landed.iter_mut().for_each(take_for_not_sent);
            }
            let written = written?;
            sabotage::point("dispatch.after_settle");
            self.note_set_aside(&written);
            self.after_settling();
        }
        Ok(DispatchStep {
            settled,
            ..DispatchStep::default()
        })
    }

    /// Outcomes that could not be written, because a row cannot be understood, are named and counted.
    fn note_set_aside(&self, written: &[Settled]) {
        for (settlement, settled) in self.landed.iter().zip(written) {
            if let Settled::SetAside(problem) = settled {
                let (message, outcome) = (settlement.message.0, settlement.outcome.word());
                tracing::error!(
                    message,
                    outcome,
                    "an outcome could not be written: {problem}"
                );
                self.shared.metrics.set_aside(1);
            }
        }
    }

    fn after_settling(&mut self) {
        let ended = |event| matches!(event, Event::GaveUp | Event::Refused);
        if self
            .landed
            .iter()
            .any(|settlement| ended(settlement.decision.event))
        {
            self.shared.wakes.upkeep.notify_one();
        }
        self.landed.clear();
        if self.gateway.is_backed && self.shared.pauses.holds(&self.gateway.name) {
            // What has just come back may leave through another gateway.
            self.shared.wakes.messages();
        }
    }

    fn keep(&mut self, flight: Result<Flight, tokio::task::JoinError>) {
        match flight {
            Ok(Flight::Sent(settlement)) => {
                let word = settlement.outcome.word();
                self.shared.metrics.outcome(self.gateway.channel, word);
                self.resting.hear(&settlement.outcome);
                self.landed.push(settlement);
            }
            Ok(Flight::Asked(message, answers)) => {
                self.asking.end(message);
                if let Some(answer) = answers.first() {
                    let known = matches!(answer.outcome, Outcome::Accepted { .. });
                    let how = if known { "known" } else { "not_known" };
                    self.shared.metrics.resolved(how, 1);
                }
                self.landed.extend(answers);
            }
            // Its lease will run out and make it unknown, which is the truth.
            Err(error) => {
                tracing::error!(gateway = self.gateway.name, "a hand-over broke: {error}")
            }
        }
    }

    /// How many messages may be claimed. After a rest one goes ahead, and the others wait for what
    /// it hears.
    fn room(&self, passage: Passage) -> u32 {
        let most = match passage {
            Passage::Nothing => return 0,
            Passage::One => 1,
            Passage::All => self.gateway.connections.max(1) + self.gateway.claim_ahead,
        };
        let taken = self.flights.len() + self.landed.len();
        most.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    /// Asks the gateway about unknowns whose quarantine is over, where it can be asked.
    async fn ask(&mut self) -> Result<usize, StoreError> {
        if self.gateway.unknowns.lookup.is_zero() || !self.asking.may_begin() {
            return Ok(0);
        }
        self.asking.pause(self.shared.look_again);
        let name = &self.gateway.name;
        let unresolved = self.outbox.to_ask(name, asking::LOOKED_AT).await?;
        let chosen = self.asking.choose(unresolved);
        let asked = chosen.len();
        for unresolved in chosen {
            let (shared, gateway) = (Arc::clone(&self.shared), Arc::clone(&self.gateway));
            self.flights.spawn(async move {
                let answers = asking::answers(&shared, &gateway, &unresolved).await;
                Flight::Asked(unresolved.message, answers)
            });
        }
        Ok(asked)
    }

    fn fly(&mut self, claim: Claim, start_before: Mono, passage: Passage) {
        let (shared, gateway) = (Arc::clone(&self.shared), Arc::clone(&self.gateway));
        let wire = Arc::clone(&self.wire);
        let recalled = self.recall.of(claim.attempt);
        self.flights.spawn(async move {
            let start = Start {
                wire: &wire,
                recalled,
                before: start_before,
                passage,
            };
            let handed = hand_over(&shared, &gateway, &claim, start).await;
            sabotage::point("dispatch.after_send");
            Flight::Sent(match handed {
                Handed::Over(outcome) => settlement(&shared, &gateway, &claim, outcome),
                Handed::Back(why) => given_back(&shared, &claim, why),
            })
        });
    }

    /// After a full claim there may be more at once; otherwise the next message's time is asked for,
    /// or that of the next tokens.
    async fn pause_after(&mut self, step: DispatchStep) -> Option<Duration> {
        if step.claimed > 0 && !step.idle {
            return None;
        }
        let look_again = self.shared.look_again;
        let due = self.outbox.next_due(self.gateway.channel).await;
        let Some(due) = due.ok().flatten() else {
            return Some(look_again);
        };
        let left = (due - self.shared.clock.now()).to_std();
        let left = left.unwrap_or_default().min(look_again);
        match left.is_zero() {
            true => self.pause_for_tokens(step).await.or(Some(look_again)),
            false => Some(left),
        }
    }

    /// Messages wait whose time has come. Where the rate keeps them, its next tokens are waited for;
    /// where those have just come, another claim is due, but never again and again for nothing.
    async fn pause_for_tokens(&mut self, step: DispatchStep) -> Option<Duration> {
        let (rate, name) = (self.gateway.rate?, &self.gateway.name);
        if self.resting.passage() != Passage::All {
            return None;
        }
        let wait = self.outbox.next_tokens(name, rate).await.ok()?;
        let found = step.claimed > 0;
        let again = found || !self.once_more;
        self.once_more = !found && wait.is_zero() && again;
        (again || !wait.is_zero()).then_some(wait.min(self.shared.look_again))
    }

    async fn wait(&mut self, pause: Option<Duration>, most: Duration, stop: &CancellationToken) {
        let full = self.room(self.resting.passage()) == 0;
        let Some(pause) = pause.or(full.then_some(most)) else {
            return;
        };
        let stopped = stop.is_cancelled();
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stopped => {}
            Some(flight) = self.flights.join_next() => self.keep(flight),
            _ = self.woken.changed() => {}
            () = self.shared.clock.pause(pause.min(most)) => {}
        }
    }
}

/// What a dispatch without its guard makes of an outcome that could not be written.
fn take_for_not_sent(settlement: &mut Settlement) {
    settlement.outcome = not_sent("its outcome could not be written".to_owned());
    settlement.decision.event = Event::NotSent;
    settlement.decision.not_before = None;
}
