//! Reads whole snapshots through one connection: wraps the query, and hands each row to the mapping.
//!
//! It decides nothing about the meaning of a row; that is `mapping`. After any error or time-out it
//! is dropped by its owner and never used again.

use std::time::Duration;

use chrono::{DateTime, Days, Utc};

use super::link::{self, Link, Named};
use super::{Look, Settings, Snapshot, SourceError};
use crate::clock::{Clock, Mono};
use crate::domain::appointment::BookingKey;
use crate::domain::marks::Marks;
use crate::source::mapping::{Filling, Mapping};
use crate::source::row::{Column, Glimpse, Raw};
use crate::source::survey::{Survey, Surveyor};

/// Rows that were left out and are needed after all are read with everything else once more; no look
/// reads more often than this.
const MOST_READS: usize = 3;

/// An open database with its wrapped queries.
pub(super) struct Reader {
    link: Box<dyn Link>,
    named: Named,
    timeout: Duration,
    columns: Vec<Column>,
    /// The wrapped query without a condition.
    wrapped: String,
    /// The text of the key inside it.
    id: String,
    /// The settings' condition, with `:floor` in it.
    floor: Option<String>,
    /// The state of the database that the last complete snapshot saw.
    seen: Option<i64>,
}

impl Reader {
    /// Opens the database and checks that every mandatory column is there.
    pub(super) async fn open(settings: &Settings) -> Result<Self, SourceError> {
        let named = Named(settings.name.clone());
        let place = &settings.place;
        let late = named.unavailable(format!("the database {place} does not answer"));
        let work = Self::enter(settings, named);
        tokio::time::timeout(settings.statement_timeout, work)
            .await
            .unwrap_or(Err(late))
    }

    async fn enter(settings: &Settings, named: Named) -> Result<Self, SourceError> {
        let timeout = settings.statement_timeout;
        let mut link = link::open(&settings.place, named.clone(), timeout).await?;
        let query = settings.query.trim().trim_end_matches(';').to_owned();
        // The line break keeps a comment at the query's end from swallowing the bracket.
        let from = format!("FROM (\n{query}\n) AS q");
        let found = link.columns(format!("SELECT * {from} LIMIT 0")).await?;
        let columns = Column::among(&found).map_err(|wrong| named.misfit(wrong.to_string()))?;
        let text = |name: &str| link.as_text(&link.quoted(name));
        let list: Vec<String> = columns.iter().map(|(_, name)| text(name)).collect();
        let id = list[0].clone();
        let wrapped = format!("SELECT {} {from}", list.join(", "));
        if let Some(condition) = &settings.floor
            && !condition.contains(":floor")
        {
            return Err(named.misfit(format!(
                "the floor \"{condition}\" does not name :floor; it is written like start >= :floor"
            )));
        }
        let mut reader = Self {
            link,
            named,
            timeout,
            columns: columns.into_iter().map(|(column, _)| column).collect(),
            wrapped,
            id,
            floor: settings.floor.clone(),
            seen: None,
        };
        let probe = reader.future(DateTime::UNIX_EPOCH);
        reader.link.columns(probe).await?;
        Ok(reader)
    }

    /// Whether the place still leads to the database that is open.
    pub(super) async fn is_current(&mut self) -> bool {
        self.link.is_current().await.unwrap_or(false)
    }

    /// What this account may write to, though its session cannot.
    pub(super) async fn may_write(&mut self) -> Result<Option<String>, SourceError> {
        match tokio::time::timeout(self.timeout, self.link.may_write()).await {
            Ok(answer) => answer,
            Err(_) => Err(self.late()),
        }
    }

    pub(super) fn forget(&mut self) {
        self.seen = None;
    }

    /// One complete read of the future, or the news that nothing was written since the last one.
    pub(super) async fn sift(
        &mut self,
        mapping: &Mapping,
        floor: DateTime<Utc>,
        known: &mut Marks,
    ) -> Result<Look, SourceError> {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.read_future(mapping, floor, known)).await {
            Ok(look) => look,
            Err(_) => Err(self.late()),
        }
    }

    /// What one read of the future holds, counted.
    pub(super) async fn survey(
        &mut self,
        mapping: &Mapping,
        floor: DateTime<Utc>,
    ) -> Result<Survey, SourceError> {
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.count_future(mapping, floor)).await {
            Ok(survey) => survey,
            Err(_) => Err(self.late()),
        }
    }

    async fn count_future(
        &mut self,
        mapping: &Mapping,
        floor: DateTime<Utc>,
    ) -> Result<Survey, SourceError> {
        let server = self.link.now().await?;
        let ahead = server.map(|server| server - Clock::system().now().timestamp());
        let sql = self.future(floor);
        let cost = self.link.explain(sql.clone()).await?;
        let begun = Mono::now();
        let columns = &self.columns;
        let mut surveyor = Surveyor::new(mapping, columns, floor);
        let mut take = |cells: &[Glimpse<'_>]| {
            surveyor.take(&Raw::kept(columns, cells));
            Ok(())
        };
        self.link.begin().await?;
        self.link.rows(sql, columns.len(), &mut take).await?;
        self.link.end().await?;
        Ok(Survey {
            clock_ahead_seconds: ahead,
            cost,
            read_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..surveyor.end()
        })
    }

    /// The rows of these keys, wherever they stand in time.
    pub(super) async fn look_up(
        &mut self,
        mapping: &Mapping,
        keys: &[BookingKey],
    ) -> Result<Snapshot, SourceError> {
        let keys = keys.iter().map(|key| key.0.clone()).collect();
        let timeout = self.timeout;
        match tokio::time::timeout(timeout, self.read_keys(mapping, keys)).await {
            Ok(snapshot) => snapshot,
            Err(_) => Err(self.late()),
        }
    }

    async fn read_future(
        &mut self,
        mapping: &Mapping,
        floor: DateTime<Utc>,
        known: &mut Marks,
    ) -> Result<Look, SourceError> {
        for _ in 0..MOST_READS {
            let version = self.link.begin().await?;
            if version.is_some() && self.seen == version {
                self.link.end().await?;
                return Ok(Look::Unchanged);
            }
            let sql = self.future(floor);
            let mut filling = mapping.sifting(floor, known);
            let columns = &self.columns;
            let mut take = |cells: &[Glimpse<'_>]| take(&mut filling, columns, cells);
            self.link.rows(sql, columns.len(), &mut take).await?;
            self.link.end().await?;
            if !filling.needs_more() {
                self.seen = version;
                return Ok(Look::Snapshot(filling.end()));
            }
        }
        Err(self.named.unavailable(
            "which addresses stand on too many bookings changes with each read; it is read again",
        ))
    }

    async fn read_keys(
        &mut self,
        mapping: &Mapping,
        keys: Vec<String>,
    ) -> Result<Snapshot, SourceError> {
        let (sql, id) = (self.wrapped.clone(), self.id.clone());
        let mut filling = mapping.filling(None);
        let columns = &self.columns;
        let mut take = |cells: &[Glimpse<'_>]| take(&mut filling, columns, cells);
        self.link.begin().await?;
        self.link
            .rows_of(sql, id, keys, columns.len(), &mut take)
            .await?;
        self.link.end().await?;
        Ok(filling.end())
    }

    /// The wrapped query of a snapshot. The day is our own text, and a literal takes whatever type
    /// the column has, which a parameter does not.
    fn future(&self, floor: DateTime<Utc>) -> String {
        match &self.floor {
            Some(condition) => {
                let day = format!("'{}'", floor_day(floor));
                format!(
                    "{} WHERE ({})",
                    self.wrapped,
                    condition.replace(":floor", &day)
                )
            }
            None => self.wrapped.clone(),
        }
    }

    fn late(&self) -> SourceError {
        self.named.unavailable(format!(
            "the query took longer than {} s; nothing is concluded from it",
            self.timeout.as_secs_f32()
        ))
    }
}

fn take(
    filling: &mut Filling<'_>,
    columns: &[Column],
    cells: &[Glimpse<'_>],
) -> Result<(), SourceError> {
    if filling.knows(cells)? {
        return Ok(());
    }
    filling.take(&Raw::kept(columns, cells))
}

/// The day that the pushed-down condition compares with: a day early, since starts are written in
/// zones up to half a day away from UTC, and without a time, since sources write it in many ways.
fn floor_day(floor: DateTime<Utc>) -> String {
    let day = floor.date_naive();
    day.checked_sub_days(Days::new(1))
        .unwrap_or(day)
        .to_string()
}
