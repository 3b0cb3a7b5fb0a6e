//! Whether what a configuration names is there: sources are opened and closed, secrets are read, the
//! store and the address are looked at. Nothing is connected, sent or kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::Finding;
use crate::cli::exit::{plainly, store_remedy};
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::domain::appointment::SourceName;
use crate::domain::directory::Directory;
use crate::service::start::{
    Rehearsed, StartError, rehearse_gateway, rehearse_listening, rehearse_mails, rehearse_source,
};
use crate::source::sql::Place;
use crate::source::{Reads, SourceError};
use crate::store::{Access, Database, Ledger, Place as StorePlace, StoreError, Watched};

/// What `run` would refuse although the file reads well. What is `known` to be wrong is not tried.
pub(super) async fn of(
    config: &Config,
    directory: Option<&Arc<Directory>>,
    known: &[&Finding],
) -> Vec<Finding> {
    let mut findings = Vec::new();
    // A booking system is never opened as a store: that alone would change its file.
    let path = &config.file.store.path;
    let mut all = config.file.source.iter();
    let own = all.all(|source| source.path.as_ref() != Some(path));
    let own = config.is_sound(&["store", "path"]) && own;
    if let Some(directory) = directory {
        let watched = match own {
            true => watched(config).await,
            false => BTreeMap::new(),
        };
        findings.extend(sources(config, directory, known, &watched).await);
    }
    findings.extend(secrets(config));
    findings.extend(gateways(config, known));
    if own {
        findings.extend(store(config).await);
    }
    if config.is_sound(&["http", "listen"]) {
        findings.extend(address(config));
    }
    if config.is_sound(&["inbound"]) {
        findings.extend(mails(config).await);
    }
    findings
}

/// Whether nothing is known to be wrong at this key or within it.
fn is_untouched(known: &[&Finding], table: &str) -> bool {
    let errors = known.iter().filter(|finding| !finding.warning);
    !errors.filter_map(|finding| finding.error.key()).any(|key| {
        key.strip_prefix(table)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    })
}

/// What the store remembers of the sources, if there is one.
async fn watched(config: &Config) -> BTreeMap<SourceName, Watched> {
    let mut watched = BTreeMap::new();
    let Ok(place) = config.store() else {
        return watched;
    };
    // What is wrong with the store is said elsewhere.
    let Ok(store) = Database::open(&place, Access::Check).await else {
        return watched;
    };
    let now = Clock::system().now();
    for settings in config.source_settings().flatten() {
        if let Ok(known) = store.watched(settings.name(), now).await {
            watched.insert(settings.name().clone(), known);
        }
    }
    store.close().await;
    watched
}

async fn sources(
    config: &Config,
    directory: &Arc<Directory>,
    known: &[&Finding],
    watched: &BTreeMap<SourceName, Watched>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, settings) in config.source_settings().enumerate() {
        let number = number.to_string();
        let table = format!("source.{number}");
        if !config.is_sound(&[&table]) || !is_untouched(known, &table) {
            continue;
        }
        let settings = match settings {
            Ok(settings) => settings,
            Err(error) => {
                findings.push(error.into());
                continue;
            }
        };
        let place = match &settings.reads {
            Reads::Sql(sql) => match sql.place {
                Place::Sqlite(_) => "path",
                Place::Postgres(_) | Place::Mysql(_) => "url",
            },
            Reads::Csv(_) => "path",
            Reads::Json(_) => "url",
        };
        let watched = watched.get(settings.name());
        let rehearsed = rehearse_source(settings, Arc::clone(directory), watched).await;
        let (key, problem, help, not_there) = match rehearsed {
            Ok(Rehearsed::Fits) => continue,
            Ok(Rehearsed::Later(problem)) => {
                let help = "the daemon runs without it, and reads it as soon as it is there again";
                let key = match problem {
                    SourceError::Mapping { .. } => "query",
                    SourceError::Unavailable { .. } => place,
                };
                let problem = plainly(&problem.to_string());
                let error = config.error(&["source", &number, key], problem, help);
                findings.push(Finding::warning(error));
                continue;
            }
            Ok(Rehearsed::MayWrite(what)) => {
                let problem = format!("this account may write to {what}");
                let help = "Varsel never writes to it; give it an account that may only read";
                let error = config.error(&["source", &number, place], problem, help);
                findings.push(Finding::warning(error));
                continue;
            }
            Err(StartError::Source(SourceError::Mapping { problem, .. })) => {
                let help = "change the query, or the condition in floor, to fit this database";
                ("query", problem, help, false)
            }
            Err(error) => {
                let help = "check the path, its permissions, and that the booking system is there";
                (place, error.to_string(), help, true)
            }
        };
        let error = config.error(&["source", &number, key], plainly(&problem), help);
        findings.push(if not_there { error.not_there() } else { error }.into());
    }
    findings
}

fn secrets(config: &Config) -> Vec<Finding> {
    let exposed = config
        .secrets()
        .into_iter()
        .filter(|(_, file)| file.is_exposed());
    exposed
        .map(|(keys, file)| {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let path = file.path.display();
            let problem = format!("every user of this machine can read the secret file \"{path}\"");
            let help = format!("chmod o-rwx {path}");
            Finding::warning(config.error(&keys, problem, &help))
        })
        .collect()
}

fn gateways(config: &Config, known: &[&Finding]) -> Vec<Finding> {
    let names: Vec<&String> = config.file.gateway.keys().collect();
    let mut findings: Vec<Finding> = Vec::new();
    for (name, settings) in names.into_iter().zip(config.gateway_settings()) {
        let table = format!("gateway.{name}");
        if !config.is_sound(&[&table]) || !is_untouched(known, &table) {
            continue;
        }
        match settings {
            Ok(settings) => {
                let tried = rehearse_gateway(settings, &config.http());
                let refused = tried
                    .err()
                    .map(|error| config.error(&["gateway", name], error.to_string(), ""));
                findings.extend(refused.map(Finding::from));
            }
            Err(errors) => findings.extend(errors.into_iter().map(Finding::from)),
        }
    }
    findings
}

/// The store must be one of ours, or empty.
async fn store(config: &Config) -> Option<Finding> {
    match config.store() {
        Ok(StorePlace::Sqlite(_)) => store_file(config).await,
        Ok(place @ StorePlace::Postgres(_)) => {
            let wrong = |problem, help: &str| config.error(&["store", "url"], problem, help);
            opens(&place, wrong).await
        }
        Err(error) => Some(error.not_there().into()),
    }
}

/// Whether the store opens.
async fn opens(place: &StorePlace, wrong: impl Fn(String, &str) -> ConfigError) -> Option<Finding> {
    match Database::open(place, Access::Check).await {
        Ok(store) => {
            store.close().await;
            None
        }
        Err(error) => {
            let shown = wrong(plainly(&error.to_string()), store_remedy(&error));
            let unfit = matches!(error, StoreError::Unfit(_));
            Some(if unfit { shown } else { shown.not_there() }.into())
        }
    }
}

/// The store's folder must take files; a store that is there must be one of ours.
async fn store_file(config: &Config) -> Option<Finding> {
    let path = config.file.store.path.as_path();
    let wrong = |problem: String, help: &str| config.error(&["store", "path"], problem, help);
    if path.is_dir() {
        let problem = format!(
            "\"{}\" is a folder, and the store is a file",
            path.display()
        );
        return Some(wrong(problem, "name a file in it, such as varsel.db").into());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    if let Err(error) = takes_files(folder) {
        let problem = format!(
            "the store's folder \"{}\" cannot be written to: {error}",
            folder.display()
        );
        let help = "make it, and let the daemon's user write there";
        return Some(wrong(problem, help).not_there().into());
    }
    // The daemon makes what is not there, and fills what is empty.
    if !path.metadata().is_ok_and(|meta| meta.len() > 0) {
        return None;
    }
    opens(&StorePlace::Sqlite(path.to_owned()), wrong).await
}

/// Whether a file can be made here: permissions alone do not tell.
fn takes_files(folder: &Path) -> std::io::Result<()> {
    let probe = folder.join(format!(".varsel-check-{:08x}", rand::random::<u32>()));
    File::create_new(&probe)?;
    std::fs::remove_file(probe)
}

/// The address must be free, unless it is our own daemon that listens there.
fn address(config: &Config) -> Option<Finding> {
    let StartError::Listen { address, problem } =
        rehearse_listening(config.file.http.listen).err()?
    else {
        return None;
    };
    let help = "stop what listens there, or set [http] listen to a free address";
    busy(config, &["http", "listen"], &address, &problem, help)
}

/// The place for mails that come back must be free, unless it is our own daemon that listens there.
async fn mails(config: &Config) -> Option<Finding> {
    let place = &config.file.inbound.lmtp.as_ref()?.0;
    let StartError::ListenForMails { place, problem } = rehearse_mails(place).await.err()? else {
        return None;
    };
    let help = "stop what listens there, set [inbound] lmtp to a free place, or remove it";
    busy(config, &["inbound", "lmtp"], &place, &problem, help)
}

/// What cannot be listened on. A place in use is no fault while our own daemon runs; with a store in a
/// database nobody can tell from here, and it is a warning.
fn busy(
    config: &Config,
    key: &[&str],
    place: &dyn std::fmt::Display,
    problem: &std::io::Error,
    help: &str,
) -> Option<Finding> {
    let in_use = problem.kind() == ErrorKind::AddrInUse;
    if in_use && is_running(&config.file.store.path) {
        return None;
    }
    let said = format!("cannot listen on {place}: {problem}");
    if in_use && config.file.store.url.is_some() {
        let help = "if it is this daemon that listens there, nothing is to be done";
        return Some(Finding::warning(config.error(key, said, help)));
    }
    Some(config.error(key, said, help).not_there().into())
}

/// Whether a daemon holds this store.
fn is_running(store: &Path) -> bool {
    let mut lock = store.as_os_str().to_owned();
    lock.push(".lock");
    let held = File::open(lock).map(|file| file.try_lock_shared());
    matches!(held, Ok(Err(std::fs::TryLockError::WouldBlock)))
}
