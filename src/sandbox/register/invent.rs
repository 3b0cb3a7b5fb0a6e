//! Two thousand invented bookings: people, contacts and times that follow from a seed alone.
//!
//! Numbers lie in +47 407 xx xxx and addresses at example.com, .net and .org; as in a real register
//! some are missing, some are nonsense, and each was typed in its own way. Pure: no file, no clock.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta, Weekday};

use crate::domain::calendar;
use crate::domain::directory::{Directory, Office, Service, ServiceKind};

use super::{Booking, Invention};

/// The first number of the invented range, behind +47.
const FIRST_MOBILE: u64 = 40_700_000;
/// A step that walks the whole range of 100,000 numbers without repeating one.
const MOBILE_STEP: u64 = 7_919;
/// The first appointment of a day, in minutes after midnight, and the last one.
const DAY_MINUTES: (u32, u32) = (8 * 60, 14 * 60 + 50);
/// The time between two appointments.
const SLOT_MINUTES: u32 = 10;
/// Public holidays of the story's weeks in Norway: Easter 2021.
const HOLIDAYS: [(i32, u32, u32); 4] = [(2021, 4, 1), (2021, 4, 2), (2021, 4, 4), (2021, 4, 5)];

const FIRST_NAMES: [&str; 40] = [
    "Ingrid", "Ola", "Amina", "Lars", "Sunniva", "Mohamed", "Kari", "Jonas", "Fatima", "Henrik",
    "Ragnhild", "Ali", "Astrid", "Magnus", "Leyla", "Per", "Solveig", "Yusuf", "Tuva", "Espen",
    "Máret", "Anders", "Nadia", "Sigurd", "Hedda", "Omar", "Bjørg", "Tariq", "Eline", "Knut",
    "Zainab", "Arne", "Åse", "Samir", "Marte", "Øyvind", "Hanna", "Farid", "Liv", "Emil",
];
const LAST_NAMES: [&str; 40] = [
    "Solberg",
    "Nordmann",
    "Haugen",
    "Ahmadi",
    "Lund",
    "Berg",
    "Hansen",
    "Warsame",
    "Dahl",
    "Bakken",
    "Khalil",
    "Moen",
    "Strand",
    "Eide",
    "Hussain",
    "Vik",
    "Sæther",
    "Benali",
    "Aas",
    "Lie",
    "Mansouri",
    "Myhre",
    "Tangen",
    "Ødegård",
    "Karimi",
    "Holm",
    "Foss",
    "Noor",
    "Rønning",
    "Brekke",
    "Hagen",
    "Sandvik",
    "Said",
    "Lunde",
    "Nygård",
    "Haddad",
    "Sunde",
    "Viken",
    "Utsi",
    "Fjeld",
];

/// One group of counters: offices and the services people come there for, with their weights.
struct Group<'a> {
    offices: Vec<&'a Office>,
    services: Vec<(&'a Service, u64)>,
    /// Of 100 bookings.
    share: u64,
    /// Of 100 people, how many write Nynorsk and how many English.
    nynorsk: u64,
    english: u64,
}

/// The bookings, in order of their start.
pub(super) fn bookings(directory: &Directory, what: Invention) -> Vec<Booking> {
    let groups = groups(directory);
    let total: u64 = groups.iter().map(|group| group.share).sum();
    let mut draw = Draw(what.seed);
    let mut made = Vec::new();
    for group in &groups {
        let wanted = u64::from(what.bookings) * group.share / total;
        for _ in 0..wanted {
            let number = made.len() as u64;
            made.push(booking(group, what, number, &mut draw));
        }
    }
    made.sort_by(|a, b| (a.start, &a.number).cmp(&(b.start, &b.number)));
    made
}

fn groups(directory: &Directory) -> Vec<Group<'_>> {
    let offices = |fits: &dyn Fn(&Office) -> bool| -> Vec<&Office> {
        directory
            .offices
            .values()
            .filter(|office| fits(office))
            .collect()
    };
    let services = |weight: &dyn Fn(ServiceKind) -> u64| -> Vec<(&Service, u64)> {
        let all = directory.services.values();
        all.map(|service| (service, weight(service.kind)))
            .filter(|(_, weight)| *weight > 0)
            .collect()
    };
    let all = [
        Group {
            offices: offices(&|office| !office.abroad && office.passport_line.is_some()),
            services: services(&|kind| weight(kind) * u64::from(!kind.is_immigration())),
            share: 70,
            nynorsk: 6,
            english: 14,
        },
        Group {
            offices: offices(&|office| !office.abroad && office.immigration_line.is_some()),
            services: services(&|kind| weight(kind) * u64::from(kind.is_immigration())),
            share: 26,
            nynorsk: 2,
            english: 58,
        },
        Group {
            offices: offices(&|office| office.abroad),
            services: services(&|kind| u64::from(kind == ServiceKind::Passport)),
            share: 4,
            nynorsk: 5,
            english: 20,
        },
    ];
    all.into_iter()
        .filter(|group| !group.offices.is_empty() && !group.services.is_empty())
        .collect()
}

/// How many of ten people at a counter come for it.
fn weight(kind: ServiceKind) -> u64 {
    match kind {
        ServiceKind::Passport | ServiceKind::ResidencePermit => 6,
        ServiceKind::IdCard
        | ServiceKind::PassportAndIdCard
        | ServiceKind::TravelDocument
        | ServiceKind::Citizenship => 2,
    }
}

fn booking(group: &Group<'_>, what: Invention, number: u64, draw: &mut Draw) -> Booking {
    let office = group.offices[draw.below(group.offices.len() as u64)];
    let name = format!(
        "{} {}",
        FIRST_NAMES[draw.below(FIRST_NAMES.len() as u64)],
        LAST_NAMES[draw.below(LAST_NAMES.len() as u64)]
    );
    let slots = (DAY_MINUTES.1 - DAY_MINUTES.0) / SLOT_MINUTES + 1;
    let minutes = DAY_MINUTES.0 + SLOT_MINUTES * (draw.below(u64::from(slots)) as u32);
    let time = NaiveTime::MIN + TimeDelta::minutes(i64::from(minutes));
    let day = open_day(office, what, draw);
    Booking {
        number: format!("B-{}", 100_000 + number),
        stands: true,
        start: calendar::instant(day.and_time(time), office.zone),
        office: office.id.clone(),
        service: service(group, draw).id.clone(),
        mobile: mobile(number, office.abroad, draw),
        email: email(&name, number, draw),
        language: language(group, draw),
        name,
    }
}

fn service<'a>(group: &Group<'a>, draw: &mut Draw) -> &'a Service {
    let total = group.services.iter().map(|(_, weight)| weight).sum();
    let mut left = draw.below(total) as u64;
    for (service, weight) in &group.services {
        if left < *weight {
            return service;
        }
        left -= weight;
    }
    group.services[0].0
}

/// A day on which the office receives people. Early days are drawn a little more often, as in a
/// register that is filled from the front.
fn open_day(office: &Office, what: Invention, draw: &mut Draw) -> NaiveDate {
    let days = (what.last_day - what.first_day).num_days().max(0) as u64 + 1;
    let first = draw.below(days).min(draw.below(days + days / 2));
    let from = what.first_day + TimeDelta::days(first as i64);
    let ahead = (0..days as i64).map(|step| from + TimeDelta::days(step));
    let wrapped = ahead.map(|day| {
        if day > what.last_day {
            day - TimeDelta::days(days as i64)
        } else {
            day
        }
    });
    wrapped
        .into_iter()
        .find(|day| is_open(office, *day))
        .unwrap_or(what.first_day)
}

fn is_open(office: &Office, day: NaiveDate) -> bool {
    // The embassy in Algiers works from Sunday to Thursday.
    if office.abroad {
        return !matches!(day.weekday(), Weekday::Fri | Weekday::Sat);
    }
    let holiday = HOLIDAYS.contains(&(day.year(), day.month(), day.day()));
    !holiday && !matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The number as somebody typed it: missing for 3 of 100, nonsense for 1 of 100.
fn mobile(number: u64, abroad: bool, draw: &mut Draw) -> Option<String> {
    let national = (FIRST_MOBILE + number * MOBILE_STEP % 100_000).to_string();
    match draw.below(100) {
        0..3 => None,
        3 => Some("ukjent".to_owned()),
        _ if abroad => Some(format!("+47 {national}")),
        4..40 => Some(format!("+47{national}")),
        40..75 => Some(national),
        75..90 => Some(format!(
            "{} {} {}",
            &national[..3],
            &national[3..5],
            &national[5..]
        )),
        _ => Some(format!("0047{national}")),
    }
}

/// The address as somebody typed it: missing for 7 of 100; one of 100 has moved away from it (the
/// sandbox's mail server refuses addresses that begin with "flyttet.").
fn email(name: &str, number: u64, draw: &mut Draw) -> Option<String> {
    let local: String = name
        .to_lowercase()
        .chars()
        .filter_map(plain_letter)
        .collect();
    let domain = ["example.com", "example.net", "example.org"][draw.below(3)];
    match draw.below(100) {
        0..7 => None,
        7 => Some(format!("flyttet.{local}.{number}@{domain}")),
        8 => Some(format!("{local}@")),
        _ => Some(format!("{local}.{number}@{domain}")),
    }
}

fn plain_letter(letter: char) -> Option<char> {
    Some(match letter {
        ' ' => '.',
        'æ' => 'e',
        'ø' => 'o',
        'å' | 'á' => 'a',
        _ if letter.is_ascii_alphanumeric() => letter,
        _ => return None,
    })
}

/// The register's word for the language; unknown for 5 of 100.
fn language(group: &Group<'_>, draw: &mut Draw) -> Option<String> {
    let at = draw.below(100) as u64;
    let word = if at < group.nynorsk {
        "nynorsk"
    } else if at < group.nynorsk + group.english {
        "engelsk"
    } else if at < 95 {
        "bokmål"
    } else {
        return None;
    };
    Some(word.to_owned())
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed for ever, which no
/// library's standard generator promises.
struct Draw(u64);

impl Draw {
    /// A number below `bound`; the tiny bias of the remainder does not matter here.
    fn below(&mut self, bound: u64) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1)) as usize
    }
}
