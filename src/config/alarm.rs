//! `[[alarm]]` into who is told of what.

use std::path::Path;
use std::time::Duration;

use super::check::Check;
use super::file::{Alarm, File};
use crate::channel::duty::DutyCommand;
use crate::domain::alarm::AlarmLimits;
use crate::domain::contact::Address;
use crate::domain::message::Channel;
use crate::service::alarms::{Pace, Recipient, To};
use crate::service::{Allowed, settings::BeatSettings};

/// A command that the file gives no limit is ended after this.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Everybody who is told, of a checked file.
pub(super) fn recipients(file: &File) -> Vec<Recipient> {
    file.alarm.iter().filter_map(recipient).collect()
}

fn recipient(alarm: &Alarm) -> Option<Recipient> {
    let to = match (alarm.command.split_first(), address(alarm)) {
        (Some((program, arguments)), _) => To::Command(DutyCommand {
            program: program.into(),
            arguments: arguments.to_vec(),
            time_limit: alarm.time_limit.map_or(TIME_LIMIT, |length| length.0),
        }),
        (None, address) => To::Address {
            address: address?,
            gateway: alarm.gateway.clone(),
        },
    };
    Some(Recipient {
        to,
        kinds: alarm.kinds.iter().map(|word| word.0).collect(),
        severity: alarm.severity,
    })
}

fn address(alarm: &Alarm) -> Option<Address> {
    match alarm.to.as_ref()?.0.clone() {
        Allowed::Address(address) => Some(address),
        Allowed::MailDomain(_) => None,
    }
}

/// How often alarms are looked at and told.
pub(super) fn pace(file: &File) -> Pace {
    let alarms = &file.alarms;
    Pace {
        every: alarms.every.0,
        repeat: alarms.repeat.0,
        limits: AlarmLimits {
            untold_within: alarms.untold_within.0,
            stale_after: alarms.stale_after.0,
        },
        zone: file.agency.zone.0,
    }
}

/// The dead man's beat.
pub(super) fn beat(file: &File) -> BeatSettings {
    let alarms = &file.alarms;
    BeatSettings {
        every: alarms.beat_every.0,
        url: alarms.beat_url.clone(),
        file: alarms.beat_file.clone(),
    }
}

/// What the alarms' own values do not show.
pub(super) fn check(file: &File, check: &mut Check<'_>) {
    for (key, length) in [
        ("every", file.alarms.every),
        ("repeat", file.alarms.repeat),
        ("beat_every", file.alarms.beat_every),
    ] {
        if length.0.is_zero() {
            let problem = format!("alarms cannot go round without a pause ({key})");
            check.wrong(&["alarms", key], problem, "such as \"30s\"");
        }
    }
    let url = file.alarms.beat_url.as_deref();
    if url.is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
        let help = "such as \"https://watch.agency.example/varsel\"";
        check.wrong(&["alarms", "beat_url"], "this is not a web address", help);
    }
    for (number, alarm) in file.alarm.iter().enumerate() {
        if let Some((key, problem, help)) = fault(file, alarm) {
            check.wrong(&["alarm", &number.to_string(), key], problem, help);
        }
    }
}

/// What is wrong, at which key, and what to do.
type Fault = (&'static str, String, &'static str);

fn fault(file: &File, alarm: &Alarm) -> Option<Fault> {
    const EITHER: &str =
        "give a command or an address: command = [\"/usr/local/bin/page\"], or to = \"ADDRESS\"";
    match (alarm.command.first(), &alarm.to) {
        (Some(_), Some(_)) => Some(("to", "there is a command as well".to_owned(), EITHER)),
        (None, None) => Some(("command", "nobody is told by this".to_owned(), EITHER)),
        (Some(program), None) if !Path::new(program).is_absolute() => {
            let help = "its environment is empty: give its whole path";
            Some((
                "command",
                format!("\"{program}\" is not a whole path"),
                help,
            ))
        }
        (Some(_), None) if alarm.gateway.is_some() => {
            let help = "remove it, or give an address in place of the command";
            Some((
                "gateway",
                "a command goes through no gateway".to_owned(),
                help,
            ))
        }
        (Some(_), None) => None,
        (None, Some(_)) => unreachable_address(file, alarm),
    }
}

fn unreachable_address(file: &File, alarm: &Alarm) -> Option<Fault> {
    let Some(address) = address(alarm) else {
        let help = "give one number or one e-mail address";
        return Some(("to", "nobody in particular is told".to_owned(), help));
    };
    let channel = match address {
        Address::Phone(_) => Channel::Sms,
        Address::Email(_) => Channel::Email,
        Address::None => return None,
    };
    match &alarm.gateway {
        Some(name) if file.gateway.get(name).is_none_or(|g| g.channel != channel) => {
            let problem = format!("no gateway \"{name}\" carries {channel}");
            Some(("gateway", problem, "name one of the [gateway.NAME] tables"))
        }
        None if file.gateway.values().all(|g| g.channel != channel) => {
            let help = "add a [gateway.NAME] of this channel, or use a command";
            Some(("to", format!("no gateway carries {channel}"), help))
        }
        Some(_) | None => None,
    }
}
