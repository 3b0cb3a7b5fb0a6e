//! What few texts say: a child, a bundle, a mistake of ours, and what a passport abroad asks for.

use chrono::{DateTime, Utc};

use super::Case;
use super::value::{Facts, given_or};
use crate::domain::calendar;
use crate::domain::directory::{Application, BookingWay, Fee};
use crate::domain::language::Language;
use crate::domain::plan::{Bundle, Correction};
use crate::domain::recipient::Role;

/// A longer first name is taken for something else that slipped into the column.
const CHILD_CHARS_MAX: usize = 40;

/// From this birthday on people are told of as adults.
const ADULT_AGE: u32 = 18;

/// Younger children bring a photo of their own.
const PHOTO_AGE: u32 = 3;

impl Case<'_> {
    pub(super) fn particulars(&self, facts: &mut Facts) {
        let particulars = &self.telling.particulars;
        facts.holds("neutral", particulars.neutral);
        facts.holds("canceller_unknown", particulars.canceller_unknown);
        facts.holds("again", particulars.again);
        facts.holds("still_visible", particulars.still_visible);
        facts.holds("choose_new", particulars.choose_by.is_some());
        facts.holds("guardian", matches!(self.telling.role, Role::Guardian(_)));
        let wrong_person = particulars.correction == Some(Correction::WrongPerson);
        facts.holds("wrong_person", wrong_person);
        facts.text("child", &self.child());
        let bundle = particulars.bundle.as_ref();
        facts.holds("several", bundle.is_some());
        let none = "the message is about one appointment";
        let count = bundle.map(|bundle| bundle.starts.len().to_string());
        facts.put("count", given_or(count, none));
        let times = bundle.map(|bundle| self.times_of(bundle));
        facts.put("times", given_or(times, none));
        let booking = self.here_today().practice.booking.as_ref();
        let by_phone = booking.is_some_and(|booking| booking.way == BookingWay::Phone);
        facts.holds("by_phone_only", by_phone);
        let lacks = format!("office \"{}\" does not say how to book", self.here().id);
        let how = booking.and_then(|booking| booking.how.as_ref());
        facts.put("how_to_book", self.optional(how, &lacks));
    }

    /// The child's first name, or "your child" where the source gives none that can be one.
    fn child(&self) -> String {
        let particulars = &self.telling.particulars;
        let name = particulars.child.as_deref().map(str::trim);
        let is_name = |name: &&str| {
            name.chars().any(char::is_alphabetic)
                && name
                    .chars()
                    .all(|c| c.is_alphabetic() || " -'’.".contains(c))
                && name.chars().count() <= CHILD_CHARS_MAX
        };
        match name.filter(|_| !particulars.neutral).filter(is_name) {
            Some(name) => name.to_owned(),
            None => match self.language {
                Language::Nb | Language::Nn => "barnet",
                Language::En => "your child",
                Language::Se => "mánná",
            }
            .to_owned(),
        }
    }

    /// "09.00-09.40" or "09.00, 09.30 og 11.10".
    fn times_of(&self, bundle: &Bundle) -> String {
        let time = |at: &DateTime<Utc>| {
            let local = at.with_timezone(&self.here().zone).time();
            calendar::time(self.language, local)
        };
        let mut starts = bundle.starts.clone();
        // Two desks may serve one family at the same time.
        starts.dedup();
        match starts.as_slice() {
            [first, .., last] if bundle.unbroken && bundle.starts.len() > 2 => {
                format!("{}-{}", time(first), time(last))
            }
            [rest @ .., last] if !rest.is_empty() => {
                let rest: Vec<String> = rest.iter().map(time).collect();
                let and = calendar::and(self.language);
                format!("{} {and} {}", rest.join(", "), time(last))
            }
            starts => starts.iter().map(time).collect(),
        }
    }

    /// What a passport appointment abroad asks for, by the age on the day of the visit. Where the
    /// age is not known, all of it.
    pub(super) fn passports(&self, facts: &mut Facts) {
        let here = self.here();
        let day = self.day_of_visit();
        let passports = Some(&here.practice)
            .filter(|_| here.abroad && self.service.kind.has_critical_line())
            .and_then(|practice| practice.passports_on(day));
        let age = self.telling.particulars.born;
        let age = age.and_then(|born| day.years_since(born));
        facts.holds("bring", passports.is_some());
        facts.holds("for_adult", age.is_none_or(|age| age >= ADULT_AGE));
        facts.holds("for_child", age.is_none_or(|age| age < ADULT_AGE));
        facts.holds("own_photo", age.is_none_or(|age| age < PHOTO_AGE));
        let first = matches!(self.service.application, None | Some(Application::New));
        facts.holds("first_passport", first);
        facts.holds("cash", passports.is_some_and(|p| p.cash));
        facts.holds(
            "number_required",
            passports.is_some_and(|p| p.number_required),
        );
        facts.holds("emergency", passports.is_some_and(|p| p.emergency));
        let none = format!(
            "office \"{}\" tells nothing of passports for that day",
            here.id
        );
        let money = |fee: &Fee| calendar::money(self.language, fee.amount, &fee.currency);
        let from_16 = passports.and_then(|p| p.fee_from_16.as_ref()).map(money);
        facts.put("fee_from_16", given_or(from_16, &none));
        let under_16 = passports.and_then(|p| p.fee_under_16.as_ref()).map(money);
        facts.put("fee_under_16", given_or(under_16, &none));
        let time = passports.and_then(|p| p.production_time.as_ref());
        facts.put("production_time", self.optional(time, &none));
    }
}
