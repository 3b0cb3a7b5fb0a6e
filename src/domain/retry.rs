//! When a hand-over that certainly did not happen is tried again: full jitter, bounded twice.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::outcome::AttemptFacts;

/// How retries are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The range of the first retry.
    pub base: Duration,
    /// The widest range.
    pub cap: Duration,
}

/// When to try again, or `None` when that would be after the rung's `give_up_at`.
///
/// Full jitter: a uniform draw from `0..min(cap, base * 2^(attempts-1))`, which spreads a crowd best
/// (AWS Architecture Blog, "Exponential Backoff And Jitter"). What the gateway asked for is a floor.
#[must_use]
pub fn next_try(
    facts: &AttemptFacts,
    policy: &RetryPolicy,
    retry_after: Option<Duration>,
) -> Option<DateTime<Utc>> {
    let doublings = facts.attempts.saturating_sub(1).min(20);
    let range = policy.base.saturating_mul(1 << doublings).min(policy.cap);
    let wait = range
        .mul_f64(facts.jitter.clamp(0.0, 1.0))
        .max(retry_after.unwrap_or_default());
    // Stores write down whole milliseconds. A gateway may ask for any number of seconds; one beyond
    // the calendar is after every deadline.
    let wait = i64::try_from(wait.as_micros().div_ceil(1000)).ok()?;
    let wait = TimeDelta::try_milliseconds(wait)?;
    let at = facts.now.checked_add_signed(wait)?;
    (at < facts.give_up_at).then_some(at)
}
