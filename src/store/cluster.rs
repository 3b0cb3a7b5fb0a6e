//! For nodes: what they tell each other, through the database alone.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Sighting, StoreResult};
use crate::domain::alarm::{Alarm, AlarmId};

/// What nodes tell each other, through the database alone.
pub trait Cluster: Send + Sync {
    /// Announces a node that has just started. The leases that an earlier process of its name left
    /// behind end: at once where that process is certainly dead, else as soon as it may no longer
    /// begin to send. Returns how many.
    ///
    /// # Errors
    /// [`StoreError::Taken`](super::StoreError::Taken) where another process has that name.
    fn join(&self, node: &str) -> impl Future<Output = StoreResult<u32>> + Send;

    /// Says that the node is alive and still has its name; also proves that the store can be
    /// written. From the moment before it was asked, the node may begin to send for so long;
    /// without an end where nobody else can take its name while it lives.
    ///
    /// # Errors
    /// As [`Cluster::join`]; then it must not begin to send any more.
    fn beat(&self, node: &str) -> impl Future<Output = StoreResult<Option<Duration>>> + Send;

    /// Brings the alarms up to date with what a node sees, and gives out those that it shall tell
    /// people of now: new ones, and old ones that nobody has acknowledged and that were not told for
    /// a while. Each is given to one node.
    fn raise(&self, sighting: &Sighting) -> impl Future<Output = StoreResult<Vec<Alarm>>> + Send;

    /// Somebody was told of these alarms; they are given out again from `again` on.
    fn alarms_told(
        &self,
        alarms: &[AlarmId],
        again: DateTime<Utc>,
    ) -> impl Future<Output = StoreResult<()>> + Send;

    /// Waits until another process has written something that may concern this one. It may miss one:
    /// whoever waits looks by itself, too. Where nobody can tell, it waits for ever.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}
