//! The calls of the store that one simulated life makes, with what the model answered: any other
//! store can be asked the same, and must answer the same.

use std::fmt::Debug;
use std::time::Duration;

use chrono::{DateTime, Utc};
use varsel::domain::appointment::{BookingKey, SourceName};
use varsel::store::{
    Act, ActError, ClaimAsk, Known, LeaseAsk, Page, Record, Report, Settlement, Store, StoreError,
    StoreResult, SweepLimits,
};

/// One call, with its arguments.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    /// So much time passes on the store's clock.
    Pass(Duration),
    Join(String),
    Lease(LeaseAsk),
    Marks(SourceName, DateTime<Utc>),
    Watched(SourceName, DateTime<Utc>),
    Known(SourceName, Vec<BookingKey>),
    Released(Page),
    Climbable(Page),
    Asked(Page),
    Record(Box<Record>),
    Claim(Box<ClaimAsk>),
    Disown(Box<ClaimAsk>, DateTime<Utc>),
    Settle(Vec<Settlement>),
    Report(Vec<Report>),
    Sweep(DateTime<Utc>, SweepLimits),
    Act(Act),
}

impl Call {
    /// Asks a store the same, and gives its answer as text. What passes is the caller's to do.
    pub(crate) async fn on<S: Store>(&self, store: &S) -> String {
        match self {
            Self::Pass(_) => String::new(),
            Self::Join(node) => said(&store.join(node).await),
            Self::Lease(ask) => said(&store.lease(ask).await),
            Self::Marks(source, floor) => said(&store.marks(source, *floor).await),
            Self::Watched(source, now) => said(&store.watched(source, *now).await),
            Self::Known(source, keys) => said(&sorted(store.known(source, keys).await)),
            Self::Released(page) => said(&store.released(*page).await),
            Self::Climbable(page) => said(&store.climbable(*page).await),
            Self::Asked(page) => said(&store.asked(*page).await),
            Self::Record(record) => said(&store.record(Record::clone(record)).await),
            Self::Claim(ask) => said(&store.claim(ask).await),
            Self::Disown(ask, at) => said(&store.disown(ask, *at).await),
            Self::Settle(settlements) => said(&store.settle(settlements).await),
            Self::Report(reports) => said(&store.report(reports).await),
            Self::Sweep(now, limits) => said(&store.sweep(*now, *limits).await),
            Self::Act(act) => match store.act(act).await {
                Ok(acted) => format!("{acted:?}"),
                Err(ActError::Store(error)) => panic!("{error}"),
                Err(refused) => refused.to_string(),
            },
        }
    }
}

/// Bookings are asked for as a set.
fn sorted(known: StoreResult<Vec<Known>>) -> StoreResult<Vec<Known>> {
    known.map(|mut known| {
        known.sort_by_key(|known| known.cursor);
        known
    })
}

/// An answer as text. Why a record came too late is said in each store's own words.
pub(crate) fn said<T: Debug>(answer: &StoreResult<T>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(StoreError::Overtaken(_)) => "overtaken".to_owned(),
        Err(error) => panic!("a store that works answers: {error}"),
    }
}
