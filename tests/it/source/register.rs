//! A booking system to be read: a real SQLite file, its own writer, and a directory that fits it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;
use varsel::domain::appointment::{Appointment, BookingKey, SourceName};
use varsel::domain::directory::{Directory, Office, Practice, Service, ServiceKind};
use varsel::domain::language::{Language, Texts};
use varsel::source::sql::{Place, STATEMENT_TIMEOUT, Settings, SqlSource};
use varsel::source::{Look, Meaning, Snapshot, Source, SourceError, StartFormat, Words};

pub(super) const TABLE: &str = "CREATE TABLE booking (
    id INTEGER PRIMARY KEY, state TEXT, at TEXT, place TEXT, kind TEXT,
    phone TEXT, mail TEXT, lang TEXT, zone TEXT)";

pub(super) const QUERY: &str = "SELECT id AS id, state AS status, at AS start, place AS office,
    kind AS service, phone AS phone, mail AS email, lang AS language, zone AS tz FROM booking";

pub(super) const ONE: &str =
    "INSERT INTO booking VALUES (1, 'Booked', '2021-03-24 09:20:00', 'Grønland',
    'Pass', '40 00 00 00', 'k@example.com', 'norwegian', NULL)";

pub(super) fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

pub(super) fn floor() -> DateTime<Utc> {
    utc("2021-03-16T13:00:00Z")
}

pub(super) fn key(text: &str) -> BookingKey {
    BookingKey(text.to_owned())
}

pub(super) fn office(id: &str, zone: &str, region: &str) -> Office {
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
        sms_parts: 1,
        practice: Practice::default(),
    }
}

pub(super) fn directory() -> Arc<Directory> {
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
        application: None,
        neutral: false,
        sms_parts: 1,
    };
    Arc::new(Directory {
        districts: BTreeMap::new(),
        offices: offices.map(|office| (office.id.clone(), office)).into(),
        services: [(service.id.clone(), service)].into(),
        editions: Vec::new(),
    })
}

/// A booking system: a file of its own, written through its own connection.
pub(super) struct Register {
    pub(super) folder: TempDir,
    writer: SqliteConnection,
}

impl Register {
    pub(super) async fn new(journal: SqliteJournalMode) -> Self {
        let folder = TempDir::new().unwrap();
        let writer = Self::connect(&folder.path().join("booking.db"), journal).await;
        let mut register = Self { folder, writer };
        register.run(TABLE).await;
        register
    }

    pub(super) async fn with(rows: &[&'static str]) -> Self {
        let mut register = Self::new(SqliteJournalMode::Wal).await;
        for row in rows {
            register.run(row).await;
        }
        register
    }

    pub(super) async fn connect(path: &Path, journal: SqliteJournalMode) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(journal);
        SqliteConnection::connect_with(&options).await.unwrap()
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("booking.db")
    }

    pub(super) async fn run(&mut self, sql: &str) {
        sqlx::query(AssertSqlSafe(sql.to_owned()))
            .execute(&mut self.writer)
            .await
            .unwrap();
    }

    pub(super) fn settings(&self) -> Settings {
        let status = [
            ("Booked", Meaning::Active),
            ("", Meaning::Active),
            ("Cancelled", Meaning::Cancelled),
            ("Draft", Meaning::Ignore),
        ];
        let languages = [("norwegian", Language::Nb), ("english", Language::En)];
        Settings {
            name: SourceName("ea".to_owned()),
            place: Place::Sqlite(self.path()),
            query: QUERY.to_owned(),
            floor: None,
            listen: None,
            words: Words {
                start: StartFormat::Naive,
                naive_zone: None,
                region: "NO".to_owned(),
                status: status.map(|(word, m)| (word.to_owned(), m)).into(),
                languages: languages.map(|(word, l)| (word.to_owned(), l)).into(),
                services: [("Pass".to_owned(), "passport".into())].into(),
                offices: [("Grønland".to_owned(), "gronland".into())].into(),
                most_bookings_per_address: None,
            },
            statement_timeout: STATEMENT_TIMEOUT,
        }
    }

    /// The same, with words of another meaning.
    pub(super) fn settings_with(&self, change: impl FnOnce(&mut Words)) -> Settings {
        let mut settings = self.settings();
        change(&mut settings.words);
        settings
    }

    pub(super) async fn open(&self) -> SqlSource {
        open(self.settings()).await.unwrap()
    }
}

pub(super) async fn open(settings: Settings) -> Result<SqlSource, SourceError> {
    SqlSource::open(settings, directory()).await
}

pub(super) async fn refusal(settings: Settings) -> SourceError {
    match open(settings).await {
        Ok(_) => panic!("the source opened although it should not"),
        Err(why) => why,
    }
}

pub(super) async fn read(source: &mut SqlSource) -> Snapshot {
    match source.snapshot(floor()).await.unwrap() {
        Look::Snapshot(snapshot) => snapshot,
        Look::Unchanged => panic!("the source says that nothing changed"),
    }
}

pub(super) fn only(snapshot: &Snapshot) -> &Appointment {
    assert_eq!(snapshot.faults, []);
    assert_eq!(snapshot.rows.len(), 1);
    &snapshot.rows[0]
}

pub(super) fn faults(snapshot: &Snapshot) -> Vec<String> {
    snapshot.faults.iter().map(ToString::to_string).collect()
}
