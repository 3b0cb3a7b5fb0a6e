//! `[[source]]` into the settings of a SQL source.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::check::Check;
use super::error::ConfigError;
use super::file::{File, Source, SourceKind, Start, Status};
use super::secret::SecretFile;
use super::words::Length;
use crate::domain::appointment::SourceName;
use crate::domain::contact::is_region;
use crate::domain::directory::{OfficeId, ServiceId};
use crate::domain::settle::Waits;
use crate::source::sql::{self, Address, Place};
use crate::source::{Meaning, Reads, Settings, StartFormat, Words};

/// The settings of one source of a checked file, with the password read from its file.
///
/// # Errors
/// When the password cannot be read.
pub(super) fn settings(source: &Source) -> Result<Settings, ConfigError> {
    let place = place(source).map_err(|(_, problem, help)| ConfigError::new(problem, help))?;
    Ok(Settings {
        reads: Reads::Sql(sql::Settings {
            name: SourceName(source.name.clone()),
            place: with_password(place, source)?,
            query: source.query.clone(),
            floor: source.floor.clone(),
            words: meaning(source),
            statement_timeout: source.statement_timeout.0,
        }),
        every: source.every.0,
        waits: Waits {
            settle: delta(source.settle),
            grace: delta(source.grace),
        },
        tell_own: source.tell_own,
    })
}

fn meaning(source: &Source) -> Words {
    Words {
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
    }
}

fn delta(length: Length) -> TimeDelta {
    TimeDelta::from_std(length.0).unwrap_or(TimeDelta::MAX)
}

/// What is wrong with the place of a source, at which key, and what to do.
type Misplaced = (&'static str, String, &'static str);

/// Where the database is: a path for a file, an address for a server.
fn place(source: &Source) -> Result<Place, Misplaced> {
    let postgres = "such as \"postgres://varsel_ro@db.agency.example/calendar\"";
    let mysql = "such as \"mysql://varsel_ro@db.agency.example/easyappointments\"";
    match (source.kind, &source.path, &source.url) {
        (SourceKind::Sqlite, Some(path), None) => match source.password_file {
            None => Ok(Place::Sqlite(path.clone())),
            Some(_) => {
                let problem = "a SQLite file has no password".to_owned();
                Err(("password_file", problem, "remove it"))
            }
        },
        (SourceKind::Postgres, None, Some(url)) => match Address::postgres(url) {
            Ok(address) => Ok(Place::Postgres(address)),
            Err(fault) => Err(("url", fault.to_string(), postgres)),
        },
        (SourceKind::Mysql, None, Some(url)) => match Address::mysql(url) {
            Ok(address) => Ok(Place::Mysql(address)),
            Err(fault) => Err(("url", fault.to_string(), mysql)),
        },
        (SourceKind::Sqlite, _, _) => {
            let problem = "a source of kind \"sqlite\" needs a path and no url".to_owned();
            let help =
                "give the path of its file; of another kind it is kind = \"postgres\" or \"mysql\"";
            Err(("kind", problem, help))
        }
        (SourceKind::Postgres, _, _) => {
            let problem = "a source of kind \"postgres\" needs a url and no path".to_owned();
            Err(("kind", problem, postgres))
        }
        (SourceKind::Mysql, _, _) => {
            let problem = "a source of kind \"mysql\" needs a url and no path".to_owned();
            Err(("kind", problem, mysql))
        }
    }
}

fn with_password(place: Place, source: &Source) -> Result<Place, ConfigError> {
    let Some(path) = source.password_file.clone() else {
        return Ok(place);
    };
    let password = SecretFile { path }.read()?;
    Ok(match place {
        Place::Sqlite(path) => Place::Sqlite(path),
        Place::Postgres(address) => Place::Postgres(address.with_password(password)),
        Place::Mysql(address) => Place::Mysql(address.with_password(password)),
    })
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
        if !is_region(&source.region) {
            let problem = format!("\"{}\" is not a region of telephone numbers", source.region);
            let help = "write two capital letters (ISO 3166-1), such as \"NO\"";
            wrong("region", &problem, help);
        }
        if source.every.0.is_zero() {
            let help = "a source is read at most every 100ms, and usually every 30s";
            wrong("every", "a source cannot be read without a pause", help);
        }
        if let Err((key, problem, help)) = place(source) {
            wrong(key, &problem, help);
        }
        if source.path.as_ref() == Some(&file.store.path) {
            let problem = "this is our own database, [store] path";
            let help = "a booking system is only read: give the store a file of its own";
            wrong("path", problem, help);
        }
    }
}
