//! The erasure of personal data, in the model.

use chrono::{DateTime, Utc};

use super::{State, count};
use crate::domain::notice::NoticeId;
use crate::store::rows::NoticeRow;

impl State {
    pub(super) fn erase(&mut self, before: DateTime<Utc>, limit: usize) -> u32 {
        let past = |n: &NoticeRow| {
            let appointment = self.tables.appointments.get(&n.appointment);
            n.ended_at.is_some_and(|at| at < before)
                && n.reference.is_some()
                && n.not_after < before
                && appointment.is_some_and(|a| a.state.start < before)
        };
        let notices = self.tables.notices.iter();
        let mut ended: Vec<(_, NoticeId)> = notices
            .filter(|(_, n)| past(n))
            .map(|(id, n)| (n.ended_at, *id))
            .collect();
        ended.sort_unstable();
        ended.truncate(limit);
        let ended: Vec<_> = ended.into_iter().map(|(_, id)| id).collect();
        self.tables.erase(&ended);
        let people = self.erase_people(before, limit);
        count(ended.len().max(people))
    }

    fn erase_people(&mut self, before: DateTime<Utc>, limit: usize) -> usize {
        let live = |n: &NoticeId| {
            let notice = self.tables.notices.get(n);
            notice.is_some_and(|n| n.reference.is_some())
        };
        let appointments = self.tables.appointments.iter();
        let past: Vec<_> = appointments
            .filter(|(_, a)| a.state.start < before && a.fingerprint.is_some())
            .filter(|(_, a)| !a.notices.iter().any(live))
            .map(|(id, _)| *id)
            .take(limit)
            .collect();
        for id in &past {
            self.tables.people.remove(id);
            self.tables.abouts.remove(id);
            if let Some(row) = self.tables.appointments.get_mut(id) {
                row.fingerprint = None;
            }
        }
        past.len()
    }
}
