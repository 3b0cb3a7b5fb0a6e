//! The same source on a real PostgreSQL: what its session may do, and what it says of a value.

use std::time::Duration;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use varsel::source::sql::{Address, Place, Settings};
use varsel::source::{Source, SourceError};

use super::register::{ONE, Register, floor, key, open, read};
use crate::support::link::Fault;
use crate::support::postgres;

/// A booking system on a server, with its own writer.
struct Town {
    db: postgres::Db,
    writer: PgConnection,
}

impl Town {
    async fn new() -> Self {
        let db = postgres::database().await;
        let writer = db.raw().await;
        let mut town = Self { db, writer };
        town.run(
            "CREATE SCHEMA town; CREATE TYPE town.state AS ENUM ('Booked', 'Cancelled');
             CREATE TABLE town.booking (id bigint PRIMARY KEY, state town.state, at timestamp, place smallint,
               kind varchar(40), phone text, mail text, lang char(20));
             INSERT INTO town.booking VALUES
               (1, 'Booked', '2021-03-24 09:20:00', 12, 'Pass', '40 00 00 00', 'k@example.com', 'norwegian')",
        )
        .await;
        town
    }

    async fn run(&mut self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut self.writer).await.unwrap();
    }

    async fn settings(&self, user: &str) -> Settings {
        let url = self.db.url().replace("varsel@", &format!("{user}@"));
        let mut settings = Register::with(&[]).await.settings();
        settings
            .words
            .offices
            .insert("12".to_owned(), "gronland".into());
        Settings {
            place: Place::Postgres(Address::postgres(&url).unwrap()),
            query:
                "SELECT id, state AS status, at AS start, place AS office, kind AS service, phone,
                    mail AS email, lang AS language FROM town.booking"
                    .to_owned(),
            floor: Some("start >= :floor".to_owned()),
            ..settings
        }
    }
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn every_type_is_read_as_text_and_means_what_it_means_in_a_file() {
    let town = Town::new().await;
    let in_a_file = read(&mut Register::with(&[ONE]).await.open().await).await;
    let mut source = open(town.settings("varsel").await).await.unwrap();
    assert_eq!(read(&mut source).await, in_a_file);
    let found = source.look_up(&["1", "99", "1 "].map(key)).await.unwrap();
    assert_eq!(found.rows, in_a_file.rows);
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn an_account_that_may_write_is_named_and_its_session_cannot_write() {
    let mut town = Town::new().await;
    let reader = format!("reader_{}", town.db.name);
    town.run(&format!(
        "CREATE ROLE {reader} LOGIN; GRANT USAGE ON SCHEMA town TO {reader};
         GRANT SELECT ON town.booking TO {reader}"
    ))
    .await;
    let mut source = open(town.settings(&reader).await).await.unwrap();
    assert_eq!(source.may_write().await.unwrap(), None);
    town.run(&format!("GRANT DELETE ON town.booking TO {reader}"))
        .await;
    assert_eq!(
        source.may_write().await.unwrap().unwrap(),
        "the table town.booking"
    );
    // A query that writes through a function fails, and nothing is there afterwards.
    town.run(
        "CREATE FUNCTION town.mark() RETURNS text LANGUAGE sql VOLATILE AS
           $$ INSERT INTO town.booking (id) VALUES (99); SELECT 'Pass' $$",
    )
    .await;
    let honest = town.settings("varsel").await;
    let query = honest
        .query
        .replace("kind AS service", "town.mark() AS service");
    let mut source = open(Settings {
        query,
        ..honest.clone()
    })
    .await
    .unwrap();
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(said.contains("read-only transaction"), "{said}");
    assert_eq!(read(&mut open(honest).await.unwrap()).await.rows.len(), 1);
    town.run(&format!("DROP OWNED BY {reader}; DROP ROLE {reader}"))
        .await;
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_survey_knows_the_servers_clock_and_what_the_read_costs() {
    let town = Town::new().await;
    let mut source = open(town.settings("varsel").await).await.unwrap();
    let survey = source.survey(floor()).await.unwrap();
    assert_eq!((survey.rows, survey.active), (1, 1));
    let ahead = survey.clock_ahead_seconds.expect("a server has a clock");
    assert!(ahead.abs() < 60, "it is our own machine: {ahead} s");
    assert!(!survey.cost.is_empty(), "{survey:?}");
}

/// The server's own limit does not help where its answer is lost on the way: ours does.
#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_link_that_swallows_everything_is_given_up_and_entered_anew() {
    let town = Town::new().await;
    let link = town.db.link().await;
    let address = Address::postgres(&town.db.url_over(&link)).unwrap();
    let settings = Settings {
        place: Place::Postgres(address),
        statement_timeout: Duration::from_secs(2),
        ..town.settings("varsel").await
    };
    let mut source = open(settings).await.unwrap();
    assert_eq!(read(&mut source).await.rows.len(), 1);
    for fault in [Fault::Silence, Fault::NoReplies] {
        link.set(fault);
        let late = source.snapshot(floor()).await.unwrap_err();
        assert!(matches!(late, SourceError::Unavailable { .. }), "{late}");
        link.set(Fault::None);
        assert_eq!(read(&mut source).await.rows.len(), 1);
    }
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_value_that_breaks_the_query_is_not_repeated() {
    let town = Town::new().await;
    let settings = town.settings("varsel").await;
    let query = settings
        .query
        .replace("kind AS service", "mail::int AS service");
    let mut source = open(Settings { query, ..settings }).await.unwrap();
    let said = source.snapshot(floor()).await.unwrap_err().to_string();
    assert!(
        said.contains("22P02") && !said.contains("example"),
        "{said}"
    );
}

#[tokio::test]
#[ignore = "needs tests/servers/fetch"]
async fn a_database_that_notifies_rings_and_one_that_may_have_rings_too() {
    let mut town = Town::new().await;
    let settings = Settings {
        listen: Some("bookings".to_owned()),
        ..town.settings("varsel").await
    };
    let mut bell = settings.bell().unwrap();
    let within = std::time::Duration::from_secs(30);
    // What was said before we listened may have been about us.
    tokio::time::timeout(within, bell.rung())
        .await
        .unwrap()
        .unwrap();
    town.run("SELECT pg_notify('other', ''); SELECT pg_notify('bookings', 'not read')")
        .await;
    tokio::time::timeout(within, bell.rung())
        .await
        .unwrap()
        .unwrap();
    // A link that is cut is entered again, and whoever enters looks.
    town.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'varsel-bell' AND datname = current_database()",
    )
    .await;
    let entered = async {
        while bell.rung().await.is_err() {}
        town.run("NOTIFY bookings").await;
        bell.rung().await.unwrap();
    };
    tokio::time::timeout(within, entered).await.unwrap();
    let silent = Settings {
        listen: None,
        ..settings
    };
    assert!(silent.bell().is_none());
}
