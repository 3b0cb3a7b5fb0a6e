//! Says again and again that this node lives and has its name, and looks whether the store is still
//! the one that the node remembers. A node that finds that another process has taken its name begins
//! to send nothing more, and the daemon ends.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::clock::Mono;
use crate::store::{Cluster, StoreError, StoreResult};

/// The pause between two beats: a few of them fit into the time for which the store trusts a node.
const EVERY: Duration = Duration::from_secs(5);

/// Beats until the name is lost.
pub(super) async fn beat_on<S: Cluster>(shared: Arc<Shared>, store: S) {
    loop {
        match beat(&shared, &store).await {
            Ok(()) => {}
            Err(StoreError::Taken(why)) => {
                tracing::error!("this node has lost its name and sends nothing more: {why}");
                return;
            }
            Err(error) => tracing::warn!("the store was not told that this node lives: {error}"),
        }
        shared.clock.pause(EVERY).await;
    }
}

/// Beats once, and looks.
///
/// # Errors
/// When the store fails: the node may go on for as long as it was trusted before. With
/// [`StoreError::Taken`] its trust has ended.
pub(super) async fn beat<S: Cluster>(shared: &Shared, store: &S) -> StoreResult<()> {
    let asked = Mono::now();
    let answer = store.beat(&shared.node).await;
    shared.sending.note("beats", &answer);
    match &answer {
        Ok(trust) => shared.trust.renew(asked, *trust),
        Err(StoreError::Taken(_)) => shared.trust.end(),
        Err(_) => {}
    }
    answer?;
    let now = shared.clock.now();
    shared.sending.look(store, &shared.node, now).await
}
