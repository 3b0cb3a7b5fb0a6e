//! The agency's own directory: districts, offices, services, and what a message may say of them.
//!
//! It holds no decision and invents nothing: what the agency did not give is `None`, and the text
//! leaves it out.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::hours::Hours;
use super::language::{Language, Texts};

pub use self::practice::{Booking, BookingWay, Fee, PassportPractice, Practice};

mod practice;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub String);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

name!(
    /// The identifier of a district in the directory, such as `oslo`.
    DistrictId
);
name!(
    /// The identifier of an office in the directory, such as `gronland`.
    OfficeId
);
name!(
    /// The identifier of a service in the directory, such as `passport`.
    ServiceId
);

/// What kind of case a service is; it decides which sentences a text may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceKind {
    /// Passports: has the critical-journey line.
    Passport,
    /// National identity cards: no critical-journey line.
    IdCard,
    /// Passport and identity card in one appointment: has the critical-journey line.
    PassportAndIdCard,
    /// Residence permits: may have a digital route.
    ResidencePermit,
    /// Travel documents for refugees: may have a digital route.
    TravelDocument,
    /// Norwegian citizenship: never a digital route, never the line for digital applications.
    Citizenship,
}

super::message::words!(ServiceKind {
    Passport => "passport",
    IdCard => "id_card",
    PassportAndIdCard => "passport_and_id_card",
    ResidencePermit => "residence_permit",
    TravelDocument => "travel_document",
    Citizenship => "citizenship",
});

impl ServiceKind {
    /// Whether the case belongs to the immigration section: e-mail first, neutral SMS.
    #[must_use]
    pub fn is_immigration(self) -> bool {
        matches!(
            self,
            Self::ResidencePermit | Self::TravelDocument | Self::Citizenship
        )
    }

    /// Whether a person with a critical journey may call for an appointment.
    #[must_use]
    pub fn has_critical_line(self) -> bool {
        matches!(self, Self::Passport | Self::PassportAndIdCard)
    }

    /// Whether the law allows the case to be submitted online at all.
    #[must_use]
    pub fn may_be_digital(self) -> bool {
        matches!(self, Self::ResidencePermit | Self::TravelDocument)
    }
}

/// What people come for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its identifier.
    pub id: ServiceId,
    /// The kind of case.
    pub kind: ServiceKind,
    /// Its name inside a sentence, per language ("pass", "passport").
    pub name: Texts,
    /// The digital route, where the agency has opened one.
    pub digital: Option<DigitalRoute>,
    /// The agency's own sentence about the right to stay (immigration only).
    pub stay_note: Option<Texts>,
    /// What a passport is applied for as; `None` where one service serves all.
    pub application: Option<Application>,
    /// Told in neutral wording: what people come for is sensitive by itself, so that no message names
    /// service, office, section or reason.
    pub neutral: bool,
    /// What an SMS about it may cost in one language, in parts, before `check` warns.
    pub sms_parts: usize,
}

/// What a passport is applied for as; it decides what people must bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Application {
    /// A new passport, perhaps the first.
    New,
    /// Instead of one that is lost, stolen or full.
    Replacement,
    /// An emergency passport.
    Emergency,
}

/// How an application is submitted online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitalRoute {
    /// The agency's numbered list, one step per line, per language.
    pub steps: Texts,
    /// The information line for applications that fail for technical reasons.
    pub info_phone: String,
    /// The hours of that line.
    pub info_phone_hours: Hours,
    /// How many days a person has to submit, counted from the message.
    pub days: u32,
    /// When the route is open.
    pub validity: Validity,
}

/// A telephone line that answers for a group of services at one office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number as people read it.
    pub phone: String,
    /// When it answers.
    pub hours: Hours,
    /// The section that signs e-mails, per language.
    pub section: Texts,
}

/// A place people come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Office {
    /// Its identifier.
    pub id: OfficeId,
    /// The district it belongs to.
    pub district: DistrictId,
    /// Its short name for SMS, at most 19 characters, per language.
    pub name_sms: Texts,
    /// Its full name, per language.
    pub name_full: Texts,
    /// The street address.
    pub address: String,
    /// Its time zone.
    pub zone: Tz,
    /// The city whose local time the texts name, per language; only for offices abroad.
    pub city: Option<Texts>,
    /// Whether the texts name local time and telephone days (a foreign-service office).
    pub abroad: bool,
    /// The region that telephone numbers without a country code belong to ("NO", "DZ").
    pub region: String,
    /// Other regions whose numbers are plausible here, so that ambiguity is noticed.
    pub plausible_regions: Vec<String>,
    /// The language for people whose own is not known.
    pub language: Language,
    /// The line for passports and identity cards.
    pub passport_line: Option<Line>,
    /// The line of the immigration section.
    pub immigration_line: Option<Line>,
    /// The office's e-mail address, where people may write to it.
    pub email: Option<String>,
    /// How it works: its own hours, holidays, bookings and passports.
    pub practice: Practice,
    /// What an SMS about it may cost in one language, in parts, before `check` warns.
    pub sms_parts: usize,
}

impl Office {
    /// The line that answers for a kind of case here, if the office handles it.
    #[must_use]
    pub fn line(&self, kind: ServiceKind) -> Option<&Line> {
        if kind.is_immigration() {
            self.immigration_line.as_ref()
        } else {
            self.passport_line.as_ref()
        }
    }
}

/// An agency's unit that signs messages: a police district, an embassy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct District {
    /// Its identifier.
    pub id: DistrictId,
    /// The sender people see, per language, at most 11 characters ("Politiet", "Embassy").
    pub agency: Texts,
    /// Its full name, per language ("Oslo politidistrikt").
    pub agency_full: Texts,
    /// The address e-mails come from.
    pub email_from: String,
    /// What people must know before a visit, in versions of which one holds at a time.
    pub visit: Vec<VisitGuidelines>,
    /// Digital routes that differ here from the service's own.
    pub digital: BTreeMap<ServiceId, DigitalRoute>,
}

impl District {
    /// The guidelines that hold on a day of visit.
    #[must_use]
    pub fn visit_on(&self, day: NaiveDate) -> Option<&VisitGuidelines> {
        self.visit.iter().find(|visit| visit.validity.holds(day))
    }
}

/// What people must know before they come: national guidelines, and what the district adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitGuidelines {
    /// The name of the version, as the agency keeps it ("2020-05").
    pub version: String,
    /// The distance to keep from other people, in metres.
    pub distance_metres: u32,
    /// The district's own additions, one per line, per language.
    pub local: Option<Texts>,
    /// The days of visit they hold for; others are not told of them.
    pub validity: Validity,
}

/// The days for which a fact of the directory holds, both included. A fact without an end holds on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first day.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub until: Option<NaiveDate>,
}

impl Validity {
    /// Whether the fact holds on `day`.
    #[must_use]
    pub fn holds(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|from| from <= day) && self.until.is_none_or(|until| day <= until)
    }

    /// Whether there is a day for which both hold.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let begins_by = |one: &Self, end: Option<NaiveDate>| match (one.from, end) {
            (Some(from), Some(end)) => from <= end,
            _ => true,
        };
        begins_by(self, other.until) && begins_by(other, self.until)
    }
}

/// The whole directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// Districts by identifier.
    pub districts: BTreeMap<DistrictId, District>,
    /// Offices by identifier.
    pub offices: BTreeMap<OfficeId, Office>,
    /// Services by identifier.
    pub services: BTreeMap<ServiceId, Service>,
    /// What holds from later days on, in the order of their days; each edition is a whole directory
    /// with the same offices, services and districts, and has none itself.
    pub editions: Vec<Edition>,
}

/// The directory as it is from a day on, until the next edition begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Its first day.
    pub from: NaiveDate,
    /// The whole directory.
    pub directory: Directory,
}

impl Directory {
    /// The directory as it is on a day.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> &Self {
        let mut begun = self.editions.iter().rev().filter(|one| one.from <= day);
        begun.next().map_or(self, |edition| &edition.directory)
    }

    /// The directory as it is before its first edition, and each edition.
    pub fn each(&self) -> impl Iterator<Item = &Self> {
        let later = self.editions.iter().map(|edition| &edition.directory);
        std::iter::once(self).chain(later)
    }

    /// The district of an office, if both are known.
    #[must_use]
    pub fn district_of(&self, office: &OfficeId) -> Option<&District> {
        self.districts.get(&self.offices.get(office)?.district)
    }

    /// The digital route for a service at an office on a day: the district's own, else the
    /// service's, if it is open and the law allows it.
    #[must_use]
    pub fn digital_route(
        &self,
        service: &ServiceId,
        office: &OfficeId,
        day: NaiveDate,
    ) -> Option<&DigitalRoute> {
        let service = self.services.get(service)?;
        let own = self
            .district_of(office)
            .and_then(|district| district.digital.get(&service.id));
        own.or(service.digital.as_ref())
            .filter(|route| service.kind.may_be_digital() && route.validity.holds(day))
    }
}
