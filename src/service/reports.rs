//! Reports: `HTTP / LMTP ─▶ authenticate, parse ─▶ outbox.report`.
//!
//! The answer to the gateway or relay is given after the report is durable, so that whoever repeats
//! does so only when we may not have it. Every report is counted by what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Shared;
use crate::channel::email::{BounceAddress, Returned, read_returned};
use crate::channel::report_token::{Named, verify};
use crate::channel::sms::{Profile, parse_report};
use crate::domain::message::Channel;
use crate::domain::outcome::ReportState;
use crate::inbound::lmtp::{Mail, MailDesk, TurnedAway};
use crate::inbound::routes::{Answering, Delivery, ReportDesk, Taken};
use crate::store::{AttemptId, Outbox, Report, ReportEffect};

/// The line of reports, for every gateway that gives them.
pub struct Reports<O> {
    shared: Arc<Shared>,
    outbox: O,
    profiles: BTreeMap<String, Arc<Profile>>,
    bounces: Vec<BounceAddress>,
}

impl<O: Outbox> Reports<O> {
    /// The line for the gateways of `profiles`, by name, and for mails that come back to `bounces`.
    pub fn new(
        shared: Arc<Shared>,
        outbox: O,
        profiles: BTreeMap<String, Arc<Profile>>,
        bounces: Vec<BounceAddress>,
    ) -> Self {
        Self {
            shared,
            outbox,
            profiles,
            bounces,
        }
    }

    async fn take_delivery(&self, delivery: Delivery) -> Taken {
        let profile = self.profiles.get(&delivery.gateway);
        let named = verify(&self.shared.report_secret, &delivery.token);
        let (Some(profile), Some(named)) = (profile, named) else {
            self.count(Channel::Sms, "forged");
            return Taken::Unknown;
        };
        let Some((state, detail)) = parse_report(profile, &delivery.parameters) else {
            self.count(Channel::Sms, "unreadable");
            return Taken::Unreadable;
        };
        self.keep(Channel::Sms, named, state, detail).await
    }

    async fn take_mail(&self, recipient: &str, mail: &Mail) -> Taken {
        let Some(named) = self.attempt_of(recipient) else {
            self.count(Channel::Email, "forged");
            return Taken::Unknown;
        };
        let Returned::Report(state, detail) = read_returned(&mail.0) else {
            self.count(Channel::Email, "no_bounce");
            return Taken::Unreadable;
        };
        self.keep(Channel::Email, named, state, detail).await
    }

    /// The attempt whose address this is.
    fn attempt_of(&self, recipient: &str) -> Option<Named> {
        let mut tokens = self.bounces.iter().filter_map(|b| b.token(recipient));
        tokens.find_map(|token| verify(&self.shared.report_secret, &token))
    }

    async fn keep(
        &self,
        channel: Channel,
        named: Named,
        state: ReportState,
        detail: String,
    ) -> Taken {
        let report = Report {
            attempt: AttemptId(named.attempt),
            nonce: named.nonce,
            state,
            detail,
            at: self.shared.clock.now(),
        };
        let effect = match self.outbox.report(&[report]).await {
            Ok(effects) => effects.first().copied(),
            Err(error) => {
                tracing::error!(%channel, "a report could not be kept: {error}");
                self.count(channel, "failed");
                return Taken::Failed;
            }
        };
        self.count(
            channel,
            match effect {
                Some(ReportEffect::Applied) => "applied",
                Some(ReportEffect::Parked) => "parked",
                Some(ReportEffect::Recorded) | None => "recorded",
            },
        );
        if state == ReportState::Undelivered {
            self.shared.wakes.upkeep.notify_one();
        }
        Taken::Kept
    }

    fn count(&self, channel: Channel, result: &'static str) {
        self.shared.metrics.report(channel, result);
    }
}

impl<O: Outbox + 'static> ReportDesk for Reports<O> {
    fn take(&self, delivery: Delivery) -> Answering<'_, Taken> {
        Box::pin(self.take_delivery(delivery))
    }
}

impl<O: Outbox + 'static> MailDesk for Reports<O> {
    fn expects(&self, recipient: &str) -> bool {
        let ours = self.attempt_of(recipient).is_some();
        if !ours {
            self.count(Channel::Email, "forged");
        }
        ours
    }

    fn take(&self, recipient: String, mail: Mail) -> Answering<'_, Taken> {
        Box::pin(async move { self.take_mail(&recipient, &mail).await })
    }

    fn turned_away(&self, why: TurnedAway) {
        let result = match why {
            TurnedAway::TooLarge => "too_large",
            TurnedAway::Incomplete => "incomplete",
        };
        self.count(Channel::Email, result);
    }
}
