//! Opening the booking systems. One that was read before does not keep the others, nor what is written
//! already, from going on: it is read as soon as it is there again, and an alarm says that it is not.

use std::sync::Arc;
use std::time::Duration;

use super::StartError;
use crate::domain::directory::Directory;
use crate::service::intake::Watch;
use crate::service::settings::Settings;
use crate::source::{self, AnySource, Source, SourceError};
use crate::store::{Ledger, Watched};

/// How a booking system stood when it was looked at.
#[derive(Debug)]
pub enum Rehearsed {
    /// It is there, and the mapping fits it.
    Fits,
    /// The same, but its account may write to this, though it should not be able to.
    MayWrite(String),
    /// It cannot be read just now; the daemon starts without it.
    Later(SourceError),
}

/// Whether this source could be started: it is opened as the service does, and closed again. `watched`
/// is what the store remembers of it, if there is a store.
///
/// # Errors
/// The source, where the daemon would not start.
pub async fn rehearse_source(
    settings: source::Settings,
    directory: Arc<Directory>,
    watched: Option<&Watched>,
) -> Result<Rehearsed, StartError> {
    let mut source = AnySource::closed(settings, directory)?;
    Ok(look(&mut source, watched).await?)
}

async fn look(source: &mut AnySource, watched: Option<&Watched>) -> Result<Rehearsed, SourceError> {
    let looked = match source.try_out().await {
        Ok(()) => source.may_write().await,
        Err(problem) => Err(problem),
    };
    match looked {
        Ok(None) => Ok(Rehearsed::Fits),
        Ok(Some(what)) => Ok(Rehearsed::MayWrite(what)),
        Err(problem) if may_come_later(source, watched) => Ok(Rehearsed::Later(problem)),
        Err(problem) => Err(problem),
    }
}

/// What was read before by the same mapping may be away for a while, or have changed by itself. With a new
/// mapping it must be there: a mistake is to be mended before anything runs.
fn may_come_later(source: &AnySource, watched: Option<&Watched>) -> bool {
    watched.is_some_and(|watched| {
        let as_before = watched.mapping.is_some() && watched.mapping == source.mapping();
        watched.baseline && as_before
    })
}

/// Opens every booking system, each with how often it is looked at.
pub(super) async fn open_sources<L: Ledger>(
    settings: &Settings,
    store: &L,
    directory: &Arc<Directory>,
) -> Result<Vec<(AnySource, Duration, Watch)>, StartError> {
    let mut closed = Vec::new();
    for configured in &settings.sources {
        let source = AnySource::closed(configured.clone(), Arc::clone(directory))?;
        let watched = store.watched(source.name(), settings.clock.now()).await?;
        closed.push((configured, source, watched));
    }
    // At once: several that do not answer keep the start no longer than the slowest does.
    let looks = closed
        .into_iter()
        .map(|(configured, mut source, watched)| async move {
            let looked = look(&mut source, Some(&watched)).await;
            (configured, source, looked)
        });
    let mut sources = Vec::new();
    for (configured, source, looked) in futures_util::future::join_all(looks).await {
        match looked? {
            Rehearsed::Fits => {}
            Rehearsed::MayWrite(what) => tracing::warn!(
                source = %source.name(),
                "the account that reads this booking system may write to {what}. Varsel's session \
                 cannot write; give it an account that may only read"
            ),
            Rehearsed::Later(problem) => tracing::error!(
                source = %source.name(),
                "the others go on without it, and it is tried again and again: {problem}"
            ),
        }
        let watch = Watch {
            waits: configured.waits,
            tell_own: configured.tell_own,
        };
        sources.push((source, configured.every, watch));
    }
    Ok(sources)
}
