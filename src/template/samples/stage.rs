//! The stage of a sample: an office, a service, a closing, and what happens to the appointment.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Offset, TimeDelta, Utc, Weekday};

use crate::domain::appointment::{BookingState, Standing};
use crate::domain::calendar;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::closing::{Closing, ClosingKind, NextStep};
use crate::domain::directory::{Directory, Office, Service, ServiceKind};
use crate::domain::language::{Language, LanguagePair, Texts};
use crate::domain::notice::Purpose;
use crate::domain::plan::{Bundle, Correction, Particulars, Telling};
use crate::domain::recipient::Role;

/// A directory at a moment.
pub(super) struct Scene<'a> {
    pub(super) directory: &'a Directory,
    pub(super) now: DateTime<Utc>,
}

impl<'a> Scene<'a> {
    /// The first office that serves this kind of case, abroad or not.
    pub(super) fn stage(&self, kind: ServiceKind, abroad: bool) -> Option<Stage<'a>> {
        let service = self.directory.services.values().find(|s| s.kind == kind)?;
        let fits = |office: &&Office| office.abroad == abroad && office.line(kind).is_some();
        // The office with the longest name costs most, and is the one worth looking at.
        let length = |office: &&Office| {
            let names = office.name_sms.0.values();
            names.map(|name| name.chars().count()).max()
        };
        let office = self
            .directory
            .offices
            .values()
            .filter(fits)
            .max_by_key(length)?;
        Some(self.at(office, service))
    }

    /// From another passport office to the first one.
    pub(super) fn two_offices(&self) -> Option<Stage<'a>> {
        let mut stage = self.stage(ServiceKind::Passport, false)?;
        let other = |office: &&Office| {
            office.id != stage.new.id && !office.abroad && office.passport_line.is_some()
        };
        stage.old = self.directory.offices.values().find(other)?;
        Some(stage)
    }

    /// The longest name of an office with the longest name of a service it offers.
    pub(super) fn longest_names(&self) -> Option<Stage<'a>> {
        let length = |texts: &Texts| texts.0.values().map(|name| name.chars().count()).max();
        let services = self.directory.services.values();
        let service = services
            .filter(|service| !service.kind.is_immigration())
            .max_by_key(|service| length(&service.name))?;
        let offices = self.directory.offices.values();
        let office = offices
            .filter(|office| office.line(service.kind).is_some())
            .max_by_key(|office| length(&office.name_sms))?;
        Some(self.at(office, service))
    }

    pub(super) fn at(&self, office: &'a Office, service: &'a Service) -> Stage<'a> {
        let other = match office.language {
            Language::En => Language::Nb,
            Language::Nb | Language::Nn | Language::Se => Language::En,
        };
        Stage {
            now: self.now,
            old: office,
            new: office,
            service,
            days_left: 8,
            closing: None,
            online: false,
            beside_email: false,
            languages: LanguagePair {
                first: office.language,
                second: Some(other),
            },
            role: Role::Applicant,
            particulars: Particulars::default(),
        }
    }
}

/// One appointment before something happens to it.
#[derive(Clone)]
pub(super) struct Stage<'a> {
    now: DateTime<Utc>,
    old: &'a Office,
    new: &'a Office,
    service: &'a Service,
    days_left: u64,
    closing: Option<(ClosingKind, NextStep)>,
    online: bool,
    beside_email: bool,
    languages: LanguagePair,
    role: Role,
    particulars: Particulars,
}

impl Stage<'_> {
    pub(super) fn closed(mut self, next: NextStep) -> Self {
        self.closing = Some((ClosingKind::Reduced, next));
        self
    }

    pub(super) fn shut(mut self) -> Self {
        self.closing = Some((ClosingKind::Closed, NextStep::Book));
        self
    }

    pub(super) fn soon(mut self) -> Self {
        self.days_left = 1;
        self
    }

    pub(super) fn online(mut self) -> Self {
        self.online = true;
        self
    }

    /// Whether the case can be submitted online, by law and by the directory.
    pub(super) fn may_be_online(&self) -> bool {
        self.service.kind.may_be_digital() && self.service.digital.is_some()
    }

    pub(super) fn is_abroad(&self) -> bool {
        self.new.abroad
    }

    pub(super) fn by_email(mut self) -> Self {
        self.beside_email = true;
        self
    }

    pub(super) fn read_in(mut self, first: Language, second: Option<Language>) -> Self {
        self.languages = LanguagePair { first, second };
        self
    }

    /// What few messages say.
    pub(super) fn with(mut self, say: impl FnOnce(&mut Particulars)) -> Self {
        say(&mut self.particulars);
        self
    }

    /// So old on the day of the old appointment.
    pub(super) fn aged(self, years: u32) -> Self {
        let born = self
            .day(self.old, 0)
            .checked_sub_months(Months::new(12 * years + 6));
        self.with(|say| say.born = born)
    }

    /// To a guardian of a child.
    pub(super) fn for_guardian(mut self) -> Self {
        self.role = Role::Guardian("1".to_owned());
        self
    }

    /// To the child's other guardian, who gets a notice of their own.
    pub(super) fn for_other_guardian(mut self) -> Self {
        self.role = Role::Guardian("2".to_owned());
        self
    }

    /// Moved by one or three hours across the next night in which the clocks change; `None` where they
    /// do not within a year.
    pub(super) fn moved_in_the_night_of_the_clocks(self) -> Option<Telling> {
        let zone = self.old.zone;
        let offset = |day: &NaiveDate| {
            let noon = calendar::instant(day.and_hms_opt(12, 0, 0)?, zone);
            Some(noon.with_timezone(&zone).offset().fix())
        };
        let days = self.day(self.old, 1).iter_days().take(366);
        let changes = |day: &NaiveDate| day.pred_opt().and_then(|d| offset(&d)) != offset(day);
        let night = { days }.find(changes)?;
        let (before, after) = (night.and_hms_opt(1, 30, 0)?, night.and_hms_opt(3, 30, 0)?);
        let mut telling = self.moved(true, false);
        telling.change.old.start = calendar::instant(before, zone);
        telling.change.new.start = calendar::instant(after, zone);
        Some(telling)
    }

    /// Decided on the Saturday after, when no line answers until Monday.
    pub(super) fn on_saturday(mut self) -> Self {
        let today = self.day(self.new, 0);
        let saturday = today.iter_days().find(|day| day.weekday() == Weekday::Sat);
        let noon = saturday.and_then(|day| day.and_hms_opt(12, 0, 0));
        self.now = noon.map_or(self.now, |noon| calendar::instant(noon, self.new.zone));
        self
    }

    /// Told with others of one address, at the same office on the same day.
    pub(super) fn with_others(self, minutes: &[i64], unbroken: bool) -> Self {
        let first = self.start(self.old, self.days_left, (9, 0));
        let starts = minutes
            .iter()
            .map(|later| first + TimeDelta::minutes(*later));
        let starts = starts.collect();
        self.with(|say| say.bundle = Some(Bundle { starts, unbroken }))
    }

    /// The office takes bookings again.
    pub(super) fn reopened(self) -> Telling {
        let by = self.day(self.old, 31);
        let stage = self.with(|say| say.book_by = Some(by));
        stage.telling(Purpose::Rebooking, ChangeKind::Cancelled)
    }

    /// We were wrong.
    pub(super) fn corrected(self, mistake: Correction) -> Telling {
        let sent = self.now - TimeDelta::hours(3);
        let stage = self.with(|say| say.correction = Some(mistake));
        let telling = stage.telling(Purpose::Correction, ChangeKind::Reinstated);
        Telling {
            cancellation_sent_at: Some(sent),
            ..telling
        }
    }

    /// The office asks the person to choose a new time.
    pub(super) fn choosing(self) -> Self {
        let by = self.day(self.old, 31);
        self.with(|say| say.choose_by = Some(by))
    }

    pub(super) fn cancelled(self) -> Telling {
        self.telling(Purpose::Cancellation, ChangeKind::Cancelled)
    }

    pub(super) fn invited(self) -> Telling {
        self.telling(Purpose::DigitalInvitation, ChangeKind::Cancelled)
    }

    pub(super) fn reinstated(self) -> Telling {
        let sent = self.now - TimeDelta::hours(3);
        let telling = self.telling(Purpose::Reinstatement, ChangeKind::Reinstated);
        Telling {
            cancellation_sent_at: Some(sent),
            ..telling
        }
    }

    pub(super) fn moved(self, time: bool, office: bool) -> Telling {
        self.telling(Purpose::Change, ChangeKind::Moved { time, office })
    }

    fn telling(self, purpose: Purpose, kind: ChangeKind) -> Telling {
        let old = BookingState {
            standing: match kind {
                ChangeKind::Reinstated => Standing::Cancelled,
                ChangeKind::Cancelled | ChangeKind::Moved { .. } => Standing::Active,
            },
            start: self.start(self.old, self.days_left, (9, 20)),
            office: self.old.id.clone(),
        };
        let new_start = match kind {
            ChangeKind::Moved { time: true, .. } => self.start(self.new, 30, (10, 0)),
            _ => old.start,
        };
        let new = BookingState {
            standing: match kind {
                ChangeKind::Cancelled => Standing::Cancelled,
                ChangeKind::Reinstated | ChangeKind::Moved { .. } => Standing::Active,
            },
            start: new_start,
            office: self.new.id.clone(),
        };
        let online = self.online && self.may_be_online();
        Telling {
            purpose,
            change: Change { kind, old, new },
            service: self.service.id.clone(),
            role: self.role.clone(),
            short_notice: self.days_left < 2,
            closing: self.closing(),
            digital_until: Some(self.day(self.old, 14)).filter(|_| online),
            cancellation_sent_at: None,
            beside_email: self.beside_email,
            languages: self.languages,
            decided_at: self.now,
            particulars: self.particulars.clone(),
        }
    }

    fn closing(&self) -> Option<Closing> {
        let (kind, next) = self.closing?;
        Some(Closing {
            offices: vec![self.old.id.clone()],
            kinds: Vec::new(),
            from: self.day(self.old, 1),
            to: self.day(self.old, 24),
            kind,
            next,
            reason: Texts::from([
                (Language::Nb, "smittesituasjonen i Oslo og Viken"),
                (Language::Nn, "smittesituasjonen i Oslo og Viken"),
                (Language::En, "the infection situation in Oslo and Viken"),
            ]),
            max: 0,
        })
    }

    fn day(&self, office: &Office, days: u64) -> NaiveDate {
        let today = calendar::local_day(self.now, office.zone);
        today.checked_add_days(Days::new(days)).unwrap_or(today)
    }

    fn start(&self, office: &Office, days: u64, at: (u32, u32)) -> DateTime<Utc> {
        let day = self.day(office, days);
        day.and_hms_opt(at.0, at.1, 0)
            .map_or(self.now, |local| calendar::instant(local, office.zone))
    }
}
