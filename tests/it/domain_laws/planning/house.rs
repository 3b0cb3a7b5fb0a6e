//! An agency to plan for: two offices, every kind of service, rules like the defaults, a closing.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{NaiveTime, Weekday};
use varsel::domain::calendar::SendWindow;
use varsel::domain::closing::{Closing, ClosingKind, NextStep};
use varsel::domain::directory::{
    DigitalRoute, Directory, Line, Office, Practice, Service, ServiceId, ServiceKind, Validity,
};
use varsel::domain::hours::{Holidays, Hours};
use varsel::domain::ladder::Ladder;
use varsel::domain::language::{Language, Texts};
use varsel::domain::message::Channel;
use varsel::domain::notice::{OnUnknown, Purpose};
use varsel::domain::plan::{Rule, Rules, RungTime, When, Windows};
pub(super) const SERVICES: [(&str, ServiceKind); 7] = [
    ("passport", ServiceKind::Passport),
    ("id_card", ServiceKind::IdCard),
    ("both", ServiceKind::PassportAndIdCard),
    ("residence", ServiceKind::ResidencePermit),
    ("travel", ServiceKind::TravelDocument),
    ("citizenship", ServiceKind::Citizenship),
    ("counsel", ServiceKind::Passport),
];

const IMMIGRATION: [&str; 3] = ["residence", "travel", "citizenship"];

pub(super) const SHORT_NOTICE_HOURS: u64 = 48;

/// Every service has a digital route here, the forbidden ones too: the law must hold even if the
/// agency writes one down by mistake.
pub(super) fn directory() -> Directory {
    let route = DigitalRoute {
        steps: Texts::default(),
        info_phone: String::new(),
        info_phone_hours: Hours::workdays(NaiveTime::MIN, NaiveTime::MIN),
        days: 30,
        validity: Validity::default(),
    };
    let service = |(id, kind): (&str, ServiceKind)| {
        let service = Service {
            id: id.into(),
            kind,
            name: Texts::default(),
            digital: Some(route.clone()),
            stay_note: None,
            application: None,
            neutral: id == "counsel",
            sms_parts: 1,
        };
        (service.id.clone(), service)
    };
    let office = |(id, zone, language): (&str, &str, Language)| {
        let office = Office {
            id: id.into(),
            district: "oslo".into(),
            name_sms: Texts::default(),
            name_full: Texts::default(),
            address: String::new(),
            zone: zone.parse().unwrap(),
            city: None,
            abroad: false,
            region: "NO".to_owned(),
            plausible_regions: Vec::new(),
            language,
            passport_line: Some(line()),
            immigration_line: None,
            email: None,
            sms_parts: 1,
            practice: Practice {
                opening: Some(opening()),
                holidays: Holidays {
                    norwegian: true,
                    local: ["2021-03-22", "2021-03-23"]
                        .map(|day| day.parse().unwrap())
                        .into(),
                },
                ..Practice::default()
            },
        };
        (office.id.clone(), office)
    };
    Directory {
        districts: BTreeMap::new(),
        offices: [
            ("gronland", "Europe/Oslo", Language::Nb),
            ("majorstuen", "Africa/Algiers", Language::En),
        ]
        .map(office)
        .into(),
        services: SERVICES.map(service).into(),
        editions: Vec::new(),
    }
}

fn clock(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).unwrap()
}

/// Whoever has a passport appointment is phoned in its hours.
fn line() -> Line {
    Line {
        phone: String::new(),
        hours: Hours::workdays(clock(9, 0), clock(15, 0)),
        section: Texts::default(),
    }
}

/// The immigration section has no line here; somebody is there while it is open, which is short.
fn opening() -> Hours {
    Hours {
        from: clock(8, 15),
        to: clock(8, 55),
        week: vec![Weekday::Sun, Weekday::Tue, Weekday::Wed, Weekday::Thu],
    }
}

fn rule(services: &[&str], when: When, short: Option<bool>, purpose: Purpose) -> Rule {
    let immigration = !services.is_empty();
    Rule {
        services: services.iter().map(|id| ServiceId::from(*id)).collect(),
        when,
        short_notice: short,
        purpose,
        ladder: match immigration {
            true => Ladder::new(&[Channel::Email, Channel::Sms]),
            false => Ladder::new(&[Channel::Sms, Channel::Email]),
        },
        together: if short == Some(true) { 2 } else { 1 },
        on_unknown: match purpose {
            Purpose::DigitalInvitation | Purpose::Rebooking => OnUnknown::Hold,
            Purpose::Cancellation
            | Purpose::Change
            | Purpose::Reinstatement
            | Purpose::Correction => OnUnknown::Retry,
        },
    }
}

pub(super) fn rules() -> Rules {
    let day = SendWindow::Daily {
        from: clock(8, 0),
        to: clock(21, 0),
    };
    Rules {
        rules: vec![
            rule(
                &IMMIGRATION,
                When::Cancelled,
                Some(true),
                Purpose::Cancellation,
            ),
            rule(
                &IMMIGRATION,
                When::Cancelled,
                Some(false),
                Purpose::Cancellation,
            ),
            rule(
                &IMMIGRATION,
                When::Digital,
                None,
                Purpose::DigitalInvitation,
            ),
            rule(&IMMIGRATION, When::Moved, None, Purpose::Change),
            rule(&IMMIGRATION, When::Reinstated, None, Purpose::Reinstatement),
            rule(&[], When::Cancelled, None, Purpose::Cancellation),
            rule(&[], When::Digital, None, Purpose::DigitalInvitation),
            rule(&[], When::Moved, None, Purpose::Change),
            rule(&[], When::Reinstated, None, Purpose::Reinstatement),
        ],
        short_notice: Duration::from_secs(SHORT_NOTICE_HOURS * 3600),
        windows: Windows {
            sms: day,
            email: SendWindow::Always,
            phone: day,
        },
        quiet_reserve: Duration::from_secs(2 * 3600),
        rung_time: RungTime {
            share: 0.25,
            least: Duration::from_secs(600),
            most: Duration::from_secs(86_400),
        },
        second_language: Some(Language::En),
        invitation_within: Duration::from_secs(72 * 3600),
    }
}

pub(super) fn closing() -> Closing {
    Closing {
        offices: vec!["gronland".into()],
        kinds: vec![ServiceKind::Passport, ServiceKind::Citizenship],
        from: "2021-03-17".parse().unwrap(),
        to: "2021-03-24".parse().unwrap(),
        kind: ClosingKind::Reduced,
        next: NextStep::WeInvite,
        reason: Texts::default(),
        max: 0,
    }
}
