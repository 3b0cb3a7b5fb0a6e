//! The channels of a purpose in order, and which rung is opened when.
//!
//! The ladder in its plain form: the first rungs open together where the rule says so; the next one
//! opens at once when every open rung has ended without telling the person; the last one is always
//! the phone.

use super::contact::Contact;
use super::message::{Channel, MessageBrief, MessageState, Reason};

/// The channels in order, `phone` always last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    channels: Vec<Channel>,
}

/// A rung that shall be opened now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Its number, counted from 0.
    pub number: u8,
    /// Its channel.
    pub channel: Channel,
    /// Why the phone rung is opened; `None` on the others.
    pub reason: Option<Reason>,
}

impl Ladder {
    /// A ladder of these channels; `phone` is added at the end, and repeats are dropped.
    #[must_use]
    pub fn new(channels: &[Channel]) -> Self {
        let mut kept: Vec<Channel> = Vec::new();
        for channel in channels.iter().filter(|c| **c != Channel::Phone) {
            if !kept.contains(channel) {
                kept.push(*channel);
            }
        }
        kept.push(Channel::Phone);
        Self { channels: kept }
    }

    /// The channels in order.
    #[must_use]
    pub fn channels(&self) -> &[Channel] {
        &self.channels
    }

    /// The rungs to open first: the first `together` channels on which the person can be reached,
    /// or the phone.
    #[must_use]
    pub fn first(&self, contact: &Contact, together: usize) -> Vec<Rung> {
        let reachable = self.rungs().filter(|r| r.channel != Channel::Phone);
        let first: Vec<Rung> = reachable
            .filter(|r| contact.has(r.channel))
            .take(together.max(1))
            .collect();
        if first.is_empty() {
            vec![self.phone(why_unreachable(contact))]
        } else {
            first
        }
    }

    /// The rung to open next, or `None` while an open one may still tell the person. A rung that was
    /// withdrawn before its first attempt may be opened again: another one had told the person then,
    /// and does no longer.
    #[must_use]
    pub fn climb(&self, rungs: &[MessageBrief], contact: &Contact) -> Option<Rung> {
        let tried = || rungs.iter().filter(|message| !was_withdrawn(message));
        if tried().any(|message| !is_spent(message)) {
            return None;
        }
        let highest = tried().map(|message| message.rung).max()?;
        if tried().any(|message| message.channel == Channel::Phone) {
            return None;
        }
        let next = self
            .rungs()
            .filter(|r| r.number > highest && r.channel != Channel::Phone);
        let next = next.into_iter().find(|r| contact.has(r.channel));
        Some(next.unwrap_or_else(|| self.phone(Reason::RungsEnded)))
    }

    fn rungs(&self) -> impl Iterator<Item = Rung> {
        (0u8..).zip(&self.channels).map(|(number, channel)| Rung {
            number,
            channel: *channel,
            reason: None,
        })
    }

    /// The last rung.
    #[must_use]
    pub fn phone(&self, reason: Reason) -> Rung {
        let number = u8::try_from(self.channels.len().saturating_sub(1)).unwrap_or(u8::MAX);
        Rung {
            number,
            channel: Channel::Phone,
            reason: Some(reason),
        }
    }
}

fn was_withdrawn(message: &MessageBrief) -> bool {
    message.state == MessageState::Superseded && message.first_attempt_at.is_none()
}

/// Whether a message has ended without telling its recipient, so that the next rung takes over.
fn is_spent(message: &MessageBrief) -> bool {
    match message.state {
        // What was withdrawn after an attempt is not opened again; its text is frozen.
        MessageState::Failed | MessageState::Undelivered | MessageState::Superseded => true,
        MessageState::Unconfirmed => !message.has_told(),
        // Held after an unknown, or because it takes its sender down: it will not be repeated by
        // itself.
        MessageState::Held => {
            matches!(message.reason, Some(Reason::Unknown | Reason::Poison))
        }
        MessageState::Ready
        | MessageState::Sending
        | MessageState::Accepted
        | MessageState::Delivered
        | MessageState::Unknown
        | MessageState::Expired
        | MessageState::Suppressed => false,
    }
}

fn why_unreachable(contact: &Contact) -> Reason {
    if contact.is_empty() {
        Reason::NoContact
    } else {
        Reason::UnusableContact
    }
}
