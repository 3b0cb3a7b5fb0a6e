//! `[[source]]` into the settings of a SQL source.

use std::collections::{BTreeMap, BTreeSet};

use super::check::Check;
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
pub(super) fn check(file: &File, check: &mut Check<'_>) {
    let mut names = BTreeSet::new();
    for (number, source) in file.source.iter().enumerate() {
        let number = number.to_string();
        let mut wrong = |key: &str, problem: &str, help: &str| {
            check.wrong(&["source", &number, key], problem, help);
        };
        let name = &source.name;
        if name.is_empty() || name.contains(['/', ' ']) {
            let problem = format!("\"{name}\" cannot name a source");
            wrong("name", &problem, "use one short word without \"/\"");
        } else if !names.insert(name) {
            let problem = format!("two sources are called \"{name}\"");
            wrong("name", &problem, "give each source a name of its own");
        }
        let mut seen = BTreeSet::new();
        for (word, _) in meanings(&source.status) {
            if !seen.insert(word.clone()) {
                let problem = format!("the status \"{word}\" has two meanings");
                wrong("status", &problem, "list each word once");
            }
        }
        if source.status.active.is_empty() {
            let problem = "no status word means that a booking stands";
            wrong("status", problem, "list at least one word in status.active");
        }
        if source.every.0.is_zero() {
            let help = "a source is read at most every 100ms, and usually every 30s";
            wrong("every", "a source cannot be read without a pause", help);
        }
        if source.path == file.store.path {
            let problem = "this is our own database, [store] path";
            let help = "a booking system is only read: give the store a file of its own";
            wrong("path", problem, help);
        }
    }
}
