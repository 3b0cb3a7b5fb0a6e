//! When a read counts: what makes it worthless, what spares it, and that nothing is lost between two.

use std::time::Duration;

use sqlx::sqlite::SqliteJournalMode;
use varsel::domain::appointment::Standing;
use varsel::source::sql::{Address, Place, Settings};
use varsel::source::{Look, Source, SourceError};

use super::register::{ONE, QUERY, Register, floor, key, only, open, read, refusal, utc};

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

/// The rows of this query never end, so only its end in time lets the reason be told.
#[tokio::test]
async fn a_row_that_ends_the_read_ends_it_at_once() {
    let register = Register::with(&[ONE]).await;
    let settings = Settings {
        query: "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n)
            SELECT 1 AS id, b.state AS status, b.at AS start, b.place AS office, b.kind AS service
            FROM n, booking b"
            .to_owned(),
        ..register.settings()
    };
    let mut source = open(settings).await.unwrap();
    let error = source.snapshot(floor()).await.unwrap_err();
    assert!(error.to_string().contains("id 1 comes twice"), "{error}");
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
    let alone = format!("SELECT q.*, 1 AS calendar_uid FROM ({QUERY}) AS q");
    assert_eq!(
        refusal(with(&alone)).await.to_string(),
        "source \"ea\": the column calendar_uid is there without calendar_organizer, and a calendar entry \
         is known by both: name both, or none"
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
    let settings = register.settings_with(|words| {
        words
            .offices
            .insert("Sandvika".to_owned(), "sandvika".into());
    });
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
    let path = register.folder.path().join("missing.db");
    settings.place = Place::Sqlite(path.clone());
    let said = refusal(settings.clone()).await;
    assert!(matches!(said, SourceError::Unavailable { .. }));
    assert!(said.to_string().contains("missing.db"), "{said}");
    assert!(!path.exists(), "reading must not create it");
    std::fs::write(&path, "this is no database, but text that is long enough").unwrap();
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

/// Whoever accepts a connection and says nothing is not waited for longer than for a query.
#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_given_up() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = silent.local_addr().unwrap();
    let register = Register::with(&[ONE]).await;
    for place in [
        Place::Postgres(Address::postgres(&format!("postgres://varsel_ro@{at}/town")).unwrap()),
        Place::Mysql(Address::mysql(&format!("mysql://varsel_ro@{at}/town")).unwrap()),
    ] {
        let settings = Settings {
            place,
            statement_timeout: Duration::from_millis(300),
            ..register.settings()
        };
        let said = refusal(settings).await;
        assert!(matches!(said, SourceError::Unavailable { .. }), "{said}");
        assert!(said.to_string().contains("does not answer"), "{said}");
    }
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
