//! What `/livez`, `/readyz` and `/metrics` say: the lines move, the store answers, and how many
//! people still have to be told. A gateway's trouble is shown in the figures and is no reason to
//! call this process ill: restarting it would not help.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::{Pulse, Shared};
use crate::domain::appointment::SourceName;
use crate::domain::brake::release_batch_by;
use crate::inbound::routes::{Answering, Vital};
use crate::store::{Batch, Desk};

/// Dispatch goes round at least this often, whatever it waits for.
const LIVE_WITHIN: Duration = Duration::from_secs(30);

/// Whether dispatch goes round; else since when it does not.
///
/// # Errors
/// How long it has stood still.
pub fn is_live(pulse: &Pulse) -> Result<(), String> {
    let age = pulse.age();
    if age <= LIVE_WITHIN {
        return Ok(());
    }
    Err(format!(
        "dispatch has not gone round for {} seconds",
        age.as_secs()
    ))
}

/// Until when a held batch can still be released in time for its first people. An office that is not
/// in the directory is read in UTC.
#[must_use]
pub fn release_by(shared: &Shared, batch: &Batch) -> Option<DateTime<Utc>> {
    let due = batch.first_due_by.filter(|_| !batch.releasing)?;
    let (offices, window) = (batch.offices.keys(), shared.rules.windows.sms);
    release_batch_by(due, offices, &shared.directory, window, Tz::UTC)
}

/// The daemon's health.
pub struct Health<D> {
    shared: Arc<Shared>,
    desk: D,
}

impl<D: Desk + 'static> Health<D> {
    /// Health as the lines and the store show it.
    pub fn new(shared: Arc<Shared>, desk: D) -> Self {
        Self { shared, desk }
    }

    async fn ready_for_work(&self) -> Result<(), String> {
        let sending = &self.shared.sending;
        if let Some(why) = sending.locked() {
            return Err(format!("locked, nothing is sent: {why}"));
        }
        if let Some(why) = sending.trouble() {
            return Err(format!("nothing is sent: {why}"));
        }
        let seen = self.figures().await?;
        let blind = self
            .shared
            .sources
            .iter()
            .find(|source| !seen.contains(source));
        match blind {
            None => Ok(()),
            Some(source) => Err(format!(
                "source \"{source}\" has not been read completely yet"
            )),
        }
    }

    /// Refreshes the figures; returns the sources whose baseline is complete.
    async fn figures(&self) -> Result<Vec<SourceName>, String> {
        let now = self.shared.clock.now();
        let gauges = self
            .desk
            .gauges(now)
            .await
            .map_err(|error| error.to_string())?;
        let metrics = &self.shared.metrics;
        metrics.untold_people(gauges.untold_people_24h);
        metrics.oldest_due(gauges.oldest_due_seconds);
        metrics.held_batches(gauges.held_batches);
        metrics.call_list_people(gauges.call_list_people);
        metrics.operator_holds(gauges.operator_holds);
        let batches = self.desk.batches().await.map_err(|e| e.to_string())?;
        let mut left: BTreeMap<SourceName, f64> = BTreeMap::new();
        for batch in &batches {
            if let Some(by) = release_by(&self.shared, batch) {
                let seconds = (by - now).as_seconds_f64();
                let first = left.entry(batch.source.clone()).or_insert(seconds);
                *first = seconds.min(*first);
            }
        }
        metrics.release_by(left);
        for (source, seconds) in &gauges.snapshot_age_seconds {
            metrics.snapshot_age(source, *seconds);
        }
        Ok(gauges.snapshot_age_seconds.into_keys().collect())
    }
}

impl<D: Desk + 'static> Vital for Health<D> {
    fn live(&self) -> Result<(), String> {
        is_live(&self.shared.pulse)
    }

    fn ready(&self) -> Answering<'_, Result<(), String>> {
        Box::pin(self.ready_for_work())
    }

    fn metrics(&self) -> Answering<'_, String> {
        Box::pin(async move {
            let sending = &self.shared.sending;
            let metrics = &self.shared.metrics;
            metrics.sending_stopped("locked", sending.locked().is_some());
            metrics.sending_stopped("store", sending.trouble().is_some());
            if let Err(problem) = self.figures().await {
                tracing::error!("the figures are those of an earlier time: {problem}");
            }
            self.shared.metrics.text()
        })
    }
}
