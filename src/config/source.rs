//! `[[source]]` into the settings of a source.

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

mod files;
mod json;

/// The settings of one source of a checked file, with the password read from its file.
///
/// # Errors
/// When the password cannot be read.
pub(super) fn settings(source: &Source) -> Result<Settings, ConfigError> {
    Ok(Settings {
        reads: reads(source)?,
        every: source.every.0,
        waits: Waits {
            settle: delta(source.settle),
            grace: delta(source.grace),
        },
        tell_own: source.tell_own,
        wake_secret: source
            .wake_secret_file
            .clone()
            .map(|path| SecretFile { path }.read())
            .transpose()?,
    })
}

/// How it is read, by kind.
fn reads(source: &Source) -> Result<Reads, ConfigError> {
    let misplaced = |(_, problem, help)| ConfigError::new(problem, help);
    if source.kind == SourceKind::Csv {
        return files::settings(source, meaning(source))
            .map_err(misplaced)
            .map(Reads::Csv);
    }
    if source.kind == SourceKind::Json {
        let mut settings = json::settings(source, meaning(source)).map_err(misplaced)?;
        let token = source.token_file.clone().map(|path| SecretFile { path });
        settings.token = token.map(|file| file.read()).transpose()?;
        return Ok(Reads::Json(settings));
    }
    let place = place(source).map_err(misplaced)?;
    Ok(Reads::Sql(sql::Settings {
        name: SourceName(source.name.clone()),
        place: with_password(place, source)?,
        query: source.query.clone().unwrap_or_default(),
        floor: source.floor.clone(),
        listen: source.listen.clone(),
        words: meaning(source),
        statement_timeout: source.statement_timeout.0,
    }))
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
        most_bookings_per_address: Some(source.most_bookings_per_address).filter(|most| *most > 0),
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
    if source.query.is_none() {
        let problem = "a database is read by a query, and there is none".to_owned();
        return Err((
            "query",
            problem,
            "write one SELECT whose columns are the mapping",
        ));
    }
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
        (SourceKind::Csv | SourceKind::Json, _, _) => {
            let problem = "this is no database".to_owned();
            Err(("kind", problem, "this is a fault of ours"))
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
        let misplaced = match source.kind {
            SourceKind::Csv => files::settings(source, meaning(source)).err(),
            SourceKind::Json => json::settings(source, meaning(source)).err(),
            SourceKind::Sqlite | SourceKind::Postgres | SourceKind::Mysql => place(source).err(),
        };
        if let Some((key, problem, help)) = misplaced {
            wrong(key, &problem, help);
        }
        if source.listen.is_some() && source.kind != SourceKind::Postgres {
            let help = "remove it; what can be told to send requests may use wake_secret_file";
            wrong("listen", "only PostgreSQL notifies", help);
        }
        if source.path.as_ref() == Some(&file.store.path) {
            let problem = "this is our own database, [store] path";
            let help = "a booking system is only read: give the store a file of its own";
            wrong("path", problem, help);
        }
    }
}
