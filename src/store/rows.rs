//! The store's rows as plain values.
//!
//! They hold what the tables hold and answer questions about themselves; nothing here does I/O,
//! reads a clock or changes another row.

use chrono::{DateTime, Utc};

use super::{AttemptId, BatchId, ReportState};
use crate::domain::appointment::{BookingKey, BookingState, Fingerprint, SourceName, Standing};
use crate::domain::brake::Braked;
use crate::domain::change::Change;
use crate::domain::contact::Address;
use crate::domain::directory::{DistrictId, OfficeId, ServiceId};
use crate::domain::ladder::Ladder;
use crate::domain::message::{Channel, MessageBrief, MessageId, MessageState, Reason, ToldOn};
use crate::domain::notice::{NoticeId, OnUnknown, Purpose};
use crate::domain::occasion::Occasion;
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::domain::segments::Encoding;
use crate::domain::send_hours::SendHours;

/// A point on the database's own clock, in milliseconds; never compared with domain time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DbTime(pub(crate) i64);

impl DbTime {
    /// So much later.
    pub(crate) fn plus(self, length: Millis) -> Self {
        Self(self.0.saturating_add(length.0))
    }
}

/// A length on the database's own clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Millis(pub(crate) i64);

impl Millis {
    /// A length, or a very long time.
    pub(crate) fn of(length: std::time::Duration) -> Self {
        Self(i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 4))
    }
}

/// The number of an appointment in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AppointmentId(pub(crate) i64);

#[derive(Clone, Debug)]
pub(crate) struct AppointmentRow {
    pub(crate) source: SourceName,
    pub(crate) key: BookingKey,
    pub(crate) revision: u32,
    pub(crate) state: BookingState,
    pub(crate) service: ServiceId,
    pub(crate) base: BookingState,
    pub(crate) district: Option<DistrictId>,
    /// Gone once the person's data is erased.
    pub(crate) fingerprint: Option<Fingerprint>,
    /// In how many complete snapshots in a row it has been missing.
    pub(crate) absent: u8,
    /// When it was first seen, in domain time.
    pub(crate) seen_at: DateTime<Utc>,
    /// What a person asked for and is yet to be written.
    pub(crate) occasions: Vec<Occasion>,
    /// Its notices, oldest first.
    pub(crate) notices: Vec<NoticeId>,
}

impl AppointmentRow {
    /// Whether something that a person asked for can be written now: a correction waits until the
    /// appointment stands again.
    pub(crate) fn can_be_written(&self) -> bool {
        let stands = self.state.standing == Standing::Active;
        let mut occasions = self.occasions.iter();
        occasions.any(|occasion| stands || occasion.purpose == Purpose::Rebooking)
    }
}

/// What makes a notice the same notice.
pub(crate) type NoticeKey = (u32, Purpose, u32, Role);

#[derive(Clone, Debug)]
pub(crate) struct NoticeRow {
    pub(crate) appointment: AppointmentId,
    pub(crate) revision: u32,
    pub(crate) purpose: Purpose,
    pub(crate) occasion: u32,
    pub(crate) role: Role,
    pub(crate) change: Change,
    pub(crate) district: DistrictId,
    pub(crate) office: OfficeId,
    pub(crate) ladder: Ladder,
    pub(crate) on_unknown: OnUnknown,
    /// Gone once the notice is erased.
    pub(crate) reference: Option<Reference>,
    pub(crate) due_by: DateTime<Utc>,
    pub(crate) not_after: DateTime<Utc>,
    pub(crate) superseded: bool,
    /// Every open rung has ended without telling the person: the next one is to be opened.
    pub(crate) climb: bool,
    /// A text of it promises an invitation.
    pub(crate) promises: bool,
    /// Since when nothing of it is in motion.
    pub(crate) ended_at: Option<DateTime<Utc>>,
    pub(crate) batch: Option<BatchId>,
    /// The batches it was in before; a person's hold on one of them still covers it.
    pub(crate) was_in: Vec<BatchId>,
    /// Its messages by rung.
    pub(crate) messages: Vec<MessageId>,
}

#[derive(Clone, Debug)]
pub(crate) struct MessageRow {
    pub(crate) notice: NoticeId,
    pub(crate) rung: u8,
    pub(crate) channel: Channel,
    pub(crate) state: MessageState,
    pub(crate) reason: Option<Reason>,
    pub(crate) told_on: ToldOn,
    pub(crate) gateway_key: String,
    pub(crate) sender: String,
    pub(crate) size: Option<Size>,
    pub(crate) not_before: DateTime<Utc>,
    /// The hours in which it may leave, and the end of the opening in which it may leave next.
    pub(crate) hours: Option<SendHours>,
    pub(crate) open_until: Option<DateTime<Utc>>,
    pub(crate) give_up_at: DateTime<Utc>,
    /// The call list is reached too late if the rung is tried after this.
    pub(crate) last_try: Option<DateTime<Utc>>,
    pub(crate) fence: i64,
    pub(crate) attempts: u32,
    /// The end of the last lease; kept afterwards, for the quarantine.
    pub(crate) lease_until: Option<DbTime>,
    pub(crate) node: Option<String>,
    /// The gateway of the last attempt, and how it lets an unknown be resolved.
    pub(crate) gateway: Option<String>,
    pub(crate) quarantine: Millis,
    pub(crate) lookup: Millis,
    /// Until then that gateway takes this message only once.
    pub(crate) dedup_until: Option<DbTime>,
    /// It is ready once more because of that, and may leave only so.
    pub(crate) repeat: bool,
    pub(crate) report_by: Option<DateTime<Utc>>,
    pub(crate) first_attempt_at: Option<DateTime<Utc>>,
    pub(crate) told_at: Option<DateTime<Utc>>,
    /// Some attempt is not certainly without effect.
    pub(crate) may_be_out: bool,
    /// A gateway took it once.
    pub(crate) accepted: bool,
    /// It is or was handed over once more after an unknown.
    pub(crate) possible_duplicate: bool,
    /// It was opened because the rungs before it had ended untold.
    pub(crate) climbed: bool,
    /// How often a caller reached only an answering machine.
    pub(crate) machines: u32,
    pub(crate) machine_at: Option<DateTime<Utc>>,
    /// The message whose hand-over may speak for this one too, itself included.
    pub(crate) bundle: Option<MessageId>,
    /// For how many others it speaks.
    pub(crate) others: u32,
    /// So it was at its last hand-over.
    pub(crate) together: bool,
    /// Its attempts, oldest first.
    pub(crate) attempt_ids: Vec<AttemptId>,
}

/// What an SMS costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) encoding: Encoding,
    pub(crate) units: u32,
    pub(crate) parts: u32,
}

/// The personal data of a message: a table of its own, so that erasing it is a delete.
#[derive(Clone, Debug)]
pub(crate) struct MessagePerson {
    pub(crate) address: Address,
    pub(crate) body: Vec<u8>,
    /// The text of its bundle.
    pub(crate) shared: Option<Vec<u8>>,
}

/// What came of an attempt. Its intent is written once by the claim; of it only the fence and the
/// gateway are looked at here.
#[derive(Clone, Debug)]
pub(crate) struct AttemptRow {
    pub(crate) message: MessageId,
    pub(crate) fence: i64,
    pub(crate) gateway: String,
    pub(crate) nonce: u32,
    pub(crate) outcome: Option<Came>,
    pub(crate) cause: Option<String>,
    pub(crate) gateway_id: Option<String>,
    pub(crate) settled_at: Option<DateTime<Utc>>,
    /// The attempt with whose hand-over it left.
    pub(crate) carrier: Option<AttemptId>,
}

/// What an attempt came to, as its row keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    Accepted,
    NotSent,
    Refused,
    Unknown,
    Withheld,
}

impl AttemptRow {
    /// An attempt of which nothing is known but its intent.
    pub(crate) fn of(message: MessageId, fence: i64, gateway: &str, nonce: u32) -> Self {
        Self {
            message,
            fence,
            gateway: gateway.to_owned(),
            nonce,
            outcome: None,
            cause: None,
            gateway_id: None,
            settled_at: None,
            carrier: None,
        }
    }

    /// Whether the attempt may have reached the person, as far as its outcome says.
    pub(crate) fn may_be_out(&self) -> bool {
        match self.outcome {
            None | Some(Came::Accepted | Came::Unknown) => true,
            Some(Came::NotSent | Came::Refused | Came::Withheld) => false,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ReportRow {
    pub(crate) attempt: AttemptId,
    pub(crate) nonce: u32,
    pub(crate) state: ReportState,
    pub(crate) detail: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) standing: ReportStanding,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReportStanding {
    /// No attempt of its number is known.
    Parked,
    /// It is negative, and its attempt has no outcome yet.
    Waiting,
    /// It was applied, or needs nothing.
    Used,
    /// Its attempt never came to light.
    LetGo,
}

#[derive(Clone, Debug)]
pub(crate) struct BatchRow {
    pub(crate) source: SourceName,
    pub(crate) braked: Braked,
    pub(crate) state: BatchState,
    pub(crate) version: u32,
    pub(crate) changes: u32,
    pub(crate) known: u32,
    pub(crate) held_at: DateTime<Utc>,
    /// The batch of its earliest people, where they were let go before the rest.
    pub(crate) canary: Option<BatchId>,
    /// When a person released it.
    pub(crate) released_at: Option<DateTime<Utc>>,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BatchState {
    /// It waits for a person.
    Held,
    /// A person released it; it is being planned and rendered anew.
    Releasing,
    /// Nothing of it is held any more, by a person's word.
    Released,
    /// A person threw it away.
    Discarded,
    /// Nothing of it was left to be held.
    Dissolved,
}

/// One line of the history before it is written. It never holds personal data.
#[derive(Clone, Debug)]
pub(crate) struct HistoryRow {
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) request: Option<String>,
    pub(crate) appointment: Option<AppointmentId>,
    pub(crate) notice: Option<NoticeId>,
    pub(crate) message: Option<MessageId>,
    pub(crate) batch: Option<BatchId>,
    pub(crate) channel: Option<Channel>,
    pub(crate) district: Option<DistrictId>,
    pub(crate) office: Option<OfficeId>,
    pub(crate) event: &'static str,
    pub(crate) from: Option<MessageState>,
    pub(crate) to: Option<MessageState>,
    pub(crate) detail: String,
}

/// Who acts, when, and for which request of a person.
#[derive(Clone, Debug)]
pub(crate) struct Hand<'a> {
    pub(crate) actor: &'a str,
    pub(crate) at: DateTime<Utc>,
    pub(crate) request: Option<&'a str>,
}

impl<'a> Hand<'a> {
    /// A part of the daemon.
    pub(crate) fn part(actor: &'a str, at: DateTime<Utc>) -> Self {
        Self {
            actor,
            at,
            request: None,
        }
    }
}

/// The numbers that the next rows get.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NextIds {
    pub(crate) appointment: i64,
    pub(crate) notice: i64,
    pub(crate) message: i64,
    pub(crate) report: i64,
    pub(crate) batch: i64,
}

impl Default for NextIds {
    fn default() -> Self {
        Self {
            appointment: 1,
            notice: 1,
            message: 1,
            report: 1,
            batch: 1,
        }
    }
}

/// Takes the next number.
pub(crate) fn draw(next: &mut i64) -> i64 {
    let id = *next;
    *next += 1;
    id
}

impl MessageRow {
    /// The message as the decisions need it.
    pub(crate) fn brief(&self, id: MessageId) -> MessageBrief {
        use MessageState as S;
        let out = matches!(
            self.state,
            S::Sending | S::Accepted | S::Unconfirmed | S::Delivered
        );
        MessageBrief {
            id,
            rung: self.rung,
            channel: self.channel,
            state: self.state,
            reason: self.reason,
            told_on: self.told_on,
            may_be_out: self.may_be_out || out,
            first_attempt_at: self.first_attempt_at,
            told_at: self.told_at,
            gateway_key: self.gateway_key.clone(),
        }
    }

    /// When its quarantine is over; at once where no lease was ever given.
    pub(crate) fn quarantine_end(&self) -> DbTime {
        self.lease_until.unwrap_or_default().plus(self.quarantine)
    }

    /// Whether no attempt was made yet, so that address and text may still be replaced.
    pub(crate) fn is_unsent(&self) -> bool {
        let waits = matches!(self.state, MessageState::Ready | MessageState::Held);
        waits && self.attempts == 0
    }

    /// Whether the brake holds it.
    pub(crate) fn is_braked(&self) -> bool {
        self.state == MessageState::Held && self.reason == Some(Reason::Brake)
    }
}
