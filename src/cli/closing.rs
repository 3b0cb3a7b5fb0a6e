//! `closing`: announces that offices are closed or receive fewer people, so that the texts can say
//! why and what comes next, and the announced changes pass the brake.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::acting::{Person, fresh_key, said};
use super::{Everywhere, Exit, Failure, Reading, out};
use crate::clock::Clock;
use crate::config::{Config, did_you_mean};
use crate::domain::closing::{Announced, Closing, ClosingId, ClosingKind, NextStep};
use crate::domain::directory::{Directory, OfficeId, ServiceKind};
use crate::domain::language::{Language, Texts};
use crate::store::{Access, Database, Deed, Desk, Ledger};

mod notice;

pub(super) const HELP: &str = "\
A closing never cancels anything. It explains what the booking system shows: the cancellations and
moves of these offices and days get its reason and its next step, and they pass the brake, all of
them up to --max and none beyond it.

Example:
  varsel -c varsel.toml closing add --district oslo --from 2021-03-17 --to 2021-04-09 \\
    --kind reduced --next book --max 2000 \\
    --reason-nb \"smittesituasjonen i Oslo og Viken\" \\
    --reason-en \"the infection situation in Oslo and Viken\"
  varsel -c varsel.toml closing list
  varsel -c varsel.toml closing notice 1
  varsel -c varsel.toml closing end 1 --reason \"open again\"";

/// What is announced.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Announce a closing
    #[command(after_help = ADD_HELP)]
    Add(Box<Add>),
    /// List the closings in force or to come
    List(Reading),
    /// Write its notice for the web page, or the words of a call
    #[command(after_help = notice::HELP)]
    Notice(notice::Options),
    /// Take a closing back: from now on it explains and admits nothing
    End(End),
}

const ADD_HELP: &str = "\
What people are told to do next:
  book       book again after the closing
  we_invite  wait: the office writes when booking opens (a commitment)
  phone      call the office's line
  contact    write or call (a foreign-service office)
  unknown    it is not known yet

A reason is a noun phrase that can follow \"The reason is\". Where a person's language has none, the
text leaves the reason out.";

/// A closing.
#[derive(Debug, Args)]
pub(super) struct Add {
    /// The offices, by their identifiers in the directory
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
    /// Only these kinds of case; without it, all
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = words(ServiceKind::ALL.iter().map(|k| k.word())))]
    case: Vec<String>,
    /// The first day
    #[arg(long, value_name = "DATE", value_parser = super::moment::day)]
    from: NaiveDate,
    /// The last day, included
    #[arg(long, value_name = "DATE", value_parser = super::moment::day)]
    to: NaiveDate,
    /// Nobody is received, or fewer people than usual
    #[arg(long, value_name = "KIND", value_parser = words(ClosingKind::ALL.iter().map(|k| k.word())))]
    kind: String,
    /// What people do next
    #[arg(long, value_name = "STEP", value_parser = words(NextStep::ALL.iter().map(|s| s.word())))]
    next: String,
    /// So many changes pass the brake on its account; 0 admits none
    #[arg(long, value_name = "COUNT")]
    max: u32,
    /// Why, in Bokmål
    #[arg(long, value_name = "TEXT")]
    reason_nb: String,
    /// Why, in English
    #[arg(long, value_name = "TEXT")]
    reason_en: String,
    /// Why, in Nynorsk
    #[arg(long, value_name = "TEXT")]
    reason_nn: Option<String>,
    #[command(flatten)]
    person: Person,
}

/// The end of a closing.
#[derive(Debug, Args)]
pub(super) struct End {
    /// Its number in `closing list`, such as 1 or c1
    #[arg(value_parser = number)]
    closing: i64,
    #[command(flatten)]
    acting: super::acting::Acting,
}

fn number(text: &str) -> Result<i64, String> {
    let number = text.strip_prefix('c').unwrap_or(text).parse();
    number.map_err(|_| "a closing is named by its number, which `closing list` shows".to_owned())
}

fn words(words: impl Iterator<Item = &'static str>) -> PossibleValuesParser {
    PossibleValuesParser::new(words.collect::<Vec<_>>())
}

pub(super) async fn perform(everywhere: &Everywhere, verb: Verb) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let place = config.store()?;
    let store = |access| Database::open(&place, access);
    match verb {
        Verb::Add(add) => {
            let closing = add.closing(&config)?;
            announce(
                everywhere,
                &store(Access::Verb).await?,
                &add.person,
                closing,
            )
            .await
        }
        Verb::List(reading) => {
            let now = reading.now(config.file.agency.zone.0)?;
            let announced = store(Access::ReadOnly).await?.closings(now).await?;
            list(everywhere, &announced);
            Ok(Exit::Done)
        }
        Verb::Notice(options) => notice::perform(everywhere, &config, &options).await,
        Verb::End(end) => {
            let store = store(Access::Verb).await?;
            let deed = Deed::EndClosing(ClosingId(end.closing));
            let key = fresh_key("closing-end");
            let act = end.acting.act(deed, key, Clock::system().now())?;
            let ended = store.act(&act).await;
            store.close().await;
            ended?;
            if everywhere.json {
                out::json(&json!({ "closing": end.closing, "done": "ended" }));
            } else {
                out::line(format_args!("Closing {} has ended.", end.closing));
            }
            Ok(Exit::Done)
        }
    }
}

impl Add {
    fn closing(&self, config: &Config) -> Result<Closing, Failure> {
        if self.to < self.from {
            let problem = format!("--to {} lies before --from {}", self.to, self.from);
            return Err(Failure::new(Exit::Usage, problem, "both days are included"));
        }
        let texts = [
            (Language::Nb, "--reason-nb", Some(&self.reason_nb)),
            (Language::En, "--reason-en", Some(&self.reason_en)),
            (Language::Nn, "--reason-nn", self.reason_nn.as_ref()),
        ];
        let mut reason = BTreeMap::new();
        for (language, option, text) in texts {
            if let Some(text) = text {
                reason.insert(language, said(option, text)?);
            }
        }
        let kinds = self
            .case
            .iter()
            .filter_map(|word| ServiceKind::from_word(word));
        Ok(Closing {
            offices: self.offices(&*config.directory()?)?,
            kinds: kinds.collect(),
            from: self.from,
            to: self.to,
            kind: ClosingKind::from_word(&self.kind).expect("clap knows the words"),
            next: NextStep::from_word(&self.next).expect("clap knows the words"),
            reason: Texts(reason),
            max: self.max,
        })
    }

    fn offices(&self, directory: &Directory) -> Result<Vec<OfficeId>, Failure> {
        offices(&self.office, &self.district, directory)
    }
}

/// The offices of these names, and every office of these districts.
pub(super) fn offices(
    named: &[String],
    districts: &[String],
    directory: &Directory,
) -> Result<Vec<OfficeId>, Failure> {
    let mut offices = Vec::new();
    for name in named {
        let id = OfficeId(name.trim().to_owned());
        if !directory.offices.contains_key(&id) {
            let known = directory.offices.keys().map(|id| id.0.as_str());
            return Err(unknown("office", name, known));
        }
        offices.push(id);
    }
    for name in districts {
        let known = directory.districts.keys().map(|id| id.0.as_str());
        if !known.clone().any(|id| id == name.trim()) {
            return Err(unknown("district", name, known));
        }
        let of_it = directory.offices.values();
        let of_it = of_it.filter(|office| office.district.0 == name.trim());
        offices.extend(of_it.map(|office| office.id.clone()));
    }
    offices.sort();
    offices.dedup();
    Ok(offices)
}

/// "Nothing of this office" must not be the answer to a slip of the pen. Where the directory cannot be read,
/// nobody knows better.
pub(super) fn known_office(office: Option<&str>, directory: &Directory) -> Result<(), Failure> {
    let known = || directory.offices.keys().map(|id| id.0.as_str());
    match office {
        Some(name) if known().next().is_some() && !known().any(|id| id == name) => {
            Err(unknown("office", name, known()))
        }
        _ => Ok(()),
    }
}

pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> Failure {
    let known: Vec<&str> = known.collect();
    let problem = format!("the directory has no {what} \"{name}\"");
    Failure::new(Exit::Usage, problem, did_you_mean(name, &known))
}

async fn announce(
    everywhere: &Everywhere,
    store: &Database,
    person: &Person,
    closing: Closing,
) -> Result<Exit, Failure> {
    let now = Clock::system().now();
    let standing = store.closings(now).await?;
    if let Some(same) = standing.iter().find(|a| a.closing == closing) {
        show_announced(everywhere, same, "stands already");
        return Ok(Exit::Done);
    }
    let why = closing
        .reason
        .get(Language::En)
        .unwrap_or_default()
        .to_owned();
    let deed = Deed::AddClosing(closing.clone());
    let act = person.act(&why, deed, fresh_key("closing-add"), now)?;
    let acted = store.act(&act).await;
    let announced = store.closings(now).await;
    store.clone().close().await;
    acted?;
    let announced = announced?;
    match announced.iter().rev().find(|a| a.closing == closing) {
        Some(announced) => show_announced(everywhere, announced, "is announced"),
        None => out::line("The closing is written down. It lies in the past and explains nothing."),
    }
    Ok(Exit::Done)
}

fn show_announced(everywhere: &Everywhere, announced: &Announced, what: &str) {
    if everywhere.json {
        out::json(&as_json(announced));
        return;
    }
    let closing = &announced.closing;
    out::line(format_args!(
        "Closing {} {what}: {} offices {} from {} to {}, both included.",
        announced.id.0,
        closing.offices.len(),
        closing.kind,
        closing.from,
        closing.to,
    ));
    let passes = match closing.max {
        0 => "No change passes the brake on its account.".to_owned(),
        max => format!(
            "Up to {} changes pass the brake on its account.",
            out::count(max)
        ),
    };
    out::line(passes);
}

fn list(everywhere: &Everywhere, announced: &[Announced]) {
    if everywhere.json {
        let closings: Vec<Value> = announced.iter().map(as_json).collect();
        out::json(&json!({ "closings": closings }));
        return;
    }
    if announced.is_empty() {
        out::line("No closing is announced.");
    }
    for announced in announced {
        let closing = &announced.closing;
        let head = format!(
            "{:>3}  {} to {}  {}, next {}, {} of {} changes admitted, by {}",
            announced.id.0,
            closing.from,
            closing.to,
            closing.kind,
            closing.next,
            out::count(announced.admitted),
            out::count(closing.max),
            announced.actor,
        );
        out::line(out::styled(out::BOLD, head));
        let offices: Vec<&str> = closing.offices.iter().map(|o| o.0.as_str()).collect();
        out::line(format_args!("     offices: {}", offices.join(", ")));
        let kinds: Vec<&str> = closing.kinds.iter().map(|kind| kind.word()).collect();
        if !kinds.is_empty() {
            out::line(format_args!("     cases: {}", kinds.join(", ")));
        }
        for (language, text) in &closing.reason.0 {
            out::line(format_args!("     {language}: {text}"));
        }
    }
}

fn as_json(announced: &Announced) -> Value {
    let closing = &announced.closing;
    let reason = closing.reason.0.iter().map(|(l, text)| (l.tag(), text));
    json!({
        "closing": announced.id.0,
        "offices": closing.offices.iter().map(|o| &o.0).collect::<Vec<_>>(),
        "cases": closing.kinds.iter().map(|kind| kind.word()).collect::<Vec<_>>(),
        "from": closing.from.to_string(),
        "to": closing.to.to_string(),
        "kind": closing.kind.word(),
        "next": closing.next.word(),
        "reason": reason.collect::<BTreeMap<_, _>>(),
        "max": closing.max,
        "admitted": announced.admitted,
        "actor": announced.actor,
    })
}
