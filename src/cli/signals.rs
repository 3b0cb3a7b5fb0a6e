//! SIGTERM and SIGINT: the first asks for a drain, the second ends the process at once. SIGHUP asks to read
//! everything anew.

use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure};
use crate::service::announce;

/// What the daemon is asked for from outside.
pub(super) struct Signals {
    /// Cancelled at the first signal to end.
    pub(super) end: CancellationToken,
    /// Told that everything is to be read anew; several at once count as one.
    pub(super) anew: Arc<Notify>,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let signals = Self {
            end: CancellationToken::new(),
            anew: Arc::new(Notify::new()),
        };
        listen(signals.end.clone())?;
        let mut hangup = open(SignalKind::hangup())?;
        let anew = Arc::clone(&signals.anew);
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                tracing::info!("asked to read everything anew");
                anew.notify_one();
            }
        });
        Ok(signals)
    }
}

/// Cancels `stop` at the first signal to end.
pub(super) fn listen(stop: CancellationToken) -> Result<(), Failure> {
    let (terminate, interrupt) = (
        open(SignalKind::terminate())?,
        open(SignalKind::interrupt())?,
    );
    tokio::spawn(obey(terminate, interrupt, stop));
    Ok(())
}

fn open(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|error| {
        let problem = format!("signals cannot be listened to: {error}");
        Failure::new(Exit::Unavailable, problem, "")
    })
}

async fn obey(mut terminate: Signal, mut interrupt: Signal, stop: CancellationToken) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("asked to end: what is on its way may finish");
    announce::stopping();
    stop.cancel();
    next(&mut terminate, &mut interrupt).await;
    tracing::warn!("asked again: ending at once; what was on its way will be found as unknown");
    std::process::exit(Exit::TryAgain.code().into());
}

async fn next(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
