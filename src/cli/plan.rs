//! `plan`: who would be told what, on which channel, in how many parts, and until when. Nothing is
//! sent or recorded.

mod tally;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::names::Names;
use super::rehearse::{all, ending, tells};
use super::{Everywhere, Exit, Failure, Reading, moment, out};
use crate::domain::contact::Address;
use crate::domain::message::Channel;
use crate::service::rehearsal::Rehearsed;
use crate::store::{Entry, NewMessage, NewNotice};
use tally::Tally;

pub(super) const HELP: &str = "\
Looks at the booking systems as the daemon would now or at --at, and shows each person who would be
told, with the purpose, the channels in order, the parts of an SMS, and when the first message may
leave. Below stands when the last one leaves at the rate of the gateways, against the first
appointment that is affected. It ends with 1 where somebody would be told too late.

Examples:
  varsel -c varsel.toml plan
  varsel -c varsel.toml plan oslo --rate 5 --at 2021-03-16T14:00
  varsel -c varsel.toml plan --json";

/// No more people of one source are shown to a person; programs get all of them.
const MOST_SHOWN: usize = 50;

/// Messages a second that a channel takes of which nobody says how many.
const RATE: u32 = 10;

/// What to plan.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The source; without it, all of them
    name: Option<String>,
    /// Messages a second that each channel takes; without it, what its gateway's rate_per_second
    /// says, or 10
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    #[command(flatten)]
    reading: Reading,
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let names = Names::of(&config);
    let now = options.reading.now(names.zone)?;
    let (mut failures, mut plans) = (Vec::new(), Vec::new());
    for rehearsed in all(&config, options.name.as_deref(), now).await? {
        match rehearsed {
            Ok(rehearsed) => plans.push(rehearsed),
            Err(failure) => failures.push(failure),
        }
    }
    let notices = plans.iter().flat_map(notices).map(|(_, notice)| notice);
    let rate = |channel| options.rate.or(config.rate(channel)).unwrap_or(RATE);
    let tally = Tally::of(notices, rate, now);
    let otherwise = if tally.late() > 0 {
        Exit::No
    } else {
        Exit::Done
    };
    let exit = ending(&failures, otherwise);
    if everywhere.json {
        let failures: Vec<Value> = failures.iter().map(Failure::as_json).collect();
        let people: Vec<Value> = plans.iter().flat_map(people_json).collect();
        let mut json = tally.as_json();
        json["people"] = Value::Array(people);
        json["failures"] = Value::Array(failures);
        out::json(&json);
        return Ok(exit);
    }
    plans.iter().for_each(|plan| show(plan, &names, now));
    tally.show(&names);
    failures.into_iter().for_each(out::error);
    out::line(out::styled(
        out::DIM,
        "Nothing was sent, and nothing was recorded.",
    ));
    Ok(exit)
}

/// Every notice that would be recorded, with its entry.
fn notices(rehearsed: &Rehearsed) -> impl Iterator<Item = (&Entry, &NewNotice)> {
    let entries = rehearsed.entries.iter().filter(|entry| tells(entry));
    entries.flat_map(|entry| entry.notices.iter().map(move |notice| (entry, notice)))
}

fn show(rehearsed: &Rehearsed, names: &Names, now: DateTime<Utc>) {
    let all: Vec<(&Entry, &NewNotice)> = notices(rehearsed).collect();
    let head = format!(
        "{} · {}",
        rehearsed.source,
        out::plural(all.len(), "notice")
    );
    out::line(out::styled(out::BOLD, head));
    if !rehearsed.baseline {
        out::line("  It has not been read before: nobody is told about history.");
    }
    for (entry, notice) in all.iter().take(MOST_SHOWN) {
        person(entry, notice, names, now);
    }
    if all.len() > MOST_SHOWN {
        let more = out::plural(all.len() - MOST_SHOWN, "more notice");
        out::line(format_args!("  and {more}; --json has all"));
    }
    if let Some(batch) = rehearsed.batch {
        let why = batch.braked.word().replace('_', " ");
        let line = format!("  The brake would hold them until a person releases them: {why}");
        out::line(out::styled(out::NOTE, line));
    }
    for fault in rehearsed.faults.iter().take(MOST_SHOWN) {
        out::line(format_args!("  {} {fault}", out::styled(out::BAD, "✗")));
    }
    out::line("");
}

fn person(entry: &Entry, notice: &NewNotice, names: &Names, now: DateTime<Utc>) {
    let purpose = notice.purpose.word().replace('_', " ");
    let line = format!(
        "  {:<12} {purpose:<18} {}",
        entry.appointment.key.0,
        names.place(&notice.change.old)
    );
    out::line(line);
    for message in &notice.messages {
        let zone = names.zone_of(&notice.office);
        let when = match message.not_before <= now {
            true => "at once".to_owned(),
            false => format!("from {}", moment::minute(message.not_before, zone)),
        };
        let line = format!("{} {}, {when}", channel(message), address(message));
        out::line(format_args!("  {:12} {line}", ""));
    }
    let last = notice.messages.iter().map(|message| message.rung).max();
    let opened = last.map_or(0, |rung| usize::from(rung) + 1);
    let later: Vec<&str> = notice
        .ladder
        .channels()
        .iter()
        .skip(opened)
        .map(|c| said(*c))
        .collect();
    if !later.is_empty() && !notice.messages.iter().any(|m| m.channel == Channel::Phone) {
        let line = format!("then {}", later.join(", then "));
        out::line(format_args!("  {:12} {}", "", out::styled(out::DIM, line)));
    }
}

fn said(channel: Channel) -> &'static str {
    match channel {
        Channel::Sms => "SMS",
        Channel::Email => "e-mail",
        Channel::Phone => "call list",
    }
}

fn channel(message: &NewMessage) -> String {
    match &message.segments {
        Some(segments) => format!("SMS in {}", out::plural(segments.parts, "part")),
        None => said(message.channel).to_owned(),
    }
}

/// Masked.
fn address(message: &NewMessage) -> String {
    match &message.address {
        Address::Phone(phone) => format!("to {phone}"),
        Address::Email(email) => format!("to {email}"),
        Address::None => "without a number".to_owned(),
    }
}

fn people_json(rehearsed: &Rehearsed) -> Vec<Value> {
    let held = rehearsed.batch.is_some();
    let message = |message: &NewMessage| {
        json!({
            "channel": message.channel.word(),
            "address": address(message),
            "parts": message.segments.as_ref().map(|segments| segments.parts),
            "not_before": message.not_before.to_rfc3339(),
        })
    };
    let person = |(entry, notice): (&Entry, &NewNotice)| {
        let ladder: Vec<&str> = notice.ladder.channels().iter().map(|c| c.word()).collect();
        json!({
            "source": rehearsed.source.0,
            "key": entry.appointment.key.0,
            "role": notice.role.to_string(),
            "purpose": notice.purpose.word(),
            "office": notice.office.0,
            "due_by": notice.due_by.to_rfc3339(),
            "ladder": ladder,
            "messages": notice.messages.iter().map(message).collect::<Vec<_>>(),
            "held": held && entry.admitted_by.is_none(),
        })
    };
    notices(rehearsed).map(person).collect()
}
