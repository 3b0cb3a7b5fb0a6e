//! Civil time: examples on the nights when the clock changes, and laws.

use std::time::Duration;

use chrono::TimeDelta;
use chrono_tz::{Africa, Europe};
use proptest::prelude::*;

use super::*;
use crate::domain::send_hours::{SendHours, Slot};

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn local(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

fn daily(from: &str, to: &str) -> SendWindow {
    SendWindow::Daily {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    }
}

/// When what could leave at `now` leaves.
fn slot(
    window: SendWindow,
    zone: Tz,
    now: DateTime<Utc>,
    due_by: DateTime<Utc>,
    reserve: Duration,
) -> Slot {
    let hours = SendHours::of(window, zone);
    hours.map_or(Slot::any_hour(now), |hours| {
        hours.slot(now, (due_by, None), reserve)
    })
}

#[test]
fn a_local_time_has_one_instant_on_every_night() {
    for (written, expected) in [
        ("2021-03-24T09:20:00", "2021-03-24T08:20:00Z"),
        ("2021-07-01T09:20:00", "2021-07-01T07:20:00Z"),
        // 28 March 2021: 02:00 became 03:00.
        ("2021-03-28T01:59:59", "2021-03-28T00:59:59Z"),
        ("2021-03-28T02:00:00", "2021-03-28T01:00:00Z"),
        ("2021-03-28T02:59:00", "2021-03-28T01:00:00Z"),
        ("2021-03-28T03:00:00", "2021-03-28T01:00:00Z"),
        // 31 October 2021: 03:00 became 02:00; the first of the two is meant.
        ("2021-10-31T02:30:00", "2021-10-31T00:30:00Z"),
        ("2021-10-31T03:00:00", "2021-10-31T02:00:00Z"),
    ] {
        assert_eq!(
            instant(local(written), Europe::Oslo),
            utc(expected),
            "{written}"
        );
    }
    // Cairo skips midnight itself.
    assert_eq!(
        instant(local("2024-04-26T00:30:00"), Africa::Cairo),
        utc("2024-04-25T22:00:00Z")
    );
}

#[test]
fn the_last_open_moment_is_now_or_the_last_end() {
    let day = daily("08:00:00", "21:00:00");
    for (at, expected) in [
        ("2021-03-16T12:00:00Z", "2021-03-16T12:00:00Z"),
        ("2021-03-16T22:00:00Z", "2021-03-16T20:00:00Z"),
        ("2021-03-16T05:00:00Z", "2021-03-15T20:00:00Z"),
        // The night before the clock goes forward, and the one after.
        ("2021-03-27T23:00:00Z", "2021-03-27T20:00:00Z"),
        ("2021-03-28T22:00:00Z", "2021-03-28T19:00:00Z"),
    ] {
        assert_eq!(last_open(day, Europe::Oslo, utc(at)), utc(expected), "{at}");
    }
    let night = daily("20:00:00", "06:00:00");
    let noon = utc("2021-03-16T11:00:00Z");
    assert_eq!(
        last_open(night, Europe::Oslo, noon),
        utc("2021-03-16T05:00:00Z")
    );
    assert_eq!(last_open(SendWindow::Always, Europe::Oslo, noon), noon);
}

#[test]
fn a_window_opens_in_the_morning_and_stays_open_to_its_end() {
    let window = daily("08:00:00", "21:00:00");
    for (at, expected) in [
        ("2021-03-16T05:00:00Z", "2021-03-16T07:00:00Z"),
        ("2021-03-16T07:00:00Z", "2021-03-16T07:00:00Z"),
        ("2021-03-16T19:59:59Z", "2021-03-16T19:59:59Z"),
        ("2021-03-16T20:00:00Z", "2021-03-17T07:00:00Z"),
        // The evening before the clock goes forward.
        ("2021-03-27T20:00:00Z", "2021-03-28T06:00:00Z"),
    ] {
        assert_eq!(
            next_open(window, Europe::Oslo, utc(at)),
            utc(expected),
            "{at}"
        );
    }
    let at = utc("2021-03-16T03:00:00Z");
    assert_eq!(next_open(SendWindow::Always, Europe::Oslo, at), at);
}

#[test]
fn a_window_may_wrap_midnight() {
    let window = daily("21:00:00", "02:30:00");
    for (at, expected) in [
        ("2021-03-16T19:00:00Z", "2021-03-16T20:00:00Z"),
        ("2021-03-16T23:30:00Z", "2021-03-16T23:30:00Z"),
        ("2021-03-17T01:29:00Z", "2021-03-17T01:29:00Z"),
        ("2021-03-17T01:30:00Z", "2021-03-17T20:00:00Z"),
        // On the night that skips 02:30 it ends with the gap.
        ("2021-03-28T00:59:00Z", "2021-03-28T00:59:00Z"),
        ("2021-03-28T01:00:00Z", "2021-03-28T19:00:00Z"),
    ] {
        assert_eq!(
            next_open(window, Europe::Oslo, utc(at)),
            utc(expected),
            "{at}"
        );
    }
    let whole = daily("08:00:00", "08:00:00");
    let at = utc("2021-03-16T03:00:00Z");
    assert_eq!(next_open(whole, Europe::Oslo, at), at);
}

#[test]
fn a_window_within_the_skipped_hour_opens_a_day_later() {
    let window = daily("02:15:00", "02:45:00");
    assert_eq!(
        next_open(window, Europe::Oslo, utc("2021-03-28T00:00:00Z")),
        utc("2021-03-29T00:15:00Z")
    );
}

#[test]
fn quiet_hours_yield_when_the_deadline_is_near() {
    let window = daily("08:00:00", "21:00:00");
    let reserve = Duration::from_secs(2 * 3600);
    let night = utc("2021-03-16T23:00:00Z");
    let send = |due_by| slot(window, Europe::Oslo, night, utc(due_by), reserve);
    let day = Slot {
        from: utc("2021-03-17T07:00:00Z"),
        until: Some(utc("2021-03-17T20:00:00Z")),
    };
    assert_eq!(send("2021-03-17T09:00:00Z"), day);
    assert_eq!(send("2021-03-17T08:59:59Z"), Slot::any_hour(night));
}

#[test]
fn dates_read_as_people_write_them() {
    let at = utc("2021-03-24T08:20:00Z");
    let zone = Europe::Oslo;
    let expected = [
        (
            Language::Nb,
            "24. mars",
            "24. mars kl. 09.20",
            "onsdag 24. mars kl. 09.20",
        ),
        (
            Language::Nn,
            "24. mars",
            "24. mars kl. 09.20",
            "onsdag 24. mars kl. 09.20",
        ),
        (
            Language::En,
            "24 March",
            "24 March at 09:20",
            "Wednesday 24 March at 09:20",
        ),
        (
            Language::Se,
            "njukčamánu 24. b.",
            "njukčamánu 24. b. dii. 09.20",
            "gaskavahkku njukčamánu 24. b. dii. 09.20",
        ),
    ];
    for (language, day, with_time, with_weekday) in expected {
        assert_eq!(date(language, local_day(at, zone)), day);
        assert_eq!(day_time(language, at, zone), with_time);
        assert_eq!(weekday_time(language, at, zone), with_weekday);
    }
    // The same instant is another hour, and may be another day, elsewhere.
    let late = utc("2021-04-08T22:05:00Z");
    assert_eq!(
        weekday_time(Language::Nb, late, Europe::Oslo),
        "fredag 9. april kl. 00.05"
    );
    assert_eq!(
        weekday_time(Language::Nb, late, Africa::Algiers),
        "torsdag 8. april kl. 23.05"
    );
}

#[test]
fn every_weekday_and_month_has_its_name_and_fits_its_place_in_an_sms() {
    let week = |language| -> Vec<&str> {
        let monday = NaiveDate::from_ymd_opt(2021, 3, 15).unwrap();
        monday
            .iter_days()
            .take(7)
            .map(|day| weekday(language, day.weekday()))
            .collect()
    };
    assert_eq!(
        week(Language::Nb),
        [
            "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag"
        ]
    );
    assert_eq!(
        week(Language::Nn),
        [
            "måndag", "tysdag", "onsdag", "torsdag", "fredag", "laurdag", "søndag"
        ]
    );
    assert_eq!(week(Language::En)[5..], ["Saturday", "Sunday"]);
    let year = NaiveDate::from_ymd_opt(2021, 1, 1)
        .unwrap()
        .iter_days()
        .take(365);
    for day in year {
        let at = instant(day.and_hms_opt(23, 59, 0).unwrap(), Europe::Oslo);
        for language in Language::SHIPPED {
            assert!(date(language, day).chars().count() <= 13);
            assert!(day_time(language, at, Europe::Oslo).chars().count() <= 23);
            assert!(weekday_time(language, at, Europe::Oslo).chars().count() <= 31);
        }
    }
}

fn zones() -> impl Strategy<Value = Tz> {
    prop::sample::select(vec![
        Europe::Oslo,
        Africa::Algiers,
        Africa::Cairo,
        Tz::Australia__Lord_Howe,
        Tz::America__Sao_Paulo,
        Tz::Pacific__Apia,
        Tz::UTC,
    ])
}

fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    // 2010 to 2030, to the minute: changes of zone are hit often by the nights below.
    let any = (0i64..20 * 365 * 24 * 60)
        .prop_map(|minute| utc("2010-01-01T00:00:00Z") + TimeDelta::minutes(minute));
    let nights = prop::sample::select(vec![
        "2021-03-28T01:00:00Z",
        "2021-10-31T01:00:00Z",
        "2024-04-25T22:00:00Z",
        "2011-12-30T10:00:00Z",
        "2018-11-04T03:00:00Z",
    ]);
    let near = (nights, -2000i64..2000)
        .prop_map(|(night, minutes)| utc(night) + TimeDelta::minutes(minutes));
    prop_oneof![any, near]
}

fn windows() -> impl Strategy<Value = SendWindow> {
    let time = || {
        (0u32..24 * 4).prop_map(|quarter| {
            NaiveTime::from_num_seconds_from_midnight_opt(quarter * 900, 0).unwrap()
        })
    };
    prop_oneof![
        1 => Just(SendWindow::Always),
        8 => (time(), time()).prop_map(|(from, to)| SendWindow::Daily { from, to }),
    ]
}

proptest! {
    #[test]
    fn an_instant_and_its_local_time_agree(at in instants(), zone in zones()) {
        let written = at.with_timezone(&zone).naive_local();
        let read = instant(written, zone);
        // Of a repeated hour the earlier is meant, so reading back never goes forward.
        prop_assert!(read <= at);
        prop_assert_eq!(read.with_timezone(&zone).naive_local(), written);
    }

    #[test]
    fn later_local_times_are_never_earlier_instants(at in instants(), zone in zones(), more in 0i64..3000) {
        let written = at.naive_utc();
        let later = written + TimeDelta::minutes(more);
        let (first, second) = (instant(written, zone), instant(later, zone));
        prop_assert!(first <= second, "{first} {second}");
    }

    #[test]
    fn the_next_opening_is_open_is_not_early_and_stays(window in windows(), zone in zones(), at in instants()) {
        let open = next_open(window, zone, at);
        prop_assert!(open >= at);
        prop_assert!(open - at < TimeDelta::days(3));
        prop_assert_eq!(next_open(window, zone, open), open, "it is open when it opens");
        let between = at + (open - at) / 2;
        prop_assert_eq!(next_open(window, zone, between), open, "nothing opens before");
    }

    #[test]
    fn on_quiet_nights_the_local_clock_agrees(window in windows(), at in instants(), zone in zones()) {
        let offset = |at: DateTime<Utc>| at.with_timezone(&zone).naive_local() - at.naive_utc();
        let quiet = (-3..=3).all(|days| offset(at + TimeDelta::days(days)) == offset(at));
        prop_assume!(quiet);
        let time = at.with_timezone(&zone).time();
        let is_open = match window {
            SendWindow::Always => true,
            SendWindow::Daily { from, to } if from < to => from <= time && time < to,
            SendWindow::Daily { from, to } => from <= time || time < to,
        };
        prop_assert_eq!(next_open(window, zone, at) == at, is_open);
    }

    #[test]
    fn waiting_for_the_window_never_eats_the_reserve(
        window in windows(), zone in zones(), now in instants(), left in -1000i64..10_000, reserve in 0u64..500,
    ) {
        let due_by = now + TimeDelta::minutes(left);
        let Slot { from: at, until } = slot(window, zone, now, due_by, Duration::from_secs(reserve * 60));
        let reserve = TimeDelta::minutes(i64::try_from(reserve).unwrap());
        prop_assert!(at >= now);
        prop_assert!(at == now || due_by - at >= reserve);
        prop_assert!(at == now || next_open(window, zone, now) == at);
        if let Some(until) = until {
            let last = until - TimeDelta::milliseconds(1);
            prop_assert_eq!(next_open(window, zone, at), at, "it leaves while it is open");
            prop_assert!(at <= last && next_open(window, zone, last) == last, "to the very end");
        }
    }

    #[test]
    fn hours_are_kept_as_they_are_written(window in windows(), zone in zones()) {
        if let Some(hours) = SendHours::of(window, zone) {
            prop_assert_eq!(hours.to_string().parse(), Ok(hours));
        }
    }
}

#[test]
fn money_reads_as_each_language_writes_it() {
    assert_eq!(money(Language::Nb, 7500, "DZD"), "7500 DZD");
    assert_eq!(money(Language::En, 7500, "DZD"), "7500 DZD");
    assert_eq!(money(Language::Nn, 12_500, "DZD"), "12 500 DZD");
    assert_eq!(money(Language::En, 1_250_000, "DZD"), "1,250,000 DZD");
    assert_eq!(money(Language::En, 0, "NOK"), "0 NOK");
}
