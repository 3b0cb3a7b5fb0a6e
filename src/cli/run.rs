//! `run`: the daemon. Everything is checked before anything is opened, and opened before anything
//! is sent.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::findings::look;
use super::{Exit, Failure, check, out, signals};
use crate::clock::Clock;
use crate::config::Config;
use crate::service::start::start;
use crate::service::supervise::Ended;
use crate::store::sqlite::{Access, Sqlite};

pub(super) const HELP: &str = "\
Watches the booking systems and tells people until SIGTERM or SIGINT; then it hands over what is on
its way and ends. A second signal ends it at once.

Examples:
  varsel -c /etc/varsel/varsel.toml run
  VARSEL_LOG=varsel=debug varsel -c varsel.toml run";

pub(super) async fn perform(config: Config) -> Result<Exit, Failure> {
    let looked = look(&config);
    let (warnings, errors): (Vec<_>, Vec<_>) = looked.findings.into_iter().partition(|f| f.warning);
    for finding in &warnings {
        let place = finding.place.as_deref().unwrap_or("the configuration");
        tracing::warn!("{place}: {}", finding.problem);
    }
    let (true, Some(directory), Some(templates)) =
        (errors.is_empty(), looked.directory, looked.templates)
    else {
        errors.iter().map(check::described).for_each(out::note);
        let help = "`varsel check` shows the same, and warnings too; nothing was started";
        let count = errors.len();
        return Err(Failure::new(
            Exit::Config,
            format!(
                "the configuration cannot be run: {} above",
                out::plural(count, "error")
            ),
            help,
        ));
    };
    let settings = config.service(Clock::system())?;
    let stop = CancellationToken::new();
    signals::listen(stop.clone())?;
    let store = Sqlite::open(&settings.store, Access::Daemon).await?;
    let service = start(settings, store.clone(), directory, Arc::new(templates)).await?;
    if let Ok(address) = service.address() {
        tracing::info!("serving health, metrics and reports on http://{address}");
    }
    if let Some(address) = service.lmtp_address() {
        tracing::info!("taking mails that come back on {address} by LMTP");
    }
    let ended = service.run(stop).await;
    store.close().await;
    ending(ended)
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
        Ended::LineBroke => Err(Failure::new(
            Exit::TryAgain,
            "a part of the daemon stopped by a fault of its own",
            "the log names the place; start it again, nothing is lost",
        )),
    }
}
