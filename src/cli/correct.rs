//! `correct`: a batch that was wrong. First it shows who may have got the wrong word; then, named as
//! it was seen, the rest is stopped, and these people are told that their appointment stands.

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::acting::Person;
use super::hold::{batch, seen};
use super::names::Names;
use super::rehearse::{first_text, means};
use super::{Everywhere, Exit, Failure, Reading, bubble, out};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::change::{Change, ChangeKind};
use crate::domain::plan::{Circumstances, correct};
use crate::store::{
    Access, ActError, BatchId, Database, Deed, Desk, Ledger, SeenBatch, Wrong, WronglyTold,
};

pub(super) const HELP: &str = "\
For a batch that was wrong, such as one made by an emptied table. Without --seen nothing is done:
you are shown who may have got the wrong word, how many, and what they would read. With --seen as it
was printed, the rest of the batch is stopped at once, calls included, and whoever was, or may have
been, told that their appointment is cancelled gets one message, on the same channel, that it stands:
as soon as the booking system shows that it does. A reinstatement that has not left gives way to it.
Whose appointment is still cancelled there is told nothing until it stands again.

If messages of the batch are leaving now, stop them first: hold add --batch.

Examples:
  varsel -c varsel.toml correct 3
  varsel -c varsel.toml correct 3 --seen 2:412 --reason \"the table was half loaded\"";

/// So many people are named.
const SHOWN: u32 = 20;

/// A batch that was wrong.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The batch's number
    #[arg(value_parser = batch)]
    batch: i64,
    /// The version and count that were shown, such as 2:412
    #[arg(long, value_name = "VERSION:COUNT", value_parser = seen, requires = "reason")]
    seen: Option<(u32, u32)>,
    /// Why, in your own words; it is kept in the history
    #[arg(long, value_name = "TEXT", requires = "seen")]
    reason: Option<String>,
    #[command(flatten)]
    person: Person,
    #[command(flatten)]
    reading: Reading,
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    match options.seen.zip(options.reason.as_deref()) {
        None => look(everywhere, &config, options).await,
        Some((seen, reason)) => act(everywhere, &config, options, seen, reason).await,
    }
}

async fn look(
    everywhere: &Everywhere,
    config: &Config,
    options: &Options,
) -> Result<Exit, Failure> {
    let now = options.reading.now(config.file.agency.zone.0)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let wrong = find(&store, options.batch).await?;
    show(everywhere, config, &store, &wrong, now).await?;
    Ok(Exit::Done)
}

async fn find(store: &Database, number: i64) -> Result<Wrong, Failure> {
    let batch = BatchId(number);
    let wrong = store.wrong(batch, SHOWN).await?;
    let wrong = wrong.ok_or(ActError::NoBatch(batch))?;
    match wrong.held {
        true => Err(ActError::StillHeld(batch).into()),
        false => Ok(wrong),
    }
}

async fn act(
    everywhere: &Everywhere,
    config: &Config,
    options: &Options,
    (version, people): (u32, u32),
    reason: &str,
) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let deed = Deed::Correct(SeenBatch {
        batch: BatchId(options.batch),
        version,
        people,
    });
    // The same word on the same sight is one act, however often it is said.
    let key = format!("correct-{}-{version}-{people}", options.batch);
    let act = options.person.act(reason, deed, key, now)?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let acted = store.act(&act).await;
    let exit = match acted {
        Ok(acted) => {
            tell(everywhere, options.batch, acted.count);
            Ok(Exit::Done)
        }
        Err(refused @ ActError::Changed { .. }) => {
            let wrong = find(&store, options.batch).await?;
            show(everywhere, config, &store, &wrong, now).await?;
            let line = format!("Nothing was done: {refused}.");
            out::note(out::styled(out::BAD, line));
            Ok(Exit::No)
        }
        Err(refused) => Err(refused.into()),
    };
    store.close().await;
    exit
}

fn tell(everywhere: &Everywhere, batch: i64, people: u32) {
    if everywhere.json {
        out::json(&json!({ "batch": batch, "done": "corrected", "people": people }));
        return;
    }
    out::line(format_args!(
        "Batch {batch} goes no further. {} will be told that their appointment stands, as soon as \
         the booking system shows that it does.",
        out::people(people)
    ));
    out::line("`varsel status` shows how they fare. Without a running daemon they wait for one.");
}

async fn show(
    everywhere: &Everywhere,
    config: &Config,
    store: &Database,
    wrong: &Wrong,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    if everywhere.json {
        out::json(&as_json(wrong));
        return Ok(());
    }
    let names = Names::of(config);
    let head = format!(
        "Batch {}: {} may have got its wrong word.",
        wrong.batch.0,
        out::people(wrong.people)
    );
    out::line(out::styled(out::BOLD, head));
    out::line(format_args!(
        "  {} of them stand in the booking system and are told so at once; {} are still cancelled \
         there.",
        out::count(wrong.stand),
        out::count(wrong.people.saturating_sub(wrong.stand)),
    ));
    if wrong.waiting > 0 {
        out::line(format_args!(
            "  {} in it still wait for a message: they will get none.",
            out::people(wrong.waiting)
        ));
    }
    if let Some(canary) = wrong.canary {
        let first = format!(
            "  Its first people left as batch {0}: correct {0}.",
            canary.0
        );
        out::line(out::styled(out::NOTE, first));
    }
    for (office, people) in &wrong.offices {
        out::line(format_args!(
            "  {:>7}  {}",
            out::count(*people),
            names.office(office)
        ));
    }
    for (channel, people) in &wrong.channels {
        out::line(format_args!("  {:>7}  by {channel}", out::count(*people)));
    }
    if let Some(first) = wrong.first.first() {
        out::line("");
        wrong.first.iter().for_each(|told| line(told, &names));
        if let Some(text) = sample(config, store, first, wrong.batch, now).await? {
            out::line("");
            out::line("What they would read, as it would be written now:");
            bubble::show(&text);
        }
    }
    out::line("");
    match wrong.people.saturating_add(wrong.waiting) {
        0 => out::line("There is nothing to correct."),
        _ => out::line(format_args!(
            "{} correct {} --seen {}:{} --reason \"...\"",
            everywhere.program(),
            wrong.batch.0,
            wrong.version,
            wrong.people
        )),
    }
    Ok(())
}

fn line(told: &WronglyTold, names: &Names) {
    let channels: Vec<&str> = told.channels.iter().map(|channel| channel.word()).collect();
    let sure = if told.surely { "told" } else { "perhaps told" };
    let stands = if told.stands {
        "stands"
    } else {
        "still cancelled"
    };
    let state = BookingState {
        standing: Standing::Active,
        start: told.start,
        office: told.office.clone(),
    };
    out::line(format_args!(
        "  {}  {:<12} {}  {sure} by {}; {stands}",
        told.reference,
        told.key.0,
        names.place(&state),
        channels.join(" and "),
    ));
}

/// The text of the correction for one of them; `None` where there is none in writing.
async fn sample(
    config: &Config,
    store: &Database,
    told: &WronglyTold,
    batch: BatchId,
    now: DateTime<Utc>,
) -> Result<Option<String>, Failure> {
    let (directory, templates) = means(config)?;
    let rules = config.rules();
    let known = store
        .known(&told.source, std::slice::from_ref(&told.key))
        .await?;
    let Some(known) = known.into_iter().next() else {
        return Ok(None);
    };
    let mut recipients = known.appointment.recipients.iter();
    let Some(recipient) = recipients.find(|recipient| recipient.role == told.role) else {
        return Ok(None);
    };
    let state = |standing| BookingState {
        standing,
        start: told.start,
        office: told.office.clone(),
    };
    let change = Change {
        kind: ChangeKind::Reinstated,
        old: state(Standing::Cancelled),
        new: state(Standing::Active),
    };
    let around = Circumstances {
        now,
        directory: &directory,
        closings: &[],
        rules: &rules,
    };
    let number = u32::try_from(batch.0).unwrap_or(u32::MAX);
    let asked = (number, known.notices.as_slice());
    let Ok(planned) = correct(&known.appointment, recipient, &change, asked, &around) else {
        return Ok(None);
    };
    let means = (&*directory, &*templates);
    Ok(first_text(&planned, means, told.reference))
}

fn as_json(wrong: &Wrong) -> Value {
    let person = |told: &WronglyTold| {
        let channels: Vec<&str> = told.channels.iter().map(|channel| channel.word()).collect();
        json!({
            "source": told.source.0,
            "key": told.key.0,
            "role": told.role.to_string(),
            "reference": told.reference.to_string(),
            "office": told.office.0,
            "start": told.start.to_rfc3339(),
            "channels": channels,
            "surely": told.surely,
            "stands": told.stands,
        })
    };
    let offices = wrong
        .offices
        .iter()
        .map(|(id, people)| (id.0.clone(), json!(people)));
    let channels = wrong.channels.iter();
    let channels = channels.map(|(channel, people)| (channel.word().to_owned(), json!(people)));
    json!({
        "batch": wrong.batch.0,
        "version": wrong.version,
        "people": wrong.people,
        "stand": wrong.stand,
        "waiting": wrong.waiting,
        "first_out": wrong.canary.map(|canary| canary.0),
        "offices": offices.collect::<serde_json::Map<_, _>>(),
        "channels": channels.collect::<serde_json::Map<_, _>>(),
        "first": wrong.first.iter().map(person).collect::<Vec<_>>(),
    })
}
