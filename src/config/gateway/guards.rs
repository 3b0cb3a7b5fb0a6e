//! What spares a gateway, and those who wait for it: its rate, and when it is left alone.

use super::Entry;
use crate::config::Config;
use crate::config::error::ConfigError;
use crate::domain::breaker::{self, BreakerLimits};
use crate::domain::message::Channel;
use crate::domain::rate::Rate;

impl Config {
    /// What a message's acceptance means must not hang on which gateway of its channel took it.
    pub(in crate::config) fn report_faults(&self) -> Vec<ConfigError> {
        let gateways: Vec<Entry<'_>> = self.gateways().collect();
        let reports: Vec<Option<bool>> = gateways.iter().map(Entry::reports).collect();
        let known = reports.iter().flatten();
        if known.clone().all(|one| *one) || known.clone().all(|one| !*one) {
            return Vec::new();
        }
        let silent = gateways.iter().zip(&reports);
        let silent = silent.filter(|(_, reports)| **reports == Some(false));
        let error = |entry: &Entry<'_>| {
            let problem = "it sends no delivery reports, and another gateway of its channel does";
            let help = "what \"told\" means must not hang on which one took a message: let all of \
                        them report, or none (reports = false)";
            let key = match entry.gateway.reports {
                Some(_) => "reports",
                None => "profile",
            };
            entry.error(key, problem, help)
        };
        silent.map(|(entry, _)| error(entry)).collect()
    }

    /// Messages a second that a channel takes, where its gateway has a rate.
    pub fn rate(&self, channel: Channel) -> Option<u32> {
        let gateways = self.file.gateway.values();
        let of_channel = gateways.filter(|gateway| gateway.channel == channel);
        of_channel
            .min_by_key(|gateway| gateway.place())?
            .rate_per_second
    }
}

impl Entry<'_> {
    /// Whether an SMS gateway sends reports, where its profile can be read.
    fn reports(&self) -> Option<bool> {
        let sms = self.gateway.channel == Channel::Sms && self.is_sound("channel");
        let profile = sms.then(|| self.profile().ok()).flatten()?;
        Some(self.gateway.reports.unwrap_or(true) && profile.report_within().is_some())
    }

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
