//! `send-test`: one invented message, to oneself, through the real gateway.

use clap::Args;
use serde_json::json;

use super::preview::{chosen, read_in};
use super::rehearse::means;
use super::{Everywhere, Exit, Failure, Reading, out};
use crate::config::{Config, did_you_mean};
use crate::domain::contact::{Address, Email, Phone, Regions};
use crate::domain::language::Language;
use crate::domain::message::Channel;
use crate::domain::outcome::Outcome;
use crate::domain::reference::Reference;
use crate::service::settings::{GatewaySettings, Speaks};
use crate::service::start::{TestText, send_test};

pub(super) const HELP: &str = "\
Sends one invented case, written with your directory and templates, to a number or an address of your
own, as a person would get it. It leaves through the gateway of the configuration, at once; in trial
mode only to those whom trial_allow names. Nothing is recorded. Exit code 1 means that the gateway did
not take it, or that nobody knows.

Examples:
  varsel -c varsel.toml send-test passport-cancelled --to \"+47 40 00 00 00\"
  varsel -c varsel.toml send-test residence-cancelled --to tester@agency.example --language en
  varsel preview --list";

/// What to send, and where.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The case, or the beginning of its name, as `preview --list` shows them
    case: String,
    /// Your own number, with its country's code, or your e-mail address
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    to: Address,
    /// The gateway; without it, the first that carries this kind of message
    #[arg(long, value_name = "NAME")]
    gateway: Option<String>,
    /// In this language first: nb, nn, en or se
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<Language>,
    #[command(flatten)]
    reading: Reading,
}

/// Reads whom it is for. What was typed is not repeated: it is somebody's number.
fn address(typed: &str) -> Result<Address, &'static str> {
    if typed.contains('@') {
        let email = Email::read(typed);
        return email
            .map(Address::Email)
            .map_err(|_| "this is no e-mail address");
    }
    let regions = Regions {
        default: "",
        plausible: &[],
    };
    let phone = Phone::read(typed, regions).map(Address::Phone);
    phone
        .map_err(|_| "this is no number; write it with its country's code, such as +47 40 00 00 00")
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let channel = match options.to {
        Address::Email(_) => Channel::Email,
        Address::Phone(_) | Address::None => Channel::Sms,
    };
    let gateway = gateway(&config, channel, options.gateway.as_deref())?;
    let name = gateway.name.clone();
    let (case, text) = text(&config, channel, options)?;
    let outcome = send_test(gateway, &config.http(), options.to.clone(), text).await?;
    if everywhere.json {
        out::json(&json!({
            "case": case,
            "gateway": name,
            "channel": channel.word(),
            "outcome": outcome.word(),
            "cause": outcome.cause(),
        }));
    } else {
        say(case, &name, &outcome);
    }
    Ok(match outcome {
        Outcome::Accepted { .. } => Exit::Done,
        _ => Exit::No,
    })
}

fn say(case: &str, gateway: &str, outcome: &Outcome) {
    let cause = outcome.cause().unwrap_or_default();
    match outcome {
        Outcome::Accepted { .. } => out::line(format_args!(
            "{case}: \"{gateway}\" has taken it. Whether it arrives, you will see."
        )),
        Outcome::Withheld(_) => out::line(format_args!(
            "{case}: not sent. \"{gateway}\" is in trial mode, and trial_allow does not name this address."
        )),
        Outcome::Refused { .. } => {
            out::line(format_args!("{case}: \"{gateway}\" refuses it: {cause}"));
        }
        Outcome::NotSent { .. } => {
            out::line(format_args!(
                "{case}: not sent through \"{gateway}\": {cause}"
            ));
        }
        Outcome::Unknown { .. } => out::line(format_args!(
            "{case}: nobody knows whether \"{gateway}\" has taken it: {cause}"
        )),
    }
}

/// The gateway of this name, or the first of the channel.
fn gateway(
    config: &Config,
    channel: Channel,
    name: Option<&str>,
) -> Result<GatewaySettings, Failure> {
    let all: Result<Vec<_>, _> = config.gateway_settings().collect();
    let mut all = all.map_err(|errors| Failure {
        exit: Exit::Config,
        errors,
    })?;
    all.retain(|gateway| carries(&gateway.speaks) == channel);
    let names: Vec<String> = all.iter().map(|gateway| gateway.name.clone()).collect();
    let found = all
        .into_iter()
        .find(|gateway| name.is_none_or(|name| gateway.name == name));
    found.ok_or_else(|| match name {
        Some(name) => {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let problem = format!("no gateway \"{name}\" carries {}", channel.word());
            Failure::new(Exit::No, problem, did_you_mean(name, &known))
        }
        None => Failure::new(
            Exit::No,
            format!("no gateway carries {}", channel.word()),
            "add a [gateway.NAME] with this channel to the configuration file",
        ),
    })
}

fn carries(speaks: &Speaks) -> Channel {
    match speaks {
        Speaks::Sms { .. } => Channel::Sms,
        Speaks::Email(_) => Channel::Email,
    }
}

/// The text of the case, with its name.
fn text(
    config: &Config,
    channel: Channel,
    options: &Options,
) -> Result<(&'static str, TestText), Failure> {
    let now = options.reading.now(config.file.agency.zone.0)?;
    let (directory, templates) = means(config)?;
    let cases = chosen(&directory, now, Some(&options.case))?;
    let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
    let [case] = &cases[..] else {
        let problem = format!("{} cases begin with \"{}\"", cases.len(), options.case);
        let help = format!("name one of them:\n{}", names.join("\n"));
        return Err(Failure::new(Exit::Usage, problem, help));
    };
    let telling = read_in(&case.telling, options.language);
    let reference = Reference::draw(0);
    let text = match channel {
        Channel::Email => templates
            .email(&telling, &directory, reference)
            .map(TestText::Email),
        Channel::Sms | Channel::Phone => templates
            .sms(&telling, &directory, reference)
            .map(TestText::Sms),
    };
    let text = text.map_err(|error| {
        let problem = format!("{}: {error}", case.name);
        let help = "`varsel check` names the template and its line";
        Failure::new(Exit::Config, problem, help)
    })?;
    Ok((case.name, text))
}
