//! Upkeep: what time and people ask for: `outbox.sweep` (leases, expiry, unknowns, reports that did
//! not come), rungs to climb and released batches to write anew (`plan ─▶ render ─▶ record`), and
//! retention by its schedule.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::bundling::bundle;
use super::replan::{Again, Replan};
use super::schedule::Schedule;
use crate::clock::{Mono, Steady};
use crate::domain::appointment::SourceName;
use crate::sabotage;
use crate::store::{
    Cursor, Entry, Known, Ledger, Outbox, Page, Record, StoreError, SweepLimits, Swept,
};

/// How many appointments one step climbs, releases or erases at most.
const STEP_LIMIT: u32 = 500;

/// How often it is noted, within the gap that would make the time of the rungs begin anew, that there is none.
const NOTES_PER_GAP: u32 = 10;

/// What this line is called.
pub const LINE: &str = "upkeep";

/// The line of upkeep.
pub struct Upkeep<S> {
    shared: Arc<Shared>,
    store: S,
    retention: Retention,
    erase_next: Option<DateTime<Utc>>,
    /// When it was last noted in the store that the lines are there, and since when they are.
    noted: Option<(DateTime<Utc>, DateTime<Utc>)>,
    pages: Pages,
}

/// Up to where bookings were looked at; the first is looked at again after the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pages {
    released: Cursor,
    climbable: Cursor,
    asked: Cursor,
}

fn page_after(after: Cursor) -> Page {
    Page {
        after,
        limit: STEP_LIMIT,
    }
}

/// When personal data is erased, and how old it must be.
#[derive(Clone, Debug)]
pub struct Retention {
    /// When to look.
    pub schedule: Schedule,
    /// Erased so long after the notice ended.
    pub keep: TimeDelta,
}

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpkeepStep {
    /// What time ended.
    pub swept: Swept,
    /// Appointments of released batches written anew.
    pub released: usize,
    /// Appointments for which something was written that a person asked for.
    pub asked: usize,
    /// Appointments whose next rung was opened.
    pub climbed: usize,
    /// Notices erased.
    pub erased: u32,
}

impl<S: Ledger + Outbox> Upkeep<S> {
    /// The line over `store`.
    pub fn new(shared: Arc<Shared>, store: S, retention: Retention) -> Self {
        Self {
            shared,
            store,
            retention,
            erase_next: None,
            noted: None,
            pages: Pages::default(),
        }
    }

    /// Looks again and again until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut steady = Steady::default();
        while !stop.is_cancelled() {
            let now = steady.read(self.shared.clock.now(), Mono::now());
            let more = match self.step(now).await {
                Ok(step) => {
                    self.shared.pulse.round(LINE);
                    self.note(step)
                }
                Err(error) => {
                    tracing::error!("upkeep will be tried again: {error}");
                    false
                }
            };
            if more {
                continue;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.shared.wakes.upkeep.notified() => {}
                () = self.shared.clock.pause(self.shared.look_again) => {}
            }
        }
    }

    /// Looks once.
    ///
    /// # Errors
    /// When the store fails; everything is found again.
    pub async fn step(&mut self, now: DateTime<Utc>) -> Result<UpkeepStep, StoreError> {
        let limits = SweepLimits {
            tried_since: Some(self.tried_since(now).await?),
            ..self.shared.sweep
        };
        let mut swept = self.store.sweep(now, limits).await?;
        sabotage::point("upkeep.after_sweep");
        let page = page_after(self.pages.released);
        let shown = self.store.released(page).await?;
        let released = self.record(now, &shown, Again::Release).await?;
        self.pages.released = page.next(&shown);
        if released > 0 {
            // A batch ends with its last message, not a step later.
            swept = swept.and(self.store.sweep(now, limits).await?);
        }
        let page = page_after(self.pages.asked);
        let shown = self.store.asked(page).await?;
        let asked = self.record(now, &shown, Again::Asked).await?;
        self.pages.asked = page.next(&shown);
        let page = page_after(self.pages.climbable);
        let shown = self.store.climbable(page).await?;
        let climbed = self.record(now, &shown, Again::Climb).await?;
        self.pages.climbable = page.next(&shown);
        let erased = self.erase(now).await?;
        Ok(UpkeepStep {
            swept,
            released,
            asked,
            climbed,
            erased,
        })
    }

    /// Since when there was somebody to try what waits. Where nobody was for as long as the shortest rung takes (no
    /// daemon was up, the machine slept, the store was away), the time of the rungs begins anew; it stands in
    /// the store, so a restart alone is no such gap. It is noted often enough that the lines' own silence is never
    /// taken for one.
    async fn tried_since(&mut self, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
        let gap = self.shared.sweep.rung_time.least;
        let often = TimeDelta::from_std(gap / NOTES_PER_GAP).unwrap_or(TimeDelta::MAX);
        let fresh = |(last, _): &(DateTime<Utc>, _)| *last <= now && now - *last < often;
        if let Some((_, since)) = self.noted.filter(fresh) {
            return Ok(since);
        }
        let since = self.store.tried(now, gap).await?;
        self.noted = Some((now, since));
        Ok(since)
    }

    /// Decides for each booking and records what was decided, one transaction per source.
    async fn record(
        &self,
        now: DateTime<Utc>,
        bookings: &[Known],
        again: Again,
    ) -> Result<usize, StoreError> {
        if bookings.is_empty() {
            return Ok(0);
        }
        let closings = self.store.closings(now).await?;
        let closings: Vec<_> = closings.into_iter().map(|a| a.closing).collect();
        let replan = Replan {
            shared: &self.shared,
            closings: &closings,
            now,
        };
        let mut sources: BTreeMap<SourceName, Vec<Entry>> = BTreeMap::new();
        for known in bookings {
            let name = &known.appointment.source;
            let decided = replan.decide(again, known);
            for problem in decided.problems {
                let key = &known.appointment.key;
                tracing::error!(source = %name, %key, "somebody must phone: {problem}");
                self.shared.metrics.fault(name);
            }
            sources
                .entry(name.clone())
                .or_default()
                .extend(decided.entry);
        }
        let mut written = 0;
        for (source, mut entries) in sources {
            bundle(&self.shared, &mut entries);
            let record = Record {
                source,
                at: now,
                lease: None,
                snapshot: None,
                mapping: None,
                absent: Vec::new(),
                back: Vec::new(),
                entries,
                batch: None,
                faults: None,
            };
            written += self.store.record(record).await?.written as usize;
        }
        Ok(written)
    }

    async fn erase(&mut self, now: DateTime<Utc>) -> Result<u32, StoreError> {
        let next = self.retention.schedule.after(now);
        let due = *self
            .erase_next
            .get_or_insert_with(|| next.unwrap_or(DateTime::<Utc>::MAX_UTC));
        if now < due {
            return Ok(0);
        }
        let erased = self
            .store
            .erase(now - self.retention.keep, STEP_LIMIT)
            .await?;
        if erased < STEP_LIMIT {
            self.erase_next = next;
        }
        Ok(erased)
    }

    /// Says what happened; whether there may be more at once.
    fn note(&self, step: UpkeepStep) -> bool {
        let (metrics, swept) = (&self.shared.metrics, step.swept);
        for (how, count) in [
            ("repeated", swept.repeated),
            ("retried", swept.retried),
            ("held", swept.held),
        ] {
            metrics.resolved(how, count.into());
        }
        metrics.reports_let_go(swept.let_go.into());
        metrics.set_aside(swept.set_aside.into());
        if step.swept.any() || step.released + step.asked + step.climbed > 0 || step.erased > 0 {
            tracing::info!(
                leases_ended = step.swept.leases_ended,
                expired = step.swept.expired,
                gave_way = step.swept.gave_way,
                closed_out = step.swept.closed_out,
                repeated = step.swept.repeated,
                windows_closed = step.swept.windows_closed,
                retried = step.swept.retried,
                held = step.swept.held,
                unconfirmed = step.swept.unconfirmed,
                reports_let_go = step.swept.let_go,
                stopped = step.swept.stopped,
                freed = step.swept.freed,
                released = step.released,
                asked = step.asked,
                climbed = step.climbed,
                erased = step.erased,
                "upkeep"
            );
            self.shared.wakes.messages();
        }
        // Each kind of step has its own limit, so together they may come to more.
        let moved_by_holds = step.swept.stopped.max(step.swept.freed);
        moved_by_holds >= self.shared.sweep.batch
            || self.pages != Pages::default()
            || step.erased >= STEP_LIMIT
    }
}
