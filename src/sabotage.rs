//! What only tests may do to the program: switch one guard of the promise off, end the process at a
//! chosen point, or start without looking through every text there can be. A test that passes while
//! its guard is off shows nothing.
//!
//! All of it needs the feature `sabotage` and a debug build. In any other build every function here is a
//! constant, and no environment variable is read.

/// A guard that a test may switch off, by its word in `VARSEL_SABOTAGE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// A settlement moves a message only under the newest fence.
    Fence,
    /// A lease's end makes *unknown*, never `ready`.
    LeaseEnd,
    /// A hand-over without a definite answer is not repeated like one that did not happen.
    Unknown,
    /// A node looks at its own lease directly before the first byte.
    OwnLease,
    /// A request that broke off is not sent again over a new connection.
    OneRequest,
    /// A poll that finds too much is held.
    Brake,
    /// `record` compares what the decision rested on with what stands.
    Belief,
    /// Every commit is synced, and the setting is read back.
    Durability,
    /// An outcome whose COMMIT reported an error is written again, and its message never sent again.
    CommitError,
    /// Every commit is synced. Off, only reading the setting back is left to notice it.
    Synced,
}

impl Guard {
    /// Every guard.
    pub const ALL: [Self; 10] = [
        Self::Fence,
        Self::LeaseEnd,
        Self::Unknown,
        Self::OwnLease,
        Self::OneRequest,
        Self::Brake,
        Self::Belief,
        Self::Durability,
        Self::CommitError,
        Self::Synced,
    ];

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::LeaseEnd => "lease_end",
            Self::Unknown => "unknown",
            Self::OwnLease => "own_lease",
            Self::OneRequest => "one_request",
            Self::Brake => "brake",
            Self::Belief => "belief",
            Self::Durability => "durability",
            Self::CommitError => "commit_error",
            Self::Synced => "synced",
        }
    }
}

/// Every point at which a test may end the process, by its word in `VARSEL_CRASH_AT=word:count`, or
/// pause it, in `VARSEL_STOP_AT=word:count`.
/// They stand around each durable boundary of the four lines; one more, `intake.after_chunk`, is passed only while a
/// first look is written down.
pub const POINTS: [&str; 10] = [
    "intake.before_record",
    "intake.after_record",
    "dispatch.before_claim",
    "dispatch.after_claim",
    "dispatch.after_send",
    "dispatch.before_settle",
    "dispatch.after_settle",
    "upkeep.after_sweep",
    "writer.before_commit",
    "writer.after_commit",
];

/// Whether a test has switched this guard off.
#[cfg(not(all(feature = "sabotage", debug_assertions)))]
#[must_use]
pub const fn is_off(_: Guard) -> bool {
    false
}

/// A point at which a test may end or pause the process.
#[cfg(not(all(feature = "sabotage", debug_assertions)))]
pub const fn point(_: &str) {}

/// Whether a test that starts the daemon hundreds of times has let it off looking through every text
/// there can be, which takes a build without optimization seconds.
#[cfg(not(all(feature = "sabotage", debug_assertions)))]
#[must_use]
pub const fn trusts_texts() -> bool {
    false
}

#[cfg(all(feature = "sabotage", debug_assertions))]
pub use self::at_work::{is_off, point, trusts_texts};

#[cfg(all(feature = "sabotage", debug_assertions))]
mod at_work {
    use std::env;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::Guard;

    /// Whether a test has switched this guard off.
    #[must_use]
    pub fn is_off(guard: Guard) -> bool {
        static OFF: OnceLock<Option<String>> = OnceLock::new();
        let off = OFF.get_or_init(|| env::var("VARSEL_SABOTAGE").ok());
        off.as_deref() == Some(guard.word())
    }

    /// Whether this start is let off looking through every text there can be.
    #[must_use]
    pub fn trusts_texts() -> bool {
        env::var("VARSEL_TRUST_TEXTS").is_ok()
    }

    /// Ends the process at once, as a kill does, or pauses it, when it comes to the chosen point for
    /// the chosen time: nothing is unwound, flushed or closed.
    pub fn point(name: &str) {
        static CRASH: Chosen = Chosen::new("VARSEL_CRASH_AT");
        static STOP: Chosen = Chosen::new("VARSEL_STOP_AT");
        if CRASH.is_met(name) {
            std::process::abort();
        }
        if STOP.is_met(name) {
            // Where that is not possible, the test waits in vain and says so.
            let _ = kill_process(getpid(), Signal::STOP);
            // Another thread may be the one that is told, and this one may not go on meanwhile.
            std::thread::park_timeout(Duration::from_secs(1));
        }
    }

    /// A point chosen by a variable, as `word:count`.
    struct Chosen {
        variable: &'static str,
        chosen: OnceLock<Option<(String, u32)>>,
        times: AtomicU32,
    }

    impl Chosen {
        const fn new(variable: &'static str) -> Self {
            Self {
                variable,
                chosen: OnceLock::new(),
                times: AtomicU32::new(0),
            }
        }

        fn read(&self) -> Option<(String, u32)> {
            let value = env::var(self.variable).ok()?;
            let (name, count) = value.split_once(':')?;
            Some((name.to_owned(), count.parse().ok()?))
        }

        fn is_met(&self, name: &str) -> bool {
            let Some((chosen, count)) = self.chosen.get_or_init(|| self.read()) else {
                return false;
            };
            chosen == name && self.times.fetch_add(1, Ordering::SeqCst) + 1 == *count
        }
    }
}
