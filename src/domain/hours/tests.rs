//! Hours, weeks and holidays: examples from the almanac and from the model case.

use chrono_tz::{Africa, Europe};

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn clock(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").unwrap()
}

fn oslo() -> Hours {
    Hours::workdays(clock("09:00"), clock("15:00"))
}

fn embassy() -> Hours {
    Hours {
        from: clock("08:30"),
        to: clock("16:00"),
        week: vec![
            Weekday::Sun,
            Weekday::Mon,
            Weekday::Tue,
            Weekday::Wed,
            Weekday::Thu,
        ],
    }
}

#[test]
fn easter_falls_where_the_almanacs_have_it() {
    for (year, easter) in [
        (2018, "2018-04-01"),
        (2019, "2019-04-21"),
        (2021, "2021-04-04"),
        (2024, "2024-03-31"),
        (2025, "2025-04-20"),
        (2026, "2026-04-05"),
        (2038, "2038-04-25"),
    ] {
        assert_eq!(easter_sunday(year), Some(day(easter)));
    }
}

#[test]
fn norwegian_holidays_of_a_year_are_twelve_days() {
    let year = day("2021-01-01").iter_days().take(365);
    let found: Vec<String> = year
        .filter(|day| is_norwegian_holiday(*day))
        .map(|day| day.format("%m-%d").to_string())
        .collect();
    assert_eq!(
        found,
        [
            "01-01", "04-01", "04-02", "04-04", "04-05", "05-01", "05-13", "05-17", "05-23",
            "05-24", "12-25", "12-26"
        ]
    );
}

#[test]
fn a_line_opens_after_weekend_and_easter() {
    let holidays = Holidays {
        norwegian: true,
        local: BTreeSet::new(),
    };
    let opens = |now: &str| oslo().open_from(&holidays, Europe::Oslo, at(now)).unwrap();
    // Open now, in the morning, and on the Wednesday evening before Easter.
    assert_eq!(opens("2021-03-16T13:00:00Z"), at("2021-03-16T13:00:00Z"));
    assert_eq!(opens("2021-03-16T05:00:00Z"), at("2021-03-16T08:00:00Z"));
    assert_eq!(opens("2021-03-31T13:00:00Z"), at("2021-04-06T07:00:00Z"));
    // Over the night in which summer time begins.
    assert_eq!(opens("2021-03-26T14:00:00Z"), at("2021-03-29T07:00:00Z"));
}

#[test]
fn an_embassy_keeps_its_own_week_and_both_kinds_of_holidays() {
    let holidays = Holidays {
        norwegian: true,
        local: [day("2021-07-05")].into(),
    };
    let opens = |now: &str| {
        embassy()
            .open_from(&holidays, Africa::Algiers, at(now))
            .unwrap()
    };
    assert_eq!(opens("2021-03-18T16:00:00Z"), at("2021-03-21T07:30:00Z"));
    assert_eq!(opens("2021-07-04T16:00:00Z"), at("2021-07-06T07:30:00Z"));
    // Easter Sunday and Monday.
    assert_eq!(opens("2021-04-03T12:00:00Z"), at("2021-04-06T07:30:00Z"));
}

#[test]
fn nobody_waits_for_a_line_that_never_opens() {
    let never = Hours {
        week: Vec::new(),
        ..oslo()
    };
    let holidays = Holidays::default();
    let now = at("2021-03-16T13:00:00Z");
    assert_eq!(never.open_from(&holidays, Europe::Oslo, now), None);
}

#[test]
fn hours_read_as_people_write_them() {
    assert_eq!(
        Language::ALL.map(|language| oslo().on_workdays(language)),
        [
            "kl. 09.00-15.00 på hverdager",
            "kl. 09.00-15.00 på kvardagar",
            "09:00-15:00 on weekdays",
            "dii. 09.00-15.00 árgabeivviid",
        ]
    );
    assert_eq!(embassy().days(Language::Nb), "søndag-torsdag");
    assert_eq!(embassy().days(Language::En), "Sunday-Thursday");
    assert_eq!(embassy().times(Language::Nn), "08.30-16.00");
    let some = Hours {
        week: vec![Weekday::Mon, Weekday::Wed, Weekday::Fri],
        ..oslo()
    };
    assert_eq!(some.days(Language::Nb), "mandag, onsdag og fredag");
    assert_eq!(some.days(Language::En), "Monday, Wednesday and Friday");
    let two = Hours {
        week: vec![Weekday::Mon, Weekday::Tue],
        ..oslo()
    };
    assert_eq!(two.days(Language::Nn), "måndag og tysdag");
}
