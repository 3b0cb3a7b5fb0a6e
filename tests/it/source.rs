//! The SQL source on real SQLite files: what a row means, what makes a read worthless, and that no
//! change is lost between two looks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use varsel::domain::appointment::{Appointment, BookingKey, SourceName, Standing};
use varsel::domain::contact::Unusable;
use varsel::domain::directory::{Directory, Office, Service, ServiceKind};
use varsel::domain::language::{Language, Texts};
use varsel::domain::recipient::Role;
use varsel::source::sql::{Meaning, STATEMENT_TIMEOUT, Settings, SqlSource, StartFormat};
use varsel::source::{Look, Snapshot, Source, SourceError};

const TABLE: &str = "CREATE TABLE booking (
    id INTEGER PRIMARY KEY, state TEXT, at TEXT, place TEXT, kind TEXT,
    phone TEXT, mail TEXT, lang TEXT, zone TEXT)";

const QUERY: &str = "SELECT id AS id, state AS status, at AS start, place AS office,
    kind AS service, phone AS phone, mail AS email, lang AS language, zone AS tz FROM booking";

const ONE: &str = "INSERT INTO booking VALUES (1, 'Booked', '2021-03-24 09:20:00', 'Grønland',
    'Pass', '40 00 00 00', 'k@example.com', 'norwegian', NULL)";

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn floor() -> DateTime<Utc> {
    utc("2021-03-16T13:00:00Z")
}

fn key(text: &str) -> BookingKey {
    BookingKey(text.to_owned())
}

fn office(id: &str, zone: &str, region: &str) -> Office {
    Office {
        id: id.into(),
        district: "oslo".into(),
        name_sms: Texts::default(),
        name_full: Texts::default(),
        address: String::new(),
        zone: zone.parse().unwrap(),
        city: None,
        abroad: false,
        region: region.to_owned(),
        plausible_regions: if region == "DZ" {
            vec!["NO".to_owned()]
        } else {
            Vec::new()
        },
        language: Language::Nb,
        passport_line: None,
        immigration_line: None,
        email: None,
    }
}

fn directory() -> Arc<Directory> {
    let offices = [
        office("gronland", "Europe/Oslo", "NO"),
        office("algiers", "Africa/Algiers", "DZ"),
    ];
    let service = Service {
        id: "passport".into(),
        kind: ServiceKind::Passport,
        name: Texts::default(),
        digital: None,
        stay_note: None,
    };
    Arc::new(Directory {
        districts: BTreeMap::new(),
        offices: offices.map(|office| (office.id.clone(), office)).into(),
        services: [(service.id.clone(), service)].into(),
    })
}

/// A booking system: a file of its own, written through its own connection.
struct Register {
    folder: TempDir,
    writer: SqliteConnection,
}

impl Register {
    async fn new(journal: SqliteJournalMode) -> Self {
        let folder = TempDir::new().unwrap();
        let writer = Self::connect(&folder.path().join("booking.db"), journal).await;
        let mut register = Self { folder, writer };
        register.run(TABLE).await;
        register
    }

    async fn with(rows: &[&'static str]) -> Self {
        let mut register = Self::new(SqliteJournalMode::Wal).await;
        for row in rows {
            register.run(row).await;
        }
        register
    }

    async fn connect(path: &Path, journal: SqliteJournalMode) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(journal);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("booking.db")
    }

    async fn run(&mut self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.writer)
            .await
            .unwrap();
    }

    fn settings(&self) -> Settings {
        let status = [
            ("Booked", Meaning::Active),
            ("", Meaning::Active),
            ("Cancelled", Meaning::Cancelled),
            ("Draft", Meaning::Ignore),
        ];
        let languages = [("norwegian", Language::Nb), ("english", Language::En)];
        Settings {
            name: SourceName("ea".to_owned()),
            path: self.path(),
            query: QUERY.to_owned(),
            floor: None,
            start: StartFormat::Naive,
            naive_zone: None,
            region: "NO".to_owned(),
            status: status.map(|(word, m)| (word.to_owned(), m)).into(),
            languages: languages.map(|(word, l)| (word.to_owned(), l)).into(),
            services: [("Pass".to_owned(), "passport".into())].into(),
            offices: [("Grønland".to_owned(), "gronland".into())].into(),
            every: Duration::from_secs(30),
            statement_timeout: STATEMENT_TIMEOUT,
        }
    }

    async fn open(&self) -> SqlSource {
        open(self.settings()).await.unwrap()
    }
}

async fn open(settings: Settings) -> Result<SqlSource, SourceError> {
    SqlSource::open(settings, directory()).await
}

async fn refusal(settings: Settings) -> SourceError {
    match open(settings).await {
        Ok(_) => panic!("the source opened although it should not"),
        Err(why) => why,
    }
}

async fn read(source: &mut SqlSource) -> Snapshot {
    match source.snapshot(floor()).await.unwrap() {
        Look::Snapshot(snapshot) => snapshot,
        Look::Unchanged => panic!("the source says that nothing changed"),
    }
}

fn only(snapshot: &Snapshot) -> &Appointment {
    assert_eq!(snapshot.faults, []);
    assert_eq!(snapshot.rows.len(), 1);
    &snapshot.rows[0]
}

fn faults(snapshot: &Snapshot) -> Vec<String> {
    snapshot.faults.iter().map(ToString::to_string).collect()
}

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
        let settings = Settings {
            start: *format,
            ..register.settings()
        };
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
    let settings = Settings {
        naive_zone: Some(chrono_tz::Europe::Helsinki),
        ..register.settings()
    };
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
    assert!(all.rows.len() > 100 && all.rows.iter().all(|row| row.state.start >= floor()));
}

#[tokio::test]
async fn a_key_that_is_missing_or_comes_twice_makes_the_read_worthless() {
    let mut register = Register::with(&[ONE]).await;
    register.run("CREATE TABLE person (booking INTEGER)").await;
    register.run("INSERT INTO person VALUES (1)").await;
    let settings = Settings {
        query: "SELECT CASE WHEN p.booking > 1 THEN NULL ELSE b.id END AS id, b.state AS status,
            b.at AS start, b.place AS office, b.kind AS service
            FROM booking b, person p"
            .to_owned(),
        ..register.settings()
    };
    let mut source = open(settings).await.unwrap();
    assert_eq!(read(&mut source).await.rows.len(), 1);
    for (person, expected) in [("1", "id 1 comes twice"), ("7", "has no id")] {
        register
            .run(&format!("INSERT INTO person VALUES ({person})"))
            .await;
        let error = source.snapshot(floor()).await.unwrap_err();
        assert!(matches!(error, SourceError::Mapping { .. }));
        assert!(error.to_string().contains(expected), "{error}");
        // The failed read spares nothing: the next look reads again, and fails again.
        assert!(source.snapshot(floor()).await.is_err());
        register.run("DELETE FROM person WHERE rowid > 1").await;
        assert_eq!(read(&mut source).await.rows.len(), 1);
    }
}

#[tokio::test]
async fn a_query_that_does_not_fit_is_refused_at_the_start() {
    let register = Register::with(&[ONE]).await;
    let with = |query: &str| Settings {
        query: query.to_owned(),
        ..register.settings()
    };
    let said = refusal(with("SELECT id, state AS status, place FROM booking")).await;
    assert_eq!(
        said.to_string(),
        "source \"ea\": the query has no column start, office, service; it has id, status, place. \
         Name it with AS in the query"
    );
    for query in [
        "SELECT id FROM bookings",
        "SELEC id",
        "DELETE FROM booking",
        "SELECT 1; DROP TABLE booking",
    ] {
        let said = refusal(with(query)).await;
        assert!(
            matches!(said, SourceError::Mapping { .. }),
            "{query}: {said}"
        );
    }
    for (floor, expected) in [
        ("start > 0", "does not name :floor"),
        ("begin >= :floor", "no such column: begin"),
    ] {
        let settings = Settings {
            floor: Some(floor.to_owned()),
            ..register.settings()
        };
        let said = refusal(settings).await.to_string();
        assert!(said.contains(expected), "{said}");
    }
    let mut settings = register.settings();
    settings
        .offices
        .insert("Sandvika".to_owned(), "sandvika".into());
    let said = refusal(settings).await.to_string();
    assert!(
        said.contains("office \"Sandvika\" = \"sandvika\""),
        "{said}"
    );
}

#[tokio::test]
async fn a_database_that_is_not_there_or_is_none_is_unavailable() {
    let register = Register::with(&[]).await;
    let mut settings = register.settings();
    settings.path = register.folder.path().join("missing.db");
    let said = refusal(settings.clone()).await;
    assert!(matches!(said, SourceError::Unavailable { .. }));
    assert!(said.to_string().contains("missing.db"), "{said}");
    assert!(!settings.path.exists(), "reading must not create it");
    std::fs::write(
        &settings.path,
        "this is no database, but text that is long enough",
    )
    .unwrap();
    assert!(matches!(
        refusal(settings).await,
        SourceError::Unavailable { .. }
    ));
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again() {
    for journal in [SqliteJournalMode::Wal, SqliteJournalMode::Delete] {
        let mut register = Register::new(journal).await;
        register.run(ONE).await;
        let mut source = register.open().await;
        read(&mut source).await;
        assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
        // A look-up in between conceals nothing.
        register.run("UPDATE booking SET state = 'Cancelled'").await;
        source.look_up(&[key("1")]).await.unwrap();
        assert_eq!(
            only(&read(&mut source).await).state.standing,
            Standing::Cancelled
        );
        assert_eq!(source.snapshot(floor()).await.unwrap(), Look::Unchanged);
        source.forget();
        read(&mut source).await;
    }
}

#[tokio::test]
async fn a_file_that_was_replaced_is_opened_anew() {
    let register = Register::with(&[ONE]).await;
    let mut source = register.open().await;
    read(&mut source).await;
    let mut restored = Register::new(SqliteJournalMode::Delete).await;
    restored.run(ONE).await;
    restored.run("UPDATE booking SET state = 'Cancelled'").await;
    for end in ["-wal", "-shm"] {
        std::fs::remove_file(register.folder.path().join(format!("booking.db{end}"))).unwrap();
    }
    std::fs::rename(restored.path(), register.path()).unwrap();
    assert_eq!(
        only(&read(&mut source).await).state.standing,
        Standing::Cancelled
    );
    // And one that is gone is an error, never an empty calendar.
    std::fs::remove_file(register.path()).unwrap();
    let gone = source.snapshot(floor()).await.unwrap_err();
    assert!(matches!(gone, SourceError::Unavailable { .. }));
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

/// In each round a writer moves two bookings together while we read: no read may see one moved and
/// the other not, and what a read did not see yet, the next look does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_is_consistent_and_nothing_written_meanwhile_is_lost() {
    const ROUNDS: usize = 400;
    let mut register = Register::with(&[ONE]).await;
    register.run("PRAGMA synchronous = OFF").await;
    register
        .run(
            "INSERT INTO booking
             SELECT 2, state, at, place, kind, phone, mail, lang, zone FROM booking",
        )
        .await;
    let mut source = register.open().await;
    let mut seen_at_once = 0;
    for round in 0..ROUNDS {
        let minute = format!("2021-04-01T{:02}:{:02}", 8 + round / 60, round % 60);
        let moved = format!("UPDATE booking SET at = '{minute}'");
        let stands = utc(&format!("{minute}:00+02:00"));
        source.forget();
        let meanwhile = async {
            // Each round the write meets the read at another point of its way.
            for _ in 0..round % 40 {
                tokio::task::yield_now().await;
            }
            register.run(&moved).await;
        };
        let (look, ()) = tokio::join!(source.snapshot(floor()), meanwhile);
        let Look::Snapshot(first) = look.unwrap() else {
            panic!("it was told to forget")
        };
        assert_eq!(first.rows.len(), 2);
        assert_eq!(first.rows[0].state, first.rows[1].state);
        if first.rows[0].state.start == stands {
            seen_at_once += 1;
        } else {
            let second = read(&mut source).await;
            assert_eq!(second.rows[0].state.start, stands, "round {round}");
        }
    }
    println!("{seen_at_once} of {ROUNDS} writes were seen by the read they met");
}

/// A query that would run for ever is given up, its thread ends and lets go of the file, and the
/// next look starts afresh.
#[tokio::test]
async fn a_query_that_hangs_is_given_up_and_lets_go_of_the_file() {
    let mut register = Register::new(SqliteJournalMode::Delete).await;
    register.run(ONE).await;
    register.run("CREATE TABLE stuck (yes INTEGER)").await;
    register.run("INSERT INTO stuck VALUES (1)").await;
    let settings = Settings {
        query: format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
             {QUERY} WHERE NOT EXISTS (SELECT 1 FROM stuck) OR (SELECT max(i) FROM n) > 0"
        ),
        statement_timeout: Duration::from_millis(300),
        ..register.settings()
    };
    let mut source = open(settings).await.unwrap();
    let late = source.snapshot(floor()).await.unwrap_err();
    assert!(
        late.to_string().contains("took longer than 0.3 s"),
        "{late}"
    );
    // The writer needs the file for itself, which it gets only when the reader has let go.
    register.run("DELETE FROM stuck").await;
    assert_eq!(read(&mut source).await.rows.len(), 1);
}

#[tokio::test]
async fn the_connection_cannot_write() {
    let register = Register::with(&[ONE]).await;
    let settings = Settings {
        query: QUERY.replace(
            "id AS id",
            "(SELECT 'query_only=' || query_only FROM pragma_query_only) AS id",
        ),
        ..register.settings()
    };
    let mut source = open(settings).await.unwrap();
    let snapshot = read(&mut source).await;
    assert_eq!(only(&snapshot).key, key("query_only=1"));
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
