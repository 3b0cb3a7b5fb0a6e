//! For nodes: what they tell each other, through the database alone, and how a node finds out that
//! an older state of it was put back.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{AttemptId, Sighting, StoreResult};
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

    /// How the store stands to what a node remembers of it.
    fn standing(
        &self,
        node: &str,
        remembered: Option<Remembered>,
    ) -> impl Future<Output = StoreResult<Standing>> + Send;

    /// Locks the store, or one node of it: it gives out no claim until a person has resolved it
    /// ([`super::Deed::Recover`]). A lock that stands already stays as it is.
    fn lock(&self, lock: &Lock) -> impl Future<Output = StoreResult<()>> + Send;

    /// Waits until another process has written something that may concern this one. It may miss one:
    /// whoever waits looks by itself, too. Where nobody can tell, it waits for ever.
    fn woken(&self) -> impl Future<Output = ()> + Send;
}

/// What a node remembers of a store outside of it: the newest attempt that it knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// How often the store had been recovered by then.
    pub recoveries: u32,
    /// The attempt; 0 where none had been made yet.
    pub attempt: AttemptId,
    /// The nonce of its claim: a number that an older state gives out once more has another one.
    pub nonce: u32,
}

/// How a store stands to what a node remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The store's own identity, drawn when it was made.
    pub store: String,
    /// How often it was recovered.
    pub recoveries: u32,
    /// A node of that name has been at work on it.
    pub knows_node: bool,
    /// The attempt that the node remembers is there; also where there is nothing to look for.
    pub holds_it: bool,
    /// The newest attempt.
    pub newest: Option<Newest>,
    /// The locks that stand.
    pub locks: Vec<Lock>,
}

/// The newest attempt of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// Its number.
    pub attempt: AttemptId,
    /// The nonce of its claim.
    pub nonce: u32,
    /// When it was made, in domain time.
    pub at: DateTime<Utc>,
}

impl Standing {
    /// What a node would remember of the store as it stands.
    #[must_use]
    pub fn to_remember(&self) -> Remembered {
        Remembered {
            recoveries: self.recoveries,
            attempt: self.newest.map_or(AttemptId(0), |newest| newest.attempt),
            nonce: self.newest.map_or(0, |newest| newest.nonce),
        }
    }
}

/// Why a store, or one of its nodes, gives out no claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The node that found it.
    pub node: String,
    /// What it found.
    pub why: Locked,
    /// When, in domain time.
    pub since: DateTime<Utc>,
    /// The newest attempt that the node remembers; 0 where it remembers none.
    pub remembered: AttemptId,
    /// The newest attempt that the store held then.
    pub newest: Option<Newest>,
}

/// What locks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// The store lacks an attempt that the node has made: an older state of it was put back. The
    /// whole store is locked.
    OlderState,
    /// The node has worked on this store, and its journal is gone: nobody can say whether the store
    /// is as it was. Only the node is locked.
    NoJournal,
    /// The store was copied into another database, which has taken its place. The whole store is
    /// locked.
    Moved,
}

crate::domain::message::words!(Locked {
    OlderState => "older_state",
    NoJournal => "no_journal",
    Moved => "moved",
});

impl Lock {
    /// Whether it keeps this node from claiming.
    #[must_use]
    pub fn keeps(&self, node: &str) -> bool {
        self.why != Locked::NoJournal || self.node == node
    }

    /// How many attempts the store lacks at least; 0 where nobody knows.
    #[must_use]
    pub fn missing(&self) -> i64 {
        let newest = self.newest.map_or(0, |newest| newest.attempt.0);
        // Another claim may have used the same numbers once more by then.
        match self.why {
            Locked::OlderState => (self.remembered.0 - newest).max(1),
            Locked::NoJournal | Locked::Moved => 0,
        }
    }
}
