//! Hears that another node has written something. What is not heard is found by looking: a wake-up
//! may get lost and must never set the throughput.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Address;
use crate::clock::Clock;

/// Tells every node of this database.
pub(super) const NOTIFY: &str = "SELECT pg_notify('varsel', '')";
const CHANNEL: &str = "varsel";
/// A link that was silent for so long is replaced: it may have died without a word.
const SILENCE: Duration = Duration::from_secs(120);
/// The wait before a link is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// The ear of one node.
pub(super) struct Hearing {
    heard: Notify,
    stop: CancellationToken,
}

impl Hearing {
    /// Listens from now on, in a task of its own.
    pub(super) fn start(address: &Address) -> Arc<Self> {
        let hearing = Arc::new(Self {
            heard: Notify::new(),
            stop: CancellationToken::new(),
        });
        let (listener, address) = (Arc::clone(&hearing), address.clone());
        tokio::spawn(async move {
            let stop = listener.stop.clone();
            stop.run_until_cancelled(listener.listen(&address)).await;
        });
        hearing
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Waits until something was heard since the last time.
    pub(super) async fn woken(&self) {
        self.heard.notified().await;
    }

    /// Each link has a pool of its own, which dies with it: this task may be cancelled at any point.
    async fn listen(&self, address: &Address) {
        loop {
            if let Err(error) = self.listen_once(address).await {
                tracing::debug!("not listening to other nodes just now: {error}");
            }
            Clock::system().pause(AGAIN).await;
        }
    }

    async fn listen_once(&self, address: &Address) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(address.patience)
            .connect_lazy_with(address.options.clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        // Whatever was said before this link stood is found now.
        self.heard.notify_one();
        while let Ok(heard) = tokio::time::timeout(SILENCE, listener.try_recv()).await {
            if heard?.is_none() {
                break;
            }
            self.heard.notify_one();
        }
        Ok(())
    }
}
