//! From a change to the notices it asks for: to whom, why, on which rungs, when, until when.
//!
//! The rules come from the configuration and read like sentences: *for these services, when this
//! changes, write for this purpose, on this ladder*. Nothing here knows a text or a store.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::appointment::Appointment;
use super::calendar::{self, SendWindow};
use super::change::{Change, ChangeKind};
use super::closing::Closing;
use super::contact::Address;
use super::directory::{Directory, Office, OfficeId, Service, ServiceId};
use super::ladder::{Ladder, Rung};
use super::language::{Language, LanguagePair};
use super::message::{Channel, Reason, words};
use super::notice::{NoticeBrief, OnUnknown, Purpose};
use super::recipient::{Recipient, Role};

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

/// The timers of the ladder: how long a rung is tried before the next one takes over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RungTime {
    /// The share of the time left until `due_by`, in (0, 1).
    pub share: f64,
    /// Never shorter than this.
    pub least: Duration,
    /// Never longer than this.
    pub most: Duration,
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
    /// After this, this rung is given up and the next one takes over.
    pub give_up_at: DateTime<Utc>,
}

/// One notice to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedNotice {
    /// What it tells.
    pub telling: Telling,
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
    telling.cancellation_sent_at = super::notice::cancellation_sent_at(history, &recipient.role);
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
    telling.cancellation_sent_at = super::notice::cancellation_sent_at(history, &recipient.role);
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

/// One recipient of one changed appointment, with everything looked up.
struct Case<'a> {
    appointment: &'a Appointment,
    recipient: &'a Recipient,
    change: &'a Change,
    around: &'a Circumstances<'a>,
    office: &'a Office,
    service: &'a Service,
}

impl<'a> Case<'a> {
    fn new(
        appointment: &'a Appointment,
        recipient: &'a Recipient,
        change: &'a Change,
        around: &'a Circumstances<'a>,
    ) -> Result<Self, NoPlan> {
        let directory = around.directory;
        let find = |id: &OfficeId| {
            directory
                .offices
                .get(id)
                .ok_or_else(|| NoPlan::UnknownOffice(id.clone()))
        };
        let office = find(&change.new.office)?;
        find(&change.old.office)?;
        let service = directory.services.get(&appointment.service);
        let service = service.ok_or_else(|| NoPlan::UnknownService(appointment.service.clone()))?;
        Ok(Self {
            appointment,
            recipient,
            change,
            around,
            office,
            service,
        })
    }

    fn short_notice(&self) -> bool {
        let left = self.change.old.start - self.around.now;
        left < TimeDelta::from_std(self.around.rules.short_notice).unwrap_or(TimeDelta::MAX)
    }

    fn rule(&self, when: When) -> Result<&'a Rule, NoPlan> {
        let short = self.short_notice();
        let fits = |rule: &&Rule| {
            rule.when == when
                && (rule.services.is_empty() || rule.services.contains(&self.service.id))
                && rule.short_notice.is_none_or(|only| only == short)
        };
        let missing = || NoPlan::NoRule {
            service: self.service.id.clone(),
            when,
        };
        self.around
            .rules
            .rules
            .iter()
            .find(fits)
            .ok_or_else(missing)
    }

    fn closing(&self) -> Option<Closing> {
        let old = &self.change.old;
        let zone = self.around.directory.offices.get(&old.office)?.zone;
        let day = calendar::local_day(old.start, zone);
        let covers = |closing: &&Closing| closing.covers(&old.office, self.service.kind, day);
        self.around.closings.iter().find(covers).cloned()
    }

    fn languages(&self) -> LanguagePair {
        let first = self.recipient.language.unwrap_or(self.office.language);
        let other = |second: Language| match second == first {
            true if first == Language::En => Some(self.office.language).filter(|l| *l != first),
            true => Some(Language::En),
            false => Some(second),
        };
        LanguagePair {
            first,
            second: self.around.rules.second_language.and_then(other),
        }
    }

    /// The last day to submit online, where the law and the directory open the digital route.
    fn digital_until(&self) -> Option<NaiveDate> {
        let route = self
            .service
            .digital
            .as_ref()
            .filter(|_| self.service.kind.may_be_digital())?;
        let today = calendar::local_day(self.around.now, self.office.zone);
        today.checked_add_days(Days::new(route.days.into()))
    }

    fn telling(&self, purpose: Purpose) -> Telling {
        let short_notice = self.short_notice();
        let digital_until = match purpose {
            Purpose::Cancellation if short_notice => None,
            Purpose::Cancellation | Purpose::DigitalInvitation => self.digital_until(),
            Purpose::Change | Purpose::Reinstatement => None,
        };
        Telling {
            purpose,
            change: self.change.clone(),
            service: self.appointment.service.clone(),
            role: self.recipient.role.clone(),
            short_notice,
            closing: self.closing(),
            digital_until,
            cancellation_sent_at: None,
            beside_email: false,
            languages: self.languages(),
        }
    }

    /// At short notice the cancellation does not wait for instructions: the invitation to submit
    /// online follows as a notice of its own.
    fn invitation(&self) -> Option<PlannedNotice> {
        let cancelled = self.change.kind == ChangeKind::Cancelled && self.short_notice();
        let until = self.digital_until().filter(|_| cancelled)?;
        let rule = self.rule(When::Digital).ok()?;
        let within = TimeDelta::from_std(self.around.rules.invitation_within).ok()?;
        let not_after = calendar::instant(until.and_hms_opt(23, 59, 59)?, self.office.zone);
        let due_by = (self.around.now + within).min(not_after);
        Some(self.notice(rule, self.telling(rule.purpose), due_by, not_after))
    }

    fn notice(
        &self,
        rule: &Rule,
        mut telling: Telling,
        due_by: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> PlannedNotice {
        let rungs = rule.ladder.first(&self.recipient.contact, rule.together);
        telling.beside_email = rungs.iter().any(|rung| rung.channel == Channel::Email);
        PlannedNotice {
            telling,
            ladder: rule.ladder.clone(),
            on_unknown: rule.on_unknown,
            due_by,
            not_after,
            messages: rungs
                .into_iter()
                .map(|rung| self.message(rung, due_by))
                .collect(),
        }
    }

    fn message(&self, rung: Rung, due_by: DateTime<Utc>) -> PlannedMessage {
        let rules = self.around.rules;
        let window = rules.windows.of(rung.channel);
        let now = self.around.now;
        let not_before = match rung.channel {
            // The call list shows a person at once; when to call is the caller's to see.
            Channel::Phone => now,
            Channel::Sms | Channel::Email => {
                calendar::send_time(window, self.office.zone, now, due_by, rules.quiet_reserve)
            }
        };
        PlannedMessage {
            rung: rung.number,
            channel: rung.channel,
            address: self.recipient.contact.address(rung.channel),
            reason: rung.reason,
            not_before,
            give_up_at: give_up_at(not_before, due_by, &rules.rung_time),
        }
    }
}

/// A rung has a share of the time that is left, within its bounds and never past `due_by`.
fn give_up_at(from: DateTime<Utc>, due_by: DateTime<Utc>, time: &RungTime) -> DateTime<Utc> {
    let left = (due_by - from).to_std().unwrap_or_default();
    let share = left
        .mul_f64(time.share.clamp(0.0, 1.0))
        .max(time.least)
        .min(time.most);
    (from + share).min(due_by.max(from))
}
