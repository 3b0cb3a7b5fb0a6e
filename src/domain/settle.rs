//! A change counts when it has settled: what comes and goes within a short while is told as what is
//! left of it.
//!
//! Somebody drags a booking twice; a booking is cancelled and made again in two steps; one that was
//! cancelled in order to be moved waits for the one that takes its place. What waits stands in
//! memory only: after a restart it is found again, and waits again.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::appointment::{BookingKey, BookingState};

/// A booking that keeps changing waits at most so many times as long as one that does not.
const MOST_WAITS: i32 = 4;

/// How long changes of one source wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Any change.
    pub settle: TimeDelta,
    /// A booking that was cancelled in order to be moved.
    pub grace: TimeDelta,
}

/// A difference as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    state: BookingState,
    since: DateTime<Utc>,
    first: DateTime<Utc>,
}

/// The differences that wait.
#[derive(Clone, Debug, Default)]
pub struct Settling {
    waiting: BTreeMap<BookingKey, Seen>,
}

impl Settling {
    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether this difference has to wait still; what has not, is forgotten here. `awaiting` says
    /// that the booking was cancelled in order to be moved.
    pub fn must_wait(
        &mut self,
        key: &BookingKey,
        state: &BookingState,
        awaiting: bool,
        waits: &Waits,
        now: DateTime<Utc>,
    ) -> bool {
        let seen = self.waiting.entry(key.clone()).or_insert_with(|| Seen {
            state: state.clone(),
            since: now,
            first: now,
        });
        if seen.state != *state {
            seen.state = state.clone();
            seen.since = now;
        }
        let wait = if awaiting {
            waits.settle.max(waits.grace)
        } else {
            waits.settle
        };
        let settled = wait <= now - seen.since || wait * MOST_WAITS <= now - seen.first;
        if settled {
            self.waiting.remove(key);
        }
        !settled
    }

    /// Forgets what no longer differs: it came back while it waited.
    pub fn keep(&mut self, differs: impl Fn(&BookingKey) -> bool) {
        self.waiting.retain(|key, _| differs(key));
    }
}
