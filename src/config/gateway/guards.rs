//! What spares a gateway, and those who wait for it: when it is left alone.

use super::Entry;
use crate::config::error::ConfigError;
use crate::domain::breaker::{self, BreakerLimits};

impl Entry<'_> {
    /// When it is left alone.
    pub(super) fn breaker(&self) -> BreakerLimits {
        let given = self.gateway.breaker.unwrap_or_default();
        let usual = BreakerLimits::default();
        BreakerLimits {
            failures: given.failures.unwrap_or(usual.failures),
            within: given.within.map_or(usual.within, |length| length.0),
            rest: given.rest.map_or(usual.rest, |length| length.0),
        }
    }

    /// What is wrong with its guards.
    pub(super) fn guard_faults(&self) -> Vec<ConfigError> {
        let limits = self.breaker();
        let longest = breaker::LONGEST_REST;
        let wrong = [
            (
                "failures",
                limits.failures == 0,
                "0 failures would leave it alone at once",
                "use 1 or more",
            ),
            (
                "within",
                limits.within.is_zero(),
                "no two failures fall within no time",
                "such as \"5min\"",
            ),
            (
                "rest",
                limits.rest.is_zero() || limits.rest > longest,
                "a gateway rests above zero and at most a minute",
                "such as \"10s\"",
            ),
        ];
        let wrong = wrong.into_iter().filter(|(_, is_wrong, ..)| *is_wrong);
        let error = |(key, _, problem, help): (&str, bool, &str, &str)| {
            let keys = ["gateway", self.name, "breaker", key];
            self.document.error(&keys, problem, help)
        };
        wrong.map(error).collect()
    }
}
