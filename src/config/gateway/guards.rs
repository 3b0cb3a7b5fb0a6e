//! What spares a gateway, and those who wait for it: its rate, and when it is left alone.

use super::Entry;
use crate::config::Config;
use crate::config::error::ConfigError;
use crate::domain::breaker::{self, BreakerLimits};
use crate::domain::message::Channel;
use crate::domain::rate::Rate;

impl Config {
    /// Messages a second that a channel takes, where its gateway has a rate.
    pub fn rate(&self, channel: Channel) -> Option<u32> {
        let mut gateways = self.file.gateway.values();
        let first = gateways.find(|gateway| gateway.channel == channel);
        first?.rate_per_second
    }
}

impl Entry<'_> {
    /// How fast it may be given messages.
    pub(super) fn rate(&self) -> Option<Rate> {
        let per_second = self.gateway.rate_per_second?;
        let burst = self.gateway.burst.unwrap_or(per_second);
        Some(Rate { per_second, burst })
    }

    fn rate_faults(&self) -> Vec<ConfigError> {
        let gateway = self.gateway;
        let mut errors = Vec::new();
        if gateway.rate_per_second == Some(0) {
            let problem = "0 messages a second carry nothing";
            let help = "use 1 or more, or leave it out";
            errors.push(self.error("rate_per_second", problem, help));
        }
        let fault = match (gateway.burst, gateway.rate_per_second) {
            (Some(_), None) => "a burst belongs to a rate, and there is none",
            (Some(0), _) => "a burst of 0 lets nothing leave",
            _ => return errors,
        };
        let help = "add rate_per_second, with a burst of 1 or more, or leave it out";
        errors.push(self.error("burst", fault, help));
        errors
    }

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
        let mut errors = self.rate_faults();
        errors.extend(wrong.map(error));
        errors
    }
}
