//! The store as the page sees it: [`Desk`] behind a pointer, absent until the daemon has a store.
//!
//! `Desk` answers with unnamed futures, so it cannot stand behind `dyn` itself; [`Boxed`] is the
//! same four calls with boxed ones. Only reading and the act of a person pass through here.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use crate::store::{Act, ActError, Acted, Batch, Desk, MustBePhoned, StoreResult, Tally};

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

trait Boxed: Send + Sync {
    fn act<'a>(&'a self, act: &'a Act) -> Answer<'a, Result<Acted, ActError>>;
    fn tally(&self, now: DateTime<Utc>) -> Answer<'_, StoreResult<Tally>>;
    fn batches(&self) -> Answer<'_, StoreResult<Vec<Batch>>>;
    fn must_be_phoned(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Answer<'_, StoreResult<MustBePhoned>>;
}

impl<S: Desk> Boxed for S {
    fn act<'a>(&'a self, act: &'a Act) -> Answer<'a, Result<Acted, ActError>> {
        Box::pin(Desk::act(self, act))
    }

    fn tally(&self, now: DateTime<Utc>) -> Answer<'_, StoreResult<Tally>> {
        Box::pin(Desk::tally(self, now))
    }

    fn batches(&self) -> Answer<'_, StoreResult<Vec<Batch>>> {
        Box::pin(Desk::batches(self))
    }

    fn must_be_phoned(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Answer<'_, StoreResult<MustBePhoned>> {
        Box::pin(Desk::must_be_phoned(self, now, limit))
    }
}

/// A desk of any kind, or none yet.
#[derive(Clone, Default)]
pub(super) struct AnyDesk(Arc<OnceLock<Box<dyn Boxed>>>);

impl AnyDesk {
    /// The first desk given stays.
    pub(super) fn attach<S: Desk + 'static>(&self, desk: S) {
        let _first = self.0.set(Box::new(desk));
    }

    /// The tally; nothing but zeros before there is a store.
    pub(super) async fn tally(&self, now: DateTime<Utc>) -> StoreResult<Tally> {
        match self.0.get() {
            Some(desk) => desk.tally(now).await,
            None => Ok(Tally::default()),
        }
    }

    /// The held batches; none before there is a store.
    pub(super) async fn batches(&self) -> StoreResult<Vec<Batch>> {
        match self.0.get() {
            Some(desk) => desk.batches().await,
            None => Ok(Vec::new()),
        }
    }

    /// Who must be phoned; nobody before there is a store.
    pub(super) async fn must_be_phoned(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> StoreResult<MustBePhoned> {
        match self.0.get() {
            Some(desk) => desk.must_be_phoned(now, limit).await,
            None => Ok(MustBePhoned::default()),
        }
    }

    /// Does what a person asked for; `None` before there is a store.
    pub(super) async fn act(&self, act: &Act) -> Option<Result<Acted, ActError>> {
        Some(self.0.get()?.act(act).await)
    }
}
