//! `explain`: the story of one appointment, from the history alone.

use chrono::{DateTime, SecondsFormat, Utc};
use chrono_tz::Tz;
use clap::Args;
use serde_json::{Value, json};

use super::{Everywhere, Exit, Failure, Reading, moment, out};
use crate::domain::appointment::{BookingState, Standing};
use crate::domain::directory::{Directory, OfficeId};
use crate::domain::language::Language;
use crate::domain::message::MessageBrief;
use crate::domain::notice::NoticeBrief;
use crate::domain::verdict::{Word, verdict, word};
use crate::store::sqlite::{Access, Sqlite};
use crate::store::{Desk, Story, StoryLine};

pub(super) const HELP: &str = "\
APPOINTMENT is the reference in a message, SOURCE/KEY, or the key where only one source has it.
It shows neither addresses nor texts.

Examples:
  varsel -c varsel.toml explain K7M2Q2
  varsel -c varsel.toml explain oslo/4711
  varsel -c varsel.toml explain 4711 --json";

/// What to explain.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// A reference, SOURCE/KEY or KEY
    appointment: String,
    #[command(flatten)]
    reading: Reading,
}

pub(super) async fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let zone = config.file.agency.zone.0;
    let now = options.reading.now(zone)?;
    let store = Sqlite::open(&config.file.store.path, Access::ReadOnly).await?;
    let stories = store.explain(options.appointment.trim()).await?;
    if stories.is_empty() {
        let problem = format!("nothing is known of \"{}\"", options.appointment);
        let help = "give the reference of a message, SOURCE/KEY, or a booking's key";
        return Err(Failure::new(Exit::No, problem, help));
    }
    if everywhere.json {
        let stories: Vec<Value> = stories.iter().map(|story| as_json(story, now)).collect();
        out::json(&Value::Array(stories));
        return Ok(Exit::Done);
    }
    // Names of offices are a courtesy: a broken directory must not hide a story.
    let directory = config.directory().unwrap_or_default();
    let teller = Teller {
        directory: &directory,
        zone,
        now,
    };
    stories.iter().for_each(|story| teller.tell(story));
    Ok(Exit::Done)
}

/// Tells stories in words.
struct Teller<'a> {
    directory: &'a Directory,
    zone: Tz,
    now: DateTime<Utc>,
}

impl Teller<'_> {
    fn tell(&self, story: &Story) {
        let name = format!("{}/{}", story.source, story.key);
        out::line(out::styled(out::BOLD, name));
        out::line(format_args!(
            "{} · revision {}",
            self.booking(&story.state),
            story.revision
        ));
        for notice in &story.notices {
            self.tell_notice(notice);
        }
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

    fn tell_notice(&self, notice: &NoticeBrief) {
        let word = word(notice, self.now);
        let ending = verdict(notice)
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
            self.booking(&change.old),
            self.booking(&change.new),
            moment::minute(notice.due_by, self.zone_of(&change.old.office)),
        ));
        for message in &notice.messages {
            self.tell_message(message);
        }
    }

    fn tell_message(&self, message: &MessageBrief) {
        let reason = message
            .reason
            .map(|reason| format!(" ({})", reason.word().replace('_', " ")));
        let told = message
            .told_at
            .map(|at| format!(", told {}", moment::second(at, self.zone)));
        out::line(format_args!(
            "          {:<6} {}{}{}",
            message.channel.word(),
            message.state,
            reason.unwrap_or_default(),
            told.unwrap_or_default(),
        ));
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
            moment::second(line.at, self.zone),
            line.actor,
            line.event.replace('_', " "),
        ));
    }

    fn booking(&self, state: &BookingState) -> String {
        let office = self.directory.offices.get(&state.office);
        let name = office
            .and_then(|o| {
                o.name_sms
                    .get(Language::En)
                    .or(o.name_sms.get(Language::Nb))
            })
            .unwrap_or(&state.office.0);
        let standing = match state.standing {
            Standing::Active => "stands",
            Standing::Cancelled => "cancelled",
        };
        let zone = self.zone_of(&state.office);
        format!(
            "{} at {name} ({standing})",
            moment::minute(state.start, zone)
        )
    }

    fn zone_of(&self, office: &OfficeId) -> Tz {
        self.directory
            .offices
            .get(office)
            .map_or(self.zone, |office| office.zone)
    }
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

fn as_json(story: &Story, now: DateTime<Utc>) -> Value {
    json!({
        "source": story.source.0,
        "key": story.key.0,
        "booking": booking_json(&story.state),
        "revision": story.revision,
        "notices": story.notices.iter().map(|n| notice_json(n, now)).collect::<Vec<_>>(),
        "history": story.lines.iter().map(line_json).collect::<Vec<_>>(),
    })
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn booking_json(state: &BookingState) -> Value {
    json!({
        "cancelled": state.standing == Standing::Cancelled,
        "start": instant(state.start),
        "office": state.office.0,
    })
}

fn notice_json(notice: &NoticeBrief, now: DateTime<Utc>) -> Value {
    let message = |message: &MessageBrief| {
        json!({
            "channel": message.channel.word(),
            "rung": message.rung,
            "state": message.state.word(),
            "reason": message.reason.map(|reason| reason.word()),
            "told_at": message.told_at.map(instant),
        })
    };
    json!({
        "reference": notice.reference.as_str(),
        "purpose": notice.purpose.word(),
        "role": notice.role.to_string(),
        "revision": notice.revision,
        "old": booking_json(&notice.change.old),
        "new": booking_json(&notice.change.new),
        "due_by": instant(notice.due_by),
        "not_after": instant(notice.not_after),
        "superseded": notice.superseded,
        "word": word(notice, now).word(),
        "verdict": verdict(notice).map(|verdict| verdict.word()),
        "messages": notice.messages.iter().map(message).collect::<Vec<_>>(),
    })
}

fn line_json(line: &StoryLine) -> Value {
    json!({
        "at": instant(line.at),
        "actor": line.actor,
        "channel": line.channel.map(|channel| channel.word()),
        "event": line.event,
        "from": line.from.map(|state| state.word()),
        "to": line.to.map(|state| state.word()),
        "detail": line.detail,
    })
}
