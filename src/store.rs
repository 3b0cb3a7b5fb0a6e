//! The edge towards the database: four small traits, one for each kind of consumer, and the values
//! that pass through them.
//!
//! One type per backend implements all four, and one contract suite (tests/it/store_contract.rs)
//! holds every backend to the same meaning. The store applies the tables of `domain`; it decides
//! nothing that they decide. It knows neither sources nor channels nor templates.
//!
//! Times named `now` or `at` are domain time. Leases and quarantine are measured on the database's
//! own clock and never meet domain time.

pub mod alarms;
mod bundles;
pub mod cluster;
mod commitments;
pub mod copying;
mod correcting;
mod deeds;
pub mod desk;
mod due;
pub mod holds;
pub mod ledger;
mod life;
mod listing;
pub mod model;
pub mod outbox;
pub mod postgres;
mod reading;
mod recording;
mod recovering;
mod reporting;
mod rows;
mod rungs;
mod sql;
mod sqlite;
mod tables;
mod ticks;
mod unclear;
mod waves;

pub use self::alarms::Sighting;
pub use self::cluster::{Cluster, Lock, Locked, Newest, Remembered, Standing};
pub use self::desk::{
    Act, ActError, Acted, Batch, Call, Commitment, Course, Deed, Desk, Fault, FirstOut, Gauges,
    HeldIn, MustBePhoned, NewList, NewWave, PassedOver, Recovery, Sample, SeenBatch, SeenWave,
    StandingList, Story, StoryLine, Tally, ToInvite, ToPhone, Wave, Wrong, WronglyTold,
};
pub use self::holds::{HoldId, HoldOn, StandingHold};
pub use self::ledger::{
    BatchId, Believed, Cursor, Entry, FAULTS_KEPT, Known, Lease, LeaseAsk, Ledger, NewBatch,
    NewBundle, NewFault, NewMessage, NewNotice, Page, Record, Recorded, SnapshotMark, Watched,
};
pub use self::outbox::{
    AttemptId, Claim, ClaimAsk, Outbox, Report, ReportEffect, Settled, Settlement, SweepLimits,
    Swept, UnknownRule, Unresolved,
};
pub use self::sql::{Access, Breach, Database, Place, Schema};
pub use self::unclear::Unclear;
pub use crate::domain::outcome::ReportState;

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is not there, broken or out of space: nothing was written.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Whether the write happened is not known.
    #[error("it is not known whether the store wrote: {0}")]
    InDoubt(String),
    /// Another daemon holds this store.
    #[error("another daemon uses this store: {0}")]
    Taken(String),
    /// Another node has gone on with it since: nothing was written.
    #[error("another node has gone on with it: {0}")]
    Overtaken(String),
    /// The database's durability settings or schema do not allow the promise to be kept.
    #[error("the store is not fit: {0}")]
    Unfit(String),
    /// What is stored cannot be read: a fault of ours or a damaged file.
    #[error("the store holds what it should not: {0}")]
    Corrupt(String),
}

/// The result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// A store that serves every consumer.
pub trait Store: Ledger + Outbox + Desk + Cluster + Clone + 'static {}

impl<T: Ledger + Outbox + Desk + Cluster + Clone + 'static> Store for T {}
