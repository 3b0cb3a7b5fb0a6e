//! Makes the gateways of a service from their settings; nothing is connected.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::channel::email::{self, BounceAddress, Smtp};
use crate::channel::sms::{Profile, ProfileFault, Sms};
use crate::domain::message::{Channel, ToldOn};
use crate::service::alarms::Way;
use crate::service::settings::{GatewaySettings, Speaks};
use crate::service::turns::{self, Turn};
use crate::service::{Gateway, ToldOnByChannel};
use crate::store::UnknownRule;

/// Every gateway, and what it sends from.
pub(super) fn ways(
    mut gateways: Vec<GatewaySettings>,
    base: &str,
    margin: Duration,
) -> Result<Vec<Way>, StartError> {
    gateways.sort_by_key(|gateway| gateway.preference);
    let (mut made, mut senders) = (Vec::new(), Vec::new());
    for settings in gateways {
        senders.push(settings.speaks.sender());
        made.push(gateway(settings, base, margin)?);
    }
    turns::assign(&mut made);
    let ways = made.into_iter().zip(senders);
    Ok(ways.map(|(gateway, from)| Way { gateway, from }).collect())
}

/// An SMS counts as told on its report, where every SMS gateway sends reports.
pub(super) fn told_on(gateways: &[GatewaySettings]) -> ToldOnByChannel {
    let silent = |gateway: &GatewaySettings| {
        matches!(
            gateway.speaks,
            Speaks::Sms {
                report_within: None,
                ..
            }
        )
    };
    let sms = if gateways.iter().any(silent) {
        ToldOn::Unconfirmed
    } else {
        ToldOn::Delivered
    };
    ToldOnByChannel {
        sms,
        email: ToldOn::Accepted,
    }
}

pub(super) fn profiles(gateways: &[GatewaySettings]) -> BTreeMap<String, Arc<Profile>> {
    let mut profiles = BTreeMap::new();
    for gateway in gateways {
        if let Speaks::Sms { profile, .. } = &gateway.speaks {
            profiles.insert(profile.name().to_owned(), Arc::new(Profile::clone(profile)));
        }
    }
    profiles
}

/// What a gateway offers for unknowns. Nobody can ask a mail relay, and none takes a mail only once.
fn unknowns(speaks: &Speaks) -> UnknownRule {
    match speaks {
        Speaks::Sms { profile, .. } => UnknownRule {
            quarantine: Duration::ZERO,
            lookup: profile.lookup_within().unwrap_or_default(),
            dedup: profile.dedup().unwrap_or_default(),
        },
        Speaks::Email(_) => UnknownRule::default(),
    }
}

/// The addresses to which mails come back.
pub(super) fn bounces(gateways: &[GatewaySettings]) -> Vec<BounceAddress> {
    let of = |gateway: &GatewaySettings| match &gateway.speaks {
        Speaks::Email(settings) => settings.bounces.clone(),
        Speaks::Sms { .. } => None,
    };
    gateways.iter().filter_map(of).collect()
}

pub(super) fn gateway(
    settings: GatewaySettings,
    base: &str,
    quarantine_margin: Duration,
) -> Result<Gateway, StartError> {
    let GatewaySettings {
        name,
        mode,
        connections,
        claim_ahead,
        lease,
        rate,
        preference: _,
        breaker,
        speaks,
    } = settings;
    let fault = |problem: String| StartError::Gateway {
        name: name.clone(),
        problem,
    };
    let unknowns = unknowns(&speaks);
    let (channel, gate, longest_send, report_within): (_, Arc<dyn crate::channel::Channel>, _, _) =
        match speaks {
            Speaks::Sms {
                profile,
                secrets,
                report_within,
            } => {
                let longest = profile.longest_send();
                let sms = Sms::new(*profile, secrets, base);
                let sms = sms.map_err(|fault_: ProfileFault| fault(fault_.to_string()))?;
                (Channel::Sms, Arc::new(sms), longest, report_within)
            }
            Speaks::Email(settings) => {
                let longest = settings.timeouts.longest_send();
                let smtp = Smtp::new(*settings);
                let smtp = smtp.map_err(|error: email::SetupError| fault(error.to_string()))?;
                (Channel::Email, Arc::new(smtp), longest, None)
            }
        };
    // The lease covers the wait for the wire and the longest send, or nothing could ever start.
    let lease = lease.max(longest_send * 2);
    let (connections, claim_ahead) = (connections, claim_ahead);
    Ok(Gateway {
        name,
        channel,
        gate,
        mode,
        connections,
        claim_ahead,
        lease,
        longest_send,
        report_within,
        turn: Turn::First,
        is_backed: false,
        rate,
        breaker,
        unknowns: UnknownRule {
            quarantine: longest_send + quarantine_margin,
            ..unknowns
        },
    })
}
