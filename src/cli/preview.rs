//! `preview`: messages as people will read them, from the agency's own directory and templates.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::rehearse::means;
use super::{Everywhere, Exit, Failure, Reading, bubble, out};
use crate::config::nearest;
use crate::domain::directory::Directory;
use crate::domain::language::{Language, LanguagePair};
use crate::domain::message::Channel;
use crate::domain::plan::Telling;
use crate::domain::reference::Reference;
use crate::domain::segments::{Encoding, Segments};
use crate::template::samples::{Sample, samples};
use crate::template::{EmailText, SmsText, Templates};

mod page;

pub(super) const HELP: &str = "\
Renders invented cases with your directory and your templates, as of now or of --at. An SMS stands
in its bubble, with the number of parts an operator bills; where a character forces the dear
alphabet, it is named. --html writes all of them into one file, with telephones and mail frames.

Examples:
  varsel preview --list
  varsel preview passport-cancelled
  varsel preview --language nn --html messages.html
  varsel -c varsel.toml preview passport-cancelled --channel sms --at 2021-03-16T14:00";

/// What to show.
#[derive(Debug, Args)]
pub(super) struct Options {
    /// The case, or the beginning of its name; without it, all of them
    case: Option<String>,
    /// Only this channel
    #[arg(long, value_name = "CHANNEL", value_parser = ["sms", "email"])]
    channel: Option<String>,
    /// In this language first: nb, nn, en or se
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<Language>,
    /// Only the names of the cases
    #[arg(long)]
    list: bool,
    /// Write one HTML file instead
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    html: Option<PathBuf>,
    #[command(flatten)]
    reading: Reading,
}

pub(super) fn perform(everywhere: &Everywhere, options: &Options) -> Result<Exit, Failure> {
    let config = everywhere.load()?;
    let now = options.reading.now(config.file.agency.zone.0)?;
    let (directory, templates) = means(&config)?;
    let cases = chosen(&directory, now, options.case.as_deref())?;
    if options.list {
        cases.iter().for_each(|sample| out::line(sample.name));
        return Ok(Exit::Done);
    }
    let mut previews = Vec::new();
    for sample in &cases {
        previews.push(Preview::render(sample, &directory, &templates, options)?);
    }
    if let Some(file) = &options.html {
        std::fs::write(file, page::page(&previews)).map_err(|error| {
            let problem = format!("\"{}\" cannot be written: {error}", file.display());
            Failure::new(
                Exit::Unavailable,
                problem,
                "name a file in a folder of yours",
            )
        })?;
        let messages = out::plural(previews.len(), "case");
        out::line(format_args!("{messages} in {}", file.display()));
    } else if everywhere.json {
        out::json(&Value::Array(
            previews.iter().map(Preview::as_json).collect(),
        ));
    } else {
        previews.iter().for_each(Preview::show);
    }
    Ok(Exit::Done)
}

/// The same case for a person who reads `language`; the language that came first comes second.
pub(super) fn read_in(telling: &Telling, language: Option<Language>) -> Telling {
    let mut telling = telling.clone();
    let pair = telling.languages;
    if let Some(language) = language.filter(|language| *language != pair.first) {
        telling.languages = LanguagePair {
            first: language,
            second: pair.second.map(|second| match second == language {
                true => pair.first,
                false => second,
            }),
        };
    }
    telling
}

/// The invented cases of this name, or whose names begin so.
pub(super) fn chosen(
    directory: &Directory,
    now: DateTime<Utc>,
    case: Option<&str>,
) -> Result<Vec<Sample>, Failure> {
    let mut cases = samples(directory, now);
    let Some(case) = case else {
        return Ok(cases);
    };
    let names: Vec<&str> = cases.iter().map(|sample| sample.name).collect();
    let exact = names.contains(&case);
    let help = match nearest(case, names.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        // One on a line: they are there to be copied.
        None => format!("these are there:\n{}", names.join("\n")),
    };
    cases.retain(|sample| match exact {
        true => sample.name == case,
        false => sample.name.starts_with(case),
    });
    if cases.is_empty() {
        return Err(Failure::new(
            Exit::No,
            format!("there is no case \"{case}\""),
            help,
        ));
    }
    Ok(cases)
}

struct Preview {
    name: &'static str,
    sms: Option<SmsText>,
    email: Option<EmailText>,
}

impl Preview {
    fn render(
        sample: &Sample,
        directory: &Directory,
        templates: &Templates,
        options: &Options,
    ) -> Result<Self, Failure> {
        // Any reference will do: nobody is sent this one.
        let reference = Reference::draw(0);
        let wanted = |channel: Channel| {
            options
                .channel
                .as_deref()
                .is_none_or(|only| only == channel.word())
        };
        let failed = |error: crate::template::RenderError| {
            let problem = format!("{}: {error}", sample.name);
            Failure::new(
                Exit::Config,
                problem,
                "`varsel check` names the template and its line",
            )
        };
        let telling = read_in(&sample.telling, options.language);
        let sms = wanted(Channel::Sms)
            .then(|| templates.sms(&telling, directory, reference))
            .transpose()
            .map_err(failed)?;
        let email = wanted(Channel::Email)
            .then(|| templates.email(&telling, directory, reference))
            .transpose()
            .map_err(failed)?;
        Ok(Self {
            name: sample.name,
            sms,
            email,
        })
    }

    fn show(&self) {
        out::line(out::styled(out::BOLD, self.name));
        if let Some(sms) = &self.sms {
            show_sms(sms);
        }
        if let Some(email) = &self.email {
            show_email(email);
        }
        out::line("");
    }

    fn as_json(&self) -> Value {
        let sms = self.sms.as_ref().map(|sms| {
            json!({
                "sender": sms.sender,
                "text": sms.text,
                "encoding": sms.segments.encoding.word(),
                "units": sms.segments.units,
                "parts": sms.segments.parts,
            })
        });
        let email = self.email.as_ref().map(|email| {
            json!({
                "from_name": email.from_name,
                "from_address": email.from_address,
                "subject": email.subject,
                "text": email.text,
                "html": email.html,
            })
        });
        json!({ "case": self.name, "sms": sms, "email": email })
    }
}

fn show_sms(sms: &SmsText) {
    out::line(format_args!("  {}", out::styled(out::DIM, &sms.sender)));
    bubble::show(&sms.text);
    out::line(format_args!(
        "  {}",
        out::styled(out::DIM, size(&sms.segments))
    ));
}

fn show_email(email: &EmailText) {
    out::line(format_args!(
        "  {}",
        out::styled(
            out::DIM,
            format_args!("{} <{}>", email.from_name, email.from_address)
        ),
    ));
    out::line(format_args!("  {}", out::styled(out::BOLD, &email.subject)));
    out::line("");
    for line in email.text.lines() {
        out::line(format!("  {line}").trim_end());
    }
}

/// "1 part, GSM-7, 152 of 160".
fn size(segments: &Segments) -> String {
    // 3GPP TS 23.040: a part of several loses six bytes to its header.
    let (name, alone, each) = match segments.encoding {
        Encoding::Gsm7 => ("GSM-7", 160, 153),
        Encoding::Ucs2 => ("UCS-2", 70, 67),
    };
    let room = match segments.parts {
        0 | 1 => alone,
        parts => parts * each,
    };
    let parts = out::plural(segments.parts, "part");
    let mut size = format!("{parts}, {name}, {} of {room}", segments.units);
    // The alphabet of a whole text hangs on one character.
    if let Some((_, character)) = segments.forced_by.first() {
        size.push_str(&format!(" because of \"{character}\""));
    }
    size
}
