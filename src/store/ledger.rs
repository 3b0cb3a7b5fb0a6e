//! For intake: what is known, and one write that records what was decided.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::StoreResult;
use crate::domain::appointment::{Appointment, BookingKey, BookingState, Fingerprint, SourceName};
use crate::domain::brake::Braked;
use crate::domain::change::Change;
use crate::domain::closing::{Announced, ClosingId};
use crate::domain::contact::Address;
use crate::domain::directory::{DistrictId, OfficeId};
use crate::domain::ladder::Ladder;
use crate::domain::marks::Marks;
use crate::domain::message::{Channel, MessageId, MessageState, Reason, ToldOn};
use crate::domain::notice::{NoticeBrief, OnUnknown, Purpose};
use crate::domain::occasion::Occasion;
use crate::domain::plan::Telling;
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::domain::segments::{Segments, segments};
use crate::domain::send_hours::SendHours;

/// What intake asks of the store: what is known, and one write that records what was decided.
pub trait Ledger: Send + Sync {
    /// The marks of a source's bookings that start at or after `now`.
    fn marks(
        &self,
        source: &SourceName,
        now: DateTime<Utc>,
    ) -> impl Future<Output = StoreResult<Marks>> + Send;

    /// What is remembered of a source itself, and what was found of it in the hour before `now`.
    fn watched(
        &self,
        source: &SourceName,
        now: DateTime<Utc>,
    ) -> impl Future<Output = StoreResult<Watched>> + Send;

    /// Everything known of these bookings; keys never seen are left out.
    fn known(
        &self,
        source: &SourceName,
        keys: &[BookingKey],
    ) -> impl Future<Output = StoreResult<Vec<Known>>> + Send;

    /// Bookings of batches that a person released and that still hold messages for the brake, a
    /// page at a time: to be planned and rendered anew.
    fn released(&self, page: Page) -> impl Future<Output = StoreResult<Vec<Known>>> + Send;

    /// Bookings with a notice whose open rungs have all ended without telling the person, a page at a
    /// time: to be climbed.
    fn climbable(&self, page: Page) -> impl Future<Output = StoreResult<Vec<Known>>> + Send;

    /// Bookings for which a person asked for something that can be written now, a page at a time: the
    /// invitations of waves, and corrections of what stands again.
    fn asked(&self, page: Page) -> impl Future<Output = StoreResult<Vec<Known>>> + Send;

    /// What lists cancel of a source, whatever it shows.
    fn listed(
        &self,
        source: &SourceName,
    ) -> impl Future<Output = StoreResult<BTreeSet<BookingKey>>> + Send;

    /// The closings in force or to come at `now`.
    fn closings(
        &self,
        now: DateTime<Utc>,
    ) -> impl Future<Output = StoreResult<Vec<Announced>>> + Send;

    /// Lets one node at a time read a source: `None` while another one does. Whoever holds the
    /// lease already keeps it, with the same fence, until another one has begun to read, even where
    /// it asked late; a node's earlier process is overtaken at once.
    fn lease(&self, ask: &LeaseAsk) -> impl Future<Output = StoreResult<Option<Lease>>> + Send;

    /// Records one snapshot's decisions in one transaction. Inside it, each entry's belief is
    /// compared with what stands; where it differs, nothing of that appointment is written.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`](super::StoreError::Overtaken) when the record carries a lease that
    /// has run out or gone to another node: nothing was written.
    fn record(&self, record: Record) -> impl Future<Output = StoreResult<Recorded>> + Send;
}

/// A node that wants to read a source.
#[derive(Clone, Debug)]
pub struct LeaseAsk {
    /// The source.
    pub source: SourceName,
    /// The node.
    pub node: String,
    /// Tells this process from an earlier one of the same name.
    pub life: u32,
    /// For how long, on the database's clock; zero gives it back.
    pub length: Duration,
}

/// The right to read a source. It covers a snapshot as a whole, from the read to its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// One more with each reader that follows another.
    pub fence: i64,
    /// How long it lasts from each time it is used.
    pub length: Duration,
}

/// What is remembered of a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Whether the baseline is complete: before it nobody is told anything.
    pub baseline: bool,
    /// When the last complete snapshot was recorded, in domain time.
    pub snapshot_at: Option<DateTime<Utc>>,
    /// The mapping that gave the rows their meaning, if one was ever recorded.
    pub mapping: Option<String>,
    /// Changes recorded in the hour before that nobody has looked at: those that flowed, and those
    /// that the brake still holds for the hour's sake.
    pub lately: u32,
}

/// Where a booking stands in the order in which the store shows them; none stands before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(crate) i64);

/// So many bookings after a place. Page by page nobody hides behind those that cannot be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// The last one seen.
    pub after: Cursor,
    /// At most so many.
    pub limit: u32,
}

impl Page {
    /// What comes after this page, which showed these: nothing, and then everything again, where it
    /// was not full.
    #[must_use]
    pub fn next(self, shown: &[Known]) -> Cursor {
        let full = shown.len() >= usize::try_from(self.limit).unwrap_or(usize::MAX);
        let last = shown.last().filter(|_| full);
        last.map_or_else(Cursor::default, |known| known.cursor)
    }
}

impl Watched {
    /// Whether an older state of the store was put back, and no snapshot was recorded since.
    #[must_use]
    pub fn is_restored(&self) -> bool {
        self.mapping.as_deref() == Some(RESTORED)
    }
}

/// One booking as the store knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its place among all bookings.
    pub cursor: Cursor,
    /// Our copy.
    pub appointment: Appointment,
    /// How many changes were recorded.
    pub revision: u32,
    /// The booking itself, as it was first seen: what the person believed before we wrote.
    pub base: BookingState,
    /// Every notice of it that is not erased, oldest first.
    pub notices: Vec<NoticeBrief>,
    /// What a person asked for and is yet to be written.
    pub occasions: Vec<Occasion>,
}

impl Known {
    /// What a decision made on this rests on.
    #[must_use]
    pub fn believed(&self) -> Believed {
        let messages = self.notices.iter().flat_map(|notice| &notice.messages);
        let mut messages: Vec<_> = messages.map(|m| (m.id, m.state, m.may_be_out)).collect();
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
    /// Every message of the appointment with its state and whether it may be out, by number: one that
    /// is `ready` again may have been handed over meanwhile.
    pub messages: Vec<(MessageId, MessageState, bool)>,
}

/// One transaction of intake.
#[derive(Clone, Debug)]
pub struct Record {
    /// The source.
    pub source: SourceName,
    /// When, in domain time.
    pub at: DateTime<Utc>,
    /// The lease under which the source was read; `None` where nothing was read for it.
    pub lease: Option<Lease>,
    /// Set when a complete snapshot stands behind it: the source is fresh, and once the baseline
    /// was given, changes count.
    pub snapshot: Option<SnapshotMark>,
    /// From now on this mapping gives the rows their meaning; `None` keeps what is recorded.
    pub mapping: Option<String>,
    /// Keys missing once more in this snapshot.
    pub absent: Vec<BookingKey>,
    /// Keys that were missing and are there again.
    pub back: Vec<BookingKey>,
    /// The appointments to write.
    pub entries: Vec<Entry>,
    /// The batch that holds every message of this record, if the brake stopped it.
    pub batch: Option<NewBatch>,
    /// What of the source is not understood now, in place of what was not understood before: at
    /// most [`FAULTS_KEPT`]. `None` when nothing new is known of it.
    pub faults: Option<Vec<NewFault>>,
}

/// No more faults of one source are kept, so that a source turned strange does not fill the store.
pub const FAULTS_KEPT: usize = 1_000;

/// A value of the source that could not be understood; it holds nothing personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFault {
    /// The row's key; `None` where the key itself cannot be read.
    pub key: Option<BookingKey>,
    /// The column.
    pub column: String,
    /// What is wrong and what to do.
    pub problem: String,
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
    /// The row's fingerprint as the source showed it, which may differ from the copy's own where a
    /// contact was kept; `None` keeps the one that is stored.
    pub seen: Option<Fingerprint>,
    /// No row of it is there any more: it goes on counting as missing.
    pub gone: bool,
    /// What the decision rested on; `None` means that the booking must be new.
    pub believed: Option<Believed>,
    /// The revision to write: 0 for a new booking, one more for a recorded change, the same for a
    /// refresh, a release or a climb.
    pub revision: u32,
    /// Older notices are superseded (a recorded change).
    pub supersede: bool,
    /// The person knows it already, since they did it themself: it becomes the booking as they believe
    /// it. Only right where nothing else was or may have been told them.
    pub rebase: bool,
    /// A person released these messages: what the brake holds of `notices` becomes `ready`. Without
    /// it a message that is held stays held, whatever else is brought up to date.
    pub release: bool,
    /// What a person asked for and is settled by this: its notice is among `notices`, or there is
    /// nothing to write.
    pub settled: Vec<Occasion>,
    /// The closing on whose account this change passed the brake; it is counted there.
    pub admitted_by: Option<ClosingId>,
    /// The notices. One that exists already under the same key (appointment, revision, purpose,
    /// occasion, role) is brought up to date: each rung not yet attempted takes the new address,
    /// text and times; new rungs are added; and unsent rungs no longer planned are superseded. New
    /// messages are `held` for the brake if the record carries a batch, else `ready`.
    pub notices: Vec<NewNotice>,
}

impl Entry {
    /// Whether it is a change that people are told.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.supersede && !self.notices.is_empty()
    }
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
    /// Its text promises an invitation: it is a commitment until that is kept.
    pub promises: bool,
    /// The rungs opened now.
    pub messages: Vec<NewMessage>,
    /// What its texts were made of, where they were made now: for whoever bundles a record. The store
    /// keeps nothing of it.
    pub telling: Option<Box<Telling>>,
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
    /// It leaves in these hours only; `None` lets it leave at any.
    pub hours: Option<SendHours>,
    /// The opening in which it may leave ends here; the next one is reckoned then.
    pub open_until: Option<DateTime<Utc>>,
    /// After this the rung is given up.
    pub give_up_at: DateTime<Utc>,
    /// Its last try must be before this, or the call list is reached too late; `None` where nobody
    /// answers the telephone before the deadline.
    pub last_try: Option<DateTime<Utc>>,
    /// The bundle it belongs to.
    pub bundle: Option<NewBundle>,
}

impl NewMessage {
    /// Whether another message speaks for it, so that none leaves for this one.
    #[must_use]
    pub fn is_spoken_for(&self) -> bool {
        let bundle = self.bundle.as_ref();
        bundle.is_some_and(|bundle| bundle.lead != self.gateway_key)
    }

    /// The parts of the SMS that leaves; none for other channels.
    #[must_use]
    pub fn parts(&self) -> usize {
        let shared = self.bundle.as_ref().filter(|_| self.segments.is_some());
        let shared = shared.map(|bundle| segments(&String::from_utf8_lossy(&bundle.text)).parts);
        let own = self.segments.as_ref().map_or(0, |segments| segments.parts);
        shared.unwrap_or(own)
    }
}

/// One text for several messages of a record: they have the same channel and address, and what it says
/// holds for all of them. It leaves in place of theirs while all of them may leave; else each leaves
/// with its own.
#[derive(Clone, Debug)]
pub struct NewBundle {
    /// The gateway key of the message that speaks for all, this one or another.
    pub lead: String,
    /// For how many others it speaks.
    pub others: u32,
    /// The frozen bytes.
    pub text: Vec<u8>,
}

/// What stands for a source's mapping once an older state of the store was put back: what the next
/// snapshot shows may have been told.
pub(crate) const RESTORED: &str = "(restored)";

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
    /// Changes written of which people are told and that nothing announced.
    pub changes: u32,
    /// Appointments of which nothing was written because what was believed no longer stood: the
    /// next snapshot must find the difference again.
    pub conflicts: Vec<BookingKey>,
    /// The batch created.
    pub batch: Option<BatchId>,
    /// Changes written that passed the brake on a closing's account.
    pub admitted: BTreeMap<ClosingId, u32>,
}

impl Record {
    /// How many changes count against the limits of the hour, of what was written: all that flow,
    /// and what those limits hold.
    pub(crate) fn counted(&self, recorded: &Recorded) -> u32 {
        match self.batch {
            Some(batch) if !batch.braked.is_of_the_hour() => 0,
            Some(_) | None => recorded.changes,
        }
    }
}

impl Recorded {
    /// Adds what a second record of the same step came to.
    pub fn add(&mut self, other: Self) {
        self.written += other.written;
        self.notices += other.notices;
        self.superseded += other.superseded;
        self.changes += other.changes;
        self.conflicts.extend(other.conflicts);
        self.batch = self.batch.or(other.batch);
        for (closing, count) in other.admitted {
            *self.admitted.entry(closing).or_default() += count;
        }
    }
}

/// The number of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub i64);
