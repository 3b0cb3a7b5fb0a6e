//! Waves of invitations after a reopening: whom one would invite, in which order, who is left out, and
//! the act that asks for it. Nothing here does I/O or reads a clock.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::rows::{AppointmentId, AppointmentRow, Hand, HistoryRow};
use super::tables::Tables;
use super::{Act, ActError, Acted, NewWave, PassedOver, SeenWave, ToInvite, Wave};
use crate::domain::appointment::Standing;
use crate::domain::change::ChangeKind;
use crate::domain::message::{MessageBrief, MessageState};
use crate::domain::notice::{NoticeBrief, NoticeId, Purpose};
use crate::domain::occasion::Occasion;
use crate::domain::recipient::{Recipient, Role};

/// One cancelled appointment that a wave may invite.
struct Candidate {
    id: AppointmentId,
    /// The recipients who know that it is cancelled, or may, each with the notice that told them.
    told: Vec<(Role, NoticeId)>,
    /// When the first of them was, or may have been, told.
    told_at: Option<DateTime<Utc>>,
    /// It was cancelled more than once.
    again: bool,
}

/// What a wave would do.
#[derive(Default)]
struct Chosen {
    invited: Vec<Candidate>,
    waiting: u32,
    passed_over: BTreeMap<PassedOver, u32>,
}

impl Tables {
    /// What a wave would do, with the first `limit` of those it would invite. Every appointment that
    /// may be invited must be at hand, and every other one that shares an address with it, all with
    /// their people.
    pub(crate) fn wave(&self, wave: &NewWave, limit: usize) -> Wave {
        let chosen = self.choose(wave);
        let mut shown = Wave {
            seen: self.seen(&chosen),
            appointments: count(chosen.invited.len()),
            waiting: chosen.waiting,
            passed_over: chosen.passed_over.clone(),
            offices: BTreeMap::new(),
            first: Vec::new(),
        };
        for candidate in &chosen.invited {
            let row = self.appointments.get(&candidate.id);
            for (role, notice) in &candidate.told {
                let (Some(row), Some(brief)) = (row, self.brief(*notice)) else {
                    continue;
                };
                let office = brief.change.old.office.clone();
                *shown.offices.entry(office.clone()).or_default() += 1;
                if shown.first.len() < limit {
                    shown.first.push(ToInvite {
                        source: row.source.clone(),
                        key: row.key.clone(),
                        role: role.clone(),
                        reference: brief.reference,
                        office,
                        start: brief.change.old.start,
                        again: candidate.again,
                    });
                }
            }
        }
        shown
    }

    /// Asks for the invitations of a wave, if they still are those that the person saw.
    pub(crate) fn start_wave(
        &mut self,
        act: &Act,
        (wave, seen): (&NewWave, SeenWave),
        number: u32,
    ) -> Result<Acted, ActError> {
        let chosen = self.choose(wave);
        let now = self.seen(&chosen);
        if now != seen {
            return Err(ActError::WaveChanged(now));
        }
        let hand = Hand {
            actor: &act.actor,
            at: act.at,
            request: Some(&act.idempotency_key),
        };
        let detail = format!("wave {number}: {}", act.reason);
        for candidate in chosen.invited {
            for (role, notice) in candidate.told {
                let Some(row) = self.appointments.get_mut(&candidate.id) else {
                    continue;
                };
                row.occasions.push(Occasion {
                    purpose: Purpose::Rebooking,
                    number,
                    role,
                    until: Some(wave.until),
                });
                self.touched.appointments.insert(candidate.id);
                let none = (None, None);
                self.write_history(None, notice, &hand, "to_invite", none, &detail);
            }
        }
        self.history.push(HistoryRow::of_act(act, "wave_started"));
        Ok(Acted { count: now.people })
    }

    fn seen(&self, chosen: &Chosen) -> SeenWave {
        let people = chosen.invited.iter().flat_map(|candidate| &candidate.told);
        let mut code = Code::default();
        let mut count: u32 = 0;
        for (role, notice) in people {
            code.add(&notice.0.to_be_bytes());
            code.add(role.to_string().as_bytes());
            count = count.saturating_add(1);
        }
        SeenWave {
            people: count,
            code: code.0,
        }
    }

    /// Whom a wave invites: who was cancelled more than once first, then the oldest cancellation.
    fn choose(&self, wave: &NewWave) -> Chosen {
        let mut chosen = Chosen::default();
        let rows = self.appointments.iter();
        let mut candidates: Vec<Candidate> = rows
            .filter_map(|(id, row)| self.candidate(*id, row, wave, &mut chosen.passed_over))
            .collect();
        candidates.sort_by_key(Candidate::first_notice);
        self.take_out_replaced(&mut candidates, &mut chosen.passed_over);
        candidates.sort_by_key(|c| (Reverse(c.again), c.first_notice()));
        let capacity = usize::try_from(wave.capacity).unwrap_or(usize::MAX);
        let rest = candidates.split_off(capacity.min(candidates.len()));
        chosen.waiting = count(rest.len());
        chosen.invited = candidates;
        chosen
    }

    fn candidate(
        &self,
        id: AppointmentId,
        row: &AppointmentRow,
        wave: &NewWave,
        passed_over: &mut BTreeMap<PassedOver, u32>,
    ) -> Option<Candidate> {
        let of_service = wave.services.is_empty() || wave.services.contains(&row.service);
        if row.state.standing != Standing::Cancelled || !of_service {
            return None;
        }
        let briefs: Vec<NoticeBrief> = row.notices.iter().filter_map(|n| self.live(*n)).collect();
        let roles = self.people.get(&id)?.iter().map(|person| &person.role);
        let told_by = |role: &Role| {
            let mut newest = briefs.iter().rev();
            let told = newest.find(|n| tells_cancelled(n) && n.role == *role)?;
            let here = wave.offices.contains(&told.change.old.office);
            (here && !told.superseded && may_know(told)).then(|| (role.clone(), told.id))
        };
        let told: Vec<(Role, NoticeId)> = roles.filter_map(told_by).collect();
        if told.is_empty() {
            return None;
        }
        let mut pass = |why| {
            *passed_over.entry(why).or_default() += 1;
            None
        };
        let invites =
            |n: &NoticeBrief| n.purpose == Purpose::Rebooking && n.revision == row.revision;
        let asked = row
            .occasions
            .iter()
            .any(|o| o.purpose == Purpose::Rebooking);
        if asked || briefs.iter().any(invites) {
            return pass(PassedOver::Invited);
        }
        if self
            .abouts
            .get(&id)
            .is_some_and(|about| about.do_not_contact)
        {
            return pass(PassedOver::DoNotContact);
        }
        let revisions: BTreeSet<u32> = briefs
            .iter()
            .filter(|n| tells_cancelled(n))
            .map(|n| n.revision)
            .collect();
        let theirs = briefs
            .iter()
            .filter(|n| told.iter().any(|(_, id)| *id == n.id));
        let attempts = theirs.flat_map(|n| &n.messages);
        let told_at = attempts.filter_map(|m| m.first_attempt_at).min();
        Some(Candidate {
            id,
            told,
            told_at,
            again: revisions.len() > 1,
        })
    }

    /// A notice that is not erased.
    pub(super) fn live(&self, id: NoticeId) -> Option<NoticeBrief> {
        let row = self.notices.get(&id)?;
        row.reference.and_then(|_| self.brief(id))
    }

    /// Takes out whoever has booked again since. Where that appointment was cancelled in its turn, it is
    /// the one that is invited, and was cancelled twice.
    fn take_out_replaced(
        &self,
        candidates: &mut Vec<Candidate>,
        passed_over: &mut BTreeMap<PassedOver, u32>,
    ) {
        let told = candidates
            .iter()
            .map(|candidate| (candidate.id, candidate.told_at));
        let replaced = self.replaced(told);
        candidates.retain(|candidate| !replaced.contains_key(&candidate.id));
        let by: BTreeSet<&AppointmentId> = replaced.values().collect();
        for candidate in candidates {
            candidate.again |= by.contains(&candidate.id);
        }
        if !replaced.is_empty() {
            passed_over.insert(PassedOver::BookedAgain, count(replaced.len()));
        }
    }

    /// The appointments that another one has taken the place of, with that one: each later appointment
    /// for the same service and with a number or address of theirs stands for one that was cancelled
    /// before it was seen, in the order given.
    pub(crate) fn replaced(
        &self,
        told: impl Iterator<Item = (AppointmentId, Option<DateTime<Utc>>)>,
    ) -> BTreeMap<AppointmentId, AppointmentId> {
        let mut by_address: BTreeMap<String, Vec<AppointmentId>> = BTreeMap::new();
        for id in self.appointments.keys() {
            for address in self.addresses(*id) {
                by_address.entry(address).or_default().push(*id);
            }
        }
        let mut used: BTreeSet<AppointmentId> = BTreeSet::new();
        let mut replaced = BTreeMap::new();
        for (id, told_at) in told {
            let Some(own) = self.appointments.get(&id) else {
                continue;
            };
            let later = |other: &&AppointmentId| {
                let row = self.appointments.get(other);
                let later = |row: &AppointmentRow| {
                    row.service == own.service && told_at < Some(row.seen_at)
                };
                **other != id && !used.contains(other) && row.is_some_and(later)
            };
            let addresses = self.addresses(id);
            let same = addresses
                .iter()
                .filter_map(|address| by_address.get(address));
            if let Some(other) = same.flatten().filter(later).min().copied() {
                used.insert(other);
                replaced.insert(id, other);
            }
        }
        replaced
    }

    fn addresses(&self, id: AppointmentId) -> BTreeSet<String> {
        let people = self.people.get(&id).into_iter().flatten();
        let of_person = |person: &Recipient| {
            let phone = person
                .contact
                .phone
                .as_ref()
                .ok()
                .map(|p| p.expose().to_owned());
            let email = person
                .contact
                .email
                .as_ref()
                .ok()
                .map(|e| e.expose().to_owned());
            [phone, email]
        };
        people.flat_map(of_person).flatten().collect()
    }
}

impl Candidate {
    fn first_notice(&self) -> Option<NoticeId> {
        self.told.iter().map(|(_, notice)| *notice).min()
    }
}

/// Whether a notice told, or may have told, that the appointment is cancelled.
fn tells_cancelled(notice: &NoticeBrief) -> bool {
    notice.purpose == Purpose::Cancellation
        && notice.change.kind == ChangeKind::Cancelled
        && notice.may_have_told()
}

/// Whether its recipient may know it. Of whom the gateway says that nothing arrived nobody believes
/// so: they are phoned first, and invited once they were.
fn may_know(notice: &NoticeBrief) -> bool {
    let may_have = |m: &MessageBrief| m.may_be_out && m.state != MessageState::Undelivered;
    notice.has_told() || notice.messages.iter().any(may_have)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A short code of who is invited and in which order (FNV-1a, 32 bits), so that a word on one wave is
/// never taken for a word on another of the same size.
struct Code(u32);

impl Default for Code {
    fn default() -> Self {
        Self(0x811c_9dc5)
    }
}

impl Code {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    }
}
