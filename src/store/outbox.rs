//! For dispatch, reports and upkeep: claims, settlements, reports, and the sweeping of what time has
//! ended.

use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::StoreResult;
use super::rows::{DbTime, Millis};
use crate::domain::contact::Address;
use crate::domain::message::{Channel, Event, MessageId};
use crate::domain::outcome::{Decision, Outcome, ReportState};

/// What moves messages: claims, settlements, reports, and the sweeping of what time has ended.
pub trait Outbox: Send + Sync {
    /// Moves up to `limit` messages from `ready` to `sending`, earliest `due_by` first, and returns
    /// them once the intent is durable. Messages whose time has not come, whose `not_after` has
    /// passed, or before which an older revision for the same appointment and recipient is still
    /// `sending`, stay.
    fn claim(&self, ask: &ClaimAsk) -> impl Future<Output = StoreResult<Vec<Claim>>> + Send;

    /// Disowns a claim of which nobody knows whether it was committed, and nothing of which was
    /// sent: either it never happened and never will, or what it took counts as certainly not sent.
    /// The answer is how many messages it had taken. Asking twice does no harm; as long as it
    /// fails, the doubt stands.
    fn disown(
        &self,
        ask: &ClaimAsk,
        at: DateTime<Utc>,
    ) -> impl Future<Output = StoreResult<u32>> + Send;

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

    /// Does what time asks for: ends leases, expires, resolves unknowns after their quarantine, ends
    /// the waiting for reports, tries parked reports again and lets old ones go. Set-based, at most
    /// `limits.batch` messages of each kind.
    fn sweep(
        &self,
        now: DateTime<Utc>,
        limits: SweepLimits,
    ) -> impl Future<Output = StoreResult<Swept>> + Send;

    /// Unknowns whose quarantine is over and whose gateway can be asked what became of them, the
    /// longest unknown first. What it says is settled like an outcome.
    fn to_ask(
        &self,
        gateway: &str,
        limit: u32,
    ) -> impl Future<Output = StoreResult<Vec<Unresolved>>> + Send;

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
    /// Drawn anew for each claim. Reports name an attempt by its number and this, so that a number
    /// which a store restored from a backup gives out once more is not taken for the old one.
    pub nonce: u32,
    /// How the gateway lets unknowns be resolved.
    pub unknowns: UnknownRule,
}

/// How unknowns of a gateway are resolved, in this order: left alone, asked for, handed over again
/// where that cannot make two; then the notice's own rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnknownRule {
    /// How long after a lease's end nobody touches them: longest send + margin.
    pub quarantine: Duration,
    /// How long after that the gateway is asked for them; zero where it cannot be asked.
    pub lookup: Duration,
    /// The gateway takes a message under the same key only once within this; zero where it does
    /// not.
    pub dedup: Duration,
}

impl UnknownRule {
    /// Until when a message that is first handed over now is taken only once, on the database's
    /// clock.
    pub(crate) fn dedup_until(&self, db_now: DbTime) -> Option<DbTime> {
        (!self.dedup.is_zero()).then(|| db_now.plus(Millis::of(self.dedup)))
    }
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
    /// The nonce of its claim.
    pub nonce: u32,
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

/// A message of which its gateway may know more than we do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The message.
    pub message: MessageId,
    /// Its attempts whose outcome is not known, oldest first.
    pub unclear: Vec<AttemptId>,
    /// The fence of its last claim.
    pub fence: i64,
    /// How many attempts were made.
    pub attempts: u32,
    /// The constant key towards the gateway.
    pub gateway_key: String,
    /// After this its rung is given up.
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

impl Settlement {
    /// What an attempt of a disowned claim came to.
    pub(crate) fn disowned(
        message: MessageId,
        attempt: AttemptId,
        fence: i64,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            message,
            attempt,
            fence,
            outcome: Outcome::NotSent {
                cause: "its claim was in doubt and disowned".to_owned(),
                retry_after: None,
                pause: false,
            },
            decision: Decision {
                event: Event::NotSent,
                not_before: None,
                report_by: None,
                reason: None,
            },
            at,
        }
    }
}

/// An authenticated report about one attempt.
#[derive(Clone, Debug)]
pub struct Report {
    /// The attempt its token names...
    pub attempt: AttemptId,
    /// ...and the nonce of that attempt's claim.
    pub nonce: u32,
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
    /// At most so many messages of each kind.
    pub batch: u32,
    /// A report whose attempt has not come to light within this is let go.
    pub parked: Duration,
    /// The rest of a batch follows its first people after this, if none of them failed.
    pub canary_wait: Duration,
}

impl SweepLimits {
    /// Canaries released at this or earlier have been waited for.
    pub(crate) fn canaries_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let wait = TimeDelta::from_std(self.canary_wait).unwrap_or(TimeDelta::MAX);
        now.checked_sub_signed(wait)
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Reports parked since this or earlier are let go.
    pub(crate) fn parked_before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let parked = TimeDelta::from_std(self.parked).unwrap_or(TimeDelta::MAX);
        now.checked_sub_signed(parked)
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

/// What a sweep did; each figure counts messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Leases that ended: `sending` became `unknown`.
    pub leases_ended: u32,
    /// Passed their `not_after` unsent.
    pub expired: u32,
    /// Unknowns to be handed over again to a gateway that takes the same key only once.
    pub repeated: u32,
    /// Of those, the ones that had not left when the gateway's window closed: unknown again.
    pub windows_closed: u32,
    /// Unknowns to be handed over once more, marked *possible duplicate*.
    pub retried: u32,
    /// Unknowns that will not be repeated.
    pub held: u32,
    /// Reports that did not come in time.
    pub unconfirmed: u32,
    /// Parked reports whose attempt never came to light.
    pub let_go: u32,
    /// Stopped by an operator's hold.
    pub stopped: u32,
    /// Free again, because the hold was lifted.
    pub freed: u32,
}

impl Swept {
    /// Whether anything changed.
    #[must_use]
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    /// What two sweeps did together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            leases_ended: self.leases_ended + other.leases_ended,
            expired: self.expired + other.expired,
            repeated: self.repeated + other.repeated,
            windows_closed: self.windows_closed + other.windows_closed,
            retried: self.retried + other.retried,
            held: self.held + other.held,
            unconfirmed: self.unconfirmed + other.unconfirmed,
            let_go: self.let_go + other.let_go,
            stopped: self.stopped + other.stopped,
            freed: self.freed + other.freed,
        }
    }
}
