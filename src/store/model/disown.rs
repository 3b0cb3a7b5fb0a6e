//! The model disowns a claim.

use chrono::{DateTime, Utc};

use super::State;
use crate::store::{ClaimAsk, Settlement};

impl State {
    /// Whatever the claim took and nobody settled counts as certainly not sent; it takes no more.
    pub(super) fn disown(&mut self, ask: &ClaimAsk, at: DateTime<Utc>) -> u32 {
        self.disowned.insert((ask.node.clone(), ask.nonce));
        let attempts = self.tables.attempts.iter();
        let open = attempts.filter(|(_, a)| a.nonce == ask.nonce && a.outcome.is_none());
        let settlements: Vec<_> = open
            .filter_map(|(id, a)| Some((*id, a.message, self.tables.messages.get(&a.message)?)))
            .filter(|(_, _, row)| row.node.as_deref() == Some(&ask.node))
            .map(|(id, message, row)| Settlement::disowned(message, id, row.fence, at))
            .collect();
        for settlement in &settlements {
            self.tables.settle_alone(settlement);
        }
        u32::try_from(settlements.len()).unwrap_or(u32::MAX)
    }
}
