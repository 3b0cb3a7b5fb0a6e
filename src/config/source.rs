//! `[[source]]` into the settings of a SQL source.

use std::collections::{BTreeMap, BTreeSet};

use super::document::Document;
use super::error::ConfigError;
use super::file::{File, Source, Start, Status};
use crate::domain::appointment::SourceName;
use crate::domain::directory::{OfficeId, ServiceId};
use crate::source::sql::{Meaning, Settings, StartFormat};

/// The settings of one source of a checked file.
pub(super) fn settings(source: &Source) -> Settings {
    Settings {
        name: SourceName(source.name.clone()),
        path: source.path.clone(),
        query: source.query.clone(),
        floor: source.floor.clone(),
        start: match source.start {
            Start::Naive => StartFormat::Naive,
            Start::Utc => StartFormat::Utc,
            Start::Offset => StartFormat::Offset,
        },
        naive_zone: source.zone.map(|zone| zone.0),
        region: source.region.clone(),
        status: meanings(&source.status).collect(),
        languages: words(&source.languages, |language| language.0),
        services: words(&source.services, |id| ServiceId(id.clone())),
        offices: words(&source.offices, |id| OfficeId(id.clone())),
        every: source.every.0,
        statement_timeout: source.statement_timeout.0,
    }
}

fn meanings(status: &Status) -> impl Iterator<Item = (String, Meaning)> {
    let all = |words: &[String], meaning| -> Vec<(String, Meaning)> {
        words.iter().map(|word| (word.clone(), meaning)).collect()
    };
    let active = all(&status.active, Meaning::Active);
    let cancelled = all(&status.cancelled, Meaning::Cancelled);
    let ignore = all(&status.ignore, Meaning::Ignore);
    active.into_iter().chain(cancelled).chain(ignore)
}

fn words<A, B>(given: &BTreeMap<String, A>, read: impl Fn(&A) -> B) -> BTreeMap<String, B> {
    given
        .iter()
        .map(|(word, value)| (word.clone(), read(value)))
        .collect()
}

/// What the sources' own values do not show.
pub(super) fn check(file: &File, document: &Document) -> Result<(), ConfigError> {
    let mut names = BTreeSet::new();
    for (number, source) in file.source.iter().enumerate() {
        let number = number.to_string();
        let error = |key: &str, problem: String, help: &str| {
            Err(document.error(&["source", &number, key], problem, help))
        };
        if source.name.is_empty() || source.name.contains(['/', ' ']) {
            let problem = format!("\"{}\" cannot name a source", source.name);
            return error("name", problem, "use one short word without \"/\"");
        }
        if !names.insert(&source.name) {
            let problem = format!("two sources are called \"{}\"", source.name);
            return error("name", problem, "give each source a name of its own");
        }
        let mut seen = BTreeSet::new();
        for (word, _) in meanings(&source.status) {
            if !seen.insert(word.clone()) {
                let problem = format!("the status \"{word}\" has two meanings");
                return error("status", problem, "list each word once");
            }
        }
        if source.status.active.is_empty() {
            let problem = "no status word means that a booking stands".to_owned();
            return error("status", problem, "list at least one word in status.active");
        }
        if source.every.0.is_zero() {
            let help = "a source is read at most every 100ms, and usually every 30s";
            return error(
                "every",
                "a source cannot be read without a pause".to_owned(),
                help,
            );
        }
    }
    Ok(())
}
