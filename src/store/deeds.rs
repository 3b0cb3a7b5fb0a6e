//! What people's acts and the emptying of batches do to the rows at hand, and the tally's sums.
//! Nothing here does I/O or reads a clock.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::rows::{AppointmentId, BatchRow, BatchState, Hand, HistoryRow, MessageRow, draw};
use super::tables::Tables;
use super::unclear::is_unclear;
use super::{
    Act, ActError, Acted, BatchId, Deed, FirstOut, NewList, Recovery, Sample, SeenBatch, Tally,
};
use crate::domain::brake::{Canary, canary};
use crate::domain::message::{Channel, Event, MessageId, MessageState, Reason};
use crate::domain::notice::NoticeBrief;
use crate::domain::recipient::Role;
use crate::domain::verdict::{self, Guardians, Word};

impl Deed {
    /// The batch it concerns, if it concerns one.
    pub(crate) fn batch(&self) -> Option<BatchId> {
        match self {
            Self::Release(seen)
            | Self::ReleaseFirst(seen, _)
            | Self::Discard(seen)
            | Self::Correct(seen) => Some(seen.batch),
            Self::StartWave(..)
            | Self::AddClosing(_)
            | Self::EndClosing(_)
            | Self::AddList(_)
            | Self::LiftList(_)
            | Self::Tick(_)
            | Self::AnsweringMachine(_)
            | Self::AddHold(_)
            | Self::LiftHold(_)
            | Self::AckAlarm(_)
            | Self::Recover(_) => None,
        }
    }

    /// What was asked for, for the record of acts.
    pub(crate) fn words(&self) -> String {
        let seen = |what, seen: &SeenBatch| {
            let SeenBatch {
                batch,
                version,
                people,
            } = seen;
            format!(
                "{what} batch {}, version {version}, {people} people",
                batch.0
            )
        };
        match self {
            Self::Release(batch) => seen("release", batch),
            Self::ReleaseFirst(batch, first) => {
                format!(
                    "{}, the first {first} before the rest",
                    seen("release", batch)
                )
            }
            Self::Discard(batch) => seen("discard", batch),
            Self::Correct(batch) => seen("correct", batch),
            Self::StartWave(wave, seen) => {
                format!("invite {} people until {}", seen.people, wave.until)
            }
            Self::AddClosing(closing) => format!("add closing {} to {}", closing.from, closing.to),
            Self::EndClosing(closing) => format!("end closing {}", closing.0),
            Self::AddList(list) => {
                let NewList { file, digest, .. } = list;
                format!(
                    "add list {file}, {digest}, {} appointments",
                    list.named.len()
                )
            }
            Self::LiftList(list) => format!("lift list {}", list.0),
            Self::Tick(reference) => format!("tick {reference}"),
            Self::AddHold(on) => {
                let (kind, name) = on.words();
                format!("hold {kind} {name}")
            }
            Self::AckAlarm(alarm) => format!("acknowledge alarm a{}", alarm.0),
            Self::LiftHold(hold) => format!("lift hold h{}", hold.0),
            Self::Recover(Recovery::Ask) => "recover, ask first".to_owned(),
            Self::Recover(Recovery::AsItStands) => "recover as it stands".to_owned(),
            Self::AnsweringMachine(reference) => format!("answering machine {reference}"),
        }
    }
}

impl Tables {
    /// Lets a batch go or throws it away, if it still is what the person saw.
    pub(crate) fn act_on_batch(&mut self, act: &Act) -> Result<Acted, ActError> {
        let (seen, release, first) = match &act.deed {
            Deed::Release(seen) => (seen, true, 0),
            Deed::ReleaseFirst(seen, first) => (seen, true, *first),
            Deed::Discard(seen) => (seen, false, 0),
            Deed::Correct(_)
            | Deed::StartWave(..)
            | Deed::AddClosing(_)
            | Deed::EndClosing(_)
            | Deed::AddList(_)
            | Deed::LiftList(_)
            | Deed::Tick(_)
            | Deed::AnsweringMachine(_)
            | Deed::AddHold(_)
            | Deed::LiftHold(_)
            | Deed::AckAlarm(_)
            | Deed::Recover(_) => return Ok(Acted { count: 0 }),
        };
        let people = self.as_seen(seen)?;
        let hand = Hand {
            actor: &act.actor,
            at: act.at,
            request: Some(&act.idempotency_key),
        };
        let went_before = self
            .batches
            .get(&seen.batch)
            .is_some_and(|b| b.canary.is_some());
        let (state, event) = if release && 0 < first && first < people && !went_before {
            let count = self.release_first(seen.batch, first, &hand, &act.reason);
            return Ok(Acted { count });
        } else if release {
            (BatchState::Releasing, "released")
        } else {
            self.discard_messages(seen.batch, &hand, &act.reason);
            (BatchState::Discarded, "discarded")
        };
        self.end_batch(seen.batch, state, event, &hand, &act.reason);
        Ok(Acted { count: people })
    }

    fn as_seen(&self, seen: &SeenBatch) -> Result<u32, ActError> {
        let batch = self.batches.get(&seen.batch);
        let batch = batch
            .filter(|b| b.state == BatchState::Held)
            .ok_or(ActError::NotHeld(seen.batch))?;
        let people = self.people_in(seen.batch);
        if (batch.version, people) == (seen.version, seen.people) {
            Ok(people)
        } else {
            Err(ActError::Changed {
                batch: seen.batch,
                version: batch.version,
                people,
            })
        }
    }

    /// The messages that the brake holds for a batch.
    pub(crate) fn braked(&self, batch: BatchId) -> impl Iterator<Item = (MessageId, &MessageRow)> {
        let notices = self
            .notices
            .values()
            .filter(move |n| n.batch == Some(batch));
        let messages = notices.flat_map(|n| &n.messages);
        messages
            .filter_map(|id| Some((*id, self.messages.get(id)?)))
            .filter(|(_, m)| m.is_braked())
    }

    /// How many recipients of appointments a batch holds.
    pub(crate) fn people_in(&self, batch: BatchId) -> u32 {
        let notices = self
            .braked(batch)
            .filter_map(|(_, m)| self.notices.get(&m.notice));
        let people: BTreeSet<(AppointmentId, &Role)> =
            notices.map(|n| (n.appointment, &n.role)).collect();
        u32::try_from(people.len()).unwrap_or(u32::MAX)
    }

    fn discard_messages(&mut self, batch: BatchId, hand: &Hand<'_>, why: &str) {
        let held: Vec<_> = self.braked(batch).map(|(id, m)| (id, m.notice)).collect();
        for (id, notice) in held {
            self.shift(id, Event::Suppress, Some(Reason::Discarded), hand, why);
            self.review(notice, hand.at);
        }
    }

    pub(super) fn end_batch(
        &mut self,
        id: BatchId,
        state: BatchState,
        event: &'static str,
        hand: &Hand<'_>,
        detail: &str,
    ) {
        let Some(batch) = self.batches.get_mut(&id) else {
            return;
        };
        batch.state = state;
        if state == BatchState::Releasing {
            batch.released_at = Some(hand.at);
        }
        self.touched.batches.insert(id);
        self.history.push(HistoryRow {
            at: hand.at,
            actor: hand.actor.to_owned(),
            request: hand.request.map(str::to_owned),
            appointment: None,
            notice: None,
            message: None,
            batch: Some(id),
            channel: None,
            district: None,
            office: None,
            event,
            from: None,
            to: None,
            detail: detail.to_owned(),
        });
    }

    /// Makes the earliest people of a batch a batch of their own, which is released; whole
    /// appointments, at least `first` people. How many they are.
    fn release_first(&mut self, id: BatchId, first: u32, hand: &Hand<'_>, why: &str) -> u32 {
        let mut dues: BTreeMap<AppointmentId, DateTime<Utc>> = BTreeMap::new();
        for (_, message) in self.braked(id) {
            let Some(notice) = self.notices.get(&message.notice) else {
                continue;
            };
            let due = dues.entry(notice.appointment).or_insert(notice.due_by);
            *due = notice.due_by.min(*due);
        }
        let mut order: Vec<_> = dues.into_iter().map(|(id, due)| (due, id)).collect();
        order.sort_unstable();
        let Some(row) = self.batches.get(&id).cloned() else {
            return 0;
        };
        let canary = BatchId(draw(&mut self.next.batch));
        let released = BatchRow { version: 1, ..row };
        self.batches.insert(canary, released);
        self.touched.batches.insert(canary);
        let mut people = 0;
        for (_, appointment) in order {
            if first <= people {
                break;
            }
            let notices = self.notices.iter_mut();
            for (number, notice) in notices.filter(|(_, n)| n.appointment == appointment) {
                if notice.batch == Some(id) {
                    notice.batch = Some(canary);
                    self.touched.notices.insert(*number);
                }
            }
            people = self.people_in(canary);
        }
        if let Some(row) = self.batches.get_mut(&id) {
            row.canary = Some(canary);
            row.version += 1;
            self.touched.batches.insert(id);
        }
        let detail = format!("the first of batch {}: {why}", id.0);
        self.end_batch(canary, BatchState::Releasing, "released", hand, &detail);
        people
    }

    /// How the first people of a batch fare. Their messages must be at hand.
    pub(crate) fn canary_of(&self, batch: BatchId) -> Canary {
        let notices = self.notices.values();
        let notices = notices.filter(|notice| notice.batch == Some(batch));
        let messages = notices.flat_map(|notice| &notice.messages);
        let messages = messages.filter_map(|id| self.messages.get(id));
        canary(messages.map(|m| (m.channel, m.state)))
    }

    /// The first people of a batch, as a person is shown them. Their messages must be at hand.
    pub(crate) fn first_out(&self, canary: BatchId) -> Option<FirstOut> {
        Some(FirstOut {
            batch: canary,
            released_at: self.batches.get(&canary)?.released_at?,
            canary: self.canary_of(canary),
        })
    }

    /// Lets the rest of a batch go, whose first people have fared well for a while.
    pub(crate) fn release_rest(&mut self, id: BatchId, now: DateTime<Utc>) {
        let hand = Hand::part("upkeep", now);
        let held = |batch: &BatchRow| batch.state == BatchState::Held;
        if self.batches.get(&id).is_some_and(held) {
            let why = "none of the first failed";
            self.end_batch(id, BatchState::Releasing, "released", &hand, why);
        }
    }

    /// Ends open batches of which nothing is held any more.
    pub(crate) fn end_empty_batches(&mut self, ids: &[BatchId], now: DateTime<Utc>) {
        let hand = Hand::part("upkeep", now);
        for id in ids {
            match self.batches.get(id).map(|b| b.state) {
                Some(BatchState::Releasing) => {
                    self.end_batch(*id, BatchState::Released, "release_ended", &hand, "");
                }
                Some(BatchState::Held) => {
                    self.end_batch(*id, BatchState::Dissolved, "dissolved", &hand, "");
                }
                Some(BatchState::Released | BatchState::Discarded | BatchState::Dissolved)
                | None => {}
            }
        }
    }
}

impl Tally {
    /// Adds people, sorted by appointment, with all notices each of them has.
    pub(crate) fn add_people<'a, K: PartialEq + 'a>(
        &mut self,
        people: impl IntoIterator<Item = (&'a (K, Role), &'a Vec<NoticeBrief>)>,
        now: DateTime<Utc>,
    ) {
        let people: Vec<_> = people.into_iter().collect();
        for appointment in people.chunk_by(|(a, _), (b, _)| a.0 == b.0) {
            for (_, notices) in appointment {
                self.add_person(notices, now);
            }
            let word = |((_, role), notices): &(&'a (K, Role), &'a Vec<NoticeBrief>)| {
                (role, verdict::person_word(notices, now))
            };
            let words: Vec<(&Role, Word)> = appointment.iter().map(word).collect();
            let told = |guardians| u32::from(verdict::appointment_is_told(&words, guardians));
            self.appointments += 1;
            self.told_all += told(Guardians::All);
            self.told_any += told(Guardians::Any);
        }
    }

    /// Adds one recipient of one appointment with all notices they have.
    fn add_person(&mut self, notices: &[NoticeBrief], now: DateTime<Utc>) {
        let Some(standing) = verdict::standing_notice(notices) else {
            return self.add(Word::LeftOut);
        };
        self.add(verdict::word(standing, now));
        self.late += u32::from(verdict::told_late(standing));
        let held = |reason| matches!(reason, Some(Reason::Brake | Reason::Operator));
        let mut messages = standing.messages.iter();
        let held = messages.any(|m| m.state == MessageState::Held && held(m.reason));
        self.held += u32::from(held);
    }

    /// Adds one message.
    pub(crate) fn add_message(&mut self, message: &MessageFacts) {
        let one = |is: bool| u32::from(is);
        self.sms += one(message.accepted && message.channel == Channel::Sms);
        self.email += one(message.accepted && message.channel == Channel::Email);
        self.unknown += one(is_unclear(message.state, message.reason));
        self.possible_duplicates += one(message.possible_duplicate);
        let trial =
            (message.state, message.reason) == (MessageState::Suppressed, Some(Reason::Trial));
        self.trial += one(trial);
    }
}

/// What the tally counts of a message beside its notice's word.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MessageFacts {
    pub(crate) channel: Channel,
    pub(crate) state: MessageState,
    pub(crate) reason: Option<Reason>,
    pub(crate) accepted: bool,
    pub(crate) possible_duplicate: bool,
}

impl MessageRow {
    /// What the tally counts of it. What left within another's hand-over is counted there.
    pub(crate) fn facts(&self, id: MessageId) -> MessageFacts {
        MessageFacts {
            channel: self.channel,
            state: self.state,
            reason: self.reason,
            accepted: self.accepted && !self.is_carried(id),
            possible_duplicate: self.possible_duplicate,
        }
    }
}

impl HistoryRow {
    /// The line of an act that concerns no appointment.
    pub(crate) fn of_act(act: &Act, event: &'static str) -> Self {
        Self {
            at: act.at,
            actor: act.actor.clone(),
            request: Some(act.idempotency_key.clone()),
            appointment: None,
            notice: None,
            message: None,
            batch: act.deed.batch(),
            channel: None,
            district: None,
            office: None,
            event,
            from: None,
            to: None,
            detail: act.reason.clone(),
        }
    }
}

/// The headers of an e-mail that say what it is about and how its parts are read.
const SHOWN_HEADERS: [&str; 4] = [
    "subject:",
    "mime-version:",
    "content-type:",
    "content-transfer-encoding:",
];

/// A message as it would leave, without addresses: an e-mail keeps only the headers that name none.
pub(crate) fn sample(channel: Channel, body: &[u8]) -> Sample {
    let text = String::from_utf8_lossy(body);
    let content = match channel {
        Channel::Sms | Channel::Phone => text.into_owned(),
        Channel::Email => without_addresses(&text),
    };
    Sample { channel, content }
}

fn without_addresses(mail: &str) -> String {
    let (head, body) = mail.split_once("\r\n\r\n").unwrap_or_default();
    let mut kept = String::new();
    let mut keeps = false;
    for line in head.split("\r\n") {
        // RFC 5322 2.2.3: a line that begins with a space goes on with the header before it.
        if !line.starts_with([' ', '\t']) {
            let line = line.to_ascii_lowercase();
            keeps = SHOWN_HEADERS.iter().any(|name| line.starts_with(name));
        }
        if keeps {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    format!("{kept}\r\n{body}")
}
