//! Who is told of which alarm, and how: by a command of theirs, by SMS or by e-mail, through a
//! gateway that is not itself left alone.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use chrono::SecondsFormat;
use chrono_tz::Tz;
use futures_util::future::join_all;
use serde_json::json;

use crate::channel::duty::DutyCommand;
use crate::channel::email::{Letter, compose};
use crate::channel::report_token::{Named, token};
use crate::channel::{Body, Outgoing};
use crate::clock::Mono;
use crate::domain::alarm::{Alarm, AlarmId, AlarmKind, Severity};
use crate::domain::calendar;
use crate::domain::contact::Address;
use crate::domain::language::Language;
use crate::domain::message::Channel;
use crate::domain::outcome::Outcome;
use crate::service::{Gateway, Shared};

/// So many alarms are told at the same time.
const AT_ONCE: usize = 8;

/// What an SMS says at most, in characters: one part of plain letters.
const SMS_CHARACTERS: usize = 160;

/// The sender of an SMS.
const SENDER: &str = "Varsel";

/// Everybody who is told, and the gateways through which they may be.
#[derive(Default)]
pub struct Duty {
    /// Who is told of what.
    pub recipients: Vec<Recipient>,
    /// The gateways, in the order in which they are tried.
    pub ways: Vec<Way>,
    /// The zone in which mails name times.
    pub zone: Tz,
}

/// Somebody who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// How.
    pub to: To,
    /// Of these kinds only; empty means all.
    pub kinds: BTreeSet<AlarmKind>,
    /// Of nothing less urgent than this.
    pub severity: Severity,
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum To {
    /// By a command.
    Command(DutyCommand),
    /// By SMS or e-mail.
    Address {
        /// Where.
        address: Address,
        /// Through this gateway only; `None`: through any that carries the channel.
        gateway: Option<String>,
    },
}

/// A gateway that may carry alarms.
pub struct Way {
    /// The gateway.
    pub gateway: Gateway,
    /// Whom e-mails come from.
    pub from: String,
}

impl Duty {
    /// Those who are told, by these ways, of times in this zone.
    #[must_use]
    pub fn new(recipients: Vec<Recipient>, ways: Vec<Way>, zone: Tz) -> Self {
        Self {
            recipients,
            ways,
            zone,
        }
    }

    /// Tells everybody concerned of each alarm; the answer is those of which somebody was told, or
    /// of which nobody wants to hear.
    pub async fn tell(&self, shared: &Shared, alarms: &[Alarm]) -> Vec<AlarmId> {
        let mut told = Vec::new();
        for some in alarms.chunks(AT_ONCE) {
            let heard = join_all(some.iter().map(|alarm| self.tell_one(shared, alarm))).await;
            let heard = some.iter().zip(heard).filter(|(_, heard)| *heard);
            told.extend(heard.map(|(alarm, _)| alarm.id));
        }
        told
    }

    async fn tell_one(&self, shared: &Shared, alarm: &Alarm) -> bool {
        tracing::warn!(
            kind = alarm.concern.kind.word(),
            subject = alarm.concern.subject,
            told = alarm.told,
            "alarm a{}: {}",
            alarm.id.0,
            alarm.concern.text
        );
        let concerned: Vec<_> = self.recipients.iter().filter(|r| r.wants(alarm)).collect();
        let told = join_all(concerned.iter().map(|r| self.tell_to(shared, r, alarm))).await;
        told.is_empty() || told.contains(&true)
    }

    async fn tell_to(&self, shared: &Shared, recipient: &Recipient, alarm: &Alarm) -> bool {
        match &recipient.to {
            To::Command(command) => match command.run(&as_json(alarm)).await {
                Ok(()) => true,
                Err(error) => {
                    let program = command.program.display();
                    tracing::error!("the command {program} was not told of an alarm: {error}");
                    false
                }
            },
            To::Address { address, gateway } => {
                let ways = self.ways(shared, address, gateway.as_deref());
                for way in ways {
                    if way.hand_over(shared, address, (alarm, self.zone)).await {
                        return true;
                    }
                }
                tracing::error!("no gateway took an alarm");
                false
            }
        }
    }

    /// The gateways that carry to this address; those that are left alone come last.
    fn ways(&self, shared: &Shared, address: &Address, named: Option<&str>) -> Vec<&Way> {
        let channel = match address {
            Address::Phone(_) => Channel::Sms,
            Address::Email(_) => Channel::Email,
            Address::None => Channel::Phone,
        };
        let fits = |way: &&Way| {
            way.gateway.channel == channel && named.is_none_or(|name| name == way.gateway.name)
        };
        let mut ways: Vec<_> = self.ways.iter().filter(fits).collect();
        ways.sort_by_key(|way| shared.pauses.holds(&way.gateway.name));
        ways
    }
}

impl Recipient {
    fn wants(&self, alarm: &Alarm) -> bool {
        let kind = alarm.concern.kind;
        let listed = self.kinds.is_empty() || self.kinds.contains(&kind);
        listed && kind.severity() >= self.severity
    }
}

impl Way {
    async fn hand_over(&self, shared: &Shared, address: &Address, alarm: (&Alarm, Tz)) -> bool {
        let gateway = &self.gateway;
        let key = shared.chance.gateway_key();
        let Some(body) = self.body(shared, address, alarm, &key) else {
            return false;
        };
        // It names no attempt: what the gateway reports of it is parked, and let go.
        let named = Named {
            attempt: 0,
            nonce: shared.chance.nonce(),
        };
        let outgoing = Outgoing {
            address: address.clone(),
            body: Body(body),
            gateway_key: key,
            report_token: token(&shared.report_secret, named),
            validity: std::time::Duration::from_secs(3600),
            sender: SENDER.to_owned(),
            start_before: Mono::now().plus(gateway.longest_send),
        };
        let sent = tokio::time::timeout(gateway.longest_send, gateway.gate.send(&outgoing)).await;
        match sent {
            Ok(Outcome::Accepted { .. }) => true,
            // Twice does no harm here; not at all does.
            Ok(outcome) => {
                let cause = outcome.cause().unwrap_or_default();
                tracing::error!(gateway = gateway.name, "an alarm was not taken: {cause}");
                false
            }
            Err(_) => {
                tracing::error!(gateway = gateway.name, "an alarm was not taken in time");
                false
            }
        }
    }

    fn body(
        &self,
        shared: &Shared,
        to: &Address,
        (alarm, zone): (&Alarm, Tz),
        key: &str,
    ) -> Option<Vec<u8>> {
        let text = format!("{SENDER} a{}: {}", alarm.id.0, alarm.concern.text);
        let Address::Email(to) = to else {
            return Some(text.chars().take(SMS_CHARACTERS).collect::<String>().into());
        };
        let text = format!(
            "{text}\n\nSince {} ({}). Told until somebody acknowledges it: varsel alarm ack a{}\n",
            calendar::weekday_time(Language::En, alarm.since, zone),
            zone,
            alarm.id.0
        );
        let letter = Letter {
            from_name: SENDER,
            from_address: &self.from,
            to,
            subject: &format!("{SENDER}: {} {}", alarm.concern.kind, alarm.concern.subject),
            text: &text,
            html: &html(&text),
            languages: &[Language::En],
            identity: key,
            secret: &shared.mail_secret,
            date: shared.clock.now(),
            thread: &[],
            calendar: None,
        };
        compose(&letter)
            .inspect_err(|error| tracing::error!("an alarm cannot be mailed: {error}"))
            .ok()
    }
}

/// The alarm for programs.
fn as_json(alarm: &Alarm) -> String {
    let concern = &alarm.concern;
    let alarm = json!({
        "alarm": format!("a{}", alarm.id.0),
        "kind": concern.kind.word(),
        "severity": concern.kind.severity().word(),
        "subject": concern.subject,
        "text": concern.text,
        "since": alarm.since.to_rfc3339_opts(SecondsFormat::Secs, true),
        "told": alarm.told,
        "node": alarm.node,
    });
    format!("{alarm}\n")
}

/// The same words as a page; nothing of them is markup.
fn html(text: &str) -> String {
    let mut page = String::from("<!doctype html><html lang=\"en\"><title>Varsel</title><pre>");
    for c in text.chars() {
        match c {
            '<' => page.push_str("&lt;"),
            '&' => page.push_str("&amp;"),
            c => {
                let _ = page.write_char(c);
            }
        }
    }
    page + "</pre></html>\n"
}
