//! What one intake comes to over several looks at its source, of which most find that nothing has
//! changed, and which are further apart than a lease lasts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use varsel::clock::simulated;
use varsel::domain::appointment::{Appointment, BookingKey, SourceName, Standing};
use varsel::domain::settle::Waits;
use varsel::service::intake::{Intake, Watch};
use varsel::source::{Look, Snapshot, Source, SourceError};
use varsel::store::model::Model;
use varsel::store::{Entry, Known, Ledger, Record};

use super::chaos::ready;
use super::house::{self, beginning};
use super::register::booking;

/// How far looks are apart.
const EVERY: Duration = Duration::from_secs(30);

type Rows = Arc<Mutex<Vec<Appointment>>>;

/// A source that says when nothing has changed.
struct Quiet {
    name: SourceName,
    rows: Rows,
    seen: Option<Vec<Appointment>>,
}

impl Source for Quiet {
    fn name(&self) -> &SourceName {
        &self.name
    }

    async fn snapshot(&mut self, _: DateTime<Utc>) -> Result<Look, SourceError> {
        let rows = self.rows.lock().unwrap().clone();
        if self.seen.as_ref() == Some(&rows) {
            return Ok(Look::Unchanged);
        }
        self.seen = Some(rows.clone());
        Ok(Look::Snapshot(Snapshot {
            rows,
            ..Snapshot::default()
        }))
    }

    async fn look_up(&mut self, keys: &[BookingKey]) -> Result<Snapshot, SourceError> {
        let mut rows = self.rows.lock().unwrap().clone();
        rows.retain(|row| keys.contains(&row.key));
        Ok(Snapshot {
            rows,
            ..Snapshot::default()
        })
    }

    fn forget(&mut self) {
        self.seen = None;
    }
}

struct Watched {
    model: Model,
    rows: Rows,
    intake: Intake<Quiet, Model>,
    now: DateTime<Utc>,
}

impl Watched {
    /// Two bookings, known from the baseline.
    async fn begin(settle: TimeDelta) -> Self {
        let booked = [1, 2].map(|n| booking(n, false, beginning(), 60).appointment);
        let (model, rows) = (Model::default(), Arc::new(Mutex::new(booked.to_vec())));
        let source = Quiet {
            name: house::source_name(),
            rows: Arc::clone(&rows),
            seen: None,
        };
        let shared = house::shared("node-0", 1, [7; 32]);
        let waits = Waits {
            settle,
            ..Waits::default()
        };
        let intake = Intake::new(shared, source, model.clone(), EVERY).watching(Watch {
            waits,
            ..Watch::default()
        });
        let mut watched = Self {
            model,
            rows,
            intake,
            now: beginning(),
        };
        watched.look().await;
        watched
    }

    async fn look(&mut self) {
        self.now += TimeDelta::from_std(EVERY).unwrap();
        self.model.advance(EVERY);
        simulated::show(Some((self.now, Duration::from_secs(1000))));
        self.intake.step(self.now).await.unwrap();
        simulated::show(None);
    }

    fn known(&self) -> Known {
        let (source, keys) = (house::source_name(), [BookingKey("B1".to_owned())]);
        ready(self.model.known(&source, &keys)).unwrap().remove(0)
    }

    /// What upkeep writes when it climbs or releases: it has not looked at the source.
    fn upkeep_writes(&self) {
        let known = self.known();
        let entry = Entry {
            seen: None,
            gone: false,
            believed: Some(known.believed()),
            revision: known.revision,
            appointment: known.appointment,
            supersede: false,
            rebase: false,
            release: false,
            settled: Vec::new(),
            admitted_by: None,
            notices: Vec::new(),
        };
        let record = Record {
            source: house::source_name(),
            at: self.now,
            lease: None,
            snapshot: None,
            mapping: None,
            absent: Vec::new(),
            back: Vec::new(),
            entries: vec![entry],
            batch: None,
            faults: None,
        };
        let recorded = ready(self.model.record(record)).unwrap();
        assert_eq!(recorded.written, 1);
    }
}

#[tokio::test]
async fn a_row_that_vanished_is_noticed_though_upkeep_wrote_of_it_in_between() {
    let mut watched = Watched::begin(TimeDelta::zero()).await;
    watched.rows.lock().unwrap().remove(0);
    watched.look().await;
    assert_eq!(watched.known().appointment.state.standing, Standing::Active);
    watched.upkeep_writes();
    watched.look().await;
    let known = watched.known();
    assert_eq!(known.appointment.state.standing, Standing::Cancelled);
    assert_eq!(known.notices.len(), 1);
}

#[tokio::test]
async fn a_change_settles_though_looks_are_further_apart_than_a_lease_lasts() {
    let mut watched = Watched::begin(TimeDelta::seconds(60)).await;
    watched.rows.lock().unwrap()[0].state.standing = Standing::Cancelled;
    watched.look().await;
    watched.look().await;
    assert_eq!(watched.known().notices, [], "it stands for 30 seconds");
    watched.look().await;
    assert_eq!(watched.known().notices.len(), 1);
}

#[tokio::test]
async fn a_clock_that_was_ahead_for_a_while_makes_nobody_forgotten() {
    let mut watched = Watched::begin(TimeDelta::zero()).await;
    let right = watched.now;
    watched.now += TimeDelta::days(1_000);
    watched.rows.lock().unwrap().remove(0);
    watched.look().await;
    watched.now = right;
    watched.look().await;
    watched.look().await;
    let known = watched.known();
    assert_eq!(known.appointment.state.standing, Standing::Cancelled);
}
