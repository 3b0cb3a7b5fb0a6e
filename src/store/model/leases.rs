//! The right to read a source: one node at a time, with a fence that each record has to show.

use super::State;
use crate::store::recovering::TURNS_PASSED_OVER;
use crate::store::rows::{DbTime, Millis};
use crate::store::{Lease, LeaseAsk, Record, StoreError, StoreResult};

/// Who may read a source.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    who: Option<(String, u32)>,
    fence: i64,
    until: DbTime,
}

impl State {
    pub(super) fn lease(&mut self, ask: &LeaseAsk) -> Option<Lease> {
        let now = self.db_now;
        let reader = &mut self.sources.entry(ask.source.clone()).or_default().reader;
        let runs = reader.until > now;
        let who = (ask.node.clone(), ask.life);
        let same_node = reader.who.as_ref().is_some_and(|(node, _)| *node == who.0);
        if runs && !same_node {
            return None;
        }
        if reader.who.as_ref() != Some(&who) {
            reader.fence += 1;
        }
        reader.who = Some(who);
        reader.until = now.plus(Millis::of(ask.length));
        Some(Lease {
            fence: reader.fence,
            length: ask.length,
        })
    }

    /// Whoever reads a source now records nothing of it.
    pub(super) fn end_turns(&mut self) {
        for source in self.sources.values_mut() {
            let fence = source.reader.fence + TURNS_PASSED_OVER;
            source.reader = Reader {
                fence,
                ..Reader::default()
            };
        }
    }

    pub(super) fn check_lease(&mut self, record: &Record) -> StoreResult<()> {
        let Some(lease) = record.lease else {
            return Ok(());
        };
        let now = self.db_now;
        let source = self.sources.entry(record.source.clone()).or_default();
        let reader = &mut source.reader;
        if reader.fence != lease.fence || reader.until <= now {
            let why = format!("source \"{}\"", record.source);
            return Err(StoreError::Overtaken(why));
        }
        reader.until = now.plus(Millis::of(lease.length));
        Ok(())
    }
}
