//! From a change to the notices it asks for: to whom, why, on which rungs, when, until when.
//!
//! The rules come from the configuration and read like sentences: *for these services, when this
//! changes, write for this purpose, on this ladder*. Nothing here knows a text or a store.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::appointment::Appointment;
use super::calendar::SendWindow;
use super::change::{Change, ChangeKind};
use super::closing::{Closing, NextStep};
use super::contact::Address;
use super::directory::{Directory, OfficeId, ServiceId};
use super::ladder::{Ladder, Rung};
use super::language::{Language, LanguagePair};
use super::message::{Channel, Reason, words};
use super::notice::{NoticeBrief, OnUnknown, Purpose};
use super::recipient::{Recipient, Role};
use super::send_hours::SendHours;

pub use self::asked::{correct, invite, stands_as_it_was};
pub use self::bundle::{MOST_IN_ONE, in_one_text, same_words};
use self::case::Case;
pub use self::particulars::{Bundle, Correction, Particulars};
pub use self::rung_time::RungTime;

mod asked;
mod bundle;
mod case;
mod particulars;
mod rung_time;
mod timing;

/// The kind of change a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum When {
    /// The appointment is cancelled.
    Cancelled,
    /// It has another time or place.
    Moved,
    /// It stands after all.
    Reinstated,
    /// It is cancelled at short notice, where the case can be submitted online: the invitation that
    /// follows the cancellation.
    Digital,
}

words!(When {
    Cancelled => "cancelled",
    Moved => "moved",
    Reinstated => "reinstated",
    Digital => "digital",
});

/// One sentence of the rules. The first that fits is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The services it speaks of; empty means all.
    pub services: Vec<ServiceId>,
    /// The change it speaks of.
    pub when: When,
    /// Only at short notice, only not at short notice, or either.
    pub short_notice: Option<bool>,
    /// Why we write.
    pub purpose: Purpose,
    /// The channels in order.
    pub ladder: Ladder,
    /// How many of the first rungs open together.
    pub together: usize,
    /// What follows when an outcome stays unknown.
    pub on_unknown: OnUnknown,
}

/// When each channel may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Text messages.
    pub sms: SendWindow,
    /// E-mails.
    pub email: SendWindow,
    /// Calls.
    pub phone: SendWindow,
}

impl Windows {
    fn of(&self, channel: Channel) -> SendWindow {
        match channel {
            Channel::Sms => self.sms,
            Channel::Email => self.email,
            Channel::Phone => self.phone,
        }
    }
}

/// Everything the configuration says of planning.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// The sentences, in order.
    pub rules: Vec<Rule>,
    /// Less than this before the old start is short notice.
    pub short_notice: Duration,
    /// When each channel may leave.
    pub windows: Windows,
    /// Quiet hours yield where waiting would leave less than this before `due_by`.
    pub quiet_reserve: Duration,
    /// The timers of the ladder.
    pub rung_time: RungTime,
    /// The second language of bilingual messages; `None` writes one language only.
    pub second_language: Option<Language>,
    /// An invitation that stands alone reaches the person within this, or somebody calls.
    pub invitation_within: Duration,
}

/// What the decisions look at beside the appointment.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The present, in domain time.
    pub now: DateTime<Utc>,
    /// The agency's directory.
    pub directory: &'a Directory,
    /// The closings announced.
    pub closings: &'a [Closing],
    /// The rules.
    pub rules: &'a Rules,
}

/// The facts a text is made of. Rendering it needs nothing else but the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// Why we write.
    pub purpose: Purpose,
    /// The change told.
    pub change: Change,
    /// What for.
    pub service: ServiceId,
    /// To whom, by role.
    pub role: Role,
    /// Less than the short-notice limit is left.
    pub short_notice: bool,
    /// The closing that covers the appointment.
    pub closing: Option<Closing>,
    /// The last day to submit online, where this text opens the digital route.
    pub digital_until: Option<NaiveDate>,
    /// When the person was (or may have been) told of the cancellation, for a reinstatement.
    pub cancellation_sent_at: Option<DateTime<Utc>>,
    /// An e-mail of the same notice leaves beside this text, so that an SMS may point to it.
    pub beside_email: bool,
    /// The languages, the person's first.
    pub languages: LanguagePair,
    /// When it was decided: what is said of open telephone lines holds from then on.
    pub decided_at: DateTime<Utc>,
    /// What few messages need.
    pub particulars: Particulars,
}

impl Telling {
    /// Whether it promises that we write again when the person can book: a commitment, until they have
    /// been invited or phoned. What opens the digital route instead, or asks the person to choose a new
    /// time, promises nothing.
    #[must_use]
    pub fn promises_invitation(&self) -> bool {
        let promised = self.closing.as_ref().map(|closing| closing.next);
        self.purpose == Purpose::Cancellation
            && self.digital_until.is_none()
            && self.particulars.choose_by.is_none()
            && promised == Some(NextStep::WeInvite)
    }
}

/// One message to be rendered and recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedMessage {
    /// Its rung.
    pub rung: u8,
    /// Its channel.
    pub channel: Channel,
    /// Where it goes.
    pub address: Address,
    /// Why it stands on the phone rung.
    pub reason: Option<Reason>,
    /// It may leave from this instant.
    pub not_before: DateTime<Utc>,
    /// It leaves in these hours only; `None` lets it leave at any.
    pub hours: Option<SendHours>,
    /// The opening in which it may leave ends here; `None` where it may leave at any hour, now that
    /// its deadline is near.
    pub open_until: Option<DateTime<Utc>>,
    /// After this, this rung is given up and the next one takes over.
    pub give_up_at: DateTime<Utc>,
    /// Its last try must be before this, or the call list is reached too late; `None` where nobody
    /// answers the telephone before the deadline.
    pub last_try: Option<DateTime<Utc>>,
}

/// One notice to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedNotice {
    /// What it tells.
    pub telling: Telling,
    /// 0, or the number of a wave or correction.
    pub occasion: u32,
    /// The channels in order.
    pub ladder: Ladder,
    /// What follows when an outcome stays unknown.
    pub on_unknown: OnUnknown,
    /// Tell before this.
    pub due_by: DateTime<Utc>,
    /// Useless after this.
    pub not_after: DateTime<Utc>,
    /// The rungs opened now.
    pub messages: Vec<PlannedMessage>,
}

/// Why a change leads to no notice although it is one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlan {
    /// The moment has passed: a message would be useless.
    #[error("the appointment has begun; nobody is told of the past")]
    Past,
    /// The directory lacks the office.
    #[error("office \"{0}\" is not in the directory")]
    UnknownOffice(OfficeId),
    /// The directory lacks the service.
    #[error("service \"{0}\" is not in the directory")]
    UnknownService(ServiceId),
    /// No rule fits.
    #[error("no rule speaks of service \"{service}\" when {when}")]
    NoRule {
        /// The service.
        service: ServiceId,
        /// The change.
        when: When,
    },
}

/// The notices a change asks for, for one recipient.
///
/// # Errors
/// [`NoPlan`] says why nobody is told.
pub fn plan(
    appointment: &Appointment,
    recipient: &Recipient,
    change: &Change,
    history: &[NoticeBrief],
    around: &Circumstances<'_>,
) -> Result<Vec<PlannedNotice>, NoPlan> {
    let case = Case::new(appointment, recipient, change, around)?;
    let (due_by, not_after) = deadlines(change);
    if not_after <= around.now {
        return Err(NoPlan::Past);
    }
    let rule = case.rule(when(change.kind))?;
    let mut telling = case.telling(rule.purpose);
    case.remember(&mut telling, history);
    let mut notices = vec![case.notice(rule, telling, due_by, not_after)];
    notices.extend(case.invitation());
    Ok(notices)
}

/// The next rung of a notice that was recorded before: what to render, and the message to record.
///
/// # Errors
/// [`NoPlan`] when the directory no longer holds the office or service.
pub fn climb(
    appointment: &Appointment,
    recipient: &Recipient,
    notice: &NoticeBrief,
    rung: Rung,
    history: &[NoticeBrief],
    around: &Circumstances<'_>,
) -> Result<(Telling, PlannedMessage), NoPlan> {
    let case = Case::new(appointment, recipient, &notice.change, around)?;
    let mut telling = case.telling(notice.purpose);
    case.remember(&mut telling, history);
    asked::particulars(&mut telling, notice.not_after, case.office());
    Ok((telling, case.message(rung, notice.due_by)))
}

fn when(kind: ChangeKind) -> When {
    match kind {
        ChangeKind::Cancelled => When::Cancelled,
        ChangeKind::Moved { .. } => When::Moved,
        ChangeKind::Reinstated => When::Reinstated,
    }
}

/// Tell before the earlier of the old and the new start; a cancellation is useless after the old
/// start, anything else after the new one.
fn deadlines(change: &Change) -> (DateTime<Utc>, DateTime<Utc>) {
    match change.kind {
        ChangeKind::Cancelled => (change.old.start, change.old.start),
        ChangeKind::Moved { .. } | ChangeKind::Reinstated => {
            (change.old.start.min(change.new.start), change.new.start)
        }
    }
}
