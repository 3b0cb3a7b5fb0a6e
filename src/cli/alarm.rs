//! `alarm`: what somebody must be told of, and the word of a person that they know.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use serde_json::json;

use super::acting::{Person, fresh_key};
use super::{Everywhere, Exit, Failure, moment, out};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::alarm::{Alarm, AlarmId, Severity};
use crate::store::{Access, Database, Deed, Desk};

pub(super) const HELP: &str = "\
Whom the daemon tells of alarms stands in the configuration ([[alarm]]). It tells them again
until somebody says that they know; the alarm then falls silent until there is more of it (more
people to phone, more values not understood) or it ends and comes again. What is wrong is not
mended by that.

Examples:
  varsel -c varsel.toml alarm list
  varsel -c varsel.toml alarm ack a3 --by \"Kari Nordmann\"";

/// What somebody must be told of.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List the alarms that stand
    List,
    /// Say that you know, so that it is not told again
    Ack(Ack),
}

/// An acknowledgement.
#[derive(Debug, Args)]
pub(super) struct Ack {
    /// The alarm's number: a3
    alarm: String,
    /// What you will do, in your own words; it is kept in the history
    #[arg(long, value_name = "TEXT", default_value = "acknowledged")]
    reason: String,
    #[command(flatten)]
    person: Person,
}

pub(super) async fn perform(everywhere: &Everywhere, verb: &Verb) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    match verb {
        Verb::List => list(everywhere, &config).await,
        Verb::Ack(ack) => acknowledge(everywhere, &config, ack).await,
    }
}

async fn list(everywhere: &Everywhere, config: &Config) -> Result<Exit, Failure> {
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let alarms = store.alarms().await?;
    let zone = config.file.agency.zone.0;
    if everywhere.json {
        let alarms = alarms.iter().map(|alarm| as_json(alarm, zone));
        let alarms: Vec<_> = alarms.collect();
        out::json(&json!({ "alarms": alarms }));
        return Ok(Exit::Done);
    }
    if alarms.is_empty() {
        out::line("Nothing is wrong.");
    }
    for alarm in &alarms {
        let urgent = alarm.concern.kind.severity() == Severity::Urgent;
        let style = match (&alarm.acknowledged, urgent) {
            (Some(_), _) => out::DIM,
            (None, true) => out::BAD,
            (None, false) => out::NOTE,
        };
        let head = format!("Alarm {}: {}", name(alarm), alarm.concern.text);
        out::line(out::styled(style, head));
        let since = moment::minute(alarm.since, zone);
        match &alarm.acknowledged {
            Some((who, at)) => out::line(format_args!(
                "  since {since}; {who} has known since {}",
                moment::minute(*at, zone)
            )),
            None => out::line(format_args!(
                "  since {since}, told {}; {} alarm ack {}",
                out::plural(alarm.told as usize, "time"),
                everywhere.program(),
                name(alarm)
            )),
        }
    }
    Ok(Exit::Done)
}

async fn acknowledge(everywhere: &Everywhere, config: &Config, ack: &Ack) -> Result<Exit, Failure> {
    let text = ack.alarm.trim();
    let number = text.strip_prefix(['a', 'A']).unwrap_or(text).parse();
    let number = number.map_err(|_| {
        let problem = format!("\"{text}\" is not an alarm");
        Failure::new(Exit::Usage, problem, "`varsel alarm list` shows them")
    })?;
    let deed = Deed::AckAlarm(AlarmId(number));
    let now = Clock::system().now();
    let act = ack.person.act(&ack.reason, deed, fresh_key("ack"), now)?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let acted = store.act(&act).await;
    store.close().await;
    acted?;
    if everywhere.json {
        out::json(&json!({ "alarm": format!("a{number}"), "by": act.actor }));
    } else {
        out::line(format_args!(
            "Alarm a{number} falls silent until it grows, or ends and comes again: {} knows.",
            act.actor
        ));
    }
    Ok(Exit::Done)
}

fn name(alarm: &Alarm) -> String {
    format!("a{}", alarm.id.0)
}

/// The alarm for programs.
fn as_json(alarm: &Alarm, zone: Tz) -> serde_json::Value {
    let time = |at: DateTime<Utc>| {
        let local = at.with_timezone(&zone);
        local.to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    json!({
        "alarm": name(alarm),
        "kind": alarm.concern.kind.word(),
        "severity": alarm.concern.kind.severity().word(),
        "subject": alarm.concern.subject,
        "text": alarm.concern.text,
        "node": alarm.node,
        "since": time(alarm.since),
        "told": alarm.told,
        "acknowledged_by": alarm.acknowledged.as_ref().map(|(who, _)| who),
        "acknowledged_at": alarm.acknowledged.as_ref().map(|(_, at)| time(*at)),
    })
}
