//! Tells systemd that the service is ready, alive and stopping; silent where there is no systemd.

use std::sync::Arc;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use super::vital::is_live;
use super::{Pulse, Shared};

/// The service stands.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The service drains.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Feeds the watchdog as long as dispatch goes round; a line that hangs starves it on purpose.
pub async fn watchdog(shared: Arc<Shared>, stop: CancellationToken) {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return;
    };
    while !stop.is_cancelled() {
        if let Some(alive) = sign_of_life(&shared.pulse) {
            tell(&[alive]);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = shared.clock.pause(within / 3) => {}
        }
    }
}

/// What the watchdog is told now; nothing while dispatch stands still.
#[must_use]
pub fn sign_of_life(pulse: &Pulse) -> Option<NotifyState<'static>> {
    is_live(pulse).is_ok().then_some(NotifyState::Watchdog)
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("systemd was not told: {error}");
    }
}
