//! Holds that a person adds and lifts.

use chrono::SecondsFormat;
use chrono_tz::Tz;
use clap::Args;
use serde_json::{Value, json};

use super::{Decide, seen};
use crate::cli::acting::{Acting, fresh_key};
use crate::cli::{Everywhere, Exit, Failure, moment, out};
use crate::clock::Clock;
use crate::config::{Config, did_you_mean};
use crate::domain::directory::OfficeId;
use crate::domain::message::Channel;
use crate::store::{Access, BatchId, Database, Deed, Desk, HoldId, HoldOn, StandingHold};

/// What to stop.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    on: On,
    #[command(flatten)]
    acting: Acting,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct On {
    /// The rest of this batch
    #[arg(long, value_name = "BATCH")]
    batch: Option<i64>,
    /// Everything of this office
    #[arg(long, value_name = "OFFICE")]
    office: Option<String>,
    /// Everything on this channel
    #[arg(long, value_name = "CHANNEL", value_parser = ["sms", "email", "phone"])]
    channel: Option<String>,
    /// Everything
    #[arg(long)]
    all: bool,
}

/// What to let go.
#[derive(Debug, Args)]
pub(crate) struct Release {
    /// The batch's number, or that of a hold with its h: 3, h1
    what: String,
    /// For a batch: the version and count that `hold show` printed, such as 2:412
    #[arg(long, value_name = "VERSION:COUNT", value_parser = seen)]
    seen: Option<(u32, u32)>,
    #[command(flatten)]
    pub(super) acting: Acting,
}

/// One of the two things that can be let go.
pub(super) enum What {
    Hold(HoldId),
    Batch(Decide),
}

impl Release {
    pub(super) fn what(&self) -> Result<What, Failure> {
        let usage = |problem: String, help: &str| Failure::new(Exit::Usage, problem, help);
        if let Some(number) = self.what.strip_prefix(['h', 'H']) {
            let number = number.parse().map_err(|_| self.unknown())?;
            return match self.seen {
                None => Ok(What::Hold(HoldId(number))),
                Some(_) => Err(usage(
                    "--seen is for batches".to_owned(),
                    "a hold is lifted without it",
                )),
            };
        }
        let batch = self.what.parse().map_err(|_| self.unknown())?;
        let missing = || {
            let problem = "--seen VERSION:COUNT is needed to release a batch".to_owned();
            usage(problem, "`varsel hold show` prints it")
        };
        Ok(What::Batch(Decide {
            batch,
            seen: self.seen.ok_or_else(missing)?,
            acting: self.acting.clone(),
        }))
    }

    fn unknown(&self) -> Failure {
        let problem = format!("\"{}\" is neither a batch nor a hold", self.what);
        Failure::new(Exit::Usage, problem, "`varsel hold list` shows both")
    }
}

impl On {
    fn hold_on(&self, config: &Config) -> Result<HoldOn, Failure> {
        if let Some(batch) = self.batch {
            return Ok(HoldOn::Batch(BatchId(batch)));
        }
        if let Some(channel) = self.channel.as_deref().and_then(Channel::from_word) {
            return Ok(HoldOn::Channel(channel));
        }
        let Some(office) = &self.office else {
            return Ok(HoldOn::All);
        };
        let directory = config.directory()?;
        let id = OfficeId(office.clone());
        if directory.offices.contains_key(&id) {
            return Ok(HoldOn::Office(id));
        }
        let known: Vec<&str> = directory.offices.keys().map(|id| id.0.as_str()).collect();
        let problem = format!("the directory has no office \"{office}\"");
        Err(Failure::new(
            Exit::Usage,
            problem,
            did_you_mean(office, &known),
        ))
    }
}

/// Adds a hold and says what it stops.
pub(super) async fn add(
    everywhere: &Everywhere,
    config: &Config,
    add: &Add,
) -> Result<Exit, Failure> {
    let on = add.on.hold_on(config)?;
    let deed = Deed::AddHold(on.clone());
    let act = add
        .acting
        .act(deed, fresh_key("hold-add"), Clock::system().now())?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let acted = store.act(&act).await;
    let holds = store.holds().await;
    store.close().await;
    let count = acted?.count;
    let holds = holds?;
    // It may have been lifted already by somebody else; then there is nothing to name.
    let added = holds.iter().rev().find(|hold| hold.on == on);
    let calls = added.map_or(0, |hold| hold.calls);
    if everywhere.json {
        out::json(&json!({ "hold": added.map(name), "messages": count, "calls": calls }));
        return Ok(Exit::Done);
    }
    let name = added.map_or_else(
        || "The hold".to_owned(),
        |hold| format!("Hold {}", name(hold)),
    );
    out::line(format_args!(
        "{name} stops {}: {} waiting now, and whatever is to come.",
        what(&on),
        messages(count)
    ));
    if calls > 0 {
        let text = format!(
            "  {} of these stand on the call list: it hides them, and nobody phones them, until you lift it.",
            out::count(calls)
        );
        out::line(out::styled(out::BAD, text));
    }
    if let Some(hold) = added {
        out::line(format_args!(
            "  {} hold release h{} --reason \"...\"",
            everywhere.program(),
            hold.id.0
        ));
    }
    Ok(Exit::Done)
}

/// Lifts a hold.
pub(super) async fn lift(
    everywhere: &Everywhere,
    config: &Config,
    id: HoldId,
    acting: &Acting,
) -> Result<Exit, Failure> {
    let key = fresh_key("hold-lift");
    let act = acting.act(Deed::LiftHold(id), key, Clock::system().now())?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let acted = store.act(&act).await;
    store.close().await;
    let count = acted?.count;
    if everywhere.json {
        out::json(&json!({ "hold": format!("h{}", id.0), "done": "lifted", "messages": count }));
    } else {
        out::line(format_args!(
            "Hold h{} is lifted. {} had been stopped; another hold or the brake may still keep some.",
            id.0,
            messages(count)
        ));
    }
    Ok(Exit::Done)
}

/// One line for the list.
pub(in crate::cli) fn line(hold: &StandingHold, zone: Tz) {
    let calls = match hold.calls {
        0 => String::new(),
        calls => format!(", {} of them calls", out::count(calls)),
    };
    let text = format!(
        "Hold {} by {} since {}: {}, {} waiting{calls}. {}",
        name(hold),
        hold.actor,
        moment::minute(hold.since, zone),
        what(&hold.on),
        messages(hold.messages),
        hold.reason,
    );
    out::line(out::styled(out::NOTE, text));
}

/// The hold for programs.
pub(in crate::cli) fn as_json(hold: &StandingHold) -> Value {
    let (kind, on) = hold.on.words();
    json!({
        "hold": name(hold),
        "kind": kind,
        "on": on,
        "reason": hold.reason,
        "actor": hold.actor,
        "since": hold.since.to_rfc3339_opts(SecondsFormat::Secs, true),
        "messages": hold.messages,
        "calls": hold.calls,
    })
}

fn name(hold: &StandingHold) -> String {
    format!("h{}", hold.id.0)
}

fn what(on: &HoldOn) -> String {
    match on.words() {
        ("all", _) => "everything".to_owned(),
        (kind, name) => format!("{kind} {name}"),
    }
}

fn messages(count: u32) -> String {
    match count {
        1 => "1 message".to_owned(),
        _ => format!("{} messages", out::count(count)),
    }
}
