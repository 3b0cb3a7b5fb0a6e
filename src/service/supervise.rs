//! Starts the lines, watches them, and drains them: every claimed message gets an outcome that is
//! written before the process ends, within a limit.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::alarms::{Alarms, Duty, Pace};
use super::beat::Beat;
use super::beats;
use super::dispatch::Dispatch;
use super::intake::{Intake, Watch};
use super::upkeep::{Retention, Upkeep};
use super::{Gateway, Shared};
use crate::source::Source;
use crate::store::Store;

/// Everything the service is made of.
pub struct Parts<S, R> {
    /// What every line shares.
    pub shared: Arc<Shared>,
    /// The store.
    pub store: S,
    /// The sources, each with how often it is looked at, and how.
    pub sources: Vec<(R, Duration, Watch)>,
    /// The gateways.
    pub gateways: Vec<Gateway>,
    /// Who is told of alarms, and how often.
    pub duty: (Duty, Pace),
    /// The dead man's beat, where somebody watches it.
    pub beat: Option<Beat>,
    /// When personal data is erased.
    pub retention: Retention,
    /// How long a drain may take.
    pub drain_limit: Duration,
}

/// How the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every line has ended, and every outcome is written.
    Drained,
    /// The limit passed first: what was still under way will be found as unknown.
    LimitPassed,
    /// A line ended that should not have.
    LineBroke,
    /// Another process has taken this node's name.
    NameLost,
}

/// Runs every line until `stop`, then drains.
pub async fn run<S: Store, R: Source + 'static>(
    parts: Parts<S, R>,
    stop: CancellationToken,
) -> Ended {
    let drain_limit = parts.drain_limit;
    let mut lines = Lines {
        stop: stop.clone(),
        set: JoinSet::new(),
    };
    let beats = beats::beat_on(Arc::clone(&parts.shared), parts.store.clone());
    lines.start_all(parts);
    let why = tokio::select! {
        biased;
        () = stop.cancelled() => Ended::Drained,
        () = beats => Ended::NameLost,
        ended = lines.set.join_next() => {
            tracing::error!("a line ended that should not have: {ended:?}");
            Ended::LineBroke
        }
    };
    stop.cancel();
    let drained = async { while lines.set.join_next().await.is_some() {} };
    match tokio::time::timeout(drain_limit, drained).await {
        Ok(()) => why,
        Err(_) => Ended::LimitPassed,
    }
}

/// What other nodes and verbs write wakes the lines of this one.
async fn heed_others<S: Store>(shared: Arc<Shared>, store: S, stop: CancellationToken) {
    while stop.run_until_cancelled(store.woken()).await.is_some() {
        shared.wakes.messages();
        shared.wakes.upkeep.notify_one();
    }
}

struct Lines {
    stop: CancellationToken,
    set: JoinSet<()>,
}

impl Lines {
    fn start_all<S: Store, R: Source + 'static>(&mut self, parts: Parts<S, R>) {
        let Parts {
            shared,
            store,
            sources,
            gateways,
            duty: (duty, pace),
            beat,
            retention,
            ..
        } = parts;
        let sending = Arc::clone(&shared.sending);
        self.start(sending.keep_synced(shared.clock, self.stop.clone()));
        for gateway in gateways {
            let line = Dispatch::new(Arc::clone(&shared), store.clone(), gateway);
            self.start(line.run(self.stop.clone()));
        }
        for (source, every, watch) in sources {
            let line = Intake::new(Arc::clone(&shared), source, store.clone(), every);
            let line = line.watching(watch);
            self.start(line.run(self.stop.clone()));
        }
        self.start(heed_others(
            Arc::clone(&shared),
            store.clone(),
            self.stop.clone(),
        ));
        let line = Alarms::new(Arc::clone(&shared), store.clone(), duty, pace);
        self.start(line.run(self.stop.clone()));
        if let Some(beat) = beat {
            self.start(beat.run(Arc::clone(&shared), self.stop.clone()));
        }
        self.start(Upkeep::new(shared, store, retention).run(self.stop.clone()));
    }

    fn start(&mut self, line: impl Future<Output = ()> + Send + 'static) {
        self.set.spawn(line);
    }
}
