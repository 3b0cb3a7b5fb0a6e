//! The same source on real servers: one decoder for every type, a session that cannot write, reads
//! that see whole transactions, and a server that hangs.

use std::time::Duration;

use sqlx::mysql::MySqlConnection;
use varsel::source::sql::{Address, Place, Settings};
use varsel::source::{Look, Source, SourceError, StartFormat};

use super::register::{Register, faults, floor, key, only, open, read, refusal, utc};
use crate::support::mariadb;

/// A booking system on a server, with its own writer.
struct Town {
    db: mariadb::Db,
    writer: MySqlConnection,
}

impl Town {
    async fn new() -> Self {
        let db = mariadb::database().await;
        let writer = db.root().await;
        let mut town = Self { db, writer };
        town.run(
            "CREATE TABLE booking (id INT UNSIGNED PRIMARY KEY, state ENUM('Booked', 'Cancelled'),
               at DATETIME, place SMALLINT, kind VARCHAR(40), phone TINYTEXT, mail VARCHAR(80), lang CHAR(20));
             INSERT INTO booking VALUES
               (1, 'Booked', '2021-03-24 09:20:00', 12, 'Pass', '40 00 00 00', 'k@example.com', 'norwegian')",
        )
        .await;
        town
    }

    async fn run(&mut self, sql: &str) {
        mariadb::run(&mut self.writer, sql).await;
    }

    async fn settings(&self) -> Settings {
        let (user, password) = mariadb::READER;
        let address = Address::mysql(&self.db.url(user)).unwrap();
        let mut settings = Register::with(&[]).await.settings();
        settings
            .words
            .offices
            .insert("12".to_owned(), "gronland".into());
        Settings {
            place: Place::Mysql(address.with_password(password.into())),
            query:
                "SELECT id, state AS status, at AS start, place AS office, kind AS service, phone,
                    mail AS email, lang AS language FROM booking"
                    .to_owned(),
            floor: Some("start >= :floor".to_owned()),
            ..settings
        }
    }
}

/// What goes wrong when it is opened or, at the latest, read: servers try a query at different times.
async fn trouble(settings: Settings) -> String {
    match open(settings).await {
        Ok(mut source) => source.snapshot(floor()).await.unwrap_err(),
        Err(said) => said,
    }
    .to_string()
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn every_type_is_read_as_text_and_means_what_it_means_in_a_file() {
    let mut town = Town::new().await;
    let register = Register::with(&[super::register::ONE]).await;
    let in_a_file = read(&mut register.open().await).await;
    let mut source = open(town.settings().await).await.unwrap();
    assert_eq!(read(&mut source).await, in_a_file);
    // The server does not say that nothing changed, so everything is read again.
    assert!(matches!(
        source.snapshot(floor()).await.unwrap(),
        Look::Snapshot(_)
    ));
    // A TIMESTAMP is an instant: the session reads it in UTC, whatever the server's own zone is.
    town.run(
        "SET time_zone = '+05:00'; ALTER TABLE booking MODIFY at TIMESTAMP;
              UPDATE booking SET at = '2021-03-24 13:20:00'",
    )
    .await;
    let mut settings = town.settings().await;
    settings.words.start = StartFormat::Utc;
    let mut source = open(settings).await.unwrap();
    assert_eq!(
        only(&read(&mut source).await).state.start,
        utc("2021-03-24T08:20:00Z")
    );
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_survey_knows_the_servers_clock_and_what_the_read_costs() {
    let town = Town::new().await;
    let mut source = open(town.settings().await).await.unwrap();
    let survey = source.survey(floor()).await.unwrap();
    assert_eq!((survey.rows, survey.active), (1, 1));
    let ahead = survey.clock_ahead_seconds.expect("a server has a clock");
    assert!(ahead.abs() < 60, "it is our own machine: {ahead} s");
    assert!(!survey.cost.is_empty(), "{survey:?}");
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_look_up_finds_exactly_the_keys_asked_for() {
    let mut town = Town::new().await;
    town.run(
        "ALTER TABLE booking MODIFY id VARCHAR(20);
         INSERT INTO booking SELECT 'Ab', state, '2019-01-01 09:00', place, kind, phone, mail, lang FROM booking",
    )
    .await;
    let mut source = open(town.settings().await).await.unwrap();
    let found = source
        .look_up(&["Ab", "aB", "1 ", "99", "' OR 1=1 -- "].map(key))
        .await
        .unwrap();
    let keys: Vec<_> = found.rows.iter().map(|row| row.key.0.as_str()).collect();
    assert_eq!(keys, ["Ab"]);
    let many: Vec<_> = (0..12_000).map(|n| key(&n.to_string())).collect();
    assert_eq!(source.look_up(&many).await.unwrap().rows.len(), 1);
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn an_account_that_may_write_is_named_and_its_session_cannot_write() {
    let mut town = Town::new().await;
    let mut source = open(town.settings().await).await.unwrap();
    assert_eq!(source.may_write().await.unwrap(), None);
    let name = town.db.name.clone();
    town.run(&format!(
        "CREATE FUNCTION leave_a_mark() RETURNS INT MODIFIES SQL DATA
           BEGIN INSERT INTO {name}.booking (id) VALUES (99); RETURN 1; END;
         CREATE USER {name}@localhost IDENTIFIED BY 'w';
         GRANT SELECT, INSERT, EXECUTE ON {name}.* TO {name}@localhost"
    ))
    .await;
    let address = Address::mysql(&town.db.url(&name)).unwrap();
    let writing = Settings {
        place: Place::Mysql(address.with_password("w".into())),
        ..town.settings().await
    };
    let mut source = open(writing.clone()).await.unwrap();
    let may = source.may_write().await.unwrap().unwrap();
    assert_eq!(may, format!("{name}.* (INSERT)"));
    // A query that tries to write through a function fails, and nothing is there afterwards.
    let query = writing
        .query
        .replace("SELECT id,", "SELECT leave_a_mark() AS mark, id,");
    let query = query.replace("kind AS service", "CONCAT(kind, leave_a_mark()) AS service");
    let said = trouble(Settings {
        query,
        ..writing.clone()
    })
    .await;
    assert!(said.contains("READ ONLY"), "{said}");
    assert_eq!(read(&mut open(writing).await.unwrap()).await.rows.len(), 1);
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn what_commits_late_is_seen_when_it_is_there_whatever_its_stamp_says() {
    let mut town = Town::new().await;
    let mut source = open(town.settings().await).await.unwrap();
    town.run("START TRANSACTION; UPDATE booking SET at = '2021-03-25 10:00:00'")
        .await;
    let before = read(&mut source).await;
    assert_eq!(only(&before).state.start, utc("2021-03-24T08:20:00Z"));
    town.run("COMMIT").await;
    assert_eq!(
        only(&read(&mut source).await).state.start,
        utc("2021-03-25T09:00:00Z")
    );
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_query_that_hangs_is_ended_at_the_server_too() {
    let mut town = Town::new().await;
    town.run("CREATE TABLE stuck (yes INT); INSERT INTO stuck VALUES (1)")
        .await;
    let settings = town.settings().await;
    let settings = Settings {
        query: settings.query.clone()
            + " WHERE NOT EXISTS (SELECT 1 FROM stuck WHERE SLEEP(600) = 0)",
        statement_timeout: Duration::from_millis(700),
        floor: None,
        ..settings
    };
    let mut source = open(settings).await.unwrap();
    let late = source.snapshot(floor()).await.unwrap_err();
    assert!(matches!(late, SourceError::Unavailable { .. }), "{late}");
    let running = "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%SLEEP(600)%' AND id <> CONNECTION_ID()";
    while sqlx::query_scalar::<_, i64>(running)
        .fetch_one(&mut town.writer)
        .await
        .unwrap()
        > 0
    {
        tokio::task::yield_now().await;
    }
    town.run("DELETE FROM stuck").await;
    assert_eq!(read(&mut source).await.rows.len(), 1);
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn what_does_not_fit_or_answer_is_said_without_password_or_person() {
    let town = Town::new().await;
    let settings = town.settings().await;
    let with = |query: &str| Settings {
        query: query.to_owned(),
        ..settings.clone()
    };
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
    let address = Address::mysql(&town.db.url(mariadb::READER.0)).unwrap();
    let wrong = Settings {
        place: Place::Mysql(address.with_password("canary-secret".into())),
        ..settings.clone()
    };
    assert!(!format!("{wrong:?}").contains("canary"));
    let said = refusal(wrong).await;
    assert!(matches!(said, SourceError::Unavailable { .. }), "{said}");
    assert!(
        said.to_string().contains("Access denied") && !said.to_string().contains("canary"),
        "{said}"
    );
    let nowhere = Address::mysql("mysql://varsel_ro@localhost/ea?socket=/nowhere/socket").unwrap();
    let said = refusal(Settings {
        place: Place::Mysql(nowhere),
        ..settings.clone()
    })
    .await;
    assert!(matches!(said, SourceError::Unavailable { .. }), "{said}");
    // A value that breaks the query is not repeated.
    let breaking = settings.query.replace(
        "kind AS service",
        "EXTRACTVALUE(1, CONCAT('~', mail)) AS service",
    );
    let said = trouble(with(&breaking)).await;
    assert!(
        said.contains("since it may be personal") && !said.contains("example"),
        "{said}"
    );
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_row_that_is_not_understood_is_there() {
    let mut town = Town::new().await;
    let mut source = open(town.settings().await).await.unwrap();
    town.run("SET sql_mode = ''; UPDATE booking SET at = '0000-00-00 00:00:00'")
        .await;
    let snapshot = read(
        &mut open(Settings {
            floor: None,
            ..town.settings().await
        })
        .await
        .unwrap(),
    )
    .await;
    assert_eq!(
        snapshot.unreadable,
        std::collections::BTreeSet::from([key("1")])
    );
    assert!(
        faults(&snapshot)[0].contains("row 1, column start"),
        "{:?}",
        faults(&snapshot)
    );
    // A zero date is before every floor: such a row looks absent, and the look-up finds it.
    assert_eq!(read(&mut source).await.rows, []);
    let found = source.look_up(&[key("1")]).await.unwrap();
    assert_eq!(
        found.unreadable,
        std::collections::BTreeSet::from([key("1")])
    );
}
