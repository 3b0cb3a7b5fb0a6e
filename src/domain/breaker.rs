//! When a gateway is left alone because it fails again and again, and when it is used once more. Pure:
//! time is an argument, read from any clock that only goes forward.
//!
//! A gateway that fails costs each message that is handed to it: a certain failure a wait, an unclear
//! one its only repetition. So after a few in a row the others are spared, and one at a time goes
//! ahead as a *trial* until one is answered.

use std::time::Duration;

use super::outcome::{Blame, Outcome};

/// A gateway that refused us rather than a message (401, 403, 535) is left alone for so long, and no
/// gateway for longer.
pub const LONGEST_REST: Duration = Duration::from_secs(60);

/// When a gateway is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerLimits {
    /// After so many hand-overs in a row that it did not answer or did not take...
    pub failures: u32,
    /// ...none of which is older than this.
    pub within: Duration,
    /// So long it is left alone at first; each trial that fails doubles it, up to [`LONGEST_REST`].
    pub rest: Duration,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failures: 5,
            within: Duration::from_secs(300),
            rest: Duration::from_secs(10),
        }
    }
}

/// What an outcome says of the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It answered, whatever it said of the message.
    Answer,
    /// It was not reached, gave no definite answer, or takes nothing now and asked for so long a
    /// wait.
    Failure(Duration),
    /// It lets nobody in on our account.
    Locked,
}

impl Heard {
    /// What this outcome says of the gateway, if anything.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Option<Self> {
        match outcome {
            Outcome::Accepted { .. } | Outcome::Refused { .. } => Some(Self::Answer),
            Outcome::Unknown { .. } => Some(Self::Failure(Duration::ZERO)),
            Outcome::NotSent {
                blame, retry_after, ..
            } => match blame {
                Blame::Message => None,
                Blame::Gateway => Some(Self::Failure(retry_after.unwrap_or_default())),
                Blame::Account => Some(Self::Locked),
            },
            Outcome::Withheld(_) => None,
        }
    }
}

/// What may go to the gateway now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Everything.
    All,
    /// One message, as a trial.
    One,
    /// Nothing.
    Nothing,
}

/// What hearing something changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The gateway is left alone from now on, for so long.
    Opened(Duration),
    /// It was left alone already, and is for so long once more.
    Stayed(Duration),
    /// It is used again.
    Closed,
}

/// What is remembered of one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    limits: BreakerLimits,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// In use; when it failed, in a row.
    Closed(Vec<Duration>),
    /// Left alone until then; a trial after that, until the gateway answers.
    Open { until: Duration, rest: Duration },
}

impl Breaker {
    /// A gateway of which nothing was heard.
    #[must_use]
    pub fn new(limits: BreakerLimits) -> Self {
        Self {
            limits,
            state: State::Closed(Vec::new()),
        }
    }

    /// What may go to the gateway at `at`.
    #[must_use]
    pub fn passage(&self, at: Duration) -> Passage {
        match self.state {
            State::Closed(_) => Passage::All,
            State::Open { until, .. } if at < until => Passage::Nothing,
            State::Open { .. } => Passage::One,
        }
    }

    /// Hears something of the gateway at `at`; the answer is what that changed.
    pub fn hear(&mut self, heard: Heard, at: Duration) -> Option<Turn> {
        match (heard, &mut self.state) {
            (Heard::Answer, State::Closed(failures)) => {
                failures.clear();
                None
            }
            (Heard::Answer, State::Open { .. }) => {
                self.state = State::Closed(Vec::new());
                Some(Turn::Closed)
            }
            (Heard::Locked, State::Closed(_)) => Some(Turn::Opened(self.open(LONGEST_REST, at))),
            (Heard::Locked, State::Open { .. }) => Some(Turn::Stayed(self.open(LONGEST_REST, at))),
            (Heard::Failure(asked), State::Closed(failures)) => {
                failures.retain(|failed| at.saturating_sub(*failed) <= self.limits.within);
                failures.push(at);
                let too_many = failures.len() >= self.limits.failures as usize;
                too_many.then(|| Turn::Opened(self.open(self.limits.rest.max(asked), at)))
            }
            // What was on its way when the gateway was left alone says nothing new.
            (Heard::Failure(_), State::Open { until, .. }) if at < *until => None,
            (Heard::Failure(asked), State::Open { rest, .. }) => {
                let rest = rest.saturating_mul(2).max(asked);
                Some(Turn::Stayed(self.open(rest, at)))
            }
        }
    }

    fn open(&mut self, rest: Duration, at: Duration) -> Duration {
        let rest = rest.min(LONGEST_REST);
        let until = at.saturating_add(rest);
        self.state = State::Open { until, rest };
        rest
    }
}
