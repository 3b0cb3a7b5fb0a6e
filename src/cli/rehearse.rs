//! What the verbs that look at sources share: which sources, with what means, and what went wrong
//! with one of them while the others went on.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::findings::texts;
use super::{Exit, Failure};
use crate::config::{Config, did_you_mean};
use crate::domain::change::Change;
use crate::domain::directory::Directory;
use crate::domain::message::Channel;
use crate::domain::plan::PlannedNotice;
use crate::domain::reference::Reference;
use crate::service::intake::IntakeError;
use crate::service::rehearsal::{Means, Rehearsed, rehearse};
use crate::source::{Settings, SourceError};
use crate::store::{Access, Database, Entry, NewNotice};
use crate::template::Templates;

/// The sources of the configuration, or the one of this name.
pub(super) fn sources(config: &Config, name: Option<&str>) -> Result<Vec<Settings>, Failure> {
    let mut sources = Vec::new();
    for settings in config.source_settings() {
        let settings = settings.map_err(|error| Failure {
            exit: Exit::Config,
            errors: vec![error],
        })?;
        sources.push(settings);
    }
    let names: Vec<String> = sources.iter().map(|s| s.name().0.clone()).collect();
    sources.retain(|source| name.is_none_or(|name| source.name().0 == name));
    match (sources.is_empty(), name) {
        (false, _) => Ok(sources),
        (true, None) => {
            let help = "add a [[source]] to the configuration file and name that with -c";
            Err(Failure::new(Exit::No, "no source is configured", help))
        }
        (true, Some(name)) => {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            let problem = format!("there is no source \"{name}\"");
            Err(Failure::new(Exit::No, problem, did_you_mean(name, &known)))
        }
    }
}

/// Directory and templates, or what is wrong with them.
pub(super) fn means(config: &Config) -> Result<(Arc<Directory>, Arc<Templates>), Failure> {
    let texts = texts(config);
    match (texts.directory, texts.templates) {
        (Some(directory), Some(templates)) => Ok((directory, Arc::new(templates))),
        _ => Err(Failure {
            exit: Exit::Config,
            errors: texts
                .findings
                .into_iter()
                .filter(|finding| !finding.warning)
                .map(|finding| finding.error)
                .collect(),
        }),
    }
}

/// What each source would come to now, or why that cannot be said.
pub(super) async fn all(
    config: &Config,
    name: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Result<Rehearsed, Failure>>, Failure> {
    let sources = sources(config, name)?;
    let (directory, templates) = means(config)?;
    let store = Database::open(&config.store()?, Access::ReadOnly).await?;
    let mut all = Vec::new();
    for settings in sources {
        let means = Means {
            directory: Arc::clone(&directory),
            templates: Arc::clone(&templates),
            rules: config.rules(),
            brake: config.brake(),
        };
        let rehearsed = rehearse(means, settings, store.clone(), now).await;
        all.push(rehearsed.map_err(Failure::from));
    }
    store.close().await;
    Ok(all)
}

/// How a verb ends that has looked at several sources: with the worst of what went wrong.
pub(super) fn ending(failures: &[Failure], otherwise: Exit) -> Exit {
    let exits = failures.iter().map(|failure| failure.exit);
    let worst = exits.max_by_key(|exit| exit.code());
    worst.unwrap_or(otherwise)
}

/// Whether people would be told something.
pub(super) fn tells(entry: &Entry) -> bool {
    entry.supersede && !entry.notices.is_empty()
}

/// The change of an entry that people would be told.
pub(super) fn change(entry: &Entry) -> Option<&Change> {
    let notice: Option<&NewNotice> = entry.notices.first().filter(|_| entry.supersede);
    notice.map(|notice| &notice.change)
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        let (exit, help) = match error {
            SourceError::Unavailable { .. } => (Exit::Unavailable, "nobody's state changed"),
            SourceError::Mapping { .. } => (Exit::Config, "docs/CONNECT.md shows how to map it"),
        };
        Self::new(exit, super::exit::plainly(&error.to_string()), help)
    }
}

impl From<IntakeError> for Failure {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Source(error) => error.into(),
            IntakeError::Store(error) => error.into(),
        }
    }
}

/// The text of a planned notice's first message, as it would be written now; `None` where it is not
/// in writing.
pub(super) fn first_text(
    planned: &PlannedNotice,
    (directory, templates): (&Directory, &Templates),
    reference: Reference,
) -> Option<String> {
    let telling = &planned.telling;
    match planned.messages.first()?.channel {
        Channel::Sms => {
            let sms = templates.sms(telling, directory, reference).ok()?;
            Some(sms.text)
        }
        Channel::Email => {
            let mail = templates.email(telling, directory, reference).ok()?;
            Some(format!("{}\n\n{}", mail.subject, mail.text))
        }
        Channel::Phone => None,
    }
}
