//! Alarms in the model.

use chrono::{DateTime, Utc};

use super::State;
use crate::domain::alarm::{Alarm, AlarmId, Concern};
use crate::store::alarms::Sighting;
use crate::store::rows::HistoryRow;
use crate::store::{Act, ActError, Acted};

/// An alarm that stands, and when it may be told again.
#[derive(Clone, Debug)]
pub(super) struct AlarmRow {
    alarm: Alarm,
    tell_at: DateTime<Utc>,
}

impl AlarmRow {
    /// What is wrong now. Whoever knows of it knows of no more than was told of last, or than there is.
    fn see(&mut self, concern: &Concern, now: DateTime<Utc>) {
        let Alarm {
            concern: old,
            acknowledged,
            ..
        } = &mut self.alarm;
        if concern.amount > old.amount {
            *acknowledged = None;
        }
        old.text.clone_from(&concern.text);
        if concern.amount < old.amount || self.tell_at <= now {
            old.amount = concern.amount;
        }
    }
}

impl State {
    pub(super) fn raise(&mut self, sighting: &Sighting) -> Vec<Alarm> {
        for concern in &sighting.concerns {
            let node = sighting.seen_by(concern);
            let same = |row: &&mut AlarmRow| {
                let old = &row.alarm.concern;
                (old.kind, &old.subject) == (concern.kind, &concern.subject)
                    && row.alarm.node == node
            };
            if let Some(row) = self.alarms.iter_mut().find(same) {
                row.see(concern, sighting.now);
                continue;
            }
            self.next_alarm += 1;
            let alarm = Alarm {
                id: AlarmId(self.next_alarm),
                concern: concern.clone(),
                node: node.to_owned(),
                since: sighting.now,
                told: 0,
                acknowledged: None,
            };
            let tell_at = sighting.now;
            self.alarms.push(AlarmRow { alarm, tell_at });
        }
        self.alarms.retain(|row| {
            let theirs = !row.alarm.node.is_empty() && row.alarm.node != sighting.node;
            let old = &row.alarm.concern;
            let same = |new: &Concern| (new.kind, &new.subject) == (old.kind, &old.subject);
            theirs || sighting.concerns.iter().any(same)
        });
        let again = sighting.again();
        let due = self.alarms.iter_mut();
        let due = due.filter(|r| r.alarm.acknowledged.is_none() && r.tell_at <= sighting.now);
        due.map(|row| {
            row.alarm.told += 1;
            row.tell_at = again;
            row.alarm.clone()
        })
        .collect()
    }

    pub(super) fn alarms_told(&mut self, ids: &[AlarmId], again: DateTime<Utc>) {
        let told = self.alarms.iter_mut().filter(|r| ids.contains(&r.alarm.id));
        told.for_each(|row| row.tell_at = again);
    }

    pub(super) fn alarms(&self) -> Vec<Alarm> {
        self.alarms.iter().map(|row| row.alarm.clone()).collect()
    }

    pub(super) fn acknowledge(&mut self, act: &Act, id: AlarmId) -> Result<Acted, ActError> {
        let row = self.alarms.iter_mut().find(|row| row.alarm.id == id);
        let row = row.ok_or(ActError::NoAlarm(id))?;
        let known = row.alarm.acknowledged.take();
        row.alarm.acknowledged = Some(known.unwrap_or_else(|| (act.actor.clone(), act.at)));
        let line = HistoryRow::of_act(act, "alarm_acknowledged");
        self.tables.history.push(line);
        Ok(Acted { count: 1 })
    }
}
