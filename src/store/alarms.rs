//! Alarms as nodes and people see them: what is wrong is written once, told by one node, and told
//! again until somebody says that they know.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::alarm::Concern;

/// What a node sees to be wrong now.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The node.
    pub node: String,
    /// The present, in domain time.
    pub now: DateTime<Utc>,
    /// Everything that is wrong, in order, each once. What is not among them has ended, unless it is
    /// another node's own.
    pub concerns: Vec<Concern>,
    /// So long no other node tells of what this one is given to tell.
    pub telling: Duration,
}

impl Sighting {
    /// Who sees a concern: this node, or all alike.
    pub(crate) fn seen_by(&self, concern: &Concern) -> &str {
        if concern.kind.is_of_a_node() {
            &self.node
        } else {
            ""
        }
    }

    /// When an alarm given out now may be given out again.
    pub(crate) fn again(&self) -> DateTime<Utc> {
        let telling = TimeDelta::from_std(self.telling).unwrap_or(TimeDelta::MAX);
        self.now
            .checked_add_signed(telling)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}
