//! For nodes: what they tell each other, through the database alone.

use std::future::Future;

use super::StoreResult;

/// What nodes tell each other, through the database alone.
pub trait Cluster: Send + Sync {
    /// Announces a node that has just started. Under the store's exclusive lock no other process
    /// can hold its claims: leases it left behind end at once. Returns how many.
    fn join(&self, node: &str) -> impl Future<Output = StoreResult<u32>> + Send;

    /// Says that the node is alive; also proves that the store can be written.
    fn beat(&self, node: &str) -> impl Future<Output = StoreResult<()>> + Send;

    /// Waits until another process has written something that may concern this one. It may miss one:
    /// whoever waits looks by itself, too. Where nobody can tell, it waits for ever.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}
