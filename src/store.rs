//! The edge towards the database: four small traits, one for each kind of consumer, and the values
//! that pass through them.
//!
//! One type per backend implements all four, and one contract suite (tests/it/store_contract.rs)
//! holds every backend to the same meaning. The store applies the tables of `domain`; it decides
//! nothing that they decide. It knows neither sources nor channels nor templates.
//!
//! Times named `now` or `at` are domain time. Leases and quarantine are measured on the database's
//! own clock and never meet domain time.

mod deeds;
mod life;
pub mod model;
mod recording;
mod reporting;
mod rows;
mod rungs;
pub mod sqlite;
mod tables;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::domain::appointment::{Appointment, BookingKey, BookingState, SourceName};
use crate::domain::brake::Braked;
use crate::domain::change::Change;
use crate::domain::closing::Closing;
use crate::domain::contact::Address;
use crate::domain::diff::Mark;
use crate::domain::directory::{DistrictId, OfficeId};
use crate::domain::ladder::Ladder;
use crate::domain::message::{Channel, MessageId, MessageState, Reason, ToldOn};
use crate::domain::notice::{NoticeBrief, NoticeId, OnUnknown, Purpose};
use crate::domain::outcome::{Decision, Outcome};
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::domain::segments::Segments;
use crate::domain::verdict::Word;

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
    /// The database's durability settings or schema do not allow the promise to be kept.
    #[error("the store is not fit: {0}")]
    Unfit(String),
    /// What is stored cannot be read: a fault of ours or a damaged file.
    #[error("the store holds what it should not: {0}")]
    Corrupt(String),
}

/// The result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

// ── Ledger: for intake ──────────────────────────────────────────────────────────────────────────

/// What intake asks of the store: what is known, and one write that records what was decided.
pub trait Ledger: Send + Sync {
    /// The marks of a source's bookings that start at or after `floor`.
    fn marks(
        &self,
        source: &SourceName,
        floor: DateTime<Utc>,
    ) -> impl Future<Output = StoreResult<Marks>> + Send;

    /// Everything known of these bookings; keys never seen are left out.
    fn known(
        &self,
        source: &SourceName,
        keys: &[BookingKey],
    ) -> impl Future<Output = StoreResult<Vec<Known>>> + Send;

    /// Bookings of batches that a person released and that still hold messages for the brake, at
    /// most `limit`: to be planned and rendered anew.
    fn released(&self, limit: u32) -> impl Future<Output = StoreResult<Vec<Known>>> + Send;

    /// Bookings with a notice whose open rungs have all ended without telling the person, at most
    /// `limit`: to be climbed.
    fn climbable(&self, limit: u32) -> impl Future<Output = StoreResult<Vec<Known>>> + Send;

    /// The closings in force or to come at `now`.
    fn closings(
        &self,
        now: DateTime<Utc>,
    ) -> impl Future<Output = StoreResult<Vec<Closing>>> + Send;

    /// Records one snapshot's decisions in one transaction. Inside it, each entry's belief is
    /// compared with what stands; where it differs, nothing of that appointment is written.
    fn record(&self, record: Record) -> impl Future<Output = StoreResult<Recorded>> + Send;
}

/// What is remembered of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Whether the baseline is complete: before it nobody is told anything.
    pub baseline: bool,
    /// When the last complete snapshot was recorded, in domain time.
    pub snapshot_at: Option<DateTime<Utc>>,
    /// The future bookings by key.
    pub marks: BTreeMap<BookingKey, Mark>,
}

/// One booking as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Our copy.
    pub appointment: Appointment,
    /// How many changes were recorded.
    pub revision: u32,
    /// The booking itself, as it was first seen: what the person believed before we wrote.
    pub base: BookingState,
    /// Every notice of it that is not erased, oldest first.
    pub notices: Vec<NoticeBrief>,
}

impl Known {
    /// What a decision made on this rests on.
    #[must_use]
    pub fn believed(&self) -> Believed {
        let messages = self.notices.iter().flat_map(|notice| &notice.messages);
        let mut messages: Vec<_> = messages.map(|m| (m.id, m.state)).collect();
        messages.sort_unstable();
        Believed {
            revision: self.revision,
            messages,
        }
    }
}

/// What a decision rested on: compared inside the transaction that records it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Believed {
    /// The appointment's revision.
    pub revision: u32,
    /// Every message of the appointment with its state, by number.
    pub messages: Vec<(MessageId, MessageState)>,
}

/// One transaction of intake.
#[derive(Clone, Debug)]
pub struct Record {
    /// The source.
    pub source: SourceName,
    /// When, in domain time.
    pub at: DateTime<Utc>,
    /// Set when a complete snapshot stands behind it: the source is fresh, and once the baseline
    /// was given, changes count.
    pub snapshot: Option<SnapshotMark>,
    /// Keys missing once more in this snapshot.
    pub absent: Vec<BookingKey>,
    /// Keys that were missing and are there again.
    pub back: Vec<BookingKey>,
    /// The appointments to write.
    pub entries: Vec<Entry>,
    /// The batch that holds every message of this record, if the brake stopped it.
    pub batch: Option<NewBatch>,
}

/// What a complete snapshot leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotMark {
    /// Rows read.
    pub rows: u32,
    /// Values that could not be understood.
    pub faults: u32,
}

/// One appointment to write: its new copy, and the notices decided for it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The new copy; it replaces the old one, contacts included. While the source's baseline is not
    /// complete it replaces the booking as first seen, too: nobody is told about history.
    pub appointment: Appointment,
    /// What the decision rested on; `None` means that the booking must be new.
    pub believed: Option<Believed>,
    /// The revision to write: 0 for a new booking, one more for a recorded change, the same for a
    /// refresh, a release or a climb.
    pub revision: u32,
    /// Older notices are superseded (a recorded change).
    pub supersede: bool,
    /// A person released these messages: what the brake holds of `notices` becomes `ready`. Without
    /// it a message that is held stays held, whatever else is brought up to date.
    pub release: bool,
    /// The notices. One that exists already under the same key (appointment, revision, purpose,
    /// occasion, role) is brought up to date: each rung not yet attempted takes the new address,
    /// text and times; new rungs are added; and unsent rungs no longer planned are superseded. New
    /// messages are `held` for the brake if the record carries a batch, else `ready`.
    pub notices: Vec<NewNotice>,
}

/// One notice to write.
#[derive(Clone, Debug)]
pub struct NewNotice {
    /// To whom, by role.
    pub role: Role,
    /// Why.
    pub purpose: Purpose,
    /// 0, or the number of a wave or correction.
    pub occasion: u32,
    /// The change it tells.
    pub change: Change,
    /// The district of the office, for scopes.
    pub district: DistrictId,
    /// The office, for scopes and lists.
    pub office: OfficeId,
    /// The channels in order.
    pub ladder: Ladder,
    /// What follows when an outcome stays unknown.
    pub on_unknown: OnUnknown,
    /// The reference in the text; a clash with another notice makes the entry a conflict.
    pub reference: Reference,
    /// Tell before this.
    pub due_by: DateTime<Utc>,
    /// Useless after this.
    pub not_after: DateTime<Utc>,
    /// The rungs opened now.
    pub messages: Vec<NewMessage>,
}

/// One message to write. On the phone channel it stands on the call list from `not_before`.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Its rung.
    pub rung: u8,
    /// Its channel.
    pub channel: Channel,
    /// Where it goes.
    pub address: Address,
    /// The frozen bytes: SMS text in UTF-8, or a whole e-mail; the facts for the caller on `phone`.
    pub body: Vec<u8>,
    /// The sender people see on an SMS.
    pub sender: String,
    /// The constant key towards the gateway.
    pub gateway_key: String,
    /// The size of an SMS.
    pub segments: Option<Segments>,
    /// What decides that it has told its recipient.
    pub told_on: ToldOn,
    /// Why it stands on the phone rung.
    pub reason: Option<Reason>,
    /// It may leave from this instant.
    pub not_before: DateTime<Utc>,
    /// After this the rung is given up.
    pub give_up_at: DateTime<Utc>,
}

/// A batch held by the brake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewBatch {
    /// Why the brake stopped it.
    pub braked: Braked,
    /// Changes in the poll.
    pub changes: u32,
    /// Future appointments known before it.
    pub known: u32,
}

/// What a record came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Appointments written.
    pub written: u32,
    /// Notices created.
    pub notices: u32,
    /// Messages superseded.
    pub superseded: u32,
    /// Appointments of which nothing was written because what was believed no longer stood: the
    /// next snapshot must find the difference again.
    pub conflicts: Vec<BookingKey>,
    /// The batch created.
    pub batch: Option<BatchId>,
}

/// The number of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub i64);

// ── Outbox: for dispatch, reports, upkeep ───────────────────────────────────────────────────────

/// What moves messages: claims, settlements, reports, and the sweeping of what time has ended.
pub trait Outbox: Send + Sync {
    /// Moves up to `limit` messages from `ready` to `sending`, earliest `due_by` first, and returns
    /// them once the intent is durable. Messages whose time has not come, whose `not_after` has
    /// passed, or before which an older revision for the same appointment and recipient is still
    /// `sending`, stay.
    fn claim(&self, ask: &ClaimAsk) -> impl Future<Output = StoreResult<Vec<Claim>>> + Send;

    /// Records outcomes. Each is appended to its attempt, always; the message moves only if the
    /// fence still fits or the outcome is evidence for an unknown. The answer tells, per
    /// settlement, whether the message moved.
    fn settle(
        &self,
        settlements: &[Settlement],
    ) -> impl Future<Output = StoreResult<Vec<bool>>> + Send;

    /// Records authenticated reports and applies them.
    fn report(
        &self,
        reports: &[Report],
    ) -> impl Future<Output = StoreResult<Vec<ReportEffect>>> + Send;

    /// Does what time asks for: ends leases, expires, resolves unknowns after quarantine, ends the
    /// waiting for reports. Set-based, at most `limits.batch` messages of each kind.
    fn sweep(
        &self,
        now: DateTime<Utc>,
        limits: SweepLimits,
    ) -> impl Future<Output = StoreResult<Swept>> + Send;

    /// Erases personal data of notices that ended before `before`, at most `limit`; returns how
    /// many.
    fn erase(
        &self,
        before: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = StoreResult<u32>> + Send;

    /// When the next `ready` message of a channel may leave; `None` when none waits.
    fn next_due(
        &self,
        channel: Channel,
    ) -> impl Future<Output = StoreResult<Option<DateTime<Utc>>>> + Send;

    /// A secret of this store, the same for every node and every start: 32 bytes, drawn when first
    /// asked for under this name.
    fn secret(&self, name: &str) -> impl Future<Output = StoreResult<[u8; 32]>> + Send;
}

/// What a node asks for.
#[derive(Clone, Debug)]
pub struct ClaimAsk {
    /// The channel.
    pub channel: Channel,
    /// The gateway that will take the messages, for the attempts' rows.
    pub gateway: String,
    /// The node.
    pub node: String,
    /// At most so many.
    pub limit: u32,
    /// How long the node may hold them.
    pub lease: Duration,
    /// The present, in domain time.
    pub now: DateTime<Utc>,
}

/// The number of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptId(pub i64);

/// A message this node may send until its lease runs out. The intent is durable.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The message.
    pub message: MessageId,
    /// The attempt that was opened for it.
    pub attempt: AttemptId,
    /// The fence that a settlement must show.
    pub fence: i64,
    /// How many attempts were made, this one included.
    pub attempts: u32,
    /// Where it goes.
    pub address: Address,
    /// The frozen bytes.
    pub body: Vec<u8>,
    /// The sender people see on an SMS.
    pub sender: String,
    /// The constant key towards the gateway.
    pub gateway_key: String,
    /// Useless after this.
    pub not_after: DateTime<Utc>,
    /// After this the rung is given up.
    pub give_up_at: DateTime<Utc>,
}

/// The end of an attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The message.
    pub message: MessageId,
    /// The attempt.
    pub attempt: AttemptId,
    /// The fence of the claim.
    pub fence: i64,
    /// What came of it.
    pub outcome: Outcome,
    /// What follows.
    pub decision: Decision,
    /// When, in domain time.
    pub at: DateTime<Utc>,
}

/// An authenticated report about one attempt.
#[derive(Clone, Debug)]
pub struct Report {
    /// The attempt its token names.
    pub attempt: AttemptId,
    /// What it says.
    pub state: ReportState,
    /// The gateway's own words, for people; never personal data.
    pub detail: String,
    /// When it came, in domain time.
    pub at: DateTime<Utc>,
}

/// What a report did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportEffect {
    /// The message moved.
    Applied,
    /// It is recorded as evidence, or waits for the attempt's outcome.
    Recorded,
    /// No such attempt is known; it is parked.
    Parked,
}

/// The bounds of one sweep.
#[derive(Clone, Copy, Debug)]
pub struct SweepLimits {
    /// How long after a lease's end an unknown is left alone: longest send + margin.
    pub quarantine: Duration,
    /// At most so many messages of each kind.
    pub batch: u32,
}

/// What a sweep did; each figure counts messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Leases that ended: `sending` became `unknown`.
    pub leases_ended: u32,
    /// Passed their `not_after` unsent.
    pub expired: u32,
    /// Unknowns to be handed over once more, marked *possible duplicate*.
    pub retried: u32,
    /// Unknowns that will not be repeated.
    pub held: u32,
    /// Reports that did not come in time.
    pub unconfirmed: u32,
}

impl Swept {
    /// Whether anything changed.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }
}

// ── Desk: for people's acts and for reading ─────────────────────────────────────────────────────

/// What people do, and what they read. Every act carries who, why and what they saw.
pub trait Desk: Send + Sync {
    /// Does one thing a person asked for, once per idempotency key.
    fn act(&self, act: &Act) -> impl Future<Output = Result<Acted, ActError>> + Send;

    /// The tally at `now`.
    fn tally(&self, now: DateTime<Utc>) -> impl Future<Output = StoreResult<Tally>> + Send;

    /// The batches held by the brake or being released, oldest first.
    fn batches(&self) -> impl Future<Output = StoreResult<Vec<Batch>>> + Send;

    /// The story of one appointment: found by its reference, `SOURCE/KEY`, or a key that only one
    /// source has. Several matches come back as several stories; none as an empty list.
    fn explain(&self, name: &str) -> impl Future<Output = StoreResult<Vec<Story>>> + Send;

    /// What the gauges show at `now`.
    fn gauges(&self, now: DateTime<Utc>) -> impl Future<Output = StoreResult<Gauges>> + Send;
}

/// Something a person asks for.
#[derive(Clone, Debug)]
pub struct Act {
    /// Who asks.
    pub actor: String,
    /// Why, in their words.
    pub reason: String,
    /// Repeating an act under the same key does it once and answers the same.
    pub idempotency_key: String,
    /// When, in domain time.
    pub at: DateTime<Utc>,
    /// What.
    pub deed: Deed,
}

/// What a person can do.
#[derive(Clone, Debug)]
pub enum Deed {
    /// Lets a held batch go, as it was seen.
    Release(SeenBatch),
    /// Throws a held batch away, as it was seen.
    Discard(SeenBatch),
    /// Announces a closing.
    AddClosing(Closing),
}

/// A batch as the person saw it; if it has changed since, the act is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenBatch {
    /// The batch.
    pub batch: BatchId,
    /// Its version then.
    pub version: u32,
    /// Its count of people then.
    pub people: u32,
}

/// What an act came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acted {
    /// People or rows concerned.
    pub count: u32,
}

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// The batch has changed since the person saw it.
    #[error("batch {} has changed: it is now version {version} with {people} people; look again", batch.0)]
    Changed {
        /// The batch.
        batch: BatchId,
        /// Its version now.
        version: u32,
        /// Its count of people now.
        people: u32,
    },
    /// There is no such batch, or it is no longer held.
    #[error("batch {} is not held", .0.0)]
    NotHeld(BatchId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where everybody stands. The first five add up to all recipients of appointments with a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Know.
    pub told: u32,
    /// A rung is open, and there is time.
    pub waiting: u32,
    /// Somebody must pick up a phone.
    pub must_be_phoned: u32,
    /// Rightly not told.
    pub left_out: u32,
    /// Missed.
    pub too_late: u32,
    /// SMS accepted by a gateway.
    pub sms: u32,
    /// E-mails accepted by a gateway.
    pub email: u32,
    /// People waiting for the brake or an operator.
    pub held: u32,
    /// Messages whose hand-over is unknown.
    pub unknown: u32,
    /// Messages handed over once more after an unknown.
    pub possible_duplicates: u32,
    /// Told, but after `due_by`.
    pub late: u32,
    /// Messages suppressed by trial mode.
    pub trial: u32,
}

impl Tally {
    /// Adds one recipient.
    pub fn add(&mut self, word: Word) {
        match word {
            Word::Told => self.told += 1,
            Word::Waiting => self.waiting += 1,
            Word::MustBePhoned => self.must_be_phoned += 1,
            Word::LeftOut => self.left_out += 1,
            Word::TooLate => self.too_late += 1,
        }
    }

    /// All recipients of appointments with a change.
    #[must_use]
    pub fn people(&self) -> u32 {
        self.told + self.waiting + self.must_be_phoned + self.left_out + self.too_late
    }
}

/// A batch as a person is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its number.
    pub id: BatchId,
    /// Changes with its content; an act must name it.
    pub version: u32,
    /// People in it.
    pub people: u32,
    /// The source it came from.
    pub source: SourceName,
    /// Why the brake stopped it.
    pub braked: Braked,
    /// When it was held, in domain time.
    pub held_at: DateTime<Utc>,
    /// The earliest deadline in it.
    pub first_due_by: Option<DateTime<Utc>>,
    /// People per office.
    pub offices: BTreeMap<OfficeId, u32>,
    /// Whether a person has released it and it is being planned anew.
    pub releasing: bool,
    /// Up to three texts as they would leave, without addresses.
    pub samples: Vec<String>,
}

/// The story of one appointment, for `explain`. It holds no address and no text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// The source.
    pub source: SourceName,
    /// The key there.
    pub key: BookingKey,
    /// The booking as it stands.
    pub state: BookingState,
    /// How many changes were recorded.
    pub revision: u32,
    /// Its notices.
    pub notices: Vec<NoticeBrief>,
    /// Everything that happened, oldest first, from the history alone.
    pub lines: Vec<StoryLine>,
}

/// One line of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryLine {
    /// When, in domain time.
    pub at: DateTime<Utc>,
    /// Who: a part of the daemon ("intake", "dispatch") or a person.
    pub actor: String,
    /// The notice it concerns.
    pub notice: Option<NoticeId>,
    /// The channel of the message it concerns.
    pub channel: Option<Channel>,
    /// What happened, as a stable word ("recorded", "claim", "accepted", "released").
    pub event: String,
    /// The state before, for a transition.
    pub from: Option<MessageState>,
    /// The state after, for a transition.
    pub to: Option<MessageState>,
    /// Why, in words; never personal data.
    pub detail: String,
}

/// What the metrics show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gauges {
    /// People not told whose `due_by` lies within the next 24 hours.
    pub untold_people_24h: u32,
    /// How long the oldest message that may leave has been waiting, in seconds; 0 when none waits.
    pub oldest_due_seconds: f64,
    /// Batches that wait for a person.
    pub held_batches: u32,
    /// Age of the last complete snapshot per source, in seconds of domain time.
    pub snapshot_age_seconds: BTreeMap<SourceName, f64>,
}

// ── Cluster: for nodes ──────────────────────────────────────────────────────────────────────────

/// What nodes tell each other, through the database alone.
pub trait Cluster: Send + Sync {
    /// Announces a node that has just started. Under the store's exclusive lock no other process
    /// can hold its claims: leases it left behind end at once. Returns how many.
    fn join(&self, node: &str) -> impl Future<Output = StoreResult<u32>> + Send;

    /// Says that the node is alive; also proves that the store can be written.
    fn beat(&self, node: &str) -> impl Future<Output = StoreResult<()>> + Send;
}

/// A store that serves every consumer.
pub trait Store: Ledger + Outbox + Desk + Cluster + Clone + 'static {}

impl<T: Ledger + Outbox + Desk + Cluster + Clone + 'static> Store for T {}
