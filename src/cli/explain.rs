//! `explain`: the story of one appointment: what was told, what still waits and why, and everything
//! that happened, from the history alone.

mod json;
mod why;

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use clap::Args;

use super::names::Names;
use super::status::fault_line;
use super::{Everywhere, Exit, Failure, Reading, moment, out};
use crate::domain::contact::Address;
use crate::domain::message::MessageBrief;
use crate::domain::notice::NoticeBrief;
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::domain::verdict::{self, Guardians, Word, word};
use crate::store::{Access, Course, Database, Desk, Fault, Story, StoryLine};
use why::why;

pub(super) const HELP: &str = "\
APPOINTMENT is the reference in a message, SOURCE/KEY, or the key where only one source has it. Where a
key reads like a reference, the reference is meant: SOURCE/KEY then asks for the booking.
It says what was told, what a message waits for, and what of the row is not understood. It shows
neither addresses nor texts.

Somebody on the telephone reads out a reference? Ask for the last three digits of the number that the
message came to, or the first letter of the address, and give them as --to: a message that we sent to
somebody else, or never sent, ends with 1.

Examples:
  varsel -c varsel.toml explain K7M2Q2
  varsel -c varsel.toml explain K7M2Q2 --to 012
  varsel -c varsel.toml explain oslo/4711
  varsel -c varsel.toml explain 4711 --json";

/// What to explain.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// A reference, SOURCE/KEY or KEY
    appointment: String,
    /// The last three digits of the number, or the first letter of the address, that it came to
    #[arg(long, value_name = "DIGITS|LETTER")]
    to: Option<Ends>,
    #[command(flatten)]
    reading: Reading,
}

/// What a person says of the number or address that a message came to.
#[derive(Clone, Debug)]
enum Ends {
    /// The last three digits of a telephone number.
    Digits(String),
    /// The first letter of an e-mail address, small.
    Letter(char),
}

impl FromStr for Ends {
    type Err = &'static str;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        let mut letters = typed.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => Ok(Self::Letter(letter.to_ascii_lowercase())),
            _ if typed.len() == 3 && typed.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self::Digits(typed.to_owned()))
            }
            _ => Err("give three digits, or one letter"),
        }
    }
}

impl Ends {
    fn fits(&self, address: &Address) -> bool {
        match (self, address) {
            (Self::Digits(digits), Address::Phone(phone)) => phone.expose().ends_with(digits),
            (Self::Letter(letter), Address::Email(email)) => {
                let first = email.expose().chars().next();
                first.is_some_and(|first| first.to_ascii_lowercase() == *letter)
            }
            (Self::Digits(_) | Self::Letter(_), _) => false,
        }
    }
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let names = Names::of(&config);
    let guardians = config.file.rules.guardians;
    let now = options.reading.now(names.zone)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let asked = options.appointment.trim();
    let stories = store.explain(asked).await?;
    let mut faults = store.faults().await?;
    faults.retain(|fault| concerns(fault, asked, &stories));
    if stories.is_empty() && faults.is_empty() {
        let problem = format!("nothing is known of \"{}\"", options.appointment);
        let help = "give the reference of a message, SOURCE/KEY, or a booking's key";
        return Err(Failure::new(Exit::No, problem, help));
    }
    if let Some(ends) = &options.to {
        is_theirs(asked, ends, &stories)?;
    }
    let mut of_key = Vec::new();
    if let Ok(reference) = asked.parse::<Reference>() {
        of_key = store.sources_with(asked).await?;
        // Nothing is passed over where no message has that reference.
        of_key.retain(|_| has_reference(&stories, reference));
    }
    for source in of_key {
        let hint = format!(
            "\"{asked}\" is a reference, and a booking's key too. For the booking: {} explain {source}/{asked}",
            everywhere.program()
        );
        match everywhere.json {
            true => out::note(hint),
            false => out::line(out::styled(out::NOTE, hint)),
        }
    }
    if everywhere.json {
        out::json(&json::stories(&stories, &faults, guardians, (&names, now)));
        return Ok(Exit::Done);
    }
    let teller = Teller {
        names: &names,
        faults: &faults,
        guardians,
        now,
    };
    stories.iter().for_each(|story| teller.tell(story));
    if stories.is_empty() {
        teller.tell_strangers();
    }
    Ok(Exit::Done)
}

/// Whether it was by this reference that the stories were found.
fn has_reference(stories: &[Story], reference: Reference) -> bool {
    let mut notices = stories.iter().flat_map(|story| &story.notices);
    notices.any(|notice| notice.reference == reference)
}

/// Whether the message of this reference went to the person who reads it out.
fn is_theirs(asked: &str, ends: &Ends, stories: &[Story]) -> Result<(), Failure> {
    let Ok(reference) = asked.parse::<Reference>() else {
        let problem = format!("\"{asked}\" is no reference, and --to is about the message of one");
        let help =
            "give the reference that stands last in an SMS, or in the last lines of an e-mail";
        return Err(Failure::new(Exit::Usage, problem, help));
    };
    let fits = |story: &Story| {
        let notices = story.notices.iter().filter(|n| n.reference == reference);
        let mut messages = notices.flat_map(|notice| &notice.messages);
        // Nobody can have what never left.
        messages.any(|message| {
            (message.may_be_out || message.has_told()) && {
                let mut courses = story.courses.iter().filter(|c| c.message == message.id);
                courses.any(|course| ends.fits(&course.address))
            }
        })
    };
    if stories.iter().any(fits) {
        return Ok(());
    }
    let problem = format!("the message {reference} was not for that number or address");
    let help =
        "ask once more; if it stays so, whoever got it should delete it and do nothing it says";
    Err(Failure::new(Exit::No, problem, help))
}

/// Whether a fault concerns one of these stories, or the row that was asked for.
fn concerns(fault: &Fault, asked: &str, stories: &[Story]) -> bool {
    let Some(key) = &fault.key else {
        return false;
    };
    let of_story = |story: &Story| (&story.source, &story.key) == (&fault.source, key);
    stories.iter().any(of_story) || key.0 == asked || format!("{}/{key}", fault.source) == asked
}

/// Tells stories in words.
struct Teller<'a> {
    names: &'a Names,
    faults: &'a [Fault],
    guardians: Guardians,
    now: DateTime<Utc>,
}

impl Teller<'_> {
    fn tell(&self, story: &Story) {
        let name = format!("{}/{}", story.source, story.key);
        out::line(out::styled(out::BOLD, name));
        out::line(format_args!(
            "{} · revision {}",
            self.names.booking(&story.state),
            story.revision
        ));
        for fault in self.faults {
            if (&fault.source, fault.key.as_ref()) == (&story.source, Some(&story.key)) {
                self.tell_fault(fault, "the state above is kept");
            }
        }
        for notice in &story.notices {
            self.tell_notice(notice, story);
        }
        self.tell_whole(story);
        if story.notices.is_empty() {
            out::line("  Nothing had to be told.");
        }
        out::line("");
        for line in &story.lines {
            let notice = story.notices.iter().find(|n| Some(n.id) == line.notice);
            self.tell_line(line, notice.map_or("", |notice| notice.reference.as_str()));
        }
        out::line("");
    }

    /// Whether the appointment counts as told, where several people are to know of it.
    fn tell_whole(&self, story: &Story) {
        let words = people(story, self.now);
        if words.len() < 2 {
            return;
        }
        let guardians = self.guardians;
        let told = match verdict::appointment_is_told(&by_role(&words), guardians) {
            true => out::styled(out::GOOD, "told"),
            false => out::styled(out::NOTE, "not told"),
        };
        let who = match guardians {
            Guardians::All => "every guardian is to know",
            Guardians::Any => "one guardian is enough",
        };
        out::line(format_args!("  The appointment counts as {told}: {who}."));
    }

    /// Rows that were never understood at all.
    fn tell_strangers(&self) {
        for fault in self.faults {
            self.tell_fault(fault, "nothing was known of it before");
        }
    }

    fn tell_fault(&self, fault: &Fault, kept: &str) {
        let line = fault_line(fault, self.names);
        let said = format!("  Not understood: {line}; {kept}");
        out::line(out::styled(out::NOTE, said));
    }

    fn tell_notice(&self, notice: &NoticeBrief, story: &Story) {
        let word = word(notice, self.now);
        let ending = verdict::verdict(notice)
            .map(|v| format!(" ({v})"))
            .unwrap_or_default();
        let superseded = if notice.superseded {
            ", superseded"
        } else {
            ""
        };
        out::line(format_args!(
            "  {}  {} to {}: {}{ending}{superseded}",
            notice.reference,
            notice.purpose.word().replace('_', " "),
            notice.role,
            out::styled(style(word), in_words(word)),
        ));
        let change = &notice.change;
        out::line(format_args!(
            "          from {} to {}; tell before {}",
            self.names.booking(&change.old),
            self.names.booking(&change.new),
            moment::minute(notice.due_by, self.names.zone_of(&change.old.office)),
        ));
        for message in &notice.messages {
            let course = story.courses.iter().find(|c| c.message == message.id);
            self.tell_message(message, course);
        }
    }

    fn tell_message(&self, message: &MessageBrief, course: Option<&Course>) {
        let reason = message
            .reason
            .map(|reason| format!(" ({})", reason.word().replace('_', " ")));
        let told = message
            .told_at
            .map(|at| format!(", told {}", moment::second(at, self.names.zone)));
        out::line(format_args!(
            "          {:<6} {}{}{}",
            message.channel.word(),
            message.state,
            reason.unwrap_or_default(),
            told.unwrap_or_default(),
        ));
        if let Some(why) = course.and_then(|c| why(message, c, self.now, self.names.zone)) {
            out::line(format_args!("                 {why}"));
        }
    }

    fn tell_line(&self, line: &StoryLine, reference: &str) {
        let channel = line.channel.map(|c| format!("{c} ")).unwrap_or_default();
        let states = match (line.from, line.to) {
            (Some(from), Some(to)) if from != to => format!(" {from} → {to}"),
            (None, Some(to)) => format!(" → {to}"),
            _ => String::new(),
        };
        let detail = match line.detail.as_str() {
            "" => String::new(),
            detail => format!(": {detail}"),
        };
        out::line(format_args!(
            "{}  {:<8}  {reference:<6}  {channel}{}{states}{detail}",
            moment::second(line.at, self.names.zone),
            line.actor,
            line.event.replace('_', " "),
        ));
    }
}

/// The word of each recipient.
fn people(story: &Story, now: DateTime<Utc>) -> BTreeMap<Role, Word> {
    let mut notices: BTreeMap<Role, Vec<NoticeBrief>> = BTreeMap::new();
    for notice in &story.notices {
        let own = notices.entry(notice.role.clone()).or_default();
        own.push(notice.clone());
    }
    let words = notices
        .into_iter()
        .map(|(role, own)| (role, verdict::person_word(&own, now)));
    words.collect()
}

fn by_role(words: &BTreeMap<Role, Word>) -> Vec<(&Role, Word)> {
    words.iter().map(|(role, word)| (role, *word)).collect()
}

fn in_words(word: Word) -> &'static str {
    match word {
        Word::Told => "Told",
        Word::Waiting => "Waiting",
        Word::MustBePhoned => "Must be phoned",
        Word::LeftOut => "Left out",
        Word::TooLate => "Too late",
    }
}

fn style(word: Word) -> anstyle::Style {
    match word {
        Word::Told => out::GOOD,
        Word::Waiting => out::NOTE,
        Word::MustBePhoned | Word::TooLate => out::BAD,
        Word::LeftOut => out::DIM,
    }
}
