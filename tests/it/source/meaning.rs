//! What a row means: starts, zones, words, contacts, and what is not understood.

use std::collections::BTreeSet;

use varsel::domain::appointment::Standing;
use varsel::domain::contact::Unusable;
use varsel::domain::language::Language;
use varsel::domain::recipient::Role;
use varsel::source::StartFormat;
use varsel::source::sql::Settings;
use varsel::source::{Snapshot, Source};

use super::register::{ONE, QUERY, Register, faults, floor, key, only, open, read, utc};

#[tokio::test]
async fn a_row_becomes_an_appointment() {
    let register = Register::with(&[ONE]).await;
    let mut source = register.open().await;
    let snapshot = read(&mut source).await;
    let row = only(&snapshot);
    assert_eq!(row.source, *source.name());
    assert_eq!(row.key, key("1"));
    assert_eq!(row.state.standing, Standing::Active);
    assert_eq!(row.state.start, utc("2021-03-24T08:20:00Z"));
    assert_eq!(row.state.office, "gronland".into());
    assert_eq!(row.service, "passport".into());
    let [person] = row.recipients.as_slice() else {
        panic!("one recipient")
    };
    assert_eq!(person.role, Role::Applicant);
    assert_eq!(person.language, Some(Language::Nb));
    assert_eq!(
        person.contact.phone.as_ref().unwrap().expose(),
        "+4740000000"
    );
    assert_eq!(
        person.contact.email.as_ref().unwrap().expose(),
        "k@example.com"
    );
}

#[tokio::test]
async fn optional_columns_may_be_missing_and_names_may_be_written_in_capitals() {
    let register = Register::with(&[ONE]).await;
    let query = "SELECT id AS ID, state AS Status, at AS start, 'gronland' AS office,
        'passport' AS service FROM booking -- a comment at the end";
    let mut source = open(Settings {
        query: query.to_owned(),
        ..register.settings()
    })
    .await
    .unwrap();
    let snapshot = read(&mut source).await;
    let contact = &only(&snapshot).recipients[0].contact;
    assert!(contact.is_empty());
    assert_eq!(only(&snapshot).recipients[0].language, None);
}

/// How it is written: format, text, the row's zone, the office; and the instant it means.
const STARTS: &[(StartFormat, &str, &str, &str, &str)] = &[
    (
        StartFormat::Naive,
        "2021-03-24 09:20",
        "NULL",
        "gronland",
        "2021-03-24T08:20:00Z",
    ),
    (
        StartFormat::Naive,
        "2021-03-24T09:20:00.999",
        "NULL",
        "gronland",
        "2021-03-24T08:20:00Z",
    ),
    // The office's own zone, and the row's before it.
    (
        StartFormat::Naive,
        "2021-07-01 09:20",
        "NULL",
        "algiers",
        "2021-07-01T08:20:00Z",
    ),
    (
        StartFormat::Naive,
        "2021-07-01 09:20",
        "'Europe/Oslo'",
        "algiers",
        "2021-07-01T07:20:00Z",
    ),
    // The hour that spring skips, and the one that autumn repeats.
    (
        StartFormat::Naive,
        "2021-03-28 02:30",
        "NULL",
        "gronland",
        "2021-03-28T01:00:00Z",
    ),
    (
        StartFormat::Naive,
        "2021-10-31 02:30",
        "NULL",
        "gronland",
        "2021-10-31T00:30:00Z",
    ),
    (
        StartFormat::Utc,
        "2021-03-24 08:20:00",
        "NULL",
        "gronland",
        "2021-03-24T08:20:00Z",
    ),
    (
        StartFormat::Utc,
        "2021-03-24T08:20:00.000Z",
        "NULL",
        "gronland",
        "2021-03-24T08:20:00Z",
    ),
    (
        StartFormat::Offset,
        "2021-03-24T09:20:00+01:00",
        "NULL",
        "gronland",
        "2021-03-24T08:20:00Z",
    ),
    (
        StartFormat::Offset,
        "2021-03-24 08:20:00Z",
        "NULL",
        "gronland",
        "2021-03-24T08:20:00Z",
    ),
    (
        StartFormat::Offset,
        "2021-03-24 09:20+01",
        "NULL",
        "gronland",
        "2021-03-24T08:20:00Z",
    ),
];

#[tokio::test]
async fn each_way_of_writing_a_start_is_one_instant() {
    let mut register = Register::with(&[ONE]).await;
    for (format, written, zone, office, expected) in STARTS {
        register
            .run(&format!(
                "UPDATE booking SET at = '{written}', zone = {zone}, place = '{office}'"
            ))
            .await;
        let settings = register.settings_with(|words| words.start = *format);
        let mut source = open(settings).await.unwrap();
        let snapshot = read(&mut source).await;
        assert_eq!(
            only(&snapshot).state.start,
            utc(expected),
            "{format:?} {written}"
        );
    }
}

#[tokio::test]
async fn the_sources_zone_comes_between_the_rows_and_the_offices() {
    let mut register = Register::with(&[ONE]).await;
    register
        .run("UPDATE booking SET at = '2021-07-01 09:20', place = 'algiers'")
        .await;
    let settings =
        register.settings_with(|words| words.naive_zone = Some(chrono_tz::Europe::Helsinki));
    let mut source = open(settings).await.unwrap();
    let snapshot = read(&mut source).await;
    assert_eq!(only(&snapshot).state.start, utc("2021-07-01T06:20:00Z"));
}

#[tokio::test]
async fn a_number_belongs_to_the_country_of_its_office() {
    let mut register = Register::with(&[ONE]).await;
    register.run("UPDATE booking SET place = 'algiers'").await;
    let mut source = register.open().await;
    let snapshot = read(&mut source).await;
    let contact = &only(&snapshot).recipients[0].contact;
    assert_eq!(contact.phone, Err(Unusable::Ambiguous));
    assert!(contact.email.is_ok());
}

#[tokio::test]
async fn a_word_never_seen_keeps_the_row_and_says_what_to_do() {
    let mut register = Register::with(&[ONE]).await;
    let mut source = register.open().await;
    for (change, expected) in [
        (
            "state = 'Postponed'",
            "column status: \"Postponed\" is not mapped",
        ),
        (
            "place = 'Sandvika'",
            "column office: \"Sandvika\" is not known",
        ),
        ("kind = NULL", "column service: an empty value is not known"),
        ("at = 'tomorrow'", "column start: it is not a start"),
        (
            "at = '2021-03-24 09:20:00Z'",
            "column start: \"2021-03-24 09:20:00Z\" is not a start",
        ),
        ("at = NULL", "column start: it is not a start"),
        (
            "zone = 'Europe/Olso'",
            "column tz: \"Europe/Olso\" is not a time zone",
        ),
        (
            "place = CAST(x'ff' AS TEXT)",
            "column office: it is not valid UTF-8",
        ),
        // PostgreSQL could not write down what is wrong, if it were shown.
        (
            "state = CAST(x'626f6f6b656400' AS TEXT)",
            "column status: it holds U+0000, which no text has",
        ),
        // A mistaken mapping must not carry people's data into a log.
        (
            "place = '40700056'",
            "column office: a value that is not shown",
        ),
        (
            "state = 'canary@example.com'",
            "column status: a value that is not shown",
        ),
        ("at = '40700056'", "column start: it is not a start"),
    ] {
        register.run("DELETE FROM booking").await;
        register.run(ONE).await;
        register.run(&format!("UPDATE booking SET {change}")).await;
        let snapshot = read(&mut source).await;
        assert_eq!(snapshot.rows, []);
        assert_eq!(snapshot.unreadable, BTreeSet::from([key("1")]));
        let said = faults(&snapshot);
        assert_eq!(said.len(), 1);
        assert!(said[0].starts_with("row 1, "), "{said:?}");
        assert!(said[0].contains(expected), "{said:?}");
        assert!(
            !said[0].contains("407") && !said[0].contains("canary"),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn an_unknown_language_is_reported_and_the_person_is_still_told() {
    let mut register = Register::with(&[ONE]).await;
    register.run("UPDATE booking SET lang = 'klingon'").await;
    let mut source = register.open().await;
    let snapshot = read(&mut source).await;
    assert_eq!(snapshot.rows.len(), 1);
    assert_eq!(snapshot.rows[0].recipients[0].language, None);
    assert_eq!(snapshot.unreadable, BTreeSet::new());
    assert!(faults(&snapshot)[0].contains("column language: \"klingon\" is not mapped"));
}

#[tokio::test]
async fn an_invitation_that_cannot_be_one_is_reported_and_the_person_is_still_told() {
    for (uid, organizer, problem) in [
        (
            "'a b'",
            "'time@agency.example'",
            "column calendar_uid: the value is no UID",
        ),
        (
            "'u'",
            "'Kari Canary'",
            "column calendar_organizer: the value is no e-mail address",
        ),
    ] {
        let register = Register::with(&[ONE]).await;
        let query = format!(
            "SELECT q.*, {uid} AS calendar_uid, {organizer} AS calendar_organizer FROM ({QUERY}) AS q"
        );
        let settings = Settings {
            query,
            ..register.settings()
        };
        let snapshot = read(&mut open(settings).await.unwrap()).await;
        assert_eq!(snapshot.rows[0].about.invited, None);
        assert_eq!(snapshot.unreadable, BTreeSet::new());
        let said = faults(&snapshot);
        assert!(
            said[0].contains(problem) && !said[0].contains("Canary"),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn words_mean_what_the_mapping_says_and_an_ignored_row_is_there() {
    let mut register = Register::with(&[ONE]).await;
    let mut source = register.open().await;
    register
        .run("UPDATE booking SET state = ' Cancelled '")
        .await;
    assert_eq!(
        only(&read(&mut source).await).state.standing,
        Standing::Cancelled
    );
    register.run("UPDATE booking SET state = NULL").await;
    assert_eq!(
        only(&read(&mut source).await).state.standing,
        Standing::Active
    );
    register
        .run("UPDATE booking SET state = 'Draft', kind = 'what?'")
        .await;
    let snapshot = read(&mut source).await;
    assert_eq!(snapshot.rows, []);
    assert_eq!(snapshot.unreadable, BTreeSet::from([key("1")]));
    assert_eq!(faults(&snapshot), Vec::<String>::new());
}

#[tokio::test]
async fn old_rows_need_not_be_understood() {
    let mut register = Register::with(&[ONE]).await;
    register
        .run("INSERT INTO booking VALUES (2, 'Archived', '2019-01-01 09:00', 'Nowhere', 'Old', NULL, NULL, NULL, NULL)")
        .await;
    // A day is not enough to be surely past: this one began this morning.
    register
        .run("INSERT INTO booking VALUES (3, 'Booked', '2021-03-16 09:00', 'gronland', 'passport', NULL, NULL, NULL, NULL)")
        .await;
    let expected = BTreeSet::from([key("1")]);
    for floor in [None, Some("start >= :floor".to_owned())] {
        let settings = Settings {
            floor,
            ..register.settings()
        };
        let mut source = open(settings).await.unwrap();
        let snapshot = read(&mut source).await;
        let keys: BTreeSet<_> = snapshot.rows.iter().map(|row| row.key.clone()).collect();
        assert_eq!(keys, expected);
        assert_eq!(faults(&snapshot), Vec::<String>::new());
    }
}

#[tokio::test]
async fn the_pushed_down_floor_loses_no_row_of_the_future() {
    let mut register = Register::with(&[]).await;
    // Every hour around the floor, in a zone far ahead of UTC and one far behind it.
    for (n, zone) in ["Pacific/Kiritimati", "Pacific/Honolulu", "Europe/Oslo"]
        .iter()
        .enumerate()
    {
        register
            .run(&format!(
                "WITH RECURSIVE h(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM h WHERE i < 95)
                 INSERT INTO booking SELECT {n} * 1000 + i, 'Booked',
                   strftime('%Y-%m-%dT%H:%M', '2021-03-14 13:00', '+' || i || ' hours'),
                   'gronland', 'passport', NULL, NULL, NULL, '{zone}' FROM h"
            ))
            .await;
    }
    let mut whole = register.open().await;
    let pushed = Settings {
        floor: Some("start >= :floor".to_owned()),
        ..register.settings()
    };
    let mut pushed = open(pushed).await.unwrap();
    let all = read(&mut whole).await;
    assert_eq!(all, read(&mut pushed).await);
    assert!(all.rows.iter().all(|row| row.state.start >= floor()));
    // The floor is 13:00 UTC on the 16th, the last row 12:00 local time on the 18th.
    assert_eq!(all.rows.len(), 34 + 58 + 47);
}

#[tokio::test]
async fn a_look_up_finds_keys_wherever_they_stand_in_time() {
    let register = Register::with(&[
        ONE,
        "INSERT INTO booking VALUES (2, 'Booked', '2019-01-01 09:00', 'gronland', 'passport', NULL, NULL, NULL, NULL)",
        "INSERT INTO booking VALUES (3, 'Draft', '2019-01-01 09:00', 'gronland', 'passport', NULL, NULL, NULL, NULL)",
        "INSERT INTO booking VALUES (4, 'Booked', '2021-04-01 09:00', 'gronland', 'passport', NULL, NULL, NULL, NULL)",
    ])
    .await;
    let mut source = register.open().await;
    let keys = ["1", "2", "3", "99", "1 OR 1=1"].map(key);
    let found = source.look_up(&keys).await.unwrap();
    let rows: BTreeSet<_> = found.rows.iter().map(|row| row.key.0.as_str()).collect();
    assert_eq!(rows, BTreeSet::from(["1", "2"]));
    assert_eq!(found.unreadable, BTreeSet::from([key("3")]));
    assert_eq!(source.look_up(&[]).await.unwrap(), Snapshot::default());
}

#[tokio::test]
async fn a_padded_key_is_found_again_as_it_is_written() {
    let register = Register::with(&[ONE]).await;
    let mut settings = register.settings();
    settings.query = QUERY.replace("id AS id", "'A' || id || '  ' AS id");
    let mut source = open(settings).await.unwrap();
    let snapshot = read(&mut source).await;
    let seen = only(&snapshot).key.clone();
    let found = source.look_up(&[seen]).await.unwrap();
    assert_eq!(found.rows, snapshot.rows);
}

#[tokio::test]
async fn a_snapshot_prints_no_person() {
    let register = Register::with(&[ONE]).await;
    let snapshot = read(&mut register.open().await).await;
    let printed = format!("{snapshot:?}");
    for canary in ["4000", "k@", "example"] {
        assert!(!printed.contains(canary), "{printed}");
    }
}
