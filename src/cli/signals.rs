//! SIGTERM and SIGINT: the first asks for a drain, the second ends the process at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure};

/// Cancels `stop` at the first signal.
pub(super) fn listen(stop: CancellationToken) -> Result<(), Failure> {
    let open = |kind| {
        signal(kind).map_err(|error| {
            let problem = format!("signals cannot be listened to: {error}");
            Failure::new(Exit::Unavailable, problem, "")
        })
    };
    let (terminate, interrupt) = (
        open(SignalKind::terminate())?,
        open(SignalKind::interrupt())?,
    );
    tokio::spawn(obey(terminate, interrupt, stop));
    Ok(())
}

async fn obey(mut terminate: Signal, mut interrupt: Signal, stop: CancellationToken) {
    next(&mut terminate, &mut interrupt).await;
    tracing::info!("asked to end: what is on its way may finish");
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
