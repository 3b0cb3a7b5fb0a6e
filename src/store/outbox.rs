//! For dispatch, reports and upkeep: claims, settlements, reports, and the sweeping of what time has
//! ended.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::StoreResult;
use super::cluster::Remembered;
use super::rows::{DbTime, Millis};
use crate::domain::contact::Address;
use crate::domain::message::{Channel, Event, MessageId};
use crate::domain::outcome::{Blame, Decision, Outcome, ReportState};
use crate::domain::plan::RungTime;
use crate::domain::rate::Rate;

/// What moves messages: claims, settlements, reports, and the sweeping of what time has ended.
pub trait Outbox: Send + Sync {
    /// Moves up to `limit` messages from `ready` to `sending`, earliest `due_by` first, and returns
    /// them once the intent is durable. Messages whose time has not come, whose `not_after` has
    /// passed, whose window has closed, or before which an older revision for the same appointment
    /// and recipient is still `sending`, stay. While a lock keeps the node, or what it remembers is
    /// not there, all stay.
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
    /// fence still fits or the outcome is evidence for an unknown. A row that cannot be understood
    /// spoils nobody else's outcome. The answer tells, per settlement, what it did.
    fn settle(
        &self,
        settlements: &[Settlement],
    ) -> impl Future<Output = StoreResult<Vec<Settled>>> + Send;

    /// Records authenticated reports and applies them.
    fn report(
        &self,
        reports: &[Report],
    ) -> impl Future<Output = StoreResult<Vec<ReportEffect>>> + Send;

    /// Does what time asks for: ends leases, expires, lets rungs that were not tried in time give way,
    /// moves what found its window closed to the next opening, resolves unknowns after their quarantine, ends
    /// the waiting for reports, tries parked reports again and lets old ones go. Set-based, at most
    /// `limits.batch` messages of each kind.
    fn sweep(
        &self,
        now: DateTime<Utc>,
        limits: SweepLimits,
    ) -> impl Future<Output = StoreResult<Swept>> + Send;

    /// Notes that the lines are there at `now` to try what waits, and answers since when they have been,
    /// whichever node they were on, without a gap as long as `gap`. A restart forgets nothing of it.
    fn tried(
        &self,
        now: DateTime<Utc>,
        gap: Duration,
    ) -> impl Future<Output = StoreResult<DateTime<Utc>>> + Send;

    /// The open attempts of this node through this gateway that need not begin any more, because a
    /// person has stopped them since they were claimed: by a hold, a tick on the call list, or the
    /// correction of their batch.
    fn stopped(
        &self,
        node: &str,
        gateway: &str,
    ) -> impl Future<Output = StoreResult<BTreeSet<AttemptId>>> + Send;

    /// Unknowns whose quarantine is over and of which this gateway can be asked what became of the
    /// attempts through it, the longest unknown first. What it says is settled like an outcome.
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

    /// How long until a gateway with this rate may be given messages again; zero where it may be
    /// now. Claims spend the tokens, on the database's own clock.
    fn next_tokens(
        &self,
        gateway: &str,
        rate: Rate,
    ) -> impl Future<Output = StoreResult<Duration>> + Send;

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
    /// How fast the gateway may be given messages, by all nodes together: no more are claimed than
    /// there are tokens.
    pub rate: Option<Rate>,
    /// How the gateway lets unknowns be resolved.
    pub unknowns: UnknownRule,
    /// What the node remembers of the store: where its attempt is not there, nothing is claimed.
    pub remembered: Option<Remembered>,
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
    /// Its attempts through this gateway whose outcome is not known, oldest first, each with the
    /// fence of its claim: what the gateway says of an older one is evidence, and moves the message
    /// only where it was accepted.
    pub unclear: Vec<(AttemptId, i64)>,
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
                blame: Blame::Message,
            },
            decision: Decision::of(Event::NotSent),
            at,
        }
    }
}

/// What a settlement did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The message moved.
    Moved,
    /// The outcome is kept as evidence, and the message stays; or there is no such attempt of it.
    Stayed,
    /// A row of its notice cannot be understood, and nothing was written: what is wrong.
    SetAside(String),
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
    /// How long a rung is tried.
    pub rung_time: RungTime,
    /// Quiet hours yield where waiting would leave less than this before `due_by`.
    pub quiet_reserve: Duration,
    /// Since when the lines have been there to try what waits. A message past its `give_up_at` gives
    /// way to the next rung only if its rung, begun then, would have had its time by now, or the
    /// least time where its last try is over: where nobody could try it, nobody gives it up. `None`
    /// lets every message wait.
    pub tried_since: Option<DateTime<Utc>>,
}

impl SweepLimits {
    /// Messages that are due by this or earlier have been tried for as long as a rung is.
    pub(crate) fn over_by(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.rung_time.over_by(self.tried_since?, now)
    }

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

/// When the lines were last there to try what waits, and since when without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    pub(crate) last: DateTime<Utc>,
    pub(crate) since: DateTime<Utc>,
}

impl Tried {
    /// The lines are there at `now`. Another node's clock may be a little ahead; one that differs by a whole gap says
    /// nothing.
    pub(crate) fn on(before: Option<Self>, now: DateTime<Utc>, gap: Duration) -> Self {
        let gap = TimeDelta::from_std(gap).unwrap_or(TimeDelta::MAX);
        match before {
            Some(before) if (now - before.last).abs() < gap => Self {
                last: now.max(before.last),
                ..before
            },
            _ => Self {
                last: now,
                since: now,
            },
        }
    }
}

/// What a sweep did; each figure counts messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Leases that ended: `sending` became `unknown`.
    pub leases_ended: u32,
    /// Passed their `not_after` unsent.
    pub expired: u32,
    /// Were not handed over while there was time on their rung: the next one takes over.
    pub gave_way: u32,
    /// Found their window closed: they leave in the next opening, or at once where that is too late.
    pub closed_out: u32,
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
    /// Set aside with their notice, because a row of it cannot be understood.
    pub set_aside: u32,
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
            gave_way: self.gave_way + other.gave_way,
            closed_out: self.closed_out + other.closed_out,
            repeated: self.repeated + other.repeated,
            windows_closed: self.windows_closed + other.windows_closed,
            retried: self.retried + other.retried,
            held: self.held + other.held,
            unconfirmed: self.unconfirmed + other.unconfirmed,
            let_go: self.let_go + other.let_go,
            stopped: self.stopped + other.stopped,
            freed: self.freed + other.freed,
            set_aside: self.set_aside + other.set_aside,
        }
    }
}
