//! Calling back what is claimed and waits for the wire, when a person has stopped it meanwhile: by a
//! hold, a tick on the call list, or the correction of a batch. What is on the wire already goes on.
//!
//! The claim's own look comes first and is exact; this one is for those that then wait their turn. A
//! gateway that answers at once lets nobody wait, and costs no look.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Mono;
use crate::store::{AttemptId, Outbox, StoreResult};

/// So long after a person's word a message may still take its turn on the wire.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Which attempts of this line may not begin any more.
pub(super) struct Recall {
    stopped: watch::Sender<BTreeSet<AttemptId>>,
    next_look: Option<Mono>,
}

impl Recall {
    pub(super) fn new() -> Self {
        Self {
            stopped: watch::Sender::new(BTreeSet::new()),
            next_look: None,
        }
    }

    /// Looks at the store, if it is time to, and calls back those that were stopped.
    ///
    /// # Errors
    /// When the store fails: nobody is called back.
    pub(super) async fn look<O: Outbox>(
        &mut self,
        outbox: &O,
        node: &str,
        gateway: &str,
    ) -> StoreResult<()> {
        let now = Mono::now();
        if self.next_look.is_some_and(|next| now < next) {
            return Ok(());
        }
        self.next_look = Some(now.plus(LOOK_EVERY));
        let stopped = outbox.stopped(node, gateway).await?;
        self.stopped.send_if_modified(|known| {
            let news = *known != stopped;
            *known = stopped;
            news
        });
        Ok(())
    }

    /// For one attempt: ends when it is called back.
    pub(super) fn of(&self, attempt: AttemptId) -> impl Future<Output = ()> + Send + use<> {
        let mut stopped = self.stopped.subscribe();
        async move {
            if stopped
                .wait_for(|all| all.contains(&attempt))
                .await
                .is_err()
            {
                // The line has ended, and with it whoever could call back.
                std::future::pending::<()>().await;
            }
        }
    }
}
