//! `closing notice`: what a closing says on the web page and on the telephone.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::{Value, json};

use super::number;
use crate::cli::rehearse::means;
use crate::cli::{Everywhere, Exit, Failure, Reading, out};
use crate::config::Config;
use crate::domain::closing::ClosingId;
use crate::domain::language::{Language, UnknownLanguage};
use crate::store::{Access, ActError, Database, Ledger};
use crate::template::{ClosingNotice, Templates};

pub(super) const HELP: &str = "\
Made from the closing and from the texts that people receive, so that web page, telephone and messages
say the same. In the words of a call, three dots stand for what the call list says of each person.
The answering machine's words name neither the service nor what has happened: others may listen, and
nobody counts as told by them.

Examples:
  varsel -c varsel.toml closing notice 1
  varsel -c varsel.toml closing notice 1 --call --language nb";

/// What to write.
#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// Its number in `closing list`, such as 1 or c1
    #[arg(value_parser = number)]
    closing: i64,
    /// What callers say, instead of the notice for the web page
    #[arg(long)]
    call: bool,
    /// Only this language; without it, every language of the texts
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    language: Option<Language>,
    #[command(flatten)]
    reading: Reading,
}

fn language(text: &str) -> Result<Language, String> {
    text.parse()
        .map_err(|unknown: UnknownLanguage| unknown.to_string())
}

pub(super) async fn perform(
    everywhere: &Everywhere,
    config: &Config,
    options: &Options,
) -> Result<Exit, Failure> {
    let now = options.reading.now(config.file.agency.zone.0)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let id = ClosingId(options.closing);
    let standing = store.closings(now).await?;
    let announced = standing.into_iter().find(|announced| announced.id == id);
    let closing = announced.ok_or(ActError::NoClosing(id))?.closing;
    let (directory, templates) = means(config)?;
    let languages = match options.language {
        Some(language) => vec![language],
        None => Language::ALL
            .iter()
            .copied()
            .filter(|l| is_written(&templates, *l))
            .collect(),
    };
    let mut notices: Vec<(Language, ClosingNotice)> = Vec::new();
    for language in languages {
        let notice = templates.closing_notice(&closing, &directory, language, now);
        let notice = notice.map_err(|error| {
            let help = "`varsel check` shows what is missing";
            Failure::new(Exit::Config, error.to_string(), help)
        })?;
        notices.push((language, notice));
    }
    if everywhere.json {
        let json: BTreeMap<&str, Value> = notices
            .iter()
            .map(|(language, notice)| (language.tag(), as_json(notice)))
            .collect();
        out::json(&json!(json));
        return Ok(Exit::Done);
    }
    for (place, (_, notice)) in notices.iter().enumerate() {
        if place > 0 {
            out::line("\n----------------------------------------\n");
        }
        show(notice, options.call);
    }
    Ok(Exit::Done)
}

fn is_written(templates: &Templates, language: Language) -> bool {
    templates.has_block("web_head", language)
}

fn show(notice: &ClosingNotice, call: bool) {
    if !call {
        out::line(&notice.web);
        return;
    }
    for (kind, words) in &notice.calls {
        out::line(out::styled(out::BOLD, kind.word().replace('_', " ")));
        out::line(format_args!("{words}\n"));
    }
    out::line(out::styled(out::BOLD, "answering machine"));
    out::line(&notice.machine);
}

fn as_json(notice: &ClosingNotice) -> Value {
    let calls = notice
        .calls
        .iter()
        .map(|(kind, words)| (kind.word(), words));
    json!({
        "web": notice.web,
        "calls": calls.collect::<BTreeMap<_, _>>(),
        "machine": notice.machine,
    })
}
