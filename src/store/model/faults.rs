//! What of the sources is not understood, in the model.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::State;
use crate::domain::appointment::{BookingKey, SourceName};
use crate::store::{Fault, Record};

impl State {
    /// What is not understood any longer goes; what still reads the same keeps its time.
    pub(super) fn keep_faults(&mut self, record: &Record) {
        let Some(faults) = &record.faults else {
            return;
        };
        let mut new = BTreeMap::new();
        for fault in faults {
            let key = fault.key.as_ref().map_or("", |key| key.0.as_str());
            let place = (record.source.clone(), key.to_owned(), fault.column.clone());
            let old = self.faults.get(&place);
            let old = old.filter(|(problem, _)| *problem == fault.problem);
            let since = old.map_or(record.at, |(_, since)| *since);
            new.entry(place).or_insert((fault.problem.clone(), since));
        }
        self.faults
            .retain(|(source, ..), _| *source != record.source);
        self.faults.append(&mut new);
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let fault = |((source, key, column), (problem, since)): (
            &(SourceName, String, String),
            &(String, DateTime<Utc>),
        )| Fault {
            source: source.clone(),
            key: (!key.is_empty()).then(|| BookingKey(key.clone())),
            column: column.clone(),
            problem: problem.clone(),
            since: *since,
        };
        self.faults.iter().map(fault).collect()
    }
}
