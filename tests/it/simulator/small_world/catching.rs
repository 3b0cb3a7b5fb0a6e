//! The store as intake looks at it while it decides: what it would record is caught, to be recorded
//! later, when something else may have come in between.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use varsel::domain::appointment::{BookingKey, SourceName};
use varsel::domain::closing::Announced;
use varsel::domain::marks::Marks;
use varsel::store::model::Model;
use varsel::store::{Known, Lease, LeaseAsk, Ledger, Page, Record, Recorded, StoreResult, Watched};

#[derive(Clone)]
pub(super) struct Catching {
    pub(super) model: Model,
    pub(super) caught: Arc<Mutex<Option<Record>>>,
}

impl Ledger for Catching {
    async fn marks(&self, source: &SourceName, floor: DateTime<Utc>) -> StoreResult<Marks> {
        self.model.marks(source, floor).await
    }

    async fn watched(&self, source: &SourceName, now: DateTime<Utc>) -> StoreResult<Watched> {
        self.model.watched(source, now).await
    }

    async fn known(&self, source: &SourceName, keys: &[BookingKey]) -> StoreResult<Vec<Known>> {
        self.model.known(source, keys).await
    }

    async fn released(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.model.released(page).await
    }

    async fn climbable(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.model.climbable(page).await
    }

    async fn asked(&self, page: Page) -> StoreResult<Vec<Known>> {
        self.model.asked(page).await
    }

    async fn listed(&self, source: &SourceName) -> StoreResult<BTreeSet<BookingKey>> {
        self.model.listed(source).await
    }

    async fn closings(&self, now: DateTime<Utc>) -> StoreResult<Vec<Announced>> {
        self.model.closings(now).await
    }

    async fn lease(&self, ask: &LeaseAsk) -> StoreResult<Option<Lease>> {
        // The right to read is left out here: a look may be as old as can be.
        Ok(Some(Lease {
            fence: 0,
            length: ask.length,
        }))
    }

    async fn record(&self, record: Record) -> StoreResult<Recorded> {
        *self.caught.lock().unwrap() = Some(Record {
            lease: None,
            ..record
        });
        Ok(Recorded::default())
    }
}
