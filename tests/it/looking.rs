//! The verbs that look before anything leaves: `source check`, `source diff` and `plan`, on a real
//! register and the store of a daemon that has run.

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions};

use crate::sandbox::model_case;
use crate::support::house::{HOUSE, House, code, stderr, stdout};

/// A moment of working hours, long before the bookings of these tests.
const AT: [&str; 2] = ["--at", "2099-02-02T12:00"];

async fn write(house: &House, sql: &str) {
    let register = SqliteConnectOptions::new().filename(house.path("register.db"));
    let mut register = register.connect().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut register)
        .await
        .unwrap();
}

fn json(house: &House, verb: &[&str]) -> Value {
    let output = house.run(&[verb, &AT, &["--json"]].concat());
    let text = stdout(&output);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{}", stderr(&output)))
}

/// A house whose daemon has taken the baseline and has ended.
async fn known(more: &str) -> House {
    let house = House::build().await;
    write(&house, more).await;
    house.take_the_baseline();
    house
}

/// More bookings: some are cancelled later, one moves, one goes, one is for e-mail.
const MORE: &str = "INSERT INTO bookings VALUES
    ('B0', 'booked', '2099-03-24T09:20:00Z', 'gronland', 'passport', '+47 40 00 00 66', NULL, 'en'),
    ('B2', 'booked', '2099-03-24T09:20:00Z', 'gronland', 'passport', '+47 40 00 00 12', NULL, 'en'),
    ('B3', 'booked', '2099-03-25T09:20:00Z', 'gronland', 'id_card', '+47 40 00 00 23', NULL, 'nb'),
    ('B4', 'booked', '2099-03-26T09:20:00Z', 'sentrum', 'residence_permit', NULL, 'ola@example.org', 'nb'),
    ('B5', 'booked', '2099-03-27T09:20:00Z', 'gronland', 'passport', NULL, NULL, 'nb')";

const CHANGES: &str = "UPDATE bookings SET status = 'cancelled' WHERE id IN ('B2', 'B4');
    UPDATE bookings SET start = '2099-03-25T11:00:00Z' WHERE id = 'B3';
    DELETE FROM bookings WHERE id = 'B5';
    INSERT INTO bookings VALUES ('B6', 'booked', '2099-03-28T09:20:00Z', 'gronland', 'passport',
     '+47 40 00 00 34', NULL, 'nb')";

#[tokio::test]
async fn a_diff_shows_each_change_once_and_leaves_no_trace() {
    let house = known(MORE).await;
    let calm = json(&house, &["source", "diff"]);
    assert_eq!(calm["sources"][0]["changes"], Value::Array(vec![]));
    write(&house, CHANGES).await;
    let first = json(&house, &["source", "diff", "oslo"]);
    assert_eq!(first, json(&house, &["source", "diff", "oslo"]));
    let shown = house.run(&[&["source", "diff"][..], &AT].concat());
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    insta::assert_snapshot!(stdout(&shown));
    let said: Vec<_> = first["sources"][0]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["key"].as_str().unwrap(),
                change["kind"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("B2", "cancelled"),
        ("B3", "moved"),
        ("B4", "cancelled"),
        ("B5", "cancelled"),
    ];
    let mut said = said.clone();
    said.sort_unstable();
    assert_eq!(said, expected);
    assert_eq!(first["sources"][0]["new"], 1);
    let status = json(&house, &["status"]);
    let tally = ["told", "waiting", "must_be_phoned", "held"].map(|key| &status[key]);
    assert!(tally.iter().all(|count| **count == 0), "{status}");
}

#[tokio::test]
async fn a_plan_names_channels_parts_and_the_end_and_says_no_when_it_is_too_late() {
    let house = known(MORE).await;
    write(&house, CHANGES).await;
    let shown = house.run(&[&["plan"][..], &AT].concat());
    assert_eq!(code(&shown), 0, "{}", stderr(&shown));
    let text = stdout(&shown);
    for personal in ["40 00 00", "40000012", "ola@", "example.org"] {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
    insta::assert_snapshot!(text);
    // Two text messages of the same deadline: with one second left, one a second is too slow.
    write(
        &house,
        "UPDATE bookings SET status = 'cancelled' WHERE id = 'B0'",
    )
    .await;
    let late = ["--at", "2099-03-24T09:19:59.5+00:00", "--rate", "1"];
    let output = house.run(&[&["plan", "--json"][..], &late].concat());
    let plan: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(code(&output), 1, "{plan}");
    assert_eq!(plan["late"], 1);
    assert_eq!(plan["people"].as_array().unwrap().len(), 5);
    assert_eq!(plan["channels"][0]["channel"], "sms");
    assert!(plan["channels"][0]["parts"].as_u64().unwrap() >= 2);
    // The gateway's own rate says the same without a word on the command line.
    let key = "secret_files = { key = \"key\" }";
    let paced = HOUSE.replace(key, &format!("{key}\nrate_per_second = 1"));
    house.write("varsel.toml", &paced);
    let output = house.run(&[&["plan", "--json"][..], &late[..2]].concat());
    let plan: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((code(&output), &plan["late"]), (1, &1.into()), "{plan}");
}

#[tokio::test]
async fn a_check_names_what_is_not_understood_and_what_is_strange() {
    let house = House::build().await;
    let wrong = "INSERT INTO bookings VALUES
        ('B7', 'avlyst', '2099-03-24T08:20:00Z', 'gronland', 'passport', '+47 40 00 00 55', NULL, 'nb'),
        ('B8', 'booked', '2099-03-24T01:20:00Z', 'Nowhere', 'passport', NULL, NULL, 'nb'),
        ('B8', 'booked', '2099-03-24T02:20:00Z', 'gronland', 'passport', '+47 99 99 99 99', 'test@example.com', NULL),
        ('B9', 'booked', '2099-03-24T02:20:00Z', 'gronland', 'passport', 'ring meg', NULL, 'klingon'),
        ('B10', 'booked', 'tomorrow', 'gronland', 'passport', NULL, NULL, 'nb'),
        (NULL, 'booked', '2099-03-24T02:20:00Z', 'gronland', 'passport', NULL, NULL, 'nb')";
    write(&house, wrong).await;
    let crowd: String = (0..21)
        .map(|n| {
            format!(
                "INSERT INTO bookings VALUES ('D{n}', 'booked', '2099-03-24T10:20:00Z', 'gronland',
                 'passport', '+47 40 00 00 77', NULL, 'nb');"
            )
        })
        .collect();
    write(&house, &crowd).await;
    let shown = house.run(&[&["source", "check"][..], &AT].concat());
    assert_eq!(code(&shown), 78);
    let text = stdout(&shown);
    for personal in ["40 00 00", "4000007", "test@", "ring meg"] {
        assert!(!text.contains(personal), "{personal}: {text}");
    }
    insta::with_settings!({filters => vec![(r"in \d+ ms", "in N ms")]}, {
        insta::assert_snapshot!(text);
    });
    let said = json(&house, &["source", "check", "oslo"]);
    let said = &said["sources"][0];
    assert_eq!(said["without_id"], 1);
    assert_eq!(said["doubled"], 1);
    assert_eq!(said["suspicious"][0]["bookings"], 21);
    assert_eq!(said["suspicious"][0]["why"], "crowded");
    let unknown = house.run(&["source", "check", "bergen"]);
    assert_eq!(code(&unknown), 1);
    assert!(stderr(&unknown).contains("there is no source \"bergen\""));
}

/// Addresses that are not one person's own are named and counted, and masked.
#[tokio::test]
async fn a_check_names_the_agencys_own_numbers_shared_ones_and_those_typed_to_fill_a_field() {
    let house = House::build().await;
    let rows = "INSERT INTO bookings VALUES
        ('C1', 'booked', '2099-03-24T10:20:00Z', 'gronland', 'passport', NULL, 'OWN', 'nb'),
        ('C2', 'booked', '2099-03-24T10:20:00Z', 'gronland', 'passport', '+47 40 00 00 67', NULL, 'nb'),
        ('C3', 'booked', '2099-03-24T10:20:00Z', 'gronland', 'passport', '+47 40 00 00 67', NULL, 'nb'),
        ('C4', 'booked', '2099-03-24T10:20:00Z', 'gronland', 'passport', '+47 99 99 99 99', NULL, 'nb'),
        ('C5', 'booked', '2099-03-24T10:20:00Z', 'gronland', 'passport', 'LINE', NULL, 'nb')";
    let directory = model_case();
    let own = directory
        .offices
        .values()
        .find_map(|office| office.email.clone());
    let mut lines = directory.offices.values();
    let line = lines.find_map(|office| office.passport_line.as_ref());
    let rows = rows.replace("LINE", &line.unwrap().phone);
    write(&house, &rows.replace("OWN", &own.unwrap())).await;
    let said = json(&house, &["source", "check", "oslo"]);
    let suspicious = said["sources"][0]["suspicious"].as_array().unwrap();
    let named: Vec<_> = suspicious
        .iter()
        .map(|one| {
            (
                one["why"].as_str().unwrap(),
                one["bookings"].as_u64().unwrap(),
            )
        })
        .collect();
    for expected in [("own", 1), ("shared", 2), ("dummy", 1)] {
        assert!(named.contains(&expected), "{expected:?}: {said}");
    }
    let own = named.iter().filter(|(why, _)| *why == "own");
    assert_eq!(own.count(), 2, "an address and a line: {said}");
    assert!(!said.to_string().contains("400000"), "{said}");
}

#[tokio::test]
async fn a_check_of_a_sound_register_ends_well() {
    let house = House::build().await;
    let shown = house.run(&[&["source", "check"][..], &AT].concat());
    assert_eq!(code(&shown), 0, "{}{}", stdout(&shown), stderr(&shown));
    assert!(!stdout(&shown).contains('✗'), "{}", stdout(&shown));
}
