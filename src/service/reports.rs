//! Reports: `HTTP ─▶ authenticate, parse ─▶ outbox.report`.
//!
//! The answer to the gateway is given after the report is durable, so that a gateway which repeats
//! does so only when we may not have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shared;
use crate::channel::report_token::verify;
use crate::channel::sms::{Profile, parse_report};
use crate::domain::outcome::ReportState;
use crate::store::{AttemptId, Outbox, Report, ReportEffect, StoreError};

/// The line of reports, for every gateway that gives them.
pub struct Reports<O> {
    shared: Arc<Shared>,
    outbox: O,
    profiles: BTreeMap<String, Arc<Profile>>,
}

/// What to answer the gateway.
#[derive(Debug)]
pub enum Answer {
    /// The report is durable.
    Kept(ReportEffect),
    /// No such gateway, or a token we did not make: nothing was read.
    Unknown,
    /// The report says nothing that the profile knows.
    Unreadable,
    /// It could not be written; the gateway shall repeat it.
    Failed(StoreError),
}

impl<O: Outbox> Reports<O> {
    /// The line for the gateways of `profiles`, by name.
    pub fn new(shared: Arc<Shared>, outbox: O, profiles: BTreeMap<String, Arc<Profile>>) -> Self {
        Self {
            shared,
            outbox,
            profiles,
        }
    }

    /// Takes one report of `gateway` under `token`, with its parameters in order.
    pub async fn take(
        &self,
        gateway: &str,
        token: &str,
        parameters: &[(String, String)],
    ) -> Answer {
        let profile = self.profiles.get(gateway);
        let attempt = verify(&self.shared.report_secret, token);
        let (Some(profile), Some(attempt)) = (profile, attempt) else {
            return Answer::Unknown;
        };
        let Some((state, detail)) = parse_report(profile, parameters) else {
            return Answer::Unreadable;
        };
        let at = self.shared.clock.now();
        let report = Report {
            attempt: AttemptId(attempt),
            state,
            detail,
            at,
        };
        match self.outbox.report(&[report]).await {
            Ok(effects) => {
                if state == ReportState::Undelivered {
                    self.shared.wakes.upkeep.notify_one();
                }
                Answer::Kept(effects.first().copied().unwrap_or(ReportEffect::Recorded))
            }
            Err(error) => Answer::Failed(error),
        }
    }
}
