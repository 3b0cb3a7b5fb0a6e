//! The longest that every placeholder may be, so that a text is measured before anybody is sent it.
//!
//! A text that fits at these limits fits for every directory that keeps them; what a longer name of
//! a real office or service adds is told as a warning.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::Tz;

use super::facts::{Fact, Facts};
use crate::domain::calendar;
use crate::domain::directory::{
    Booking, BookingWay, DigitalRoute, Directory, District, DistrictId, Fee, Line, Office,
    OfficeId, PassportPractice, Practice, Service, ServiceId, ServiceKind, Validity,
    VisitGuidelines,
};
use crate::domain::hours::Hours;
use crate::domain::language::{Language, Texts};
use crate::domain::segments::segments;

const DATES: [&str; 6] = ["date", "old_date", "new_date", "from", "to", "until"];
const DAY_TIMES: [&str; 4] = ["day_time", "old_day_time", "new_day_time", "sent_day_time"];
const WEEKDAY_TIMES: [&str; 4] = [
    "weekday_time",
    "old_weekday_time",
    "new_weekday_time",
    "phone_opens",
];

/// Looked for once: years of days are written to find it.
static LONGEST: LazyLock<Longest> = LazyLock::new(Longest::find);

/// The longest way each language writes a moment.
pub(super) struct Longest(BTreeMap<Language, [String; 3]>);

impl Longest {
    /// The longest of every language.
    pub(super) fn known() -> &'static Self {
        &LONGEST
    }

    /// Looks at every day of four years, which holds each date on most weekdays.
    fn find() -> Self {
        let first = NaiveDate::from_ymd_opt(2021, 1, 1).unwrap_or_default();
        let days: Vec<NaiveDate> = first.iter_days().take(4 * 365 + 1).collect();
        let of = |language| (language, longest_of(language, &days));
        Self(Language::ALL.map(of).into())
    }

    /// The facts with every moment at its longest; what is missing stays missing.
    pub(super) fn stretch(&self, language: Language, mut facts: Facts) -> Facts {
        let Some([date, day_time, weekday_time]) = self.0.get(&language) else {
            return facts;
        };
        let groups = [
            (DATES.as_slice(), date),
            (DAY_TIMES.as_slice(), day_time),
            (WEEKDAY_TIMES.as_slice(), weekday_time),
        ];
        for (names, longest) in groups {
            for name in names {
                if let Some(Fact::Text(text)) = facts.get_mut(name) {
                    text.clone_from(longest);
                }
            }
        }
        facts
    }
}

fn longest_of(language: Language, days: &[NaiveDate]) -> [String; 3] {
    let morning = |day: &NaiveDate| -> DateTime<Utc> {
        day.and_hms_opt(10, 0, 0).unwrap_or_default().and_utc()
    };
    let longest = |texts: Vec<String>| {
        let longest = texts.into_iter().max_by_key(|text| segments(text).units);
        longest.unwrap_or_default()
    };
    [
        longest(
            days.iter()
                .map(|day| calendar::date(language, *day))
                .collect(),
        ),
        longest(
            days.iter()
                .map(|day| calendar::day_time(language, morning(day), Tz::UTC))
                .collect(),
        ),
        longest(
            days.iter()
                .map(|day| calendar::weekday_time(language, morning(day), Tz::UTC))
                .collect(),
        ),
    ]
}

/// A directory with every name, number and address at its limit: an office at home and one abroad.
#[must_use]
pub fn directory() -> Directory {
    let districts = [
        district("home", "Politiet", "Politiet"),
        district("abroad", "Ambassaden", "Embassy"),
    ];
    let services = [
        service("passport", ServiceKind::Passport, "pass", "passport"),
        service("id_card", ServiceKind::IdCard, "ID-kort", "ID card"),
        service(
            "residence_permit",
            ServiceKind::ResidencePermit,
            "oppholdstillatelse",
            "residence permit",
        ),
        service(
            "citizenship",
            ServiceKind::Citizenship,
            "norsk statsborgerskap",
            "Norwegian citizenship",
        ),
    ];
    let offices = [
        office("home", "Grønland passkontor", "Grønland passkontor"),
        office("abroad", "Ambassaden i Bagdad", "Embassy in Canberra"),
    ];
    Directory {
        districts: districts
            .map(|district| (district.id.clone(), district))
            .into(),
        services: services.map(|service| (service.id.clone(), service)).into(),
        offices: offices.map(|office| (office.id.clone(), office)).into(),
        editions: Vec::new(),
    }
}

fn texts(norwegian: &str, english: &str) -> Texts {
    Texts::from([
        (Language::Nb, norwegian),
        (Language::Nn, norwegian),
        (Language::En, english),
        (Language::Se, norwegian),
    ])
}

fn district(id: &str, norwegian: &str, english: &str) -> District {
    District {
        id: DistrictId::from(id),
        agency: texts(norwegian, english),
        agency_full: texts("Oslo politidistrikt", "Oslo Police District"),
        email_from: "ikke-svar@varsel.example".to_owned(),
        visit: vec![VisitGuidelines {
            version: "1".to_owned(),
            distance_metres: 2,
            local: Some(texts("Ta på munnbind.", "Wear a face mask.")),
            validity: Validity::default(),
        }],
        digital: BTreeMap::new(),
    }
}

fn service(id: &str, kind: ServiceKind, norwegian: &str, english: &str) -> Service {
    let route = DigitalRoute {
        steps: texts("Logg inn.\nSend inn.", "Log in.\nSubmit."),
        info_phone: "00 00 00 00".to_owned(),
        info_phone_hours: Hours::workdays(half_past(8, 30), half_past(16, 0)),
        days: 14,
        validity: Validity::default(),
    };
    let stay = texts("Setningen fra etaten.", "The agency's own sentence.");
    Service {
        id: ServiceId::from(id),
        kind,
        name: texts(norwegian, english),
        digital: Some(route).filter(|_| kind.may_be_digital()),
        stay_note: Some(stay).filter(|_| kind.is_immigration()),
        application: None,
        neutral: false,
        sms_parts: 1,
    }
}

fn office(id: &str, norwegian: &str, english: &str) -> Office {
    let abroad = id == "abroad";
    let mut hours = Hours::workdays(half_past(8, 30), half_past(16, 0));
    if abroad {
        hours.week = vec![
            Weekday::Sun,
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
        ];
    }
    let line = Line {
        phone: if abroad {
            "+47 23 95 55 00"
        } else {
            "00 00 00 00"
        }
        .to_owned(),
        hours,
        section: texts("Seksjonen", "The section"),
    };
    Office {
        id: OfficeId::from(id),
        district: DistrictId::from(id),
        name_sms: texts(norwegian, english),
        name_full: texts(norwegian, english),
        address: "Eksempelallmenningen 1".to_owned(),
        zone: Tz::Europe__Oslo,
        city: Some(texts("Bagdad", "Canberra")).filter(|_| abroad),
        abroad,
        region: "NO".to_owned(),
        plausible_regions: Vec::new(),
        language: Language::Nb,
        passport_line: Some(line.clone()),
        immigration_line: Some(line).filter(|_| !abroad),
        email: Some("kontakt@varsel.example".to_owned()).filter(|_| abroad),
        sms_parts: 1,
        practice: Practice {
            booking: Some(Booking {
                way: BookingWay::Online,
                how: Some(texts("på nettsidene våre.", "on our website.")),
            }),
            passports: vec![passports()],
            ..Practice::default()
        },
    }
}

fn passports() -> PassportPractice {
    let fee = |amount| {
        Some(Fee {
            amount,
            currency: "DZD".to_owned(),
        })
    };
    PassportPractice {
        validity: Validity::default(),
        fee_from_16: fee(7500),
        fee_under_16: fee(4500),
        cash: true,
        number_required: true,
        production_time: Some(texts("2-3 uker", "2-3 weeks")),
        emergency: true,
    }
}

fn half_past(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap_or_default()
}
