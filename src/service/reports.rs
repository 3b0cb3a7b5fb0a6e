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
use crate::inbound::routes::{Answering, Delivery, ReportDesk, Taken};
use crate::store::{AttemptId, Outbox, Report};

/// The line of reports, for every gateway that gives them.
pub struct Reports<O> {
    shared: Arc<Shared>,
    outbox: O,
    profiles: BTreeMap<String, Arc<Profile>>,
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

    async fn keep(&self, delivery: Delivery) -> Taken {
        let profile = self.profiles.get(&delivery.gateway);
        let named = verify(&self.shared.report_secret, &delivery.token);
        let (Some(profile), Some(named)) = (profile, named) else {
            return Taken::Unknown;
        };
        let Some((state, detail)) = parse_report(profile, &delivery.parameters) else {
            return Taken::Unreadable;
        };
        let at = self.shared.clock.now();
        let report = Report {
            attempt: AttemptId(named.attempt),
            nonce: named.nonce,
            state,
            detail,
            at,
        };
        if let Err(error) = self.outbox.report(&[report]).await {
            tracing::error!(
                gateway = delivery.gateway,
                "a report could not be kept: {error}"
            );
            return Taken::Failed;
        }
        if state == ReportState::Undelivered {
            self.shared.wakes.upkeep.notify_one();
        }
        Taken::Kept
    }
}

impl<O: Outbox + 'static> ReportDesk for Reports<O> {
    fn take(&self, delivery: Delivery) -> Answering<'_, Taken> {
        Box::pin(self.keep(delivery))
    }
}
