//! Whose turn it is to read a source: of many nodes one at a time, from the read to its record.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::{Intake, SourceName};
use crate::clock::Clock;
use crate::domain::settle::Settling;
use crate::source::Source;
use crate::store::{Lease, LeaseAsk, Ledger, StoreResult};

/// A node that dies in the middle of a read keeps others from it for so long.
const LEASE: Duration = Duration::from_secs(15);
/// While it reads, its lease is begun anew so often.
const RENEW: Duration = Duration::from_secs(4);

/// This process's part in reading one source.
pub(super) struct Turn {
    ask: LeaseAsk,
    /// What it had when it last looked.
    pub(super) lease: Option<Lease>,
}

impl Turn {
    pub(super) fn new(source: &SourceName, node: &str, life: u32) -> Self {
        let ask = LeaseAsk {
            source: source.clone(),
            node: node.to_owned(),
            life,
            length: LEASE,
        };
        Self { ask, lease: None }
    }
}

impl<S: Source, L: Ledger + Clone + 'static> Intake<S, L> {
    /// Takes the turn, or keeps it; `false` while another node has it. What was remembered of
    /// earlier looks is forgotten where somebody may have looked in between.
    pub(super) async fn take_turn(&mut self) -> StoreResult<bool> {
        let lease = self.ledger.lease(&self.turn.ask).await?;
        if lease.is_none() || lease != self.turn.lease {
            self.forget();
            self.settling = Settling::default();
            self.earlier.clear();
        }
        self.turn.lease = lease;
        Ok(lease.is_some())
    }

    /// Keeps the turn for as long as the answer lives. A process that is paused does not.
    pub(super) fn keep_turn(&self) -> AbortOnDropHandle<()> {
        let (ledger, ask) = (self.ledger.clone(), self.turn.ask.clone());
        AbortOnDropHandle::new(tokio::spawn(async move {
            loop {
                Clock::system().pause(RENEW).await;
                // A turn that could not be kept shows when what was read is recorded.
                let _ = ledger.lease(&ask).await;
            }
        }))
    }

    /// Lets another node read at once.
    pub(super) async fn give_up_turn(&mut self) {
        if self.turn.lease.take().is_some() {
            self.turn.ask.length = Duration::ZERO;
            // Else it runs out by itself.
            let _ = self.ledger.lease(&self.turn.ask).await;
        }
    }
}
