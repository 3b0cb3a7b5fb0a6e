//! When somebody answers: the hours of a telephone line or an office, its week and its holidays.
//!
//! The words that people read are made from the same figures that the deadlines are reckoned by, so
//! that no text names hours at which nobody is there.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use chrono_tz::Tz;

use super::calendar;
use super::language::Language;

/// How far an opening is looked for, in days: longer than any run of holidays and weekends.
const DAYS_LOOKED_AT: usize = 30;

/// The days of a usual week.
const WORKDAYS: [Weekday; 5] = [
    Weekday::Mon,
    Weekday::Tue,
    Weekday::Wed,
    Weekday::Thu,
    Weekday::Fri,
];

/// The hours of each day of a week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hours {
    /// The opening.
    pub from: NaiveTime,
    /// The end, on the same day.
    pub to: NaiveTime,
    /// The days, in the order in which the agency's week runs: Sunday first where Sunday begins it.
    pub week: Vec<Weekday>,
}

/// Days on which nobody answers although the week has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holidays {
    /// Norwegian public holidays are kept.
    pub norwegian: bool,
    /// Further days, as the agency lists them.
    pub local: BTreeSet<NaiveDate>,
}

impl Holidays {
    /// Whether `day` is one.
    #[must_use]
    pub fn hold(&self, day: NaiveDate) -> bool {
        self.local.contains(&day) || (self.norwegian && is_norwegian_holiday(day))
    }
}

impl Hours {
    /// Monday to Friday from `from` to `to`.
    #[must_use]
    pub fn workdays(from: NaiveTime, to: NaiveTime) -> Self {
        Self {
            from,
            to,
            week: WORKDAYS.to_vec(),
        }
    }

    /// Whether the days need not be named: they are the usual working days.
    #[must_use]
    pub fn are_usual(&self) -> bool {
        self.week == WORKDAYS
    }

    /// The first instant from `at` on at which somebody answers; `None` if nobody does for a month.
    #[must_use]
    pub fn open_from(
        &self,
        holidays: &Holidays,
        zone: Tz,
        at: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let days = calendar::local_day(at, zone).iter_days();
        days.take(DAYS_LOOKED_AT)
            .filter_map(|day| self.on(day, holidays, zone))
            .find_map(|(open, end)| (at < end).then(|| open.max(at)))
    }

    /// The last instant from which somebody answers for `length` in all before `until`, or, where
    /// there is less than that between `now` and `until`, for as long as there is; `None` if nobody
    /// answers in between.
    #[must_use]
    pub fn last_chance(
        &self,
        holidays: &Holidays,
        zone: Tz,
        (now, until): (DateTime<Utc>, DateTime<Utc>),
        length: TimeDelta,
    ) -> Option<DateTime<Utc>> {
        let today = calendar::local_day(now, zone);
        let days = std::iter::successors(Some(calendar::local_day(until, zone)), |day| {
            day.pred_opt().filter(|day| *day >= today)
        });
        let (mut left, mut chance) = (length, None);
        let open = days.take(DAYS_LOOKED_AT);
        for (open, end) in open.filter_map(|day| self.on(day, holidays, zone)) {
            let (open, end) = (open.max(now), end.min(until));
            if open < end && left > TimeDelta::zero() {
                let used = left.min(end - open);
                left -= used;
                chance = Some(end - used);
            }
        }
        chance
    }

    /// The opening and the end on a day, if somebody answers then.
    fn on(
        &self,
        day: NaiveDate,
        holidays: &Holidays,
        zone: Tz,
    ) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let open = self.week.contains(&day.weekday()) && !holidays.hold(day);
        open.then(|| {
            let at = |time| calendar::instant(day.and_time(time), zone);
            (at(self.from), at(self.to))
        })
    }

    /// "09.00-15.00" or "09:00-15:00".
    #[must_use]
    pub fn times(&self, language: Language) -> String {
        let time = |time: NaiveTime| calendar::time(language, time);
        format!("{}-{}", time(self.from), time(self.to))
    }

    /// "kl. 09.00-15.00 på hverdager", for a usual week.
    #[must_use]
    pub fn on_workdays(&self, language: Language) -> String {
        let times = self.times(language);
        match language {
            Language::Nb => format!("kl. {times} på hverdager"),
            Language::Nn => format!("kl. {times} på kvardagar"),
            Language::En => format!("{times} on weekdays"),
            Language::Se => format!("dii. {times} árgabeivviid"),
        }
    }

    /// "søndag-torsdag", or "mandag, onsdag og fredag" where the days do not follow one another.
    #[must_use]
    pub fn days(&self, language: Language) -> String {
        let name = |day: &Weekday| calendar::weekday(language, *day);
        let follow = |pair: &[Weekday]| matches!(pair, [one, next] if one.succ() == *next);
        match self.week.as_slice() {
            [] => String::new(),
            [one] => name(one).to_owned(),
            [first, .., last] if self.week.len() > 2 && self.week.windows(2).all(follow) => {
                format!("{}-{}", name(first), name(last))
            }
            [rest @ .., last] => {
                let rest: Vec<&str> = rest.iter().map(name).collect();
                let and = calendar::and(language);
                format!("{} {and} {}", rest.join(", "), name(last))
            }
        }
    }
}

/// Norwegian public holidays (lov 1995-02-24 nr. 12 § 2, and lov 1947-04-26 nr. 1).
fn is_norwegian_holiday(day: NaiveDate) -> bool {
    const FIXED: [(u32, u32); 5] = [(1, 1), (5, 1), (5, 17), (12, 25), (12, 26)];
    const BEFORE_EASTER: [u64; 2] = [3, 2];
    const FROM_EASTER: [u64; 5] = [0, 1, 39, 49, 50];
    if FIXED.contains(&(day.month(), day.day())) {
        return true;
    }
    let Some(easter) = easter_sunday(day.year()) else {
        return false;
    };
    let before = BEFORE_EASTER
        .iter()
        .filter_map(|days| easter.checked_sub_days(Days::new(*days)));
    let from = FROM_EASTER
        .iter()
        .filter_map(|days| easter.checked_add_days(Days::new(*days)));
    before.chain(from).any(|holiday| holiday == day)
}

/// Easter Sunday of a Gregorian year (the anonymous algorithm, Nature, 20 April 1876).
fn easter_sunday(year: i32) -> Option<NaiveDate> {
    let a = year % 19;
    let (b, c) = (year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let f = (b + 8) / 25;
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let month = (h + l - 7 * m + 114) / 31;
    let day = (h + l - 7 * m + 114) % 31 + 1;
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

#[cfg(test)]
#[path = "hours/tests.rs"]
mod tests;
