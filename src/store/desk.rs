//! For people's acts and for reading: every act carries who, why and what they saw.

use std::collections::BTreeMap;
use std::future::Future;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Unclear;
use super::ledger::BatchId;
use super::{HoldId, HoldOn, StandingHold, StoreError, StoreResult};
use crate::domain::alarm::{Alarm, AlarmId};
use crate::domain::appointment::{BookingKey, BookingState, SourceName};
use crate::domain::brake::{Braked, Canary};
use crate::domain::change::Change;
use crate::domain::closing::{Closing, ClosingId};
use crate::domain::contact::{Address, Phone};
use crate::domain::directory::{OfficeId, ServiceId};
use crate::domain::language::Language;
use crate::domain::list::{ListId, Named};
use crate::domain::message::{Channel, MessageId, MessageState, words};
use crate::domain::notice::{NoticeBrief, NoticeId, Purpose};
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::domain::verdict::{Guardians, Word};
use crate::domain::why_phoned::WhyPhoned;

/// What people do, and what they read. Every act carries who, why and what they saw.
pub trait Desk: Send + Sync {
    /// Does one thing a person asked for, once per idempotency key.
    fn act(&self, act: &Act) -> impl Future<Output = Result<Acted, ActError>> + Send;

    /// The tally at `now`.
    fn tally(&self, now: DateTime<Utc>) -> impl Future<Output = StoreResult<Tally>> + Send;

    /// Who must be phoned at `now`: how many people, and the first `limit` of them by `due_by`.
    fn must_be_phoned(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> impl Future<Output = StoreResult<MustBePhoned>> + Send;

    /// Messages of which nobody knows whether their gateway has them, by `due_by`: the first `limit`.
    fn unclear(&self, limit: u32) -> impl Future<Output = StoreResult<Vec<Unclear>>> + Send;

    /// The call list: every notice whose phone rung is open, the most urgent first.
    fn calls(&self) -> impl Future<Output = StoreResult<Vec<Call>>> + Send;

    /// Who would stand on the call list but for a person's hold, the most urgent first.
    fn stopped_calls(&self) -> impl Future<Output = StoreResult<Vec<Call>>> + Send;

    /// What of the sources is not understood now, by source, key and column.
    fn faults(&self) -> impl Future<Output = StoreResult<Vec<Fault>>> + Send;

    /// The operator holds that stand, oldest first.
    fn holds(&self) -> impl Future<Output = StoreResult<Vec<StandingHold>>> + Send;

    /// The lists that stand, oldest first.
    fn lists(&self) -> impl Future<Output = StoreResult<Vec<StandingList>>> + Send;

    /// The alarms that stand, oldest first.
    fn alarms(&self) -> impl Future<Output = StoreResult<Vec<Alarm>>> + Send;

    /// People not told whose `due_by` lies within this time from `now`.
    fn untold(
        &self,
        now: DateTime<Utc>,
        within: TimeDelta,
    ) -> impl Future<Output = StoreResult<u32>> + Send;

    /// The batches held by the brake or being released, oldest first.
    fn batches(&self) -> impl Future<Output = StoreResult<Vec<Batch>>> + Send;

    /// Who may have got the wrong word of a batch that was wrong: how many, and the first `limit` of
    /// them by `due_by`. `None` where there never was such a batch.
    fn wrong(
        &self,
        batch: BatchId,
        limit: u32,
    ) -> impl Future<Output = StoreResult<Option<Wrong>>> + Send;

    /// What was promised and is not kept yet, the oldest promise first.
    fn commitments(&self) -> impl Future<Output = StoreResult<Vec<Commitment>>> + Send;

    /// Whom a wave would invite now: how many, and the first `limit` of them.
    fn wave(&self, wave: &NewWave, limit: u32) -> impl Future<Output = StoreResult<Wave>> + Send;

    /// The sources that have a booking of this key, by name.
    fn sources_with(&self, key: &str) -> impl Future<Output = StoreResult<Vec<SourceName>>> + Send;

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
    /// Lets the earliest people of a held batch go, about so many, as a batch of their own. The rest
    /// stays held until it is released too, or until none of the first has failed for a while. A
    /// batch that is no larger, or whose first have gone, goes whole.
    ReleaseFirst(SeenBatch, u32),
    /// Throws a held batch away, as it was seen.
    Discard(SeenBatch),
    /// Says that a batch was wrong, as it was seen ([`Desk::wrong`]): what has not left never will,
    /// and whoever may have been told that an appointment is cancelled is told that it stands, as soon
    /// as it does. The count is that of these people.
    Correct(SeenBatch),
    /// Invites people to book again, as they were seen ([`Desk::wave`]). The count is theirs.
    StartWave(NewWave, SeenWave),
    /// Announces a closing.
    AddClosing(Closing),
    /// Cancels what a list names, until it is lifted. The same list is added once; the count is that
    /// of the appointments it names.
    AddList(NewList),
    /// Lifts a list: what the booking system shows counts again.
    LiftList(ListId),
    /// Takes an announcement back: it explains and admits nothing from now on.
    EndClosing(ClosingId),
    /// Ticks a notice off the call list: the person was told by phone.
    Tick(Reference),
    /// Notes that only an answering machine was reached: nobody was told, and the notice stays on
    /// the call list.
    AnsweringMachine(Reference),
    /// Stops what this covers, now and to come; the count is that of the messages waiting now.
    AddHold(HoldOn),
    /// Says that a person knows of an alarm: it is told no more.
    AckAlarm(AlarmId),
    /// Lifts an operator's hold. It frees nothing that is held for another reason.
    LiftHold(HoldId),
    /// Resolves every lock of the store; the count is that of the messages it concerns.
    Recover(Recovery),
}

/// What a person says of a store that is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// What waits may have been sent: it is sent only at a person's word, and so is what the
    /// sources' next snapshots show. Whom it was tried to reach before must be phoned.
    Ask,
    /// The store is as it was left, or nothing was sent since: everything goes on.
    AsItStands,
}

/// A list whose signature was found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewList {
    /// What its file is called.
    pub file: String,
    /// What identifies its content.
    pub digest: String,
    /// Whose key signed it.
    pub signed_by: String,
    /// What it names.
    pub named: Named,
}

/// A list that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingList {
    /// Its number.
    pub id: ListId,
    /// What its file was called.
    pub file: String,
    /// What identifies its content.
    pub digest: String,
    /// Whose key signed it.
    pub signed_by: String,
    /// Who added it.
    pub actor: String,
    /// Why, in their words.
    pub reason: String,
    /// Since when, in domain time.
    pub since: DateTime<Utc>,
    /// Appointments it names.
    pub appointments: u32,
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
    /// The batch is held, so nobody was told anything by it.
    #[error("batch {} is still held: nobody was told anything by it", .0.0)]
    StillHeld(BatchId),
    /// Others would be invited than the person saw.
    #[error("the wave has changed: it would invite {} people now; look again", .0.people)]
    WaveChanged(SeenWave),
    /// There is no such closing, or it has ended.
    #[error("closing {} does not stand", .0.0)]
    NoClosing(ClosingId),
    /// There is no such list, or it was lifted.
    #[error("list {} does not stand", .0.0)]
    NoList(ListId),
    /// There is no such hold, or it was lifted.
    #[error("hold h{} does not stand", .0.0)]
    NoHold(HoldId),
    /// There is no such alarm, or it has ended.
    #[error("alarm a{} does not stand", .0.0)]
    NoAlarm(AlarmId),
    /// There never was such a batch.
    #[error("there is no batch {}", .0.0)]
    NoBatch(BatchId),
    /// No such notice stands, or ever stood, on the call list.
    #[error("{0} is not on the call list")]
    NotOnCallList(Reference),
    /// The store is not locked.
    #[error("the store is not locked")]
    NotLocked,
    /// The store was copied into another database: nobody would heed what is said here.
    #[error("the store was copied into another database, which has taken its place")]
    Moved,
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
    /// Appointments with a change.
    pub appointments: u32,
    /// Of these, those of which everybody is told.
    pub told_all: u32,
    /// Of these, those that count as told where one guardian is enough.
    pub told_any: u32,
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

    /// How many appointments count as told.
    #[must_use]
    pub fn appointments_told(&self, guardians: Guardians) -> u32 {
        match guardians {
            Guardians::All => self.told_all,
            Guardians::Any => self.told_any,
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
    /// People per purpose; one who is written to for two purposes counts under each.
    pub purposes: BTreeMap<Purpose, u32>,
    /// Whether a person has released it and it is being planned anew.
    pub releasing: bool,
    /// Its earliest people, where they were let go before the rest.
    pub first: Option<FirstOut>,
    /// Up to three messages as they would leave, without addresses.
    pub samples: Vec<Sample>,
}

/// The people of a batch that were let go before the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstOut {
    /// The batch that they are now.
    pub batch: BatchId,
    /// When a person let them go, in domain time.
    pub released_at: DateTime<Utc>,
    /// How they fare.
    pub canary: Canary,
}

/// A message as it would leave. It holds no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its channel.
    pub channel: Channel,
    /// Its text; of an e-mail the headers that say how to read it, and its parts.
    pub content: String,
}

impl Batch {
    /// What a person has seen who was shown this, for their act.
    #[must_use]
    pub fn seen(&self) -> SeenBatch {
        SeenBatch {
            batch: self.id,
            version: self.version,
            people: self.people,
        }
    }
}

/// What a batch that was wrong has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The batch.
    pub batch: BatchId,
    /// Its version; an act must name it.
    pub version: u32,
    /// People who were, or may have been, told by it that an appointment is cancelled, may still
    /// believe it, and for whom no correction was asked yet; an act must name how many they are.
    pub people: u32,
    /// The brake still holds it.
    pub held: bool,
    /// Those among them whose appointment stands in the booking system.
    pub stand: u32,
    /// People whom it has yet to tell something: they will not be told.
    pub waiting: u32,
    /// The batch of its first people, where they were let go before the rest: to be corrected apart.
    pub canary: Option<BatchId>,
    /// People per office.
    pub offices: BTreeMap<OfficeId, u32>,
    /// People per channel; one who was reached on two counts under each.
    pub channels: BTreeMap<Channel, u32>,
    /// The first of them, by `due_by`.
    pub first: Vec<WronglyTold>,
}

/// One recipient who may have got a wrong word. It holds no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WronglyTold {
    /// The source.
    pub source: SourceName,
    /// The appointment's key there.
    pub key: BookingKey,
    /// To whom, by role.
    pub role: Role,
    /// The code in what was written.
    pub reference: Reference,
    /// The office that was named.
    pub office: OfficeId,
    /// When the appointment was said to have been.
    pub start: DateTime<Utc>,
    /// The channels on which it was, or may have been, said.
    pub channels: Vec<Channel>,
    /// They surely know it; otherwise they may.
    pub surely: bool,
    /// The appointment stands in the booking system.
    pub stands: bool,
}

impl Wrong {
    /// What a person has seen who was shown this, for their act.
    #[must_use]
    pub fn seen(&self) -> SeenBatch {
        SeenBatch {
            batch: self.batch,
            version: self.version,
            people: self.people,
        }
    }
}

/// A promise that is not kept yet. It holds no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// The source.
    pub source: SourceName,
    /// The appointment's key there.
    pub key: BookingKey,
    /// To whom, by role.
    pub role: Role,
    /// The code in what promised it.
    pub reference: Reference,
    /// What is to come: `rebooking` or `correction`.
    pub purpose: Purpose,
    /// The office.
    pub office: OfficeId,
    /// When the appointment was.
    pub start: DateTime<Utc>,
    /// When it was promised, in domain time.
    pub since: Option<DateTime<Utc>>,
    /// It was asked for and has not reached the person yet.
    pub under_way: bool,
}

/// A wave of invitations, as a person sizes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWave {
    /// The offices that take bookings again.
    pub offices: Vec<OfficeId>,
    /// Only appointments for these services; empty means all.
    pub services: Vec<ServiceId>,
    /// No more appointments than this: what the offices can receive.
    pub capacity: u32,
    /// The last day to book.
    pub until: NaiveDate,
}

/// What a person has seen of a wave; if it has changed since, the act is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenWave {
    /// People it would invite.
    pub people: u32,
    /// A code of who they are.
    pub code: u32,
}

/// Whom a wave would invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wave {
    /// How many people, and a code of who they are; an act must name both.
    pub seen: SeenWave,
    /// Appointments they stand for.
    pub appointments: u32,
    /// Appointments that wait for a later wave.
    pub waiting: u32,
    /// Appointments that are left out, by the reason.
    pub passed_over: BTreeMap<PassedOver, u32>,
    /// People invited per office.
    pub offices: BTreeMap<OfficeId, u32>,
    /// The first of them, in the order of the invitations.
    pub first: Vec<ToInvite>,
}

/// Why a cancelled appointment is left out of a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PassedOver {
    /// The person has another appointment since.
    BookedAgain,
    /// They were invited before.
    Invited,
    /// They are not to be written to.
    DoNotContact,
}

words!(PassedOver {
    BookedAgain => "booked_again",
    Invited => "invited",
    DoNotContact => "do_not_contact",
});

/// One person to be invited to book again. It holds no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToInvite {
    /// The source.
    pub source: SourceName,
    /// The appointment's key there.
    pub key: BookingKey,
    /// To whom, by role.
    pub role: Role,
    /// The code in what told the cancellation.
    pub reference: Reference,
    /// The office.
    pub office: OfficeId,
    /// When the cancelled appointment was.
    pub start: DateTime<Utc>,
    /// It was cancelled more than once: they come first.
    pub again: bool,
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
    /// Where the messages of its notices stand in time, in the order of the notices.
    pub courses: Vec<Course>,
    /// Everything that happened, oldest first, from the history alone.
    pub lines: Vec<StoryLine>,
}

/// Where one message stands in time, so that a person can be told why it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// The message.
    pub message: MessageId,
    /// Where it goes; none where that is erased.
    pub address: Address,
    /// It may leave from this instant: the send window, or the next attempt.
    pub not_before: DateTime<Utc>,
    /// After this its rung is given up.
    pub give_up_at: DateTime<Utc>,
    /// Until then its report is awaited.
    pub report_by: Option<DateTime<Utc>>,
    /// Attempts made.
    pub attempts: u32,
    /// Why the last attempt that has an outcome did not succeed, in the gateway's words.
    pub cause: Option<String>,
    /// The batch that holds it.
    pub held_in: Option<HeldIn>,
}

/// The batch that holds a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldIn {
    /// The batch.
    pub batch: BatchId,
    /// Since when, in domain time.
    pub since: DateTime<Utc>,
    /// A person has released it; it is being planned anew.
    pub releasing: bool,
}

/// Who must be phoned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MustBePhoned {
    /// How many: the tally's own figure.
    pub people: u32,
    /// The first of them, by `due_by`.
    pub first: Vec<ToPhone>,
}

/// One person to be phoned about one appointment. It holds no address in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToPhone {
    /// The source.
    pub source: SourceName,
    /// The appointment's key there.
    pub key: BookingKey,
    /// To whom, by role.
    pub role: Role,
    /// The code in whatever was written to them before.
    pub reference: Reference,
    /// Why they are to be told.
    pub purpose: Purpose,
    /// What they are to be told.
    pub change: Change,
    /// What the appointment is for.
    pub service: ServiceId,
    /// Tell before this.
    pub due_by: DateTime<Utc>,
    /// The phone number, masked, if there is one that can be used.
    pub phone: Option<String>,
    /// Why nothing else reaches them; never empty.
    pub why: Vec<WhyPhoned>,
}

/// One line of the call list. It holds the number in clear, for the person who dials it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who, about what, and why nothing else reaches them.
    pub person: ToPhone,
    /// The office whose line calls.
    pub office: OfficeId,
    /// Useless after this.
    pub not_after: DateTime<Utc>,
    /// The number, if there is one; without it the person stands on the office's door list.
    pub number: Option<Phone>,
    /// Their language, if it is known.
    pub language: Option<Language>,
    /// How often an answering machine was reached.
    pub machines: u32,
    /// When it last was, in domain time.
    pub machine_at: Option<DateTime<Utc>>,
}

/// A value of a source that is not understood: the old state of its appointment is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The source.
    pub source: SourceName,
    /// The row's key; `None` where the key itself cannot be read.
    pub key: Option<BookingKey>,
    /// The column.
    pub column: String,
    /// What is wrong and what to do; nothing personal.
    pub problem: String,
    /// Since when it reads so, in domain time.
    pub since: DateTime<Utc>,
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
    /// People who stand on the call list.
    pub call_list_people: u32,
    /// Operator holds that stand.
    pub operator_holds: u32,
    /// Age of the last complete snapshot per source, in seconds of domain time.
    pub snapshot_age_seconds: BTreeMap<SourceName, f64>,
}
