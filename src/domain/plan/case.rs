//! One recipient of one changed appointment, with everything looked up: what the plan is made of.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::{
    Circumstances, NoPlan, Particulars, PlannedMessage, PlannedNotice, Rule, Telling, When, timing,
};
use crate::domain::appointment::{Appointment, Standing};
use crate::domain::calendar;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::closing::Closing;
use crate::domain::directory::{Office, OfficeId, Service};
use crate::domain::ladder::Rung;
use crate::domain::language::LanguagePair;
use crate::domain::message::Channel;
use crate::domain::notice::{NoticeBrief, Purpose, cancellation_sent_at};
use crate::domain::recipient::Recipient;
use crate::domain::send_hours::{SendHours, Slot};

/// The case.
pub(super) struct Case<'a> {
    appointment: &'a Appointment,
    recipient: &'a Recipient,
    change: &'a Change,
    around: &'a Circumstances<'a>,
    office: &'a Office,
    service: &'a Service,
}

impl<'a> Case<'a> {
    pub(super) fn new(
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

    /// The office as it is now.
    pub(super) fn office(&self) -> &'a Office {
        self.office
    }

    fn short_notice(&self) -> bool {
        let left = self.change.old.start - self.around.now;
        left < TimeDelta::from_std(self.around.rules.short_notice).unwrap_or(TimeDelta::MAX)
    }

    pub(super) fn rule(&self, when: When) -> Result<&'a Rule, NoPlan> {
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
        let own = self.recipient.language.unwrap_or(self.office.language);
        LanguagePair::of(own, self.office.language, self.around.rules.second_language)
    }

    /// The last day to submit online, where the law and the directory open the digital route.
    fn digital_until(&self) -> Option<NaiveDate> {
        let today = calendar::local_day(self.around.now, self.office.zone);
        let directory = self.around.directory;
        let route = directory.digital_route(&self.service.id, &self.office.id, today)?;
        today.checked_add_days(Days::new(route.days.into()))
    }

    /// What is said of what the person was told before: when it was that the appointment is cancelled,
    /// and an apology where it stood again since and is cancelled once more.
    pub(super) fn remember(&self, telling: &mut Telling, history: &[NoticeBrief]) {
        let role = &self.recipient.role;
        telling.cancellation_sent_at = cancellation_sent_at(history, role);
        let told = history.iter().filter(|n| n.role == *role && n.has_told());
        let told: Vec<(u32, Standing)> =
            told.map(|n| (n.revision, n.change.new.standing)).collect();
        let stood_after = |(revision, standing): &(u32, Standing)| {
            *standing == Standing::Cancelled
                && told
                    .iter()
                    .any(|(later, standing)| *later > *revision && *standing == Standing::Active)
        };
        telling.particulars.again =
            telling.purpose == Purpose::Cancellation && told.iter().any(stood_after);
    }

    pub(super) fn telling(&self, purpose: Purpose) -> Telling {
        let short_notice = self.short_notice();
        let particulars = self.particulars(purpose);
        let digital_until = match purpose {
            // At short notice, and where the person is to choose a new time, that alone is said.
            Purpose::Cancellation if short_notice || particulars.choose_by.is_some() => None,
            Purpose::Cancellation | Purpose::DigitalInvitation => self.digital_until(),
            Purpose::Change | Purpose::Reinstatement | Purpose::Rebooking | Purpose::Correction => {
                None
            }
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
            decided_at: self.around.now,
            particulars,
        }
    }

    fn particulars(&self, purpose: Purpose) -> Particulars {
        let about = &self.appointment.about;
        let cancelled = self.change.kind == ChangeKind::Cancelled;
        let today = calendar::local_day(self.around.now, self.office.zone);
        let to_choose = |day: &NaiveDate| purpose == Purpose::Cancellation && *day >= today;
        Particulars {
            neutral: about.protected || self.service.neutral,
            canceller_unknown: cancelled && about.canceller_unknown,
            obstacle: about.obstacle,
            still_visible: cancelled && about.listed,
            born: about.born,
            choose_by: about.choose_by.filter(to_choose),
            ..Particulars::default()
        }
    }

    /// At short notice the cancellation does not wait for instructions: the invitation to submit
    /// online follows as a notice of its own.
    pub(super) fn invitation(&self) -> Option<PlannedNotice> {
        let cancelled = self.change.kind == ChangeKind::Cancelled && self.short_notice();
        let until = self.digital_until().filter(|_| cancelled)?;
        let rule = self.rule(When::Digital).ok()?;
        let within = TimeDelta::from_std(self.around.rules.invitation_within).ok()?;
        let not_after = calendar::instant(until.and_hms_opt(23, 59, 59)?, self.office.zone);
        let due_by = (self.around.now + within).min(not_after);
        Some(self.notice(rule, self.telling(rule.purpose), due_by, not_after))
    }

    pub(super) fn notice(
        &self,
        rule: &Rule,
        mut telling: Telling,
        due_by: DateTime<Utc>,
        not_after: DateTime<Utc>,
    ) -> PlannedNotice {
        let rungs = match self.appointment.about.only_by_phone() {
            Some(reason) => vec![rule.ladder.phone(reason)],
            None => rule.ladder.first(&self.recipient.contact, rule.together),
        };
        telling.beside_email = rungs.iter().any(|rung| rung.channel == Channel::Email);
        PlannedNotice {
            telling,
            occasion: 0,
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

    /// The office as the directory has it on the day of `at`.
    fn office_on(&self, at: DateTime<Utc>) -> &'a Office {
        let day = calendar::local_day(at, self.office.zone);
        let offices = &self.around.directory.on(day).offices;
        offices.get(&self.office.id).unwrap_or(self.office)
    }

    pub(super) fn message(&self, rung: Rung, due_by: DateTime<Utc>) -> PlannedMessage {
        let rules = self.around.rules;
        let (now, time) = (self.around.now, &rules.rung_time);
        let last_try = match rung.channel {
            // The call list shows a person at once; when to call is the caller's to see.
            Channel::Phone => None,
            Channel::Sms | Channel::Email => timing::last_try(
                self.office_on(due_by),
                self.service.kind,
                (now, due_by),
                time,
            ),
        };
        let hours = match rung.channel {
            Channel::Phone => None,
            Channel::Sms | Channel::Email => {
                SendHours::of(rules.windows.of(rung.channel), self.office.zone)
            }
        };
        let slot = hours.map(|hours| hours.slot(now, (due_by, last_try), rules.quiet_reserve));
        let slot = slot.unwrap_or(Slot::any_hour(now));
        PlannedMessage {
            rung: rung.number,
            channel: rung.channel,
            address: self.recipient.contact.address(rung.channel),
            reason: rung.reason,
            not_before: slot.from,
            hours,
            open_until: slot.until,
            give_up_at: time.give_up_at(slot.from, (due_by, last_try)),
            last_try,
        }
    }
}
