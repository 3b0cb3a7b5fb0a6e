//! Why somebody must pick up a phone: one reason per channel of the ladder, in words for people.
//!
//! The words name the channel and what came of it; they never hold a contact's value.

use super::contact::{Contact, Unusable};
use super::language::Language;
use super::message::{Channel, MessageState, Reason};
use super::notice::NoticeBrief;

/// Why one channel does not reach a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyPhoned {
    /// The number or address for it cannot be used.
    Unusable {
        /// The channel.
        channel: Channel,
        /// What is wrong with the contact.
        why: Unusable,
    },
    /// Its message has ended, or is not repeated, without telling the person.
    Ended {
        /// The channel.
        channel: Channel,
        /// How the message ended.
        state: MessageState,
        /// Why, where the state has several reasons.
        reason: Option<Reason>,
    },
    /// Nothing can be written: the directory, the rules or the texts have no answer.
    NotWritable,
    /// The rules name no other channel, or none was tried.
    OnlyByPhone,
    /// The person's address is protected.
    Protected,
    /// The person is not to be written to.
    DoNotContact,
}

/// The reasons why this notice stands on the call list, in the order of its ladder; never none.
#[must_use]
pub fn why_phoned(notice: &NoticeBrief, contact: &Contact) -> Vec<WhyPhoned> {
    let call = notice.messages.iter().find(|m| m.channel == Channel::Phone);
    match call.and_then(|call| call.reason) {
        Some(Reason::Protected) => return vec![WhyPhoned::Protected],
        Some(Reason::DoNotContact) => return vec![WhyPhoned::DoNotContact],
        _ => {}
    }
    let channels = notice.ladder.channels().iter().copied();
    let written = channels.filter(|channel| *channel != Channel::Phone);
    let mut why: Vec<WhyPhoned> = written
        .filter_map(|channel| {
            let message = notice.messages.iter().find(|m| m.channel == channel);
            match (message, unusable(contact, channel)) {
                // A rung that was dropped before its first attempt, because the contact went.
                (Some(message), Some(why)) if message.first_attempt_at.is_none() => {
                    Some(WhyPhoned::Unusable { channel, why })
                }
                (Some(message), _) => Some(WhyPhoned::Ended {
                    channel,
                    state: message.state,
                    reason: message.reason,
                }),
                (None, Some(why)) => Some(WhyPhoned::Unusable { channel, why }),
                // A contact that came after the last rung was opened.
                (None, None) => None,
            }
        })
        .collect();
    let mut calls = notice
        .messages
        .iter()
        .filter(|m| m.channel == Channel::Phone);
    if calls.any(|call| call.reason == Some(Reason::NotWritable)) {
        why.insert(0, WhyPhoned::NotWritable);
    }
    if why.is_empty() {
        why.push(WhyPhoned::OnlyByPhone);
    }
    why
}

fn unusable(contact: &Contact, channel: Channel) -> Option<Unusable> {
    match channel {
        Channel::Sms | Channel::Phone => contact.phone.as_ref().err().copied(),
        Channel::Email => contact.email.as_ref().err().copied(),
    }
}

impl WhyPhoned {
    /// The reason in words that begin a sentence, without a full stop.
    #[must_use]
    pub fn said(self, language: Language) -> &'static str {
        let (norwegian, english) = match self {
            Self::Unusable { channel, why } => unusable_said(channel, why),
            Self::Ended {
                channel,
                state,
                reason,
            } => ended_said(channel, state, reason),
            Self::NotWritable => (
                "Kunne ikke skrives: kontoret, tjenesten eller teksten mangler i oppsettet",
                "Could not be written: its office, service or text is missing from the set-up",
            ),
            Self::OnlyByPhone => ("Skal ringes", "To be told by phone"),
            Self::Protected => (
                "Adressen er sperret: ikke skriv",
                "The address is protected: do not write",
            ),
            Self::DoNotContact => ("Vil ikke ha meldinger: ikke skriv", "Not to be written to"),
        };
        match language {
            Language::Nb | Language::Nn | Language::Se => norwegian,
            Language::En => english,
        }
    }
}

fn unusable_said(channel: Channel, why: Unusable) -> (&'static str, &'static str) {
    match (channel, why) {
        (Channel::Email, Unusable::Missing) => ("Mangler e-postadresse", "No e-mail address"),
        (Channel::Email, Unusable::ControlCharacters) => (
            "E-postadressen kan ikke brukes: den har ulovlige tegn",
            "E-mail address not usable: it holds control characters",
        ),
        (Channel::Email, Unusable::Invalid | Unusable::Ambiguous) => (
            "E-postadressen kan ikke brukes: den er ikke en adresse",
            "E-mail address not usable: it is no address",
        ),
        (Channel::Email, Unusable::Shared) => (
            "E-postadressen brukes ikke: den står på mange timer",
            "E-mail address not used: it stands on many bookings",
        ),
        (_, Unusable::Missing) => ("Mangler telefonnummer", "No phone number"),
        (_, Unusable::Shared) => (
            "Telefonnummeret brukes ikke: det står på mange timer",
            "Phone number not used: it stands on many bookings",
        ),
        (_, Unusable::Invalid) => (
            "Telefonnummeret kan ikke brukes: det er ikke et personlig nummer",
            "Phone number not usable: it is no personal number",
        ),
        (_, Unusable::Ambiguous) => (
            "Telefonnummeret kan ikke brukes: det finnes i flere land",
            "Phone number not usable: it exists in more than one country",
        ),
        (_, Unusable::ControlCharacters) => (
            "Telefonnummeret kan ikke brukes: det har ulovlige tegn",
            "Phone number not usable: it holds control characters",
        ),
    }
}

fn ended_said(
    channel: Channel,
    state: MessageState,
    reason: Option<Reason>,
) -> (&'static str, &'static str) {
    use MessageState as S;
    let sms = channel != Channel::Email;
    let either = |of_sms, of_email| if sms { of_sms } else { of_email };
    match state {
        S::Failed if reason == Some(Reason::Unreachable) => either(
            (
                "SMS ikke sendt: porten svarte ikke i tide",
                "SMS not sent: the gateway was not there in time",
            ),
            (
                "E-post ikke sendt: serveren svarte ikke i tide",
                "E-mail not sent: the relay was not there in time",
            ),
        ),
        S::Failed => either(
            ("SMS avvist av porten", "SMS refused by the gateway"),
            ("E-post avvist", "E-mail refused"),
        ),
        S::Undelivered => either(
            ("SMS ikke levert", "SMS not delivered"),
            ("E-post kom i retur", "E-mail bounced"),
        ),
        S::Unconfirmed | S::Accepted => either(
            (
                "SMS sendt, men ikke kvittert",
                "SMS sent, but not confirmed",
            ),
            (
                "E-post sendt, men ikke bekreftet",
                "E-mail sent, but not confirmed",
            ),
        ),
        S::Unknown | S::Held | S::Sending => either(
            ("Usikkert om SMS ble sendt", "Unknown whether the SMS left"),
            (
                "Usikkert om e-post ble sendt",
                "Unknown whether the e-mail left",
            ),
        ),
        S::Ready | S::Superseded | S::Expired | S::Suppressed | S::Delivered => either(
            ("SMS ble ikke sendt", "SMS was not sent"),
            ("E-post ble ikke sendt", "E-mail was not sent"),
        ),
    }
}
