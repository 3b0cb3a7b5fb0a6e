//! The agency's own directory: districts, offices, services, and what a message may say of them.
//!
//! It holds no decision and invents nothing: what the agency did not give is `None`, and the text
//! leaves it out.

use std::collections::BTreeMap;
use std::fmt;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::language::{Language, Texts};

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
}

/// How an application is submitted online.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitalRoute {
    /// The agency's numbered list, one step per line, per language.
    pub steps: Texts,
    /// The information line for applications that fail for technical reasons.
    pub info_phone: String,
    /// The hours of that line, per language.
    pub info_phone_hours: Texts,
    /// How many days a person has to submit, counted from the message.
    pub days: u32,
}

/// A telephone line that answers for a group of services at one office.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The number as people read it.
    pub phone: String,
    /// When it answers, per language ("kl. 09.00-15.00 på hverdager").
    pub hours: Texts,
    /// The days it answers, per language, where the week differs ("søndag-torsdag").
    pub days: Option<Texts>,
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
    /// What people must know before a visit.
    pub visit: Option<VisitGuidelines>,
}

/// What people must know before they come: national guidelines, and what the district adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisitGuidelines {
    /// The distance to keep from other people, in metres.
    pub distance_metres: u32,
    /// The district's own additions, one per line, per language.
    pub local: Option<Texts>,
    /// The last day they hold, in the offices' calendar; a visit after it is not told of them.
    pub until: Option<NaiveDate>,
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
}

impl Directory {
    /// The district of an office, if both are known.
    #[must_use]
    pub fn district_of(&self, office: &OfficeId) -> Option<&District> {
        self.districts.get(&self.offices.get(office)?.district)
    }
}
