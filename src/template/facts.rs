//! What a text may say: every variable, in one language, from the telling and the directory.
//!
//! A variable always has a name here. One that has no value counts as false in a condition, and
//! printing it is an error that says what is missing and where; nothing is ever invented.

use std::fmt;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

pub(super) use self::value::{Fact, Facts, Missing};
use self::value::{bulleted, clean, given_or, lines, numbered};
use super::RenderError;
use crate::domain::appointment::BookingState;
use crate::domain::calendar;
use crate::domain::change::ChangeKind;
use crate::domain::closing::{ClosingKind, NextStep};
use crate::domain::directory::{Directory, District, Line, Office, Service, ServiceKind};
use crate::domain::language::{Language, Texts};
use crate::domain::notice::Purpose;
use crate::domain::plan::Telling;
use crate::domain::reference::Reference;

mod particular;
mod value;

/// A line that is closed for longer than this is told with its next opening.
const CLOSED_FOR_LONG: TimeDelta = TimeDelta::hours(24);

/// The facts of one telling in `language`; `all` are the languages of the whole message.
pub(super) fn facts(
    telling: &Telling,
    directory: &Directory,
    reference: Reference,
    language: Language,
    all: &[Language],
) -> Result<Facts, RenderError> {
    let case = Case::new(telling, directory, language, all)?;
    let mut facts = Facts::none();
    facts.put("ref", Fact::Text(reference.to_string()));
    case.times(&mut facts);
    case.places(&mut facts);
    case.conditions(&mut facts);
    case.closing(&mut facts);
    case.digital(&mut facts);
    case.sender(&mut facts);
    case.visit(&mut facts);
    case.particulars(&mut facts);
    case.passports(&mut facts);
    Ok(facts)
}

/// One telling with everything looked up.
///
/// Where people go is told as it is on the day they go there, or today where that day has passed;
/// whom they call or write to, and how they book, as it is today.
struct Case<'a> {
    telling: &'a Telling,
    /// Today's edition.
    directory: &'a Directory,
    service: &'a Service,
    old: &'a Office,
    new: &'a Office,
    district: &'a District,
    language: Language,
    all: &'a [Language],
}

impl<'a> Case<'a> {
    fn new(
        telling: &'a Telling,
        directory: &'a Directory,
        language: Language,
        all: &'a [Language],
    ) -> Result<Self, RenderError> {
        let lacks = |what: &str, id: &dyn fmt::Display| {
            RenderError(format!("the directory has no {what} \"{id}\""))
        };
        let now = telling.decided_at;
        let office = |state: &BookingState| {
            let id = &state.office;
            let found = directory.offices.get(id);
            let zone = found.ok_or_else(|| lacks("office", id))?.zone;
            let day = calendar::local_day(state.start.max(now), zone);
            let then = directory.on(day).offices.get(id);
            then.ok_or_else(|| lacks("office", id))
        };
        let old = office(&telling.change.old)?;
        let new = office(&telling.change.new)?;
        let directory = directory.on(calendar::local_day(now, old.zone));
        let service = directory.services.get(&telling.service);
        let district = directory.districts.get(&old.district);
        let mut case = Self {
            telling,
            directory,
            service: service.ok_or_else(|| lacks("service", &telling.service))?,
            old,
            new,
            district: district.ok_or_else(|| lacks("district", &old.district))?,
            language,
            all,
        };
        let here = &case.here().district;
        let district = directory.districts.get(here);
        case.district = district.ok_or_else(|| lacks("district", here))?;
        Ok(case)
    }

    /// Whether the text speaks of the appointment that was, and not of the one that is.
    fn speaks_of_old(&self) -> bool {
        self.telling.purpose.speaks_of_old()
    }

    /// The office the text speaks of.
    fn here(&self) -> &'a Office {
        if self.speaks_of_old() {
            self.old
        } else {
            self.new
        }
    }

    /// The same office as it works today.
    fn here_today(&self) -> &'a Office {
        let here = self.here();
        self.directory.offices.get(&here.id).unwrap_or(here)
    }

    fn appointment(&self) -> &'a BookingState {
        let change = &self.telling.change;
        if self.speaks_of_old() {
            &change.old
        } else {
            &change.new
        }
    }

    fn times(&self, facts: &mut Facts) {
        let change = &self.telling.change;
        let day_time = |at, office: &Office| calendar::day_time(self.language, at, office.zone);
        let weekday = |at, office: &Office| calendar::weekday_time(self.language, at, office.zone);
        let date = |at, office: &Office| {
            calendar::date(self.language, calendar::local_day(at, office.zone))
        };
        let start = self.appointment().start;
        facts.text("date", &date(start, self.here()));
        facts.text("day_time", &day_time(start, self.here()));
        facts.text("weekday_time", &weekday(start, self.here()));
        facts.text("old_date", &date(change.old.start, self.old));
        facts.text("old_day_time", &day_time(change.old.start, self.old));
        facts.text("old_weekday_time", &weekday(change.old.start, self.old));
        facts.text("new_date", &date(change.new.start, self.new));
        facts.text("new_day_time", &day_time(change.new.start, self.new));
        facts.text("new_weekday_time", &weekday(change.new.start, self.new));
        let sent = self.telling.cancellation_sent_at;
        let sent = sent.map(|at: DateTime<Utc>| day_time(at, self.here()));
        let why = "it is not known when the cancellation was sent";
        facts.put("sent_day_time", given_or(sent, why));
    }

    fn places(&self, facts: &mut Facts) {
        let here = self.here();
        facts.put("office", self.of_office(here, "name_sms", &here.name_sms));
        facts.put(
            "office_full",
            self.of_office(here, "name_full", &here.name_full),
        );
        facts.text("address", &here.address);
        facts.put(
            "new_office",
            self.of_office(self.new, "name_sms", &self.new.name_sms),
        );
        let new_full = self.of_office(self.new, "name_full", &self.new.name_full);
        facts.put("new_office_full", new_full);
        facts.text("new_address", &self.new.address);
        let old_full = self.of_office(self.old, "name_full", &self.old.name_full);
        facts.put("old_office_full", old_full);
        let lacks_city = format!(
            "office \"{}\" has no city; its texts name local time",
            here.id
        );
        facts.put("city", self.optional(here.city.as_ref(), &lacks_city));
        let lacks_email = format!("office \"{}\" has no email", here.id);
        let email = self.here_today().email.clone();
        facts.put("office_email", given_or(email, &lacks_email));
        let lacks_name = format!("service \"{}\" has no name", self.service.id);
        facts.put("service", self.required(&self.service.name, &lacks_name));
        let lacks_note = format!("service \"{}\" has no stay_note", self.service.id);
        facts.put(
            "stay_note",
            self.optional(self.service.stay_note.as_ref(), &lacks_note),
        );
    }

    fn conditions(&self, facts: &mut Facts) {
        let kind = self.service.kind;
        let moved = match self.telling.change.kind {
            ChangeKind::Moved { time, office } => (time, office),
            ChangeKind::Cancelled | ChangeKind::Reinstated => (false, false),
        };
        facts.holds("short_notice", self.telling.short_notice);
        facts.holds("beside_email", self.telling.beside_email);
        facts.holds("moved_time", moved.0);
        facts.holds("moved_office", moved.1);
        facts.holds("abroad", self.here().abroad);
        facts.holds("immigration", kind.is_immigration());
        facts.holds("citizenship", kind == ServiceKind::Citizenship);
        facts.holds("critical_line", kind.has_critical_line());
    }

    fn closing(&self, facts: &mut Facts) {
        let closing = self.telling.closing.as_ref();
        let none = "no closing covers the appointment";
        let day = |day: NaiveDate| calendar::date(self.language, day);
        facts.holds("closing", closing.is_some());
        facts.holds(
            "window_closed",
            closing.is_some_and(|c| c.kind == ClosingKind::Closed),
        );
        facts.holds(
            "window_reduced",
            closing.is_some_and(|c| c.kind == ClosingKind::Reduced),
        );
        facts.put("from", given_or(closing.map(|c| day(c.from)), none));
        facts.put("to", given_or(closing.map(|c| day(c.to)), none));
        facts.put("reason", self.optional(closing.map(|c| &c.reason), none));
        facts.put("office_list", self.office_list(none));
        let next = |step| closing.is_some_and(|c| c.next == step);
        facts.holds("next_book", next(NextStep::Book));
        facts.holds("next_we_invite", next(NextStep::WeInvite));
        facts.holds("next_phone", next(NextStep::Phone));
        facts.holds("next_contact", next(NextStep::Contact));
        facts.holds("next_unknown", next(NextStep::Unknown));
    }

    /// The offices of the closing, by their full names.
    fn office_list(&self, none: &str) -> Fact {
        let Some(closing) = &self.telling.closing else {
            return Fact::Missing(none.to_owned());
        };
        let offices = &self.directory.offices;
        let names = closing.offices.iter().filter_map(|id| {
            let name = offices.get(id)?.name_full.get(self.language)?;
            Some(clean(name))
        });
        let names: Vec<String> = names.collect();
        given_or(
            Some(names.join(", ")).filter(|names| !names.is_empty()),
            none,
        )
    }

    /// The digital route, only for cases that may be submitted online at all. Where an application
    /// cannot be, for technical reasons, its information line alone is named.
    fn digital(&self, facts: &mut Facts) {
        let particulars = &self.telling.particulars;
        let obstacle = particulars.obstacle;
        let day = calendar::local_day(self.telling.decided_at, self.here().zone);
        let (service, office) = (&self.service.id, &self.here().id);
        let route = self.directory.digital_route(service, office, day);
        let route = route.filter(|_| obstacle || self.telling.digital_until.is_some());
        facts.holds("obstacle", obstacle && route.is_some());
        facts.holds("digital", route.is_some() && !obstacle);
        let none = format!("service \"{}\" has no digital route here", self.service.id);
        let digital_until = self.telling.digital_until.filter(|_| route.is_some());
        let until = match self.telling.purpose {
            Purpose::Rebooking => particulars.book_by,
            _ => particulars.choose_by.or(digital_until),
        };
        let until = until.map(|day| calendar::date(self.language, day));
        facts.put("until", given_or(until, &none));
        facts.put(
            "info_phone",
            given_or(route.map(|r| r.info_phone.clone()), &none),
        );
        let hours = route.map(|r| r.info_phone_hours.on_workdays(self.language));
        facts.put("info_phone_hours", given_or(hours, &none));
        let steps = self.optional(route.map(|r| &r.steps), &none);
        facts.put(
            "steps",
            lines(steps, route.map(|r| &r.steps), self.language, numbered),
        );
    }

    fn sender(&self, facts: &mut Facts) {
        let here = self.here_today();
        let kind = self.service.kind;
        let line = here.line(kind);
        let key = if kind.is_immigration() {
            "immigration_line"
        } else {
            "passport_line"
        };
        let none = format!(
            "office \"{}\" has no {key}, and service \"{}\" needs one",
            here.id, self.service.id
        );
        let of_line = |text: fn(&Line) -> &Texts, what: &str| match line {
            Some(line) => self.required(
                text(line),
                &format!("the {key} of office \"{}\" has no {what}", here.id),
            ),
            None => Fact::Missing(none.clone()),
        };
        facts.put(
            "phone",
            given_or(line.map(|line| line.phone.clone()), &none),
        );
        let unusual = |line: &&Line| here.abroad || !line.hours.are_usual();
        let hours = line.map(|line| match unusual(&line) {
            true => line.hours.times(self.language),
            false => line.hours.on_workdays(self.language),
        });
        facts.put("phone_hours", given_or(hours, &none));
        facts.put("section", of_line(|line| &line.section, "section"));
        let days = line.filter(unusual);
        let days = days.map(|line| line.hours.days(self.language));
        facts.put(
            "phone_days",
            given_or(days, "the line answers on usual days"),
        );
        let open = here
            .practice
            .opening
            .as_ref()
            .or(line.map(|line| &line.hours));
        let times = open.map(|hours| hours.times(self.language));
        facts.put("office_hours", given_or(times, &none));
        let days = open.map(|hours| hours.days(self.language));
        facts.put("office_days", given_or(days, &none));
        facts.put("phone_opens", self.phone_opens(line));
        let district = &self.district.id;
        let lacks = |what| format!("district \"{district}\" has no {what}");
        facts.put(
            "agency",
            self.required(&self.district.agency, &lacks("agency")),
        );
        let full = self.required(&self.district.agency_full, &lacks("agency_full"));
        facts.put("agency_full", full);
        facts.text("email_from", &self.district.email_from);
    }

    /// When the line answers again, where it is closed for more than a day from now.
    fn phone_opens(&self, line: Option<&Line>) -> Fact {
        let (here, now) = (self.here(), self.telling.decided_at);
        let holidays = &here.practice.holidays;
        let opens = line.and_then(|line| line.hours.open_from(holidays, here.zone, now));
        let later = opens.filter(|opens| *opens - now > CLOSED_FOR_LONG);
        let when = later.map(|opens| calendar::weekday_time(self.language, opens, here.zone));
        given_or(when, "the line is open, or opens within a day")
    }

    /// The guidelines that hold on the day of the visit; where no day is known, today.
    fn visit(&self, facts: &mut Facts) {
        let visit = self.district.visit_on(self.day_of_visit());
        let none = format!(
            "district \"{}\" has no guidelines for that day",
            self.district.id
        );
        facts.holds("visit", visit.is_some());
        let distance = visit.map(|visit| visit.distance_metres.to_string());
        facts.put("distance", given_or(distance, &none));
        let local = visit.and_then(|visit| visit.local.as_ref());
        let guidelines = self.optional(local, &none);
        facts.put(
            "local_guidelines",
            lines(guidelines, local, self.language, bulleted),
        );
    }

    /// The day whose facts are told: that of the visit, or today where none is arranged.
    fn day_of_visit(&self) -> NaiveDate {
        let at = match self.speaks_of_old() {
            true => self.telling.decided_at,
            false => self.appointment().start,
        };
        calendar::local_day(at, self.here().zone)
    }

    fn of_office(&self, office: &Office, key: &str, texts: &Texts) -> Fact {
        self.required(texts, &format!("office \"{}\" has no {key}", office.id))
    }

    /// A text that the message cannot do without.
    fn required(&self, texts: &Texts, lacks: &str) -> Fact {
        match texts.get(self.language) {
            Some(text) => Fact::Text(clean(text)),
            None => Fact::Missing(format!("{lacks} in {}", self.language)),
        }
    }

    /// A text that may be left out. It is left out in every language of the message where one of
    /// them lacks it: both languages say the same.
    fn optional(&self, texts: Option<&Texts>, lacks: &str) -> Fact {
        let Some(texts) = texts else {
            return Fact::Missing(lacks.to_owned());
        };
        match self
            .all
            .iter()
            .find(|language| texts.get(**language).is_none())
        {
            Some(language) => Fact::Missing(format!("{lacks} in {language}")),
            None => self.required(texts, lacks),
        }
    }
}
