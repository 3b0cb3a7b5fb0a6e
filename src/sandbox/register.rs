//! The sandbox's booking register: a foreign system in a SQLite file of its own, with its own words.
//!
//! It plays the agency's side. The daemon reads the file as it would read any source and never
//! learns of these functions; each of them is one transaction, as in a real register. Everybody in
//! it is invented.

mod invent;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
};
use sqlx::{AssertSqlSafe, Row};

use crate::domain::calendar;
use crate::domain::directory::{Directory, OfficeId, ServiceId};

/// How long a write waits for a reader or another writer.
const BUSY_LIMIT: Duration = Duration::from_secs(5);
/// Readers and the writer together.
const CONNECTIONS: u32 = 4;
/// The register's word for a booking that stands.
pub const BOOKED: &str = "bestilt";
/// The register's word for a booking that the office cancelled.
pub const CANCELLED: &str = "avlyst";

const SCHEMA: &str = "
CREATE TABLE bookings (
  booking_no TEXT PRIMARY KEY,
  state      TEXT NOT NULL,
  starts_at  TEXT NOT NULL,
  office     TEXT NOT NULL,
  case_type  TEXT NOT NULL,
  name       TEXT NOT NULL,
  mobile     TEXT,
  email      TEXT,
  language   TEXT,
  touched    INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX bookings_by_start ON bookings (starts_at);
";

/// One booking, in the register's own words.
#[derive(Clone, PartialEq, Eq)]
pub struct Booking {
    /// Its number.
    pub number: String,
    /// Whether it stands.
    pub stands: bool,
    /// The start.
    pub start: DateTime<Utc>,
    /// The office.
    pub office: OfficeId,
    /// What for.
    pub service: ServiceId,
    /// The person's invented name; the daemon's mapping does not read it.
    pub name: String,
    /// The mobile number as somebody typed it, if at all.
    pub mobile: Option<String>,
    /// The e-mail address as somebody typed it, if at all.
    pub email: Option<String>,
    /// The register's word for the person's language, if it knows.
    pub language: Option<String>,
}

impl std::fmt::Debug for Booking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Booking")
            .field("number", &self.number)
            .field("stands", &self.stands)
            .field("start", &self.start)
            .field("office", &self.office.0)
            .field("service", &self.service.0)
            .finish_non_exhaustive()
    }
}

/// Which bookings to list.
#[derive(Clone, Debug, Default)]
pub struct BookingQuery {
    /// Only those that stand, or only those that do not.
    pub stands: Option<bool>,
    /// Only this office.
    pub office: Option<OfficeId>,
    /// Only this service.
    pub service: Option<ServiceId>,
    /// Only those that start at or after this.
    pub from: Option<DateTime<Utc>>,
    /// Only those that start before this.
    pub before: Option<DateTime<Utc>>,
    /// The last touched first, instead of the earliest start first.
    pub last_touched_first: bool,
    /// At most so many.
    pub limit: u32,
}

/// Why the register could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// SQLite failed.
    #[error("the sandbox's register: {0}")]
    Database(#[from] sqlx::Error),
    /// The directory has no office to invent bookings for.
    #[error(
        "the directory has no office and service to invent bookings for; add them to offices.toml"
    )]
    NothingToInvent,
    /// The office is not in the directory.
    #[error("the directory has no office \"{0}\"")]
    UnknownOffice(OfficeId),
}

type Result<T> = std::result::Result<T, RegisterError>;

/// The register.
#[derive(Clone, Debug)]
pub struct Register {
    pool: SqlitePool,
    path: PathBuf,
}

/// What the invented register is made of.
#[derive(Clone, Copy, Debug)]
pub struct Invention {
    /// Equal seeds make equal registers.
    pub seed: u64,
    /// How many bookings.
    pub bookings: u32,
    /// The first day with bookings, in the offices' own calendar.
    pub first_day: NaiveDate,
    /// The last day, included.
    pub last_day: NaiveDate,
}

impl Register {
    /// Creates the file, which must not exist yet, and fills it with invented bookings.
    ///
    /// # Errors
    /// When SQLite fails or the directory is empty.
    pub async fn create(path: &Path, directory: &Directory, what: Invention) -> Result<Self> {
        let bookings = invent::bookings(directory, what);
        if bookings.is_empty() {
            return Err(RegisterError::NothingToInvent);
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(BUSY_LIMIT);
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options)
            .await?;
        let register = Self {
            pool,
            path: path.to_owned(),
        };
        register.fill(&bookings).await?;
        Ok(register)
    }

    async fn fill(&self, bookings: &[Booking]) -> Result<()> {
        let mut write = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::raw_sql(SCHEMA).execute(&mut *write).await?;
        sqlx::query(
            "INSERT INTO bookings
             (booking_no, state, starts_at, office, case_type, name, mobile, email, language)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                    value ->> 6, value ->> 7, value ->> 8
             FROM json_each(?)",
        )
        .bind(rows(bookings))
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    /// Where the file lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Cancels every standing booking of an office on one of its local days; returns how many.
    ///
    /// # Errors
    /// When the office is unknown or SQLite fails.
    pub async fn cancel_day(
        &self,
        directory: &Directory,
        office: &OfficeId,
        day: NaiveDate,
    ) -> Result<u32> {
        let zone = directory
            .offices
            .get(office)
            .ok_or_else(|| RegisterError::UnknownOffice(office.clone()))?
            .zone;
        let midnight =
            |day: NaiveDate| calendar::instant(day.and_time(chrono::NaiveTime::MIN), zone);
        let changed = sqlx::query(
            "UPDATE bookings SET state = ?, touched = (SELECT max(touched) + 1 FROM bookings)
             WHERE office = ? AND state = ? AND starts_at >= ? AND starts_at < ?",
        )
        .bind(CANCELLED)
        .bind(&office.0)
        .bind(BOOKED)
        .bind(written(midnight(day)))
        .bind(written(midnight(day + TimeDelta::days(1))))
        .execute(&self.pool)
        .await?;
        Ok(count(changed.rows_affected()))
    }

    /// Cancels these bookings, where they stand, in one transaction; returns how many did.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn cancel(&self, numbers: &[String]) -> Result<u32> {
        self.set_state(numbers, BOOKED, CANCELLED).await
    }

    /// Takes the cancelling of these bookings back, in one transaction; returns how many it was.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn reinstate(&self, numbers: &[String]) -> Result<u32> {
        self.set_state(numbers, CANCELLED, BOOKED).await
    }

    async fn set_state(&self, numbers: &[String], from: &str, to: &str) -> Result<u32> {
        let list = serde_json::Value::from(numbers).to_string();
        let changed = sqlx::query(
            "UPDATE bookings SET state = ?, touched = (SELECT max(touched) + 1 FROM bookings)
             WHERE state = ? AND booking_no IN (SELECT value FROM json_each(?))",
        )
        .bind(to)
        .bind(from)
        .bind(list)
        .execute(&self.pool)
        .await?;
        Ok(count(changed.rows_affected()))
    }

    /// Moves a standing booking to another start; `false` when there is no such booking.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn move_booking(&self, number: &str, start: DateTime<Utc>) -> Result<bool> {
        let changed = sqlx::query(
            "UPDATE bookings SET starts_at = ?, touched = (SELECT max(touched) + 1 FROM bookings)
             WHERE booking_no = ? AND state = ?",
        )
        .bind(written(start))
        .bind(number)
        .bind(BOOKED)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// One booking.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn find(&self, number: &str) -> Result<Option<Booking>> {
        let row = sqlx::query("SELECT * FROM bookings WHERE booking_no = ?")
            .bind(number)
            .fetch_optional(&self.pool)
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The bookings that fit, at most `wanted.limit`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn list(&self, wanted: &BookingQuery) -> Result<Vec<Booking>> {
        const BY_START: &str = "starts_at, booking_no";
        const BY_TOUCH: &str = "touched DESC, starts_at, booking_no";
        let order = if wanted.last_touched_first {
            BY_TOUCH
        } else {
            BY_START
        };
        // Only the order is put in as text, and both orders stand above.
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT * FROM bookings
             WHERE (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR office = ?2)
               AND (?3 IS NULL OR case_type = ?3) AND (?4 IS NULL OR starts_at >= ?4)
               AND (?5 IS NULL OR starts_at < ?5)
             ORDER BY {order} LIMIT ?6"
        )))
        .bind(
            wanted
                .stands
                .map(|stands| if stands { BOOKED } else { CANCELLED }),
        )
        .bind(wanted.office.as_ref().map(|office| &office.0))
        .bind(wanted.service.as_ref().map(|service| &service.0))
        .bind(wanted.from.map(written))
        .bind(wanted.before.map(written))
        .bind(wanted.limit)
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(read).collect()
    }

    /// The local days on which bookings stand that start at or after `from`, in order.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn days(
        &self,
        directory: &Directory,
        from: DateTime<Utc>,
    ) -> Result<BTreeSet<NaiveDate>> {
        let rows = sqlx::query(
            "SELECT DISTINCT office, starts_at FROM bookings WHERE state = ? AND starts_at >= ?",
        )
        .bind(BOOKED)
        .bind(written(from))
        .fetch_all(&self.pool)
        .await?;
        let mut days = BTreeSet::new();
        for row in &rows {
            let office = OfficeId(row.try_get("office")?);
            if let Some(office) = directory.offices.get(&office) {
                days.insert(calendar::local_day(start(row)?, office.zone));
            }
        }
        Ok(days)
    }

    /// The invented names behind numbers and addresses, so that the page can label its phones:
    /// pairs of what was typed (number or address) and the name.
    ///
    /// # Errors
    /// When SQLite fails.
    pub async fn names(&self) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query(
            "SELECT mobile AS typed, name FROM bookings WHERE mobile IS NOT NULL
             UNION ALL SELECT email, name FROM bookings WHERE email IS NOT NULL",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("typed")?, row.try_get("name")?)))
            .collect()
    }

    /// Lets go of the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// All bookings as one JSON document, so that one statement writes them.
fn rows(bookings: &[Booking]) -> String {
    let row = |booking: &Booking| {
        serde_json::json!([
            booking.number,
            if booking.stands { BOOKED } else { CANCELLED },
            written(booking.start),
            booking.office.0,
            booking.service.0,
            booking.name,
            booking.mobile,
            booking.email,
            booking.language,
        ])
    };
    serde_json::Value::Array(bookings.iter().map(row).collect()).to_string()
}

fn written(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn count(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX)
}

fn start(row: &SqliteRow) -> Result<DateTime<Utc>> {
    let start: String = row.try_get("starts_at")?;
    let start = DateTime::parse_from_rfc3339(&start)
        .map_err(|problem| sqlx::Error::Decode(Box::new(problem)))?;
    Ok(start.to_utc())
}

fn read(row: &SqliteRow) -> Result<Booking> {
    let state: String = row.try_get("state")?;
    Ok(Booking {
        number: row.try_get("booking_no")?,
        stands: state == BOOKED,
        start: start(row)?,
        office: OfficeId(row.try_get("office")?),
        service: ServiceId(row.try_get("case_type")?),
        name: row.try_get("name")?,
        mobile: row.try_get("mobile")?,
        email: row.try_get("email")?,
        language: row.try_get("language")?,
    })
}
