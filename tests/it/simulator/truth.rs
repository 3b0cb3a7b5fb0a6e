//! What really happened, as nobody in the simulated world knows it: what gateways took, what they
//! reported, and which claims stood when. The laws compare the store with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use varsel::domain::message::{Channel, MessageId};
use varsel::domain::outcome::ReportState;
use varsel::store::{AttemptId, Claim};

use super::calls::Call;

/// One claim that stands in the store.
#[derive(Clone, Debug)]
pub(super) struct ClaimTruth {
    pub(super) message: MessageId,
    pub(super) node: usize,
    pub(super) nonce: u32,
    /// When its lease ends, on the store's clock.
    pub(super) until: Duration,
    /// The node knows of it: where a claim is left in doubt, nothing is sent.
    pub(super) heard: bool,
    /// The node knows its outcome, and the store has it.
    pub(super) settled: bool,
}

/// One message that a gateway took.
#[derive(Clone, Debug)]
pub(super) struct HandOver {
    pub(super) attempt: AttemptId,
    pub(super) channel: Channel,
    pub(super) gateway: &'static str,
    /// The gateway knew it for one that it had, and did nothing more.
    pub(super) same: bool,
    pub(super) token: String,
    /// Key and bytes as the gateway got them.
    pub(super) seen: (String, Vec<u8>),
    /// When, on the store's clock.
    pub(super) at: Duration,
}

/// Everything that really happened.
#[derive(Clone, Debug, Default)]
pub(super) struct Happened {
    /// The store's clock, which is the world's own.
    pub(super) time: Duration,
    pub(super) claims: BTreeMap<AttemptId, ClaimTruth>,
    pub(super) taken: Vec<HandOver>,
    /// Authentic reports that the daemon has kept.
    pub(super) reported: BTreeSet<(AttemptId, ReportState)>,
    /// Broken laws that are seen where they are broken.
    pub(super) broken: Vec<String>,
    /// What each line is about to record, as a number.
    pub(super) recording: BTreeMap<(usize, &'static str), u64>,
    /// Words of outcomes, effects and errors that came to pass.
    pub(super) words: BTreeSet<String>,
    /// Each call of the store that happened, with its answer; kept only where somebody asks for it.
    pub(super) calls: Option<Vec<(Call, String)>>,
}

/// The one truth of a world.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth(Arc<Mutex<Happened>>);

impl Truth {
    pub(super) fn lock(&self) -> MutexGuard<'_, Happened> {
        self.0.lock().unwrap()
    }

    /// Keeps a call and its answer, where calls are kept.
    pub(super) fn keep(&self, call: impl FnOnce() -> (Call, String)) {
        if let Some(calls) = &mut self.lock().calls {
            calls.push(call());
        }
    }

    pub(super) fn claimed(&self, node: usize, claims: &[Claim], lease: Duration) {
        let mut happened = self.lock();
        let until = happened.time + lease;
        for claim in claims {
            let truth = ClaimTruth {
                message: claim.message,
                node,
                nonce: claim.nonce,
                until,
                heard: false,
                settled: false,
            };
            happened.claims.insert(claim.attempt, truth);
        }
    }

    /// What happened up to now, to be continued otherwise.
    pub(super) fn fork(&self) -> Self {
        let happened = self.lock().clone();
        Self(Arc::new(Mutex::new(happened)))
    }

    /// A node that starts anew ends the leases that it left behind.
    pub(super) fn joined(&self, node: usize) {
        let mut happened = self.lock();
        let now = happened.time;
        for claim in happened.claims.values_mut().filter(|c| c.node == node) {
            claim.until = claim.until.min(now);
        }
    }
}

impl Happened {
    pub(super) fn was_taken(&self, attempt: AttemptId) -> bool {
        self.taken.iter().any(|taken| taken.attempt == attempt)
    }
}
