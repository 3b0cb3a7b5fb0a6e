//! What people do and read at the model.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Model, State, most};
use crate::domain::alarm::Alarm;
use crate::domain::appointment::SourceName;
use crate::domain::closing::{Announced, ClosingId};
use crate::domain::list::ListId;
use crate::domain::message::Channel;
use crate::store::listing::Lifted;
use crate::store::rows::HistoryRow;
use crate::store::{
    Act, ActError, Acted, Batch, BatchId, Call, Commitment, Deed, Desk, Fault, Gauges, HoldId,
    HoldOn, Locked, MustBePhoned, NewList, NewWave, StandingHold, StandingList, StoreResult, Story,
    Tally, Unclear, Wave, Wrong,
};

impl Desk for Model {
    async fn act(&self, act: &Act) -> Result<Acted, ActError> {
        let mut state = self.state();
        if let Some(count) = state.acts.get(&act.idempotency_key) {
            return Ok(Acted { count: *count });
        }
        let acted = state.act(act)?;
        state.acts.insert(act.idempotency_key.clone(), acted.count);
        state.done();
        Ok(acted)
    }

    async fn tally(&self, now: DateTime<Utc>) -> StoreResult<Tally> {
        Ok(self.state().tally(now))
    }

    async fn must_be_phoned(&self, now: DateTime<Utc>, limit: u32) -> StoreResult<MustBePhoned> {
        Ok(self.state().tables.must_be_phoned(now, most(limit)))
    }

    async fn unclear(&self, limit: u32) -> StoreResult<Vec<Unclear>> {
        Ok(self.state().tables.unclear(most(limit)))
    }

    async fn calls(&self) -> StoreResult<Vec<Call>> {
        Ok(self.state().tables.calls())
    }

    async fn stopped_calls(&self) -> StoreResult<Vec<Call>> {
        Ok(self.state().tables.stopped_calls())
    }

    async fn faults(&self) -> StoreResult<Vec<Fault>> {
        Ok(self.state().faults())
    }

    async fn holds(&self) -> StoreResult<Vec<StandingHold>> {
        let state = self.state();
        let holds = state.tables.holds.iter().map(|hold| StandingHold {
            messages: state.tables.kept_by(&hold.on, None),
            calls: state.tables.kept_by(&hold.on, Some(Channel::Phone)),
            ..hold.clone()
        });
        Ok(holds.collect())
    }

    async fn alarms(&self) -> StoreResult<Vec<Alarm>> {
        Ok(self.state().alarms())
    }

    async fn untold(&self, now: DateTime<Utc>, within: TimeDelta) -> StoreResult<u32> {
        Ok(self.state().untold(now, within))
    }

    async fn batches(&self) -> StoreResult<Vec<Batch>> {
        Ok(self.state().batches())
    }

    async fn lists(&self) -> StoreResult<Vec<StandingList>> {
        Ok(self
            .state()
            .lists
            .iter()
            .map(|(list, _)| list.clone())
            .collect())
    }

    async fn wrong(&self, batch: BatchId, limit: u32) -> StoreResult<Option<Wrong>> {
        Ok(self.state().tables.wrong(batch, most(limit)))
    }

    async fn commitments(&self) -> StoreResult<Vec<Commitment>> {
        Ok(self.state().tables.commitments())
    }

    async fn wave(&self, wave: &NewWave, limit: u32) -> StoreResult<Wave> {
        Ok(self.state().tables.wave(wave, most(limit)))
    }

    async fn sources_with(&self, key: &str) -> StoreResult<Vec<SourceName>> {
        let state = self.state();
        let rows = state.tables.appointments.values();
        let with: BTreeSet<_> = rows.filter(|a| a.key.0 == key).map(|a| &a.source).collect();
        Ok(with.into_iter().cloned().collect())
    }

    async fn explain(&self, name: &str) -> StoreResult<Vec<Story>> {
        Ok(self.state().explain(name))
    }

    async fn gauges(&self, now: DateTime<Utc>) -> StoreResult<Gauges> {
        Ok(self.state().gauges(now))
    }
}

impl State {
    fn act(&mut self, act: &Act) -> Result<Acted, ActError> {
        let moved = self.locks.iter().any(|lock| lock.why == Locked::Moved);
        if moved && !matches!(act.deed, Deed::Recover(_)) {
            return Err(ActError::Moved);
        }
        let event = match &act.deed {
            Deed::Release(_) | Deed::ReleaseFirst(..) | Deed::Discard(_) => {
                return self.tables.act_on_batch(act);
            }
            Deed::StartWave(wave, seen) => {
                let number = self.waves + 1;
                let acted = self.tables.start_wave(act, (wave, *seen), number)?;
                self.waves = number;
                return Ok(acted);
            }
            Deed::Correct(seen) => return self.tables.correct(act, seen),
            Deed::Tick(reference) => return self.tables.tick(act, *reference, false),
            Deed::AnsweringMachine(reference) => return self.tables.tick(act, *reference, true),
            Deed::AddClosing(closing) => {
                let id = ClosingId(i64::try_from(self.closings.len()).unwrap_or(i64::MAX) + 1);
                let announced = Announced {
                    id,
                    closing: closing.clone(),
                    admitted: 0,
                    actor: act.actor.clone(),
                };
                self.closings.insert(id, (announced, false));
                "closing_added"
            }
            Deed::EndClosing(id) => {
                let closing = self.closings.get_mut(id).filter(|(_, ended)| !*ended);
                closing.ok_or(ActError::NoClosing(*id))?.1 = true;
                "closing_ended"
            }
            Deed::AddList(list) => return Ok(self.add_list(act, list)),
            Deed::LiftList(id) => return self.lift_list(act, *id),
            Deed::AckAlarm(id) => return self.acknowledge(act, *id),
            Deed::Recover(how) => return self.recover(act, *how),
            Deed::AddHold(on) => return self.add_hold(act, on),
            Deed::LiftHold(id) => {
                let place = self.tables.holds.iter().position(|hold| hold.id == *id);
                let hold = self
                    .tables
                    .holds
                    .remove(place.ok_or(ActError::NoHold(*id))?);
                let count = self.tables.kept_by(&hold.on, None);
                let line = HistoryRow::of_act(act, "hold_lifted");
                self.tables.history.push(line);
                return Ok(Acted { count });
            }
        };
        self.tables.history.push(HistoryRow::of_act(act, event));
        Ok(Acted { count: 1 })
    }

    fn add_list(&mut self, act: &Act, list: &NewList) -> Acted {
        let appointments = u32::try_from(list.named.len()).unwrap_or(u32::MAX);
        let acted = Acted {
            count: appointments,
        };
        if self.lists.iter().any(|(_, old)| old.digest == list.digest) {
            return acted;
        }
        self.next_list += 1;
        let standing = StandingList {
            id: ListId(self.next_list),
            file: list.file.clone(),
            digest: list.digest.clone(),
            signed_by: list.signed_by.clone(),
            actor: act.actor.clone(),
            reason: act.reason.clone(),
            since: act.at,
            appointments,
        };
        self.lists.push((standing, list.clone()));
        self.tables
            .history
            .push(HistoryRow::of_act(act, "list_added"));
        acted
    }

    fn lift_list(&mut self, act: &Act, id: ListId) -> Result<Acted, ActError> {
        let place = self.lists.iter().position(|(list, _)| list.id == id);
        let (list, named) = self.lists.remove(place.ok_or(ActError::NoList(id))?);
        let appointments = list.appointments;
        let lifted = Lifted {
            at: act.at,
            actor: act.actor.clone(),
            reason: act.reason.clone(),
        };
        self.lifted.push((list, named, lifted));
        self.tables
            .history
            .push(HistoryRow::of_act(act, "list_lifted"));
        Ok(Acted {
            count: appointments,
        })
    }

    fn add_hold(&mut self, act: &Act, on: &HoldOn) -> Result<Acted, ActError> {
        if let HoldOn::Batch(batch) = on
            && !self.tables.batches.contains_key(batch)
        {
            return Err(ActError::NoBatch(*batch));
        }
        self.next_hold += 1;
        self.tables.holds.push(StandingHold {
            id: HoldId(self.next_hold),
            on: on.clone(),
            reason: act.reason.clone(),
            actor: act.actor.clone(),
            since: act.at,
            messages: 0,
            calls: 0,
        });
        let line = HistoryRow::of_act(act, "hold_added");
        self.tables.history.push(line);
        Ok(Acted {
            count: self.tables.kept_by(on, None),
        })
    }
}
