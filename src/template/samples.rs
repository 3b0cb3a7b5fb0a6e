//! Sample cases: invented changes at the offices of a directory, one for every kind of text.
//!
//! `preview` shows them, the checks render them, and the tests compare them. They hold no person.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use crate::domain::appointment::{BookingState, Standing};
use crate::domain::calendar;
use crate::domain::change::{Change, ChangeKind};
use crate::domain::closing::{Closing, ClosingKind, NextStep};
use crate::domain::directory::{Directory, Office, Service, ServiceKind};
use crate::domain::language::{Language, LanguagePair, Texts};
use crate::domain::notice::Purpose;
use crate::domain::plan::Telling;
use crate::domain::recipient::Role;

/// One case with a name that people can type.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The name ("passport-cancelled-short-notice").
    pub name: &'static str,
    /// The facts.
    pub telling: Telling,
}

/// The samples a directory gives, as they would be told at `now`. What needs an office or a service
/// that the directory lacks is left out.
#[must_use]
pub fn samples(directory: &Directory, now: DateTime<Utc>) -> Vec<Sample> {
    let scene = Scene { directory, now };
    let mut found = Vec::new();
    let mut add = |name, telling: Option<Telling>| {
        found.extend(telling.map(|telling| Sample { name, telling }));
    };
    let passport = || scene.stage(ServiceKind::Passport, false);
    let id_card = || scene.stage(ServiceKind::IdCard, false);
    let permit = || scene.stage(ServiceKind::ResidencePermit, false);
    let citizenship = || scene.stage(ServiceKind::Citizenship, false);
    let embassy = || scene.stage(ServiceKind::Passport, true);
    use NextStep::{Book, Phone, Unknown, WeInvite};

    add(
        "passport-cancelled",
        passport().map(|s| s.closed(Book).cancelled()),
    );
    add(
        "passport-cancelled-we-invite",
        passport().map(|s| s.closed(WeInvite).cancelled()),
    );
    add(
        "passport-cancelled-next-phone",
        passport().map(|s| s.closed(Phone).cancelled()),
    );
    add(
        "passport-cancelled-next-unknown",
        passport().map(|s| s.closed(Unknown).cancelled()),
    );
    add(
        "passport-cancelled-office-closed",
        passport().map(|s| s.shut().cancelled()),
    );
    add(
        "passport-cancelled-no-closing",
        passport().map(Stage::cancelled),
    );
    add(
        "passport-cancelled-short-notice",
        passport().map(|s| s.closed(Book).soon().cancelled()),
    );
    add(
        "passport-moved-time",
        passport().map(|s| s.moved(true, false)),
    );
    add(
        "passport-moved-office",
        scene.two_offices().map(|s| s.moved(false, true)),
    );
    add(
        "passport-moved-both",
        scene.two_offices().map(|s| s.moved(true, true)),
    );
    add("passport-reinstated", passport().map(Stage::reinstated));
    add(
        "id-card-cancelled",
        id_card().map(|s| s.closed(Book).cancelled()),
    );
    add(
        "id-card-cancelled-short-notice",
        id_card().map(|s| s.closed(Book).soon().cancelled()),
    );
    add(
        "residence-cancelled",
        permit().map(|s| s.closed(Unknown).cancelled()),
    );
    add(
        "residence-cancelled-submit-online",
        permit().map(|s| s.online().cancelled()),
    );
    add(
        "residence-cancelled-short-notice",
        permit().map(|s| s.soon().by_email().cancelled()),
    );
    add(
        "residence-cancelled-without-email",
        permit().map(|s| s.soon().cancelled()),
    );
    add(
        "residence-invitation",
        permit().map(|s| s.online().invited()),
    );
    add(
        "residence-moved-time",
        permit().map(|s| s.moved(true, false)),
    );
    add("residence-reinstated", permit().map(Stage::reinstated));
    add(
        "citizenship-cancelled",
        citizenship().map(|s| s.closed(Unknown).cancelled()),
    );
    add(
        "citizenship-cancelled-short-notice",
        citizenship().map(|s| s.soon().by_email().cancelled()),
    );
    add(
        "embassy-cancelled",
        embassy().map(|s| s.closed(Book).cancelled()),
    );
    add(
        "embassy-moved-time",
        embassy().map(|s| s.moved(true, false)),
    );
    add(
        "english-first",
        passport().map(|s| {
            s.closed(Book)
                .read_in(Language::En, Some(Language::Nb))
                .cancelled()
        }),
    );
    add(
        "norwegian-only",
        passport().map(|s| s.closed(Book).read_in(Language::Nb, None).cancelled()),
    );
    add(
        "english-only",
        passport().map(|s| s.closed(Book).read_in(Language::En, None).cancelled()),
    );
    add(
        "longest-names",
        scene.longest_names().map(|s| s.closed(Book).cancelled()),
    );
    found
}

/// Every case there can be for one service at one office, told in `languages`.
pub(super) fn every_case(
    directory: &Directory,
    office: &Office,
    service: &Service,
    languages: LanguagePair,
    now: DateTime<Utc>,
) -> Vec<Telling> {
    let scene = Scene { directory, now };
    let stage = scene
        .at(office, service)
        .read_in(languages.first, languages.second);
    let steps = [
        NextStep::Book,
        NextStep::WeInvite,
        NextStep::Phone,
        NextStep::Contact,
        NextStep::Unknown,
    ];
    let mut stages = vec![stage.clone(), stage.clone().shut()];
    stages.extend(steps.map(|next| stage.clone().closed(next)));
    let mut cases = Vec::new();
    for stage in stages {
        cases.push(stage.clone().cancelled());
        cases.push(stage.clone().soon().cancelled());
        cases.push(stage.clone().by_email().cancelled());
        cases.push(stage.clone().soon().by_email().cancelled());
        cases.push(stage.clone().online().cancelled());
    }
    cases.push(stage.clone().moved(true, false));
    cases.push(stage.clone().moved(false, true));
    cases.push(stage.clone().moved(true, true));
    cases.push(stage.clone().reinstated());
    cases.push(Telling {
        cancellation_sent_at: None,
        ..stage.clone().reinstated()
    });
    if service.kind.may_be_digital() && service.digital.is_some() {
        cases.push(stage.online().invited());
    }
    cases
}

/// A directory at a moment.
struct Scene<'a> {
    directory: &'a Directory,
    now: DateTime<Utc>,
}

impl<'a> Scene<'a> {
    /// The first office that serves this kind of case, abroad or not.
    fn stage(&self, kind: ServiceKind, abroad: bool) -> Option<Stage<'a>> {
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
    fn two_offices(&self) -> Option<Stage<'a>> {
        let mut stage = self.stage(ServiceKind::Passport, false)?;
        let other = |office: &&Office| {
            office.id != stage.new.id && !office.abroad && office.passport_line.is_some()
        };
        stage.old = self.directory.offices.values().find(other)?;
        Some(stage)
    }

    /// The longest name of an office with the longest name of a service it offers.
    fn longest_names(&self) -> Option<Stage<'a>> {
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

    fn at(&self, office: &'a Office, service: &'a Service) -> Stage<'a> {
        let other = match office.language {
            Language::En => Language::Nb,
            Language::Nb | Language::Nn => Language::En,
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
        }
    }
}

/// One appointment before something happens to it.
#[derive(Clone)]
struct Stage<'a> {
    now: DateTime<Utc>,
    old: &'a Office,
    new: &'a Office,
    service: &'a Service,
    days_left: u64,
    closing: Option<(ClosingKind, NextStep)>,
    online: bool,
    beside_email: bool,
    languages: LanguagePair,
}

impl Stage<'_> {
    fn closed(mut self, next: NextStep) -> Self {
        self.closing = Some((ClosingKind::Reduced, next));
        self
    }

    fn shut(mut self) -> Self {
        self.closing = Some((ClosingKind::Closed, NextStep::Book));
        self
    }

    fn soon(mut self) -> Self {
        self.days_left = 1;
        self
    }

    fn online(mut self) -> Self {
        self.online = true;
        self
    }

    fn by_email(mut self) -> Self {
        self.beside_email = true;
        self
    }

    fn read_in(mut self, first: Language, second: Option<Language>) -> Self {
        self.languages = LanguagePair { first, second };
        self
    }

    fn cancelled(self) -> Telling {
        self.telling(Purpose::Cancellation, ChangeKind::Cancelled)
    }

    fn invited(self) -> Telling {
        self.telling(Purpose::DigitalInvitation, ChangeKind::Cancelled)
    }

    fn reinstated(self) -> Telling {
        let sent = self.now - TimeDelta::hours(3);
        let telling = self.telling(Purpose::Reinstatement, ChangeKind::Reinstated);
        Telling {
            cancellation_sent_at: Some(sent),
            ..telling
        }
    }

    fn moved(self, time: bool, office: bool) -> Telling {
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
        let may_be_online = self.online && self.service.digital.is_some();
        Telling {
            purpose,
            change: Change { kind, old, new },
            service: self.service.id.clone(),
            role: Role::Applicant,
            short_notice: self.days_left < 2,
            closing: self.closing(),
            digital_until: Some(self.day(self.old, 14)).filter(|_| may_be_online),
            cancellation_sent_at: None,
            beside_email: self.beside_email,
            languages: self.languages,
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
