//! `run`: the daemon. Everything is checked before anything is opened, and opened before anything
//! is sent; so it is when everything is read anew.

use std::sync::Arc;

use super::findings::look;
use super::signals::Signals;
use super::{Everywhere, Exit, Failure};
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::directory::Directory;
use crate::service::start::start;
use crate::service::supervise::Ended;
use crate::store::{Access, Database, Desk, Tally};
use crate::template::Templates;

pub(super) const HELP: &str = "\
Watches the booking systems and tells people until SIGTERM or SIGINT; then it hands over what is on
its way and ends. A second signal ends it at once. SIGHUP lets it read configuration, directory and
templates anew: all of them, or, where something is wrong, none.

Examples:
  varsel -c /etc/varsel/varsel.toml run
  VARSEL_LOG=varsel=debug varsel -c varsel.toml run";

pub(super) async fn perform(everywhere: &Everywhere, config: Config) -> Result<Exit, Failure> {
    let signals = Signals::listen()?;
    let mut house = House::look(config).await?;
    while let Some(next) = house.live(everywhere, &signals).await? {
        house = next;
    }
    Ok(Exit::Done)
}

/// A configuration that would run, with its directory and templates: all of it is good, or there is none.
struct House {
    config: Config,
    directory: Arc<Directory>,
    templates: Arc<Templates>,
}

impl House {
    /// Looks at everything that the daemon would stumble over.
    async fn look(config: Config) -> Result<Self, Failure> {
        let looked = look(Some(&config), Vec::new()).await;
        for finding in looked.warnings() {
            tracing::warn!("{finding}");
        }
        let exit = looked.exit();
        let (Exit::Done, Some(directory), Some(templates)) =
            (exit, looked.directory, looked.templates)
        else {
            let errors = looked.findings.into_iter().filter(|found| !found.warning);
            return Err(Failure {
                exit,
                errors: errors.map(|finding| finding.error).collect(),
            });
        };
        Ok(Self {
            config,
            directory,
            templates: Arc::new(templates),
        })
    }

    /// Runs until a signal ends it (`None`), or until it is asked to read everything anew and what it reads
    /// is good: then it hands over what is on its way, and the new house goes on.
    async fn live(
        self,
        everywhere: &Everywhere,
        signals: &Signals,
    ) -> Result<Option<Self>, Failure> {
        let clock = Clock::system();
        let settings = self.config.service(clock)?;
        let store = Database::open(&settings.store, Access::Daemon).await?;
        let service = start(settings, store.clone(), self.directory, self.templates).await?;
        if let Ok(address) = service.address() {
            tracing::info!("serving health, metrics and reports on http://{address}");
        }
        if let Some(address) = service.lmtp_address() {
            tracing::info!("taking mails that come back on {address} by LMTP");
        }
        let stop = signals.end.child_token();
        let mut next = None;
        let running = service.run(stop.clone());
        tokio::pin!(running);
        let ended = loop {
            tokio::select! {
                biased;
                ended = &mut running => break ended,
                house = read_anew(everywhere, signals), if next.is_none() => {
                    next = Some(house);
                    stop.cancel();
                }
            }
        };
        let left = store.tally(clock.now()).await;
        store.close().await;
        ending(ended)?;
        // Whoever is asked to end meanwhile ends.
        let next = next.filter(|_| !signals.end.is_cancelled());
        if next.is_none() {
            match left {
                Ok(tally) => tracing::info!("stopped cleanly: {}", left_behind(&tally)),
                Err(error) => {
                    tracing::info!("stopped cleanly; what is left cannot be counted: {error}");
                }
            }
        }
        Ok(next)
    }
}

/// Waits until everything is to be read anew, and is good: what is not changes nothing.
async fn read_anew(everywhere: &Everywhere, signals: &Signals) -> House {
    loop {
        signals.anew.notified().await;
        let read = async { House::look(everywhere.load()?).await };
        match read.await {
            Ok(house) => {
                tracing::info!(
                    "read anew: configuration, directory and templates are good and go on from here"
                );
                return house;
            }
            Err(failure) => {
                for error in failure.errors {
                    let error = error.in_a_line();
                    tracing::error!("not taken, the daemon goes on as before: {error}");
                }
            }
        }
    }
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
