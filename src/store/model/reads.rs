//! What the model's rows say: marks, the tally, batches, stories and gauges.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{State, count};
use crate::domain::appointment::{BookingKey, Fingerprint, SourceName, Standing};
use crate::domain::brake::LATELY;
use crate::domain::marks::{Mark, Marks};
use crate::domain::message::{Channel, MessageId, MessageState};
use crate::domain::notice::NoticeBrief;
use crate::domain::recipient::Role;
use crate::domain::reference::Reference;
use crate::domain::verdict::{self, Word};
use crate::store::deeds::sample;
use crate::store::listing::{self, Listing};
use crate::store::rows::{
    AppointmentId, AppointmentRow, BatchRow, BatchState, HistoryRow, MessageRow, NoticeRow,
};
use crate::store::{Batch, BatchId, Gauges, NewList, Sample, Story, StoryLine, Tally, Watched};

impl State {
    pub(super) fn marks(&self, source: &SourceName, now: DateTime<Utc>) -> Marks {
        let rows = self.tables.appointments.values();
        let future = rows.filter(|a| a.source == *source && a.state.start >= now);
        let mark = |a: &AppointmentRow| {
            let mark = Mark {
                fingerprint: a.fingerprint.unwrap_or(Fingerprint(0)),
                absent: a.absent,
                cancelled: a.state.standing == Standing::Cancelled,
                start: a.state.start,
            };
            (a.key.clone(), mark)
        };
        future.map(mark).collect()
    }

    pub(super) fn watched(&self, source: &SourceName, now: DateTime<Utc>) -> Watched {
        let snapshot = self.sources.get(source).and_then(|s| s.snapshot);
        Watched {
            baseline: snapshot.is_some(),
            snapshot_at: snapshot.map(|(_, at)| at),
            mapping: self.sources.get(source).and_then(|s| s.mapping.clone()),
            lately: self.lately(source, now),
        }
    }

    fn lately(&self, source: &SourceName, now: DateTime<Utc>) -> u32 {
        let unseen = |batch: &BatchId| {
            let batch = self.tables.batches.get(batch);
            batch.is_some_and(|batch| batch.state == BatchState::Held)
        };
        let found = self.found.iter().filter(|found| {
            found.source == *source
                && found.at > now - LATELY
                && found.batch.as_ref().is_none_or(unseen)
        });
        found.map(|found| found.changes).sum()
    }

    fn people(&self) -> BTreeMap<(AppointmentId, Role), Vec<NoticeBrief>> {
        let mut people: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, row) in &self.tables.notices {
            let person = (row.appointment, row.role.clone());
            people
                .entry(person)
                .or_default()
                .extend(self.tables.brief(*id));
        }
        people
    }

    pub(super) fn tally(&self, now: DateTime<Utc>) -> Tally {
        let mut tally = Tally::default();
        tally.add_people(&self.people(), now);
        for (id, message) in &self.tables.messages {
            tally.add_message(&message.facts(*id));
        }
        tally
    }

    pub(super) fn batches(&self) -> Vec<Batch> {
        let batches = self.tables.batches.iter();
        let mut open: Vec<_> = batches
            .filter(|(_, b)| matches!(b.state, BatchState::Held | BatchState::Releasing))
            .collect();
        open.sort_by_key(|(id, b)| (b.held_at, **id));
        open.into_iter().map(|(id, b)| self.batch(*id, b)).collect()
    }

    fn batch(&self, id: BatchId, row: &BatchRow) -> Batch {
        let held: Vec<_> = self
            .tables
            .braked(id)
            .filter_map(|(id, m)| Some((id, m, self.tables.notices.get(&m.notice)?)))
            .collect();
        let people: BTreeSet<_> = held
            .iter()
            .map(|(_, _, n)| (&n.office, n.appointment, &n.role))
            .collect();
        let mut offices = BTreeMap::new();
        for (office, _, _) in people {
            *offices.entry(office.clone()).or_insert(0) += 1;
        }
        let people: BTreeSet<_> = held
            .iter()
            .map(|(_, _, n)| (n.purpose, n.appointment, &n.role))
            .collect();
        let mut purposes = BTreeMap::new();
        for (purpose, _, _) in people {
            *purposes.entry(purpose).or_insert(0) += 1;
        }
        Batch {
            id,
            version: row.version,
            people: self.tables.people_in(id),
            source: row.source.clone(),
            braked: row.braked,
            held_at: row.held_at,
            first_due_by: held.iter().map(|(_, _, n)| n.due_by).min(),
            offices,
            purposes,
            releasing: row.state == BatchState::Releasing,
            first: row.canary.and_then(|canary| self.tables.first_out(canary)),
            samples: self.samples(&held),
        }
    }

    /// Up to three texts: of each purpose, channel and office the earliest.
    fn samples(&self, held: &[(MessageId, &MessageRow, &NoticeRow)]) -> Vec<Sample> {
        let mut kinds: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, m, n) in held.iter().filter(|(_, m, _)| m.channel != Channel::Phone) {
            let kind = kinds.entry((n.purpose, m.channel)).or_default();
            kind.push((n.due_by, *id));
        }
        let middle = |((_, channel), mut kind): ((_, Channel), Vec<(_, MessageId)>)| {
            kind.sort_unstable();
            let (_, id) = *kind.get(kind.len().div_ceil(2) - 1)?;
            Some((Reverse(kind.len()), id, channel))
        };
        let mut chosen: Vec<_> = kinds.into_iter().filter_map(middle).collect();
        chosen.sort_unstable();
        let chosen = chosen.into_iter().take(3);
        chosen
            .filter_map(|(_, id, channel)| {
                let person = self.tables.message_people.get(&id)?;
                Some(sample(channel, &person.body))
            })
            .collect()
    }

    pub(super) fn explain(&self, name: &str) -> Vec<Story> {
        let found = self.find(name).into_iter();
        let stories = found.filter_map(|id| self.tables.story(id, self.lines(id)));
        stories.collect()
    }

    fn find(&self, name: &str) -> Vec<AppointmentId> {
        let reference = name.parse::<Reference>().ok();
        let notice = reference.and_then(|r| self.tables.references.get(&r));
        if let Some(notice) = notice.and_then(|id| self.tables.notices.get(id)) {
            let mut told = vec![notice.appointment];
            told.extend(self.tables.told_with(notice));
            told.dedup();
            return told;
        }
        let full = name
            .split_once('/')
            .map(|(source, key)| (SourceName(source.to_owned()), BookingKey(key.to_owned())));
        let rows = self.tables.appointments.iter();
        rows.filter(|(_, a)| {
            let own = (&a.source, &a.key);
            a.key.0 == name || full.as_ref().is_some_and(|(s, k)| (s, k) == own)
        })
        .map(|(id, _)| *id)
        .collect()
    }

    fn lines(&self, id: AppointmentId) -> Vec<StoryLine> {
        let notices = self.tables.notices.values();
        let batches: BTreeSet<_> = notices
            .filter(|n| n.appointment == id)
            .filter_map(|n| n.batch)
            .collect();
        let concerns = |line: &&HistoryRow| match line.appointment {
            Some(appointment) => appointment == id,
            None => line.batch.is_some_and(|b| batches.contains(&b)),
        };
        let lines = self.tables.history.iter().filter(concerns);
        listing::among(lines.map(line).collect(), &self.naming(id))
    }

    /// The lists that name an appointment, or did until they were lifted; oldest first.
    fn naming(&self, id: AppointmentId) -> Vec<Listing> {
        let named = self.tables.appointments.get(&id);
        let named = named.map(|a| (a.source.clone(), a.key.clone()));
        let names = |list: &&NewList| named.as_ref().is_some_and(|n| list.named.contains(n));
        let standing = self.lists.iter().filter(|(_, list)| names(&list));
        let standing = standing.map(|(list, _)| (list.clone(), None));
        let lifted = self.lifted.iter().filter(|(_, list, _)| names(&list));
        let lifted = lifted.map(|(list, _, lifted)| (list.clone(), Some(lifted.clone())));
        let all = standing.chain(lifted);
        let mut all: Vec<_> = all.map(|(list, lifted)| Listing { list, lifted }).collect();
        all.sort_by_key(|listing| listing.list.id);
        all
    }

    pub(super) fn untold(&self, now: DateTime<Utc>, within: TimeDelta) -> u32 {
        let until = now + within;
        let untold = |notices: &&Vec<NoticeBrief>| {
            verdict::standing_notice(notices).is_some_and(|n| {
                let near = n.due_by > now && n.due_by <= until;
                near && !matches!(verdict::word(n, now), Word::Told | Word::LeftOut)
            })
        };
        count(self.people().values().filter(untold).count())
    }

    pub(super) fn gauges(&self, now: DateTime<Utc>) -> Gauges {
        let waiting = self.tables.messages.values().filter(|m| {
            let notice = self.tables.notices.get(&m.notice);
            m.state == MessageState::Ready
                && m.channel != Channel::Phone
                && m.not_before <= now
                && notice.is_some_and(|n| n.not_after > now)
        });
        let first = waiting.map(|m| m.not_before).min();
        let batches = self.tables.batches.values();
        let held = batches.filter(|b| b.state == BatchState::Held).count();
        let ages = self.sources.iter().filter_map(|(name, source)| {
            let (_, at) = source.snapshot?;
            Some((name.clone(), (now - at).as_seconds_f64()))
        });
        Gauges {
            untold_people_24h: self.untold(now, TimeDelta::hours(24)),
            oldest_due_seconds: first.map_or(0.0, |first| (now - first).as_seconds_f64()),
            held_batches: count(held),
            operator_holds: count(self.tables.holds.len()),
            call_list_people: self.tables.people_to_call(),
            snapshot_age_seconds: ages.collect(),
        }
    }
}

fn line(row: &HistoryRow) -> StoryLine {
    StoryLine {
        at: row.at,
        actor: row.actor.clone(),
        notice: row.notice,
        channel: row.channel,
        event: row.event.to_owned(),
        from: row.from,
        to: row.to,
        detail: row.detail.clone(),
    }
}
