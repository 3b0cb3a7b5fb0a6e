//! Civil time: send windows in the office's zone, local days, and dates in each language's form.
//!
//! Gap and fold are decided here once: a local time that the spring change skips means the first
//! instant after the gap, one that autumn repeats means the earlier of the two.

use chrono::{
    DateTime, Datelike, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone,
    Timelike, Utc, Weekday,
};
use chrono_tz::{GapInfo, Tz};

use super::language::Language;

/// When messages of one channel may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendWindow {
    /// At any hour.
    Always,
    /// Each day from `from` (included) to `to` (not included), in the office's zone. A `to` that is
    /// not after `from` belongs to the next day; two equal times leave no hour out.
    Daily {
        /// The opening.
        from: NaiveTime,
        /// The end.
        to: NaiveTime,
    },
}

/// How far a window's opening is looked for: yesterday's may still be open, tomorrow's opens in any
/// case, and a third day makes up for one that a change of zone swallows.
const DAYS_LOOKED_AT: usize = 4;

/// The local day of an instant.
#[must_use]
pub fn local_day(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

/// The instant of a local time, by the rule of this module for gap and fold.
#[must_use]
pub fn instant(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    match zone.from_local_datetime(&local) {
        MappedLocalTime::Single(at) | MappedLocalTime::Ambiguous(at, _) => at.to_utc(),
        MappedLocalTime::None => GapInfo::new(&local, &zone)
            .and_then(|gap| gap.end)
            // Only a gap without an end comes here, and no zone has one.
            .map_or_else(|| local.and_utc(), |end| end.to_utc()),
    }
}

/// `at` itself when the window is open then, else its next opening.
#[must_use]
pub fn next_open(window: SendWindow, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    opening(window, zone, at).0
}

/// The opening that is or comes next: `at` itself when the window is open then, else its next start;
/// and its end, where it has one.
#[must_use]
pub fn opening(
    window: SendWindow,
    zone: Tz,
    at: DateTime<Utc>,
) -> (DateTime<Utc>, Option<DateTime<Utc>>) {
    let SendWindow::Daily { from, to } = window else {
        return (at, None);
    };
    let yesterday = local_day(at, zone).pred_opt();
    let days = yesterday.into_iter().flat_map(|day| day.iter_days());
    for day in days.take(DAYS_LOOKED_AT) {
        let (open, end) = hours(day, from, to, zone);
        // A window that lies whole in the hour that spring skips does not open that day.
        if open < end && at < end {
            return (open.max(at), Some(end));
        }
    }
    (at, None)
}

/// The last instant at or before `at` until which the window is open: `at` itself when it is open
/// then, else its last end.
#[must_use]
pub fn last_open(window: SendWindow, zone: Tz, at: DateTime<Utc>) -> DateTime<Utc> {
    let SendWindow::Daily { from, to } = window else {
        return at;
    };
    let days = std::iter::successors(Some(local_day(at, zone)), NaiveDate::pred_opt);
    for day in days.take(DAYS_LOOKED_AT) {
        let (open, end) = hours(day, from, to, zone);
        if open < end && open <= at {
            return end.min(at);
        }
    }
    at
}

/// One day's window, as instants.
fn hours(
    day: NaiveDate,
    from: NaiveTime,
    to: NaiveTime,
    zone: Tz,
) -> (DateTime<Utc>, DateTime<Utc>) {
    let overnight = Days::new(u64::from(to <= from));
    let last = day.checked_add_days(overnight).unwrap_or(day);
    (
        instant(day.and_time(from), zone),
        instant(last.and_time(to), zone),
    )
}

/// "9. april" or "9 April".
#[must_use]
pub fn date(language: Language, day: NaiveDate) -> String {
    let number = day.day();
    match language {
        Language::Nb | Language::Nn => format!("{number}. {}", norwegian_month(day)),
        Language::En => format!("{number} {}", english_month(day)),
        Language::Se => format!("{} {number}. b.", sami_month(day)),
    }
}

/// "24. mars kl. 09.20" or "24 March at 09:20", in the zone's local time.
#[must_use]
pub fn day_time(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    let local = at.with_timezone(&zone);
    let day = date(language, local.date_naive());
    let time = time(language, local.time());
    match language {
        Language::Nb | Language::Nn => format!("{day} kl. {time}"),
        Language::En => format!("{day} at {time}"),
        Language::Se => format!("{day} dii. {time}"),
    }
}

/// "onsdag 24. mars kl. 09.20" or "Wednesday 24 March at 09:20", in the zone's local time.
#[must_use]
pub fn weekday_time(language: Language, at: DateTime<Utc>, zone: Tz) -> String {
    let weekday = weekday(language, local_day(at, zone).weekday());
    format!("{weekday} {}", day_time(language, at, zone))
}

/// "09.20" or "09:20".
#[must_use]
pub fn time(language: Language, time: NaiveTime) -> String {
    let (hour, minute) = (time.hour(), time.minute());
    match language {
        Language::Nb | Language::Nn | Language::Se => format!("{hour:02}.{minute:02}"),
        Language::En => format!("{hour:02}:{minute:02}"),
    }
}

/// "7500 DZD", and from five digits on "12 500 DZD" or "12,500 DZD".
#[must_use]
pub fn money(language: Language, amount: u32, currency: &str) -> String {
    let between = match language {
        Language::Nb | Language::Nn | Language::Se => ' ',
        Language::En => ',',
    };
    let digits = amount.to_string();
    let mut written = String::new();
    for (at, digit) in digits.char_indices() {
        let left = digits.len() - at;
        if at > 0 && left.is_multiple_of(3) && digits.len() > 4 {
            written.push(between);
        }
        written.push(digit);
    }
    format!("{written} {currency}")
}

/// "og", "and".
#[must_use]
pub fn and(language: Language) -> &'static str {
    match language {
        Language::Nb | Language::Nn => "og",
        Language::En => "and",
        Language::Se => "ja",
    }
}

/// The name of a day of the week, as it stands in a sentence.
#[must_use]
pub fn weekday(language: Language, day: Weekday) -> &'static str {
    let names = match language {
        Language::Nb => [
            "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag",
        ],
        Language::Nn => [
            "måndag", "tysdag", "onsdag", "torsdag", "fredag", "laurdag", "søndag",
        ],
        Language::En => [
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
            "Sunday",
        ],
        Language::Se => [
            "vuossárga",
            "maŋŋebárga",
            "gaskavahkku",
            "duorastat",
            "bearjadat",
            "lávvardat",
            "sotnabeaivi",
        ],
    };
    names[day as usize]
}

/// Bokmål and Nynorsk name the months alike.
fn norwegian_month(day: NaiveDate) -> &'static str {
    const NAMES: [&str; 12] = [
        "januar",
        "februar",
        "mars",
        "april",
        "mai",
        "juni",
        "juli",
        "august",
        "september",
        "oktober",
        "november",
        "desember",
    ];
    NAMES[day.month0() as usize]
}

fn english_month(day: NaiveDate) -> &'static str {
    const NAMES: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    NAMES[day.month0() as usize]
}

/// In the genitive, as a date has it.
fn sami_month(day: NaiveDate) -> &'static str {
    const NAMES: [&str; 12] = [
        "ođđajagemánu",
        "guovvamánu",
        "njukčamánu",
        "cuoŋománu",
        "miessemánu",
        "geassemánu",
        "suoidnemánu",
        "borgemánu",
        "čakčamánu",
        "golggotmánu",
        "skábmamánu",
        "juovlamánu",
    ];
    NAMES[day.month0() as usize]
}

#[cfg(test)]
#[path = "calendar/tests.rs"]
mod tests;
