//! Planning: for any change, person, rule and hour, what is planned keeps the promises.

mod house;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use proptest::prelude::*;
use varsel::domain::appointment::{Appointment, BookingKey, BookingState, SourceName, Standing};
use varsel::domain::calendar::{instant, local_day};
use varsel::domain::change::{Change, ChangeKind, change};
use varsel::domain::contact::Contact;
use varsel::domain::directory::{Directory, Edition, Office, ServiceKind};
use varsel::domain::language::Language;
use varsel::domain::message::Channel;
use varsel::domain::notice::{OnUnknown, Purpose};
use varsel::domain::plan::{Circumstances, NoPlan, PlannedNotice, Rules, plan};
use varsel::domain::recipient::{Recipient, Role};

use varsel::domain::closing::{Affected, Announced, Closing, ClosingId, admissions};

use house::{SERVICES, SHORT_NOTICE_HOURS, closing, directory, rules};

use super::made::{booking, contacts, instants, notice, now, one_of, states, utc};

/// One person of one changed appointment, at one moment.
#[derive(Clone, Debug)]
struct Scene {
    now: DateTime<Utc>,
    service: &'static str,
    change: Change,
    contact: Contact,
    language: Option<Language>,
    second: Option<Language>,
}

impl Scene {
    fn plan(&self) -> Result<Vec<PlannedNotice>, NoPlan> {
        self.plan_in(&directory())
    }

    fn plan_in(&self, directory: &Directory) -> Result<Vec<PlannedNotice>, NoPlan> {
        let recipient = Recipient {
            role: Role::Applicant,
            contact: self.contact.clone(),
            language: self.language,
        };
        let appointment = Appointment {
            source: SourceName("s".to_owned()),
            key: BookingKey("1".to_owned()),
            state: self.change.new.clone(),
            service: self.service.into(),
            recipients: vec![recipient.clone()],
            about: varsel::domain::about::About::default(),
        };
        let rules = Rules {
            second_language: self.second,
            ..rules()
        };
        let around = Circumstances {
            now: self.now,
            directory,
            closings: &[closing()],
            rules: &rules,
        };
        plan(&appointment, &recipient, &self.change, &[], &around)
    }

    fn kind(&self) -> ServiceKind {
        let service = SERVICES.iter().find(|(id, _)| *id == self.service);
        service.expect("the scene draws from the list").1
    }

    /// The two services that the law lets people apply for online, named once more on purpose.
    fn has_digital_route(&self) -> bool {
        ["residence", "travel"].contains(&self.service)
    }

    fn is_short(&self) -> bool {
        let hours = i64::try_from(SHORT_NOTICE_HOURS).unwrap();
        self.change.old.start - self.now < TimeDelta::hours(hours)
    }

    fn not_after(&self) -> DateTime<Utc> {
        match self.change.kind {
            ChangeKind::Cancelled => self.change.old.start,
            ChangeKind::Moved { .. } | ChangeKind::Reinstated => self.change.new.start,
        }
    }
}

fn languages() -> impl Strategy<Value = Option<Language>> {
    prop::option::of(one_of(&Language::ALL))
}

fn scenes() -> impl Strategy<Value = Scene> {
    let changes =
        (states(), states()).prop_filter_map("nothing changed", |(old, new)| change(&new, &[old]));
    // Most moments lie near the appointments, where the rules differ.
    let moments = prop_oneof![
        1 => instants(),
        3 => (-200i64..60).prop_map(|hours| utc("2021-03-24T08:00:00Z") + TimeDelta::hours(hours)),
    ];
    let services = one_of(&SERVICES.map(|(id, _)| id));
    (
        moments,
        services,
        changes,
        contacts(),
        languages(),
        languages(),
    )
        .prop_map(|(now, service, change, contact, language, second)| Scene {
            now,
            service,
            change,
            contact,
            language,
            second,
        })
}

/// Scenes for which there is something to plan, and what is planned.
fn planned() -> impl Strategy<Value = (Scene, Vec<PlannedNotice>)> {
    scenes().prop_filter_map("too late to tell anybody", |scene| {
        scene.plan().ok().map(|notices| (scene, notices))
    })
}

fn office_of(state: &BookingState) -> Office {
    directory().offices[&state.office].clone()
}

proptest! {
    #[test]
    fn nobody_is_told_of_the_past_and_everybody_of_the_future(scene in scenes()) {
        match scene.plan() {
            Ok(notices) => {
                prop_assert!(!notices.is_empty());
                prop_assert!(scene.not_after() > scene.now);
                prop_assert!(notices.iter().all(|notice| notice.not_after > scene.now));
            }
            Err(why) => {
                prop_assert_eq!(why, NoPlan::Past);
                prop_assert!(scene.not_after() <= scene.now);
            }
        }
    }

    #[test]
    fn the_first_notice_tells_the_change_and_the_second_can_only_invite((scene, notices) in planned()) {
        let purpose = match scene.change.kind {
            ChangeKind::Cancelled => Purpose::Cancellation,
            ChangeKind::Moved { .. } => Purpose::Change,
            ChangeKind::Reinstated => Purpose::Reinstatement,
        };
        prop_assert_eq!(notices[0].telling.purpose, purpose);
        prop_assert_eq!(&notices[0].telling.change, &scene.change);
        prop_assert_eq!(notices[0].telling.short_notice, scene.is_short());
        prop_assert!(notices.len() <= 2);
        let invites = notices.iter().any(|n| n.telling.purpose == Purpose::DigitalInvitation);
        let expected = scene.change.kind == ChangeKind::Cancelled
            && scene.is_short()
            && scene.has_digital_route();
        prop_assert_eq!(invites, expected);
        prop_assert_eq!(notices.len() == 2, expected);
    }

    #[test]
    fn citizenship_is_never_shown_the_digital_route((scene, notices) in planned()) {
        for notice in &notices {
            let shown = notice.telling.digital_until;
            prop_assert!(shown.is_none() || scene.has_digital_route());
            // A cancellation at short notice leaves the instructions to the invitation.
            let short = notice.telling.purpose == Purpose::Cancellation && scene.is_short();
            prop_assert!(!(short && shown.is_some()));
            if notice.telling.purpose == Purpose::DigitalInvitation {
                prop_assert!(shown.is_some());
            }
        }
    }

    #[test]
    fn deadlines_come_from_the_starts((scene, notices) in planned()) {
        let first = &notices[0];
        prop_assert_eq!(first.not_after, scene.not_after());
        let due_by = match scene.change.kind {
            ChangeKind::Cancelled => scene.change.old.start,
            _ => scene.change.old.start.min(scene.change.new.start),
        };
        prop_assert_eq!(first.due_by, due_by);
        prop_assert!(notices.iter().all(|notice| notice.due_by <= notice.not_after));
    }

    #[test]
    fn the_persons_language_comes_first_and_none_comes_twice((scene, notices) in planned()) {
        let office = office_of(&scene.change.new);
        for notice in &notices {
            let pair = notice.telling.languages;
            prop_assert_eq!(pair.first, scene.language.unwrap_or(office.language));
            prop_assert_ne!(pair.second, Some(pair.first));
            prop_assert!(scene.second.is_some() || pair.second.is_none());
            // Two languages are promised; one alone is left only where office and person agree on
            // the second language anyway.
            if scene.second.is_some() && pair.second.is_none() {
                prop_assert_eq!(pair.first, Language::En);
                prop_assert_eq!(office.language, Language::En);
            }
        }
    }

    #[test]
    fn a_closing_explains_what_it_covers_and_nothing_else((scene, notices) in planned()) {
        let old = &scene.change.old;
        let day = local_day(old.start, office_of(old).zone);
        let covers = closing().covers(&old.office, scene.kind(), day);
        for notice in &notices {
            prop_assert_eq!(notice.telling.closing.is_some(), covers);
        }
    }

    #[test]
    fn a_message_leaves_in_time_on_a_rung_that_reaches_the_person((scene, notices) in planned()) {
        for notice in &notices {
            prop_assert!(!notice.messages.is_empty(), "nobody is dropped");
            for message in &notice.messages {
                prop_assert_eq!(notice.ladder.channels()[usize::from(message.rung)], message.channel);
                prop_assert_eq!(&message.address, &scene.contact.address(message.channel));
                let by_phone = message.channel == Channel::Phone;
                prop_assert!(by_phone || scene.contact.has(message.channel));
                prop_assert_eq!(message.reason.is_some(), by_phone);
                // Waiting never passes the deadline; what is late already leaves at once.
                prop_assert!(message.not_before >= scene.now);
                prop_assert!(message.not_before == scene.now || message.not_before < notice.due_by);
                prop_assert!(message.give_up_at >= message.not_before);
                prop_assert!(message.give_up_at <= notice.due_by.max(message.not_before));
            }
        }
    }

    #[test]
    fn a_rung_leaves_the_callers_an_hour_of_their_hours_or_all_that_is_left((scene, notices) in planned()) {
        let office = office_of(&scene.change.new);
        let least = TimeDelta::from_std(rules().rung_time.least).unwrap();
        for notice in &notices {
            for message in notice.messages.iter().filter(|m| m.channel != Channel::Phone) {
                let left_from = |at| staffed(&office, scene.kind(), at, notice.due_by).min(TimeDelta::hours(1));
                // The last try may need `least` for its report; the first is made in any case.
                prop_assert!(left_from(message.give_up_at + least) >= left_from(scene.now + least));
            }
        }
    }

    #[test]
    fn whoever_has_no_address_stands_on_the_call_list_at_once((scene, notices) in planned()) {
        if scene.contact.phone.is_err() && scene.contact.email.is_err() {
            for notice in &notices {
                prop_assert_eq!(notice.messages.len(), 1);
                prop_assert_eq!(notice.messages[0].channel, Channel::Phone);
                prop_assert_eq!(notice.messages[0].not_before, scene.now);
            }
        }
    }
}

/// How long somebody answers at an office between two instants.
fn staffed(
    office: &Office,
    kind: ServiceKind,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> TimeDelta {
    let line = office.line(kind).map(|line| &line.hours);
    let hours = line.or(office.practice.opening.as_ref()).unwrap();
    let day_before = local_day(from, office.zone).pred_opt().unwrap();
    let days = day_before
        .iter_days()
        .take_while(|day| *day <= local_day(to, office.zone));
    let open = days
        .filter(|day| hours.week.contains(&day.weekday()) && !office.practice.holidays.hold(*day));
    let stretches = open.map(|day| {
        let at = |time| instant(day.and_time(time), office.zone);
        (at(hours.to).min(to) - at(hours.from).max(from)).max(TimeDelta::zero())
    });
    stretches.sum()
}

fn scene(service: &'static str, now: DateTime<Utc>) -> Scene {
    Scene {
        now,
        service,
        change: notice(vec![]).change,
        contact: Contact::read(
            Some("+47 40 00 00 00"),
            Some("k@example.com"),
            varsel::domain::contact::Regions {
                default: "NO",
                plausible: &[],
            },
        ),
        language: None,
        second: Some(Language::En),
    }
}

#[test]
fn short_notice_begins_below_its_limit_and_opens_both_channels() {
    // The appointment is on 24 March, 08:20 UTC.
    let at = |when: &str| scene("residence", utc(when)).plan().unwrap();
    let early = at("2021-03-22T08:20:00Z");
    assert!(!early[0].telling.short_notice);
    assert_eq!(early[0].messages.len(), 1);
    let short = at("2021-03-22T08:20:01Z");
    assert!(short[0].telling.short_notice);
    let channels: Vec<_> = short[0].messages.iter().map(|m| m.channel).collect();
    assert_eq!(channels, [Channel::Email, Channel::Sms]);
    assert_eq!(short[1].telling.purpose, Purpose::DigitalInvitation);
    assert_eq!(short[1].on_unknown, OnUnknown::Hold);
    // Both texts say the same last day to submit: thirty days from today.
    let day = "2021-04-21".parse().unwrap();
    assert_eq!(short[1].telling.digital_until, Some(day));
}

#[test]
fn a_sensitive_service_is_told_in_neutral_words() {
    let of = |service| {
        scene(service, now()).plan().unwrap()[0]
            .telling
            .particulars
            .neutral
    };
    assert!(of("counsel"));
    assert!(!of("passport"));
}

#[test]
fn what_the_directory_or_the_rules_do_not_know_is_said() {
    let mut lost = scene("passport", now());
    lost.change.new.office = "nowhere".into();
    assert_eq!(lost.plan(), Err(NoPlan::UnknownOffice("nowhere".into())));
    let unknown = scene("wedding", now());
    assert_eq!(
        unknown.plan(),
        Err(NoPlan::UnknownService("wedding".into()))
    );
    let said = unknown.plan().unwrap_err().to_string();
    assert_eq!(said, "service \"wedding\" is not in the directory");
}

#[test]
fn a_message_at_night_waits_for_the_morning_unless_there_is_no_time() {
    let night = scene("passport", utc("2021-03-20T23:00:00Z"));
    let waits = night.plan().unwrap();
    assert_eq!(waits[0].messages[0].not_before, utc("2021-03-21T07:00:00Z"));
    // The night before the appointment at 08:20 UTC: the morning would leave less than two hours.
    let last = scene("passport", utc("2021-03-23T23:00:00Z"));
    let leaves = last.plan().unwrap();
    assert_eq!(leaves[0].messages[0].not_before, last.now);
    assert_eq!(
        leaves[0].due_by,
        booking(Standing::Active, "2021-03-24T08:20:00Z", "x").start
    );
}

#[test]
fn the_call_list_is_reached_while_somebody_still_answers() {
    let sms = |when: &str| scene("passport", utc(when)).plan().unwrap()[0].messages[0].clone();
    // Wednesday 09:20 in Oslo; Monday and Tuesday are holidays. The line answers for twenty minutes
    // on Wednesday, so Friday 14:20 is the last chance, and the report needs its ten minutes.
    let noon = sms("2021-03-19T11:00:00Z");
    assert_eq!(noon.give_up_at, utc("2021-03-19T13:10:00Z"));
    // Less than an hour is left of Friday: everybody who is there is needed at once.
    let late = sms("2021-03-19T13:45:00Z");
    assert_eq!(late.give_up_at, late.not_before);
    // Nobody answers before Wednesday any more, so there is time.
    let evening = sms("2021-03-19T15:00:00Z");
    assert_eq!(evening.give_up_at, utc("2021-03-20T15:00:00Z"));
}

#[test]
fn the_call_list_is_reached_by_the_hours_of_the_last_day() {
    let noon = scene("passport", utc("2021-03-19T11:00:00Z"));
    // From that day on the line answers from 07:00, so that Wednesday itself has an hour for callers.
    let give_up_at = |from: &str| {
        let mut later = directory();
        for office in later.offices.values_mut() {
            let line = office.passport_line.as_mut().unwrap();
            line.hours.from = chrono::NaiveTime::from_hms_opt(7, 0, 0).unwrap();
        }
        let mut directory = directory();
        directory.editions = vec![Edition {
            from: from.parse().unwrap(),
            directory: later,
        }];
        noon.plan_in(&directory).unwrap()[0].messages[0].give_up_at
    };
    assert_eq!(give_up_at("2021-03-25"), utc("2021-03-19T13:10:00Z"));
    assert_eq!(give_up_at("2021-03-24"), utc("2021-03-20T11:00:00Z"));
}

/// A closing with room for so many passports at the office, and one case at it.
fn announced(id: i64, max: u32) -> Announced {
    let closing = Closing { max, ..closing() };
    Announced {
        id: ClosingId(id),
        closing,
        admitted: 0,
        actor: "Kari Nordmann".to_owned(),
    }
}

fn affected(kind: ServiceKind) -> Option<Affected> {
    Some(Affected {
        office: "gronland".into(),
        kind,
        day: "2021-03-20".parse().unwrap(),
    })
}

/// Two announcements of the same days: whoever the first has no room for may pass on account of the
/// other, and never at the expense of what only that one covers.
#[test]
fn a_closing_without_room_hides_no_other() {
    let passports = vec![affected(ServiceKind::Passport); 3];
    let one = Some(ClosingId(1));
    let two = Some(ClosingId(2));
    assert_eq!(admissions(&passports, &[announced(1, 3)]), [one; 3]);
    assert_eq!(admissions(&passports, &[announced(1, 2)]), [None; 3]);
    assert_eq!(
        admissions(&passports, &[announced(1, 2), announced(2, 3)]),
        [two; 3]
    );

    let mut others = announced(2, 4);
    others.closing.kinds.push(ServiceKind::ResidencePermit);
    let mut both = passports;
    both.extend(vec![affected(ServiceKind::ResidencePermit); 2]);
    let found = admissions(&both, &[announced(1, 2), others]);
    assert_eq!(found, [None, None, None, two, two]);
}
