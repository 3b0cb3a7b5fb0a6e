//! The store in a SQL database: one set of statements for both engines.
//!
//! `sqlite` and `postgres` only open a database, give out connections and end transactions; what is
//! loaded, saved and searched stands here, once, and what the rows mean in the modules beside this
//! one. The statements are spelt for the engine at hand by [`conn`].

mod alarms;
mod bundles;
mod calls;
mod cells;
mod claims;
mod conn;
mod correcting;
mod desk;
mod holds;
mod leases;
mod ledger;
mod lists;
mod load;
pub(super) mod nodes;
mod outbox;
mod rates;
mod recover;
mod save;
mod settling;
mod tally;
mod unclear;
mod verify;
mod waves;
mod words;

use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub(crate) use self::cells::hex;
pub(super) use self::conn::Conn;
pub use self::verify::Breach;
use super::postgres::{self, Server};
use super::sqlite::{self, File};
use super::{
    Act, ActError, Acted, AttemptId, Batch, BatchId, Call, Claim, ClaimAsk, Cluster, Commitment,
    Desk, Fault, Gauges, Known, Lease, LeaseAsk, Ledger, Lock, MustBePhoned, NewWave, Outbox, Page,
    Record, Recorded, Remembered, Report, ReportEffect, Settled, Settlement, Sighting, Standing,
    StandingHold, StandingList, StoreError, StoreResult, Story, SweepLimits, Swept, Tally, Unclear,
    Unresolved, Watched, Wave, Wrong,
};
use crate::domain::alarm::{Alarm, AlarmId};
use crate::domain::appointment::{BookingKey, SourceName};
use crate::domain::closing::Announced;
use crate::domain::marks::Marks;
use crate::domain::message::Channel;
use crate::domain::rate::Rate;

/// Who opens the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The daemon: creates and migrates; alone on a SQLite file, one of many on PostgreSQL.
    Daemon,
    /// A verb that writes, beside the daemon or without it.
    Verb,
    /// A verb that only reads.
    ReadOnly,
    /// Somebody who asks whether the daemon could open it: a database that is still empty passes.
    Check,
}

/// Where a store is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In one SQLite file.
    Sqlite(PathBuf),
    /// In a PostgreSQL database.
    Postgres(Box<postgres::Address>),
}

/// Of which version a store's schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// The newest migration applied; 0 where there is no store yet.
    pub found: usize,
    /// The newest one that this program knows.
    pub newest: usize,
}

/// A store in a SQL database. Clones share it.
#[derive(Clone)]
pub struct Database {
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    Sqlite(File),
    Postgres(Server),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match &self.engine {
            Engine::Sqlite(_) => "Database(SQLite)",
            Engine::Postgres(_) => "Database(PostgreSQL)",
        })
    }
}

/// Something to write: one step of one transaction. It may be done again from the start if the
/// transaction could not begin.
pub(super) trait Write: Send + Sync + 'static {
    /// What the caller gets once the write is durable.
    type Answer: Send + 'static;

    /// Does it.
    fn write(&self, conn: &mut Conn<'_>) -> impl Future<Output = StoreResult<Self::Answer>> + Send;

    /// Whether it may touch many rows, and so take longer.
    fn is_large(&self) -> bool {
        false
    }

    /// Whether other nodes may have something to do after it.
    fn wakes(&self) -> bool {
        false
    }
}

/// A read under way on a connection.
pub(super) type Reading<'a, T> = Pin<Box<dyn Future<Output = StoreResult<T>> + Send + 'a>>;

/// Something to read in one transaction, so that every statement sees the same moment.
pub(super) trait Read<T>:
    for<'a, 'c> FnOnce(&'a mut Conn<'c>) -> Reading<'a, T> + Send + 'static
{
}

impl<T, F> Read<T> for F where
    F: for<'a, 'c> FnOnce(&'a mut Conn<'c>) -> Reading<'a, T> + Send + 'static
{
}

/// SQLite's code for a file that another connection writes to. No SQLSTATE is so short.
const SQLITE_BUSY: &str = "5";

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::Decode(_) => Self::Corrupt(error.to_string()),
            sqlx::Error::Database(busy) if busy.code().as_deref() == Some(SQLITE_BUSY) => {
                Self::Unavailable(
                    "another program is writing to the file and did not end in time (`db copy` \
                     does so until it is done); try again"
                        .to_owned(),
                )
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}

impl Database {
    /// Opens the store.
    ///
    /// # Errors
    /// [`StoreError::Taken`] when another daemon holds it, [`StoreError::Unavailable`] when it is
    /// not there or cannot be opened, [`StoreError::Unfit`] when its settings or schema do not fit
    /// this program.
    pub async fn open(place: &Place, access: Access) -> StoreResult<Self> {
        let engine = match place {
            Place::Sqlite(path) => Engine::Sqlite(File::open(path, access).await?),
            Place::Postgres(address) => Engine::Postgres(Server::open(address, access).await?),
        };
        Ok(Self { engine })
    }

    /// Of which version the schema is; nothing is made or changed.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn schema(place: &Place) -> StoreResult<Schema> {
        match place {
            Place::Sqlite(path) => sqlite::version(path).await,
            Place::Postgres(address) => postgres::version(address).await,
        }
    }

    /// Opens the store in a SQLite file.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn sqlite(path: &Path, access: Access) -> StoreResult<Self> {
        Self::open(&Place::Sqlite(path.to_owned()), access).await
    }

    /// Waits until everything asked for is written, and closes the store. Clones that still live
    /// are told from now on that it is closed.
    pub async fn close(self) {
        match self.engine {
            Engine::Sqlite(file) => file.close().await,
            Engine::Postgres(server) => server.close().await,
        }
    }

    async fn write<W: Write>(&self, work: W) -> StoreResult<W::Answer> {
        match &self.engine {
            Engine::Sqlite(file) => file.write(work).await,
            Engine::Postgres(server) => server.write(work).await,
        }
    }

    async fn read<T: Send + 'static>(&self, work: impl Read<T>) -> StoreResult<T> {
        match &self.engine {
            Engine::Sqlite(file) => file.read(work).await,
            Engine::Postgres(server) => server.read(work).await,
        }
    }
}

impl Ledger for Database {
    async fn marks(&self, source: &SourceName, now: DateTime<Utc>) -> StoreResult<Marks> {
        let source = source.clone();
        self.read(move |c| Box::pin(async move { ledger::marks(c, &source, now).await }))
            .await
    }

    async fn watched(&self, source: &SourceName, now: DateTime<Utc>) -> StoreResult<Watched> {
        let source = source.clone();
        self.read(move |c| Box::pin(async move { ledger::watched(c, &source, now).await }))
            .await
    }

    async fn known(&self, source: &SourceName, keys: &[BookingKey]) -> StoreResult<Vec<Known>> {
        let (source, keys) = (source.clone(), keys.to_vec());
        self.read(move |c| {
            Box::pin(async move {
                let ids = ledger::ids_of(c, &source, keys.iter()).await?;
                ledger::known(c, &ids).await
            })
        })
        .await
    }

    async fn released(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.read(move |c| Box::pin(ledger::released(c, page)))
            .await
    }

    async fn climbable(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.read(move |c| Box::pin(ledger::climbable(c, page)))
            .await
    }

    async fn asked(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.read(move |c| Box::pin(ledger::asked(c, page))).await
    }

    async fn listed(&self, source: &SourceName) -> StoreResult<BTreeSet<BookingKey>> {
        let source = source.clone();
        self.read(move |c| Box::pin(async move { lists::listed(c, &source).await }))
            .await
    }

    async fn closings(&self, now: DateTime<Utc>) -> StoreResult<Vec<Announced>> {
        self.read(move |c| Box::pin(ledger::closings(c, now))).await
    }

    async fn lease(&self, ask: &LeaseAsk) -> StoreResult<Option<Lease>> {
        self.write(ask.clone()).await
    }

    async fn record(&self, record: Record) -> StoreResult<Recorded> {
        self.write(record).await
    }
}

impl Outbox for Database {
    async fn claim(&self, ask: &ClaimAsk) -> StoreResult<Vec<Claim>> {
        self.write(ask.clone()).await
    }

    async fn disown(&self, ask: &ClaimAsk, at: DateTime<Utc>) -> StoreResult<u32> {
        self.write(claims::Disown {
            ask: ask.clone(),
            at,
        })
        .await
    }

    async fn settle(&self, settlements: &[Settlement]) -> StoreResult<Vec<Settled>> {
        self.write(settling::Settle(settlements.to_vec())).await
    }

    async fn report(&self, reports: &[Report]) -> StoreResult<Vec<ReportEffect>> {
        self.write(outbox::TakeReports(reports.to_vec())).await
    }

    async fn sweep(&self, now: DateTime<Utc>, limits: SweepLimits) -> StoreResult<Swept> {
        let mut swept = self.write(outbox::Sweep { now, limits }).await?;
        let limit = limits.batch;
        self.write(outbox::Unpark { now, limit }).await?;
        swept.let_go = self.write(outbox::LetGo { now, limits }).await?;
        self.write(outbox::ReleaseRests { now, limits }).await?;
        self.write(outbox::EndEmptyBatches { now }).await?;
        self.write(claims::ForgetClaims { limit }).await?;
        Ok(swept)
    }

    async fn tried(&self, now: DateTime<Utc>, gap: Duration) -> StoreResult<DateTime<Utc>> {
        self.write(outbox::TriedNow { now, gap }).await
    }

    async fn stopped(&self, node: &str, gateway: &str) -> StoreResult<BTreeSet<AttemptId>> {
        let (node, gateway) = (node.to_owned(), gateway.to_owned());
        self.read(move |c| Box::pin(async move { claims::stopped(c, &node, &gateway).await }))
            .await
    }

    async fn to_ask(&self, gateway: &str, limit: u32) -> StoreResult<Vec<Unresolved>> {
        let gateway = gateway.to_owned();
        self.read(move |c| Box::pin(async move { outbox::to_ask(c, &gateway, limit).await }))
            .await
    }

    async fn erase(&self, before: DateTime<Utc>, limit: u32) -> StoreResult<u32> {
        let notices = self.write(outbox::Erase { before, limit }).await?;
        let people = self.write(outbox::ErasePeople { before, limit }).await?;
        // Either may have reached the limit, and then there is more to erase at once.
        Ok(notices.max(people))
    }

    async fn next_due(&self, channel: Channel) -> StoreResult<Option<DateTime<Utc>>> {
        self.read(move |c| Box::pin(outbox::next_due(c, channel)))
            .await
    }

    async fn next_tokens(&self, gateway: &str, rate: Rate) -> StoreResult<Duration> {
        let gateway = gateway.to_owned();
        self.read(move |c| Box::pin(async move { rates::wait(c, &gateway, rate).await }))
            .await
    }

    async fn secret(&self, name: &str) -> StoreResult<[u8; 32]> {
        self.write(nodes::Secret(name.to_owned())).await
    }
}

impl Desk for Database {
    async fn act(&self, act: &Act) -> Result<Acted, ActError> {
        self.write(act.clone()).await?
    }

    async fn tally(&self, now: DateTime<Utc>) -> StoreResult<Tally> {
        self.read(move |c| Box::pin(tally::tally(c, now))).await
    }

    async fn must_be_phoned(&self, now: DateTime<Utc>, limit: u32) -> StoreResult<MustBePhoned> {
        self.read(move |c| Box::pin(desk::must_be_phoned(c, now, limit)))
            .await
    }

    async fn unclear(&self, limit: u32) -> StoreResult<Vec<Unclear>> {
        self.read(move |c| Box::pin(unclear::unclear(c, limit)))
            .await
    }

    async fn calls(&self) -> StoreResult<Vec<Call>> {
        self.read(move |c| Box::pin(calls::calls(c))).await
    }

    async fn stopped_calls(&self) -> StoreResult<Vec<Call>> {
        self.read(move |c| Box::pin(calls::stopped_calls(c))).await
    }

    async fn faults(&self) -> StoreResult<Vec<Fault>> {
        self.read(move |c| Box::pin(desk::faults(c))).await
    }

    async fn holds(&self) -> StoreResult<Vec<StandingHold>> {
        self.read(move |c| Box::pin(holds::holds(c))).await
    }

    async fn lists(&self) -> StoreResult<Vec<StandingList>> {
        self.read(move |c| Box::pin(lists::lists(c))).await
    }

    async fn alarms(&self) -> StoreResult<Vec<Alarm>> {
        self.read(move |c| Box::pin(alarms::standing(c))).await
    }

    async fn untold(&self, now: DateTime<Utc>, within: TimeDelta) -> StoreResult<u32> {
        self.read(move |c| Box::pin(desk::untold(c, now, within)))
            .await
    }

    async fn batches(&self) -> StoreResult<Vec<Batch>> {
        self.read(move |c| Box::pin(desk::batches(c))).await
    }

    async fn wrong(&self, batch: BatchId, limit: u32) -> StoreResult<Option<Wrong>> {
        self.read(move |c| Box::pin(correcting::wrong(c, batch, limit)))
            .await
    }

    async fn commitments(&self) -> StoreResult<Vec<Commitment>> {
        self.read(move |c| Box::pin(waves::commitments(c))).await
    }

    async fn wave(&self, wave: &NewWave, limit: u32) -> StoreResult<Wave> {
        let wave = wave.clone();
        self.read(move |c| Box::pin(async move { waves::wave(c, &wave, limit).await }))
            .await
    }

    async fn sources_with(&self, key: &str) -> StoreResult<Vec<SourceName>> {
        let key = key.to_owned();
        self.read(move |c| Box::pin(async move { desk::sources_with(c, &key).await }))
            .await
    }

    async fn explain(&self, name: &str) -> StoreResult<Vec<Story>> {
        let name = name.to_owned();
        self.read(move |c| Box::pin(async move { desk::explain(c, &name).await }))
            .await
    }

    async fn gauges(&self, now: DateTime<Utc>) -> StoreResult<Gauges> {
        self.read(move |c| Box::pin(desk::gauges(c, now))).await
    }
}

impl Cluster for Database {
    async fn join(&self, node: &str) -> StoreResult<u32> {
        let trust = match &self.engine {
            Engine::Postgres(server) if server.take_name(node).await? => postgres::TRUST,
            Engine::Postgres(_) | Engine::Sqlite(_) => Duration::ZERO,
        };
        let node = node.to_owned();
        self.write(nodes::Join { node, trust }).await
    }

    async fn beat(&self, node: &str) -> StoreResult<Option<Duration>> {
        match &self.engine {
            Engine::Sqlite(file) => {
                file.write(nodes::Beat(node.to_owned())).await?;
                Ok(None)
            }
            Engine::Postgres(server) => {
                server.beat(node).await?;
                Ok(Some(postgres::TRUST))
            }
        }
    }

    async fn raise(&self, sighting: &Sighting) -> StoreResult<Vec<Alarm>> {
        self.write(sighting.clone()).await
    }

    async fn alarms_told(&self, told: &[AlarmId], again: DateTime<Utc>) -> StoreResult<()> {
        let alarms = told.to_vec();
        self.write(alarms::Told { alarms, again }).await
    }

    async fn standing(&self, node: &str, remembered: Option<Remembered>) -> StoreResult<Standing> {
        let node = node.to_owned();
        self.read(move |c| Box::pin(async move { recover::standing(c, &node, remembered).await }))
            .await
    }

    async fn lock(&self, lock: &Lock) -> StoreResult<()> {
        self.write(lock.clone()).await
    }

    async fn woken(&self) {
        match &self.engine {
            Engine::Sqlite(_) => std::future::pending().await,
            Engine::Postgres(server) => server.woken().await,
        }
    }
}
