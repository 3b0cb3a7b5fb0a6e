//! What people's acts and the emptying of batches do to the rows at hand, and the tally's sums.
//! Nothing here does I/O or reads a clock.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::rows::{AppointmentId, BatchState, Hand, HistoryRow, MessageRow};
use super::tables::Tables;
use super::{Act, ActError, Acted, BatchId, Deed, Sample, SeenBatch, Tally};
use crate::domain::message::{Channel, Event, MessageId, MessageState, Reason};
use crate::domain::notice::NoticeBrief;
use crate::domain::recipient::Role;
use crate::domain::verdict::{self, Word};

impl Deed {
    /// The batch it concerns, if it concerns one.
    pub(crate) fn batch(&self) -> Option<BatchId> {
        match self {
            Self::Release(seen) | Self::Discard(seen) => Some(seen.batch),
            Self::AddClosing(_)
            | Self::EndClosing(_)
            | Self::Tick(_)
            | Self::AnsweringMachine(_)
            | Self::AddHold(_)
            | Self::LiftHold(_) => None,
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
            Self::Discard(batch) => seen("discard", batch),
            Self::AddClosing(closing) => format!("add closing {} to {}", closing.from, closing.to),
            Self::EndClosing(closing) => format!("end closing {}", closing.0),
            Self::Tick(reference) => format!("tick {reference}"),
            Self::AddHold(on) => {
                let (kind, name) = on.words();
                format!("hold {kind} {name}")
            }
            Self::LiftHold(hold) => format!("lift hold h{}", hold.0),
            Self::AnsweringMachine(reference) => format!("answering machine {reference}"),
        }
    }
}

impl Tables {
    /// Lets a batch go or throws it away, if it still is what the person saw.
    pub(crate) fn act_on_batch(&mut self, act: &Act) -> Result<Acted, ActError> {
        let (seen, release) = match &act.deed {
            Deed::Release(seen) => (seen, true),
            Deed::Discard(seen) => (seen, false),
            Deed::AddClosing(_)
            | Deed::EndClosing(_)
            | Deed::Tick(_)
            | Deed::AnsweringMachine(_)
            | Deed::AddHold(_)
            | Deed::LiftHold(_) => return Ok(Acted { count: 0 }),
        };
        let people = self.as_seen(seen)?;
        let hand = Hand {
            actor: &act.actor,
            at: act.at,
            request: Some(&act.idempotency_key),
        };
        let (state, event) = if release {
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

    fn end_batch(
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
    /// Adds one recipient of one appointment with all notices they have.
    pub(crate) fn add_person(&mut self, notices: &[NoticeBrief], now: DateTime<Utc>) {
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
        let unknown = message.state == MessageState::Unknown
            || (message.state, message.reason) == (MessageState::Held, Some(Reason::Unknown));
        self.unknown += one(unknown);
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
    /// What the tally counts of it.
    pub(crate) fn facts(&self) -> MessageFacts {
        MessageFacts {
            channel: self.channel,
            state: self.state,
            reason: self.reason,
            accepted: self.accepted,
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
