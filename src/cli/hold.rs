//! `hold`: what the brake holds, and a person's word on it. Release and discard name what the
//! person saw; if that has changed, nothing is done and it is shown anew.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde_json::json;

use self::operator::What;
use self::shown::Shown;
use super::acting::Acting;
use super::{Everywhere, Exit, Failure, Reading, out};
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Access, ActError, Acted, Batch, BatchId, Database, Deed, Desk, SeenBatch};

pub(super) mod operator;
mod shown;

pub(super) const HELP: &str = "\
The brake holds a whole batch when one poll finds more than is believable: an emptied or half-loaded
table looks exactly like \"everyone is cancelled\". Nobody in it is told anything until a person has
compared it with the booking system. Works while the daemon runs and when it does not.

Examples:
  varsel -c varsel.toml hold list
  varsel -c varsel.toml hold show 3
  varsel -c varsel.toml hold release 3 --seen 2:412 --reason \"closing announced at 14:00\"
  varsel -c varsel.toml hold discard 3 --seen 2:412 --reason \"the table was being reloaded\"";

const RELEASE_HELP: &str = "\
Lets the batch go: its messages are written anew as of now and leave, earliest deadline first. Of a
batch larger than [brake] canary, only so many people are told at first; the rest follows after
canary_wait if no message of theirs has failed, or when you release what is left of it.
--seen is what `hold show` printed: the version and the count of people. If either has changed since,
nothing is released, the batch is shown anew, and the exit code is 1. A hold that a person has added
(h1) is lifted without --seen.

Examples:
  varsel -c varsel.toml hold release 3 --seen 2:412 --reason \"closing announced at 14:00\"
  varsel -c varsel.toml hold release h1 --reason \"checked\"";

const DISCARD_HELP: &str = "\
Throws the batch away: nobody in it is told, and they count as Left out. What changes in the booking
system afterwards is told as usual. --seen works as in `hold release`.

Example:
  varsel -c varsel.toml hold discard 3 --seen 2:412 --reason \"the table was being reloaded\"";

const ADD_HELP: &str = "\
Stops what is there and what is to come, from the moment it is written; the daemon need not be told.
What a gateway has, or a node has just taken, is no longer ours to stop. A hold on an office, a batch
or all stops the call list too. `hold release hN` lifts it, and frees nothing that is held for another
reason.

Examples:
  varsel -c varsel.toml hold add --office gronland --reason \"the list is being checked\"
  varsel -c varsel.toml hold add --channel sms --reason \"the gateway sends twice\"
  varsel -c varsel.toml hold release h1 --reason \"checked\"";

/// What is held.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List what the brake and what people hold
    List(Reading),
    /// Show a held batch: whom it concerns, until when, and what they would read
    Show(Show),
    /// Stop a batch, an office, a channel or everything until you release it
    #[command(after_help = ADD_HELP)]
    Add(operator::Add),
    /// Let a held batch go, as you saw it, or lift a hold
    #[command(after_help = RELEASE_HELP)]
    Release(operator::Release),
    /// Throw a held batch away, as you saw it
    #[command(after_help = DISCARD_HELP)]
    Discard(Decide),
}

/// One batch.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// The batch's number
    #[arg(value_parser = batch)]
    batch: i64,
    #[command(flatten)]
    reading: Reading,
}

/// A person's word on one batch.
#[derive(Debug, Args)]
pub(super) struct Decide {
    /// The batch's number
    #[arg(value_parser = batch)]
    batch: i64,
    /// The version and count that `hold show` printed, such as 2:412
    #[arg(long, value_name = "VERSION:COUNT", value_parser = seen)]
    seen: (u32, u32),
    #[command(flatten)]
    acting: Acting,
}

pub(super) fn batch(text: &str) -> Result<i64, String> {
    let number = text.parse();
    number.map_err(|_| "a batch is named by its number, which `hold list` shows".to_owned())
}

pub(super) fn seen(text: &str) -> Result<(u32, u32), String> {
    let pair = text.split_once(':').and_then(|(version, people)| {
        Some((version.trim().parse().ok()?, people.trim().parse().ok()?))
    });
    pair.ok_or_else(|| "write the version, a colon and the count, such as 2:412".to_owned())
}

pub(super) async fn perform(everywhere: &Everywhere, verb: &Verb) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    match verb {
        Verb::List(reading) => list(everywhere, &config, reading).await,
        Verb::Show(show) => one(everywhere, &config, show).await,
        Verb::Add(add) => operator::add(everywhere, &config, add).await,
        Verb::Release(release) => match release.what()? {
            What::Hold(id) => operator::lift(everywhere, &config, id, &release.acting).await,
            What::Batch(decide) => {
                let first = config.file.brake.canary;
                let release = |seen| Deed::ReleaseFirst(seen, first);
                act(everywhere, &config, &decide, release).await
            }
        },
        Verb::Discard(decide) => act(everywhere, &config, decide, Deed::Discard).await,
    }
}

async fn list(
    everywhere: &Everywhere,
    config: &Config,
    reading: &Reading,
) -> Result<Exit, Failure> {
    let now = reading.now(config.file.agency.zone.0)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let (batches, holds) = (store.batches().await?, store.holds().await?);
    let shown = Shown::new(everywhere, config, now);
    if everywhere.json {
        let batches: Vec<_> = batches.iter().map(|batch| shown.as_json(batch)).collect();
        let holds: Vec<_> = holds.iter().map(operator::as_json).collect();
        out::json(&json!({ "batches": batches, "holds": holds }));
        return Ok(Exit::Done);
    }
    if batches.is_empty() && holds.is_empty() {
        out::line("Nothing is held.");
    }
    let zone = config.file.agency.zone.0;
    holds.iter().for_each(|hold| operator::line(hold, zone));
    batches.iter().for_each(|batch| shown.line(batch));
    Ok(Exit::Done)
}

async fn one(everywhere: &Everywhere, config: &Config, show: &Show) -> Result<Exit, Failure> {
    let now = show.reading.now(config.file.agency.zone.0)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let batch = find(&store, show.batch).await?;
    let shown = Shown::new(everywhere, config, now);
    if everywhere.json {
        out::json(&shown.as_json(&batch));
    } else {
        shown.whole(&batch);
    }
    Ok(Exit::Done)
}

async fn find(store: &Database, number: i64) -> Result<Batch, Failure> {
    let mut batches = store.batches().await?.into_iter();
    let found = batches.find(|batch| batch.id == BatchId(number));
    found.ok_or_else(|| ActError::NotHeld(BatchId(number)).into())
}

async fn act(
    everywhere: &Everywhere,
    config: &Config,
    decide: &Decide,
    deed: impl FnOnce(SeenBatch) -> Deed,
) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let (version, people) = decide.seen;
    let deed = deed(SeenBatch {
        batch: BatchId(decide.batch),
        version,
        people,
    });
    // The same word on the same sight is one act, however often it is said.
    let key = format!("{}-{}-{version}-{people}", name(&deed), decide.batch);
    let act = decide.acting.act(deed, key, now)?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    // A word that was said before is no repetition while something else is held than was seen.
    let acted = match find(&store, decide.batch).await {
        Ok(batch) if !batch.releasing && decide.seen != (batch.version, batch.people) => {
            Err(ActError::Changed {
                batch: batch.id,
                version: batch.version,
                people: batch.people,
            })
        }
        Ok(_) | Err(_) => store.act(&act).await,
    };
    let exit = match acted {
        Ok(acted) => {
            tell(everywhere, config, decide, &act.deed, &acted);
            Ok(Exit::Done)
        }
        Err(refused @ ActError::Changed { .. }) => {
            let batch = find(&store, decide.batch).await?;
            show_anew(everywhere, config, &batch, now, &refused);
            Ok(Exit::No)
        }
        Err(refused) => Err(refused.into()),
    };
    store.close().await;
    exit
}

fn name(deed: &Deed) -> &'static str {
    if matches!(deed, Deed::Discard(_)) {
        "discard"
    } else {
        "release"
    }
}

fn tell(everywhere: &Everywhere, config: &Config, decide: &Decide, deed: &Deed, acted: &Acted) {
    let batch = decide.batch;
    let rest = decide.seen.1.saturating_sub(acted.count);
    let done = match name(deed) {
        "release" => "released",
        _ => "discarded",
    };
    if everywhere.json {
        out::json(&json!({ "batch": batch, "done": done, "people": acted.count, "held": rest }));
        return;
    }
    let people = out::people(acted.count);
    if done == "released" && rest > 0 {
        out::line(format_args!(
            "Of batch {batch} the messages of {people} with the earliest deadlines leave first."
        ));
        out::line(format_args!(
            "The other {} follow after {} if none of these fails, or when you release it again.",
            out::count(rest),
            config.file.brake.canary_wait
        ));
    } else if done == "released" {
        out::line(format_args!(
            "Batch {batch} is released: the messages of {people} are written anew and leave."
        ));
        out::line(
            "`varsel status` shows how they fare. Without a running daemon they wait for one.",
        );
    } else {
        out::line(format_args!(
            "Batch {batch} is discarded: {people} are left out and told nothing of it."
        ));
    }
}

fn show_anew(
    everywhere: &Everywhere,
    config: &Config,
    batch: &Batch,
    now: DateTime<Utc>,
    refused: &ActError,
) {
    let shown = Shown::new(everywhere, config, now);
    if everywhere.json {
        out::json(&json!({ "refused": refused.to_string(), "batch": shown.as_json(batch) }));
        return;
    }
    shown.whole(batch);
    out::note(out::styled(
        out::BAD,
        format_args!("Nothing was done: {refused}."),
    ));
}
