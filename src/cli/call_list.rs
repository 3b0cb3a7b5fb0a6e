//! `call-list`: the phone channel. Its gateway is a person: this prints whom to phone, with the
//! number in clear, and takes their ticks.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use serde_json::json;

use self::printed::Printed;
use super::acting::{Person, fresh_key};
use super::closing::known_office;
use super::{Everywhere, Exit, Failure, Reading, out};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::calendar;
use crate::domain::directory::{Directory, OfficeId, ServiceId};
use crate::domain::reference::Reference;
use crate::store::{Access, Call, Database, Deed, Desk};

mod csv;
mod printed;

pub(super) const HELP: &str = "\
Everybody whom nothing but a call can reach, the earliest deadline first, each with the reasons why.
This is the one place that shows telephone numbers in clear: keep the print from others, and destroy
it when it is done. Who is told is ticked off with the caller's name; that stops whatever has not
left yet. People without a number stand on the door list of the office they would come to. Whom a hold
hides from it is said beside the list.

Examples:
  varsel -c varsel.toml call-list
  varsel -c varsel.toml call-list --office gronland --csv > calls.csv
  varsel -c varsel.toml call-list --door --office gronland --day 2021-03-17
  varsel -c varsel.toml call-list tick K7M2Q2 --by \"Kari Nordmann\"
  varsel -c varsel.toml call-list tick K7M2Q2 --by \"Kari Nordmann\" --answering-machine";

/// What to print, or the tick.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Options {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only this office
    #[arg(long, value_name = "OFFICE")]
    office: Option<String>,
    /// Only appointments of this day, as people know them
    #[arg(long, value_name = "DATE", value_parser = super::moment::day)]
    day: Option<NaiveDate>,
    /// Only those without a number, for the door of the office on that day
    #[arg(long, requires = "office", requires = "day")]
    door: bool,
    /// Print CSV (RFC 4180) for a spreadsheet
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    reading: Reading,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Tick off who was told by phone
    #[command(after_help = TICK_HELP)]
    Tick(Tick),
}

const TICK_HELP: &str = "\
A tick means that a person has understood: they count as Told, and what has not left is stopped. An
answering machine has told nobody: it is noted, and they stay on the list.

If the appointment has changed since the list was printed, the tick is written down, and the exit
code is 1: call again and say what holds now.";

/// A tick.
#[derive(Debug, Args)]
struct Tick {
    /// The reference on the list
    reference: String,
    /// Only an answering machine was reached
    #[arg(long)]
    answering_machine: bool,
    #[command(flatten)]
    person: Person,
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    if let Some(Verb::Tick(tick)) = &options.verb {
        return tick_off(everywhere, &config, tick).await;
    }
    let zone = config.file.agency.zone.0;
    let now = options.reading.now(zone)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    // Names of offices are a courtesy: a broken directory must not hide who must be phoned.
    let directory = config.directory().unwrap_or_default();
    let places = Places {
        directory: &directory,
        zone,
    };
    let mut calls = store.calls().await?;
    calls.retain(|call| options.wants(call, &places));
    let mut stopped = store.stopped_calls().await?;
    stopped.retain(|call| options.wants(call, &places));
    if calls.is_empty() {
        known_office(options.office.as_deref(), &directory)?;
    }
    let printed = Printed {
        places,
        now,
        door: options.door.then_some(()).and(options.day),
    };
    if everywhere.json {
        let calls: Vec<_> = calls.iter().map(|call| printed.as_json(call)).collect();
        out::json(&json!({ "calls": calls, "stopped": stopped.len() }));
        return Ok(Exit::Done);
    }
    if options.csv {
        out::text(&csv::table(&calls, &printed.places));
        // Beside the rows: their file holds nothing else.
        hidden(stopped.len()).into_iter().for_each(out::note);
    } else {
        printed.list(&calls, stopped.len());
    }
    Ok(Exit::Done)
}

/// That holds hide people from the call list, if they do.
pub(super) fn hidden(stopped: usize) -> Option<String> {
    let who = match stopped {
        0 => return None,
        1 => "1 entry more is".to_owned(),
        more => format!("{more} entries more are"),
    };
    Some(format!(
        "{who} hidden from the call list by a hold: nobody phones these people until it is lifted."
    ))
}

impl Options {
    fn wants(&self, call: &Call, places: &Places<'_>) -> bool {
        let old = &call.person.change.old;
        let office = self.office.as_deref();
        // At the door stands the office people would come to; on the phone the one that calls.
        let theirs = match self.door {
            true => office == Some(old.office.0.as_str()),
            false => office.is_none_or(|office| office == call.office.0),
        };
        let day = calendar::local_day(old.start, places.zone_of(&old.office));
        let numberless = !self.door || call.number.is_none();
        theirs && numberless && self.day.is_none_or(|only| only == day)
    }
}

/// Where offices are and what they are called.
pub(super) struct Places<'a> {
    directory: &'a Directory,
    zone: Tz,
}

impl Places<'_> {
    fn zone_of(&self, office: &OfficeId) -> Tz {
        let office = self.directory.offices.get(office);
        office.map_or(self.zone, |office| office.zone)
    }

    fn name_of<'b>(&'b self, office: &'b OfficeId) -> &'b str {
        use crate::domain::language::Language::{En, Nb};
        let names = self.directory.offices.get(office).map(|o| &o.name_full);
        let name = names.and_then(|names| names.get(En).or(names.get(Nb)));
        name.unwrap_or(&office.0)
    }

    fn service<'b>(&'b self, service: &'b ServiceId) -> &'b str {
        use crate::domain::language::Language::{En, Nb};
        let names = self.directory.services.get(service).map(|s| &s.name);
        let name = names.and_then(|names| names.get(En).or(names.get(Nb)));
        name.unwrap_or(&service.0)
    }

    /// "2021-03-17 08:20", in the office's own time.
    fn minute(&self, at: DateTime<Utc>, office: &OfficeId) -> String {
        let local = at.with_timezone(&self.zone_of(office));
        local.format("%Y-%m-%d %H:%M").to_string()
    }
}

async fn tick_off(everywhere: &Everywhere, config: &Config, tick: &Tick) -> Result<Exit, Failure> {
    let text = tick.reference.trim();
    let reference: Reference = text.parse().map_err(|_| {
        let problem = format!("\"{text}\" is not a reference");
        Failure::new(
            Exit::Usage,
            problem,
            "it stands first in each entry of the list",
        )
    })?;
    let (deed, why) = if tick.answering_machine {
        (Deed::AnsweringMachine(reference), "an answering machine")
    } else {
        (Deed::Tick(reference), "told by phone")
    };
    let key = fresh_key("tick");
    let act = tick.person.act(why, deed, key, Clock::system().now())?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let acted = store.act(&act).await;
    store.close().await;
    let stands = acted?.count > 0;
    if everywhere.json {
        out::json(&json!({
            "reference": reference.as_str(),
            "told": stands && !tick.answering_machine,
            "stands": stands,
            "by": act.actor,
        }));
    } else {
        say(everywhere, tick, reference, &act.actor, stands);
    }
    Ok(if stands { Exit::Done } else { Exit::No })
}

fn say(everywhere: &Everywhere, tick: &Tick, reference: Reference, by: &str, stands: bool) {
    match (stands, tick.answering_machine) {
        (true, false) => out::line(format_args!("{reference} is told, by {by}.")),
        (true, true) => out::line(format_args!(
            "{reference}: an answering machine, noted for {by}. It stays on the list."
        )),
        (false, _) => {
            out::note(out::styled(
                out::BAD,
                format_args!(
                    "{reference} no longer stands on the list: it was told, or has changed."
                ),
            ));
            out::note(format_args!(
                "It is written down. If you have just told somebody, look at what holds now and call \
                 again:\n  {} explain {reference}",
                everywhere.program()
            ));
        }
    }
}
