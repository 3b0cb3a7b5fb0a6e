//! The only reader of the clocks.
//!
//! Two kinds of time never meet. *Domain time* ([`Clock`]) is what appointments, deadlines and send
//! windows are compared with; in the sandbox it is real time plus one constant offset. *Monotonic
//! time* ([`Mono`]) measures leases and time-outs; it counts through a suspended machine
//! (CLOCK_BOOTTIME) and never jumps.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clocks"
)]

mod steady;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

pub use self::steady::Steady;

/// Domain time: real time plus one constant offset, which is zero outside the sandbox.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    offset: TimeDelta,
    #[cfg(feature = "sabotage")]
    dial: Option<&'static simulated::Dial>,
}

impl Clock {
    /// The real clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that shows `start` at this moment and runs on from there at real speed.
    #[must_use]
    pub fn starting_at(start: DateTime<Utc>) -> Self {
        Self {
            offset: start - Utc::now(),
            ..Self::default()
        }
    }

    /// A clock that stands where a test has set it.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub fn showing(dial: &'static simulated::Dial) -> Self {
        Self {
            dial: Some(dial),
            ..Self::default()
        }
    }

    /// The present, in domain time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        #[cfg(feature = "sabotage")]
        if let Some(dial) = self.dial {
            return dial.read();
        }
        #[cfg(feature = "sabotage")]
        if let Some((now, _)) = simulated::read() {
            return now + self.offset;
        }
        Utc::now() + self.offset
    }

    /// Waits until the domain time `at`; returns at once when it has passed.
    pub async fn sleep_until(&self, at: DateTime<Utc>) {
        let left = (at - self.now()).to_std().unwrap_or(Duration::ZERO);
        tokio::time::sleep(left).await;
    }

    /// Waits for a length of real time.
    pub async fn pause(&self, length: Duration) {
        tokio::time::sleep(length).await;
    }
}

/// A point on the monotonic clock that also counts while the machine sleeps (CLOCK_BOOTTIME).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(Duration);

impl Mono {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        #[cfg(feature = "sabotage")]
        if let Some((_, mono)) = simulated::read() {
            return Self(mono);
        }
        let at = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(at.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(at.tv_nsec).unwrap_or_default();
        Self(Duration::new(seconds, nanos))
    }

    /// What the clock shows, for decisions that know no clock.
    #[must_use]
    pub fn shown(self) -> Duration {
        self.0
    }

    /// The point `length` after this one.
    #[must_use]
    pub fn plus(self, length: Duration) -> Self {
        Self(self.0 + length)
    }

    /// The point `length` before this one.
    #[must_use]
    pub fn minus(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(length))
    }

    /// How long ago this point was; zero when it lies ahead.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        Self::now().0.saturating_sub(self.0)
    }
}

/// Clocks that show what a test sets: all clocks of the thread that sets them, or those with a dial.
#[cfg(feature = "sabotage")]
pub mod simulated {
    use std::cell::Cell;
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use chrono::{DateTime, Utc};

    thread_local! {
        static SHOWN: Cell<Option<(DateTime<Utc>, Duration)>> = const { Cell::new(None) };
    }

    /// From now on this thread's clocks show these times, domain time first; `None` gives it the
    /// real ones back.
    pub fn show(times: Option<(DateTime<Utc>, Duration)>) {
        SHOWN.set(times);
    }

    /// What a clock shows, on every thread, until it is set anew.
    #[derive(Debug, Default)]
    pub struct Dial(AtomicI64);

    impl Dial {
        /// A dial for the rest of the process.
        #[must_use]
        pub fn new() -> &'static Self {
            Box::leak(Box::default())
        }

        /// Sets it.
        pub fn set(&self, now: DateTime<Utc>) {
            self.0.store(now.timestamp_millis(), Ordering::Relaxed);
        }

        pub(super) fn read(&self) -> DateTime<Utc> {
            DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed)).unwrap_or_default()
        }
    }

    pub(super) fn read() -> Option<(DateTime<Utc>, Duration)> {
        SHOWN.get()
    }
}
