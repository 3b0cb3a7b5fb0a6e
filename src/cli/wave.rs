//! `wave`: the offices take bookings again, and the people whose appointments were cancelled are
//! invited, in waves as large as the offices can receive.

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::acting::Acting;
use super::closing::{offices, unknown};
use super::names::Names;
use super::rehearse::{first_text, means};
use super::{Everywhere, Exit, Failure, Reading, bubble, out};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::directory::ServiceId;
use crate::domain::notice::NoticeBrief;
use crate::domain::plan::{Circumstances, invite};
use crate::store::{
    Access, ActError, Database, Deed, Desk, Ledger, NewWave, SeenWave, ToInvite, Wave,
};

pub(super) const HELP: &str = "\
The oldest cancellation is invited first, but who was cancelled twice before everybody else. Left out
is whoever has another appointment since (by number or address, and service), was invited before, is
not to be written to, or was not reached with the cancellation: an SMS or e-mail that was or may have
been handed over counts as one that arrives, until it is reported that it did not. An invitation goes the same way as the
cancellation went: SMS, e-mail, and in the end the call list.

Examples:
  varsel -c varsel.toml wave plan --office gronland --capacity 200 --until 2021-04-23
  varsel -c varsel.toml wave start --office gronland --capacity 200 --until 2021-04-23 \\
    --seen 200:1f0c2a77 --reason \"open again from 12 April\"";

/// So many people are named.
const SHOWN: u32 = 20;

/// A wave.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Show whom a wave would invite, and what they would read; nothing is done
    Plan(Plan),
    /// Invite them, as you saw them
    Start(Start),
}

/// What a wave is.
#[derive(Debug, Args)]
struct Size {
    /// The offices that take bookings again, by their identifiers in the directory
    #[arg(
        long,
        value_name = "OFFICE,...",
        value_delimiter = ',',
        required_unless_present = "district"
    )]
    office: Vec<String>,
    /// Every office of these districts
    #[arg(long, value_name = "DISTRICT,...", value_delimiter = ',')]
    district: Vec<String>,
    /// Only these services; without it, all
    #[arg(long, value_name = "SERVICE,...", value_delimiter = ',')]
    service: Vec<String>,
    /// So many appointments, no more
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    capacity: u32,
    /// The last day to book
    #[arg(long, value_name = "DATE", value_parser = super::moment::day)]
    until: NaiveDate,
}

/// A look at a wave.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    size: Size,
    #[command(flatten)]
    reading: Reading,
}

/// A person's word on a wave.
#[derive(Debug, Args)]
pub(super) struct Start {
    #[command(flatten)]
    size: Size,
    /// The count and code that `wave plan` printed, such as 200:1f0c2a77
    #[arg(long, value_name = "COUNT:CODE", value_parser = seen)]
    seen: SeenWave,
    #[command(flatten)]
    acting: Acting,
}

fn seen(text: &str) -> Result<SeenWave, String> {
    let pair = text.split_once(':').and_then(|(people, code)| {
        Some(SeenWave {
            people: people.trim().parse().ok()?,
            code: u32::from_str_radix(code.trim(), 16).ok()?,
        })
    });
    pair.ok_or_else(|| "write the count, a colon and the code, such as 200:1f0c2a77".to_owned())
}

fn said(seen: SeenWave) -> String {
    format!("{}:{:08x}", seen.people, seen.code)
}

impl Size {
    fn wave(&self, config: &Config) -> Result<NewWave, Failure> {
        let directory = config.directory()?;
        let known = || directory.services.keys().map(|id| id.0.as_str());
        let mut services = Vec::new();
        for name in &self.service {
            let id = ServiceId(name.trim().to_owned());
            if !directory.services.contains_key(&id) {
                return Err(unknown("service", name, known()));
            }
            services.push(id);
        }
        Ok(NewWave {
            offices: offices(&self.office, &self.district, &directory)?,
            services,
            capacity: self.capacity,
            until: self.until,
        })
    }

    /// The same words, for the next command.
    fn words(&self) -> String {
        let list = |option: &str, names: &[String]| match names {
            [] => String::new(),
            names => format!(" --{option} {}", names.join(",")),
        };
        format!(
            "{}{}{} --capacity {} --until {}",
            list("office", &self.office),
            list("district", &self.district),
            list("service", &self.service),
            self.capacity,
            self.until
        )
    }
}

pub(super) async fn perform(everywhere: &Everywhere, verb: &Verb) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    match verb {
        Verb::Plan(plan) => {
            let now = plan.reading.now(config.file.agency.zone.0)?;
            let store = Database::open(&config.store()?, Access::ReadOnly).await?;
            let new = not_over(plan.size.wave(&config)?, now)?;
            show(everywhere, &config, (&store, &plan.size), &new, now).await?;
            Ok(Exit::Done)
        }
        Verb::Start(start) => act(everywhere, &config, start).await,
    }
}

/// Nobody is invited to book by a day that has passed.
fn not_over(new: NewWave, now: DateTime<Utc>) -> Result<NewWave, Failure> {
    if new.until < now.date_naive() {
        let problem = format!("--until {} has passed", new.until);
        let help = "it is the last day on which people can book";
        return Err(Failure::new(Exit::Usage, problem, help));
    }
    Ok(new)
}

async fn act(everywhere: &Everywhere, config: &Config, start: &Start) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let new = not_over(start.size.wave(config)?, now)?;
    // The same word on the same sight is one act, however often it is said.
    let key = format!("wave-{}-{}", new.until, said(start.seen));
    let deed = Deed::StartWave(new.clone(), start.seen);
    let act = start.acting.act(deed, key, now)?;
    let store = Database::open(&config.store()?, Access::Verb).await?;
    let acted = store.act(&act).await;
    let exit = match acted {
        Ok(acted) => {
            tell(everywhere, acted.count);
            Ok(Exit::Done)
        }
        Err(refused @ ActError::WaveChanged(_)) => {
            show(everywhere, config, (&store, &start.size), &new, now).await?;
            let line = format!("Nothing was done: {refused}.");
            out::note(out::styled(out::BAD, line));
            Ok(Exit::No)
        }
        Err(refused) => Err(refused.into()),
    };
    store.close().await;
    exit
}

fn tell(everywhere: &Everywhere, people: u32) {
    if everywhere.json {
        out::json(&json!({ "done": "started", "people": people }));
        return;
    }
    out::line(format_args!(
        "{} are invited to book again.",
        out::people(people)
    ));
    out::line("`varsel status` shows how they fare. Without a running daemon they wait for one.");
}

async fn show(
    everywhere: &Everywhere,
    config: &Config,
    (store, size): (&Database, &Size),
    new: &NewWave,
    now: DateTime<Utc>,
) -> Result<(), Failure> {
    let wave = store.wave(new, SHOWN).await?;
    if everywhere.json {
        out::json(&as_json(&wave));
        return Ok(());
    }
    let names = Names::of(config);
    let head = format!(
        "This wave would invite {}, for {} of up to {} appointments.",
        out::people(wave.seen.people),
        out::count(wave.appointments),
        out::count(new.capacity)
    );
    out::line(out::styled(out::BOLD, head));
    out::line(format_args!(
        "  {:>7}  wait for a later wave",
        out::count(wave.waiting)
    ));
    for (why, appointments) in &wave.passed_over {
        let why = why.word().replace('_', " ");
        out::line(format_args!(
            "  {:>7}  left out: {why}",
            out::count(*appointments)
        ));
    }
    for (office, people) in &wave.offices {
        out::line(format_args!(
            "  {:>7}  {}",
            out::count(*people),
            names.office(office)
        ));
    }
    let Some(first) = wave.first.first() else {
        return Ok(());
    };
    out::line("");
    wave.first.iter().for_each(|person| line(person, &names));
    if let Some(text) = sample(config, store, first, new, now).await? {
        out::line("");
        out::line("What they would read, as it would be written now:");
        bubble::show(&text);
    }
    out::line("");
    out::line(format_args!(
        "{} wave start{} --seen {} --reason \"...\"",
        everywhere.program(),
        size.words(),
        said(wave.seen)
    ));
    Ok(())
}

fn line(person: &ToInvite, names: &Names) {
    let state = BookingState {
        standing: Standing::Active,
        start: person.start,
        office: person.office.clone(),
    };
    let again = if person.again {
        "  cancelled twice"
    } else {
        ""
    };
    out::line(format_args!(
        "  {}  {:<12} {}{again}",
        person.reference,
        person.key.0,
        names.place(&state),
    ));
}

/// The text of the invitation for one of them; `None` where there is none in writing.
async fn sample(
    config: &Config,
    store: &Database,
    person: &ToInvite,
    new: &NewWave,
    now: DateTime<Utc>,
) -> Result<Option<String>, Failure> {
    let (directory, templates) = means(config)?;
    let rules = config.rules();
    let keys = std::slice::from_ref(&person.key);
    let known = store.known(&person.source, keys).await?;
    let Some(known) = known.into_iter().next() else {
        return Ok(None);
    };
    let mut recipients = known.appointment.recipients.iter();
    let recipient = recipients.find(|recipient| recipient.role == person.role);
    let told = |notice: &&NoticeBrief| notice.reference == person.reference;
    let (Some(recipient), Some(told)) = (recipient, known.notices.iter().find(told)) else {
        return Ok(None);
    };
    let around = Circumstances {
        now,
        directory: &directory,
        closings: &[],
        rules: &rules,
    };
    let Ok(planned) = invite(&known.appointment, recipient, told, (0, new.until), &around) else {
        return Ok(None);
    };
    let means = (&*directory, &*templates);
    Ok(first_text(&planned, means, person.reference))
}

fn as_json(wave: &Wave) -> Value {
    let person = |person: &ToInvite| {
        json!({
            "source": person.source.0,
            "key": person.key.0,
            "role": person.role.to_string(),
            "reference": person.reference.to_string(),
            "office": person.office.0,
            "start": person.start.to_rfc3339(),
            "again": person.again,
        })
    };
    let offices = wave
        .offices
        .iter()
        .map(|(id, people)| (id.0.clone(), json!(people)));
    let passed = wave.passed_over.iter();
    let passed = passed.map(|(why, count)| (why.word().to_owned(), json!(count)));
    json!({
        "people": wave.seen.people,
        "seen": said(wave.seen),
        "appointments": wave.appointments,
        "waiting": wave.waiting,
        "left_out": passed.collect::<serde_json::Map<_, _>>(),
        "offices": offices.collect::<serde_json::Map<_, _>>(),
        "first": wave.first.iter().map(person).collect::<Vec<_>>(),
    })
}
