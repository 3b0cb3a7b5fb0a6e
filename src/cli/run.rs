//! `run`: the daemon. Everything is checked before anything is opened, and opened before anything
//! is sent.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::findings::look;
use super::{Exit, Failure, signals};
use crate::clock::Clock;
use crate::config::Config;
use crate::service::start::start;
use crate::service::supervise::Ended;
use crate::store::{Access, Database, Desk, Tally};

pub(super) const HELP: &str = "\
Watches the booking systems and tells people until SIGTERM or SIGINT; then it hands over what is on
its way and ends. A second signal ends it at once.

Examples:
  varsel -c /etc/varsel/varsel.toml run
  VARSEL_LOG=varsel=debug varsel -c varsel.toml run";

pub(super) async fn perform(config: Config) -> Result<Exit, Failure> {
    let looked = look(Some(&config), Vec::new()).await;
    for finding in looked.warnings() {
        tracing::warn!("{finding}");
    }
    let exit = looked.exit();
    let (Exit::Done, Some(directory), Some(templates)) = (exit, looked.directory, looked.templates)
    else {
        let errors = looked
            .findings
            .into_iter()
            .filter(|finding| !finding.warning);
        return Err(Failure {
            exit,
            errors: errors.map(|finding| finding.error).collect(),
        });
    };
    let clock = Clock::system();
    let settings = config.service(clock)?;
    let stop = CancellationToken::new();
    signals::listen(stop.clone())?;
    let store = Database::open(&settings.store, Access::Daemon).await?;
    let service = start(settings, store.clone(), directory, Arc::new(templates)).await?;
    if let Ok(address) = service.address() {
        tracing::info!("serving health, metrics and reports on http://{address}");
    }
    if let Some(address) = service.lmtp_address() {
        tracing::info!("taking mails that come back on {address} by LMTP");
    }
    let ended = service.run(stop).await;
    let left = store.tally(clock.now()).await;
    store.close().await;
    let exit = ending(ended)?;
    match left {
        Ok(tally) => tracing::info!("stopped cleanly: {}", left_behind(&tally)),
        Err(error) => tracing::info!("stopped cleanly; what is left cannot be counted: {error}"),
    }
    Ok(exit)
}

/// What the next start finds, in one sentence.
fn left_behind(tally: &Tally) -> String {
    if tally.waiting == 0 && tally.must_be_phoned == 0 {
        return "nobody waits".to_owned();
    }
    let held = match tally.held {
        0 => String::new(),
        held => format!(" (of them {held} held)"),
    };
    format!(
        "waiting {}{held}, must be phoned {}; the next start goes on with them",
        tally.waiting, tally.must_be_phoned
    )
}

/// The exit of a service that has ended.
pub(super) fn ending(ended: Ended) -> Result<Exit, Failure> {
    match ended {
        Ended::Drained => Ok(Exit::Done),
        Ended::LimitPassed => Err(Failure::new(
            Exit::TryAgain,
            "the drain limit passed before every answer had come",
            "what was on its way will be found as unknown at the next start; [drain] limit is longer \
             than the slowest gateway in a good configuration",
        )),
        Ended::NameLost => Err(Failure::new(
            Exit::Unavailable,
            "another process has taken this node's name on the database",
            "give one of them another [node] name; what was on its way is resolved by the store",
        )),
        Ended::LineBroke => Err(Failure::new(
            Exit::TryAgain,
            "a part of the daemon stopped by a fault of its own",
            "the log names the place; start it again, nothing is lost",
        )),
    }
}
