//! One mail made ready for the wire: its envelope's commands and its stuffed bytes. Pure.
//!
//! Every value that enters a command is checked here, so that none can end a line early.

use lettre::Address as MailAddress;

use super::outcome::unfit;
use super::{BounceAddress, Settings, wire};
use crate::channel::Outgoing;
use crate::domain::contact::Address;
use crate::domain::outcome::Outcome;

/// A mail, ready to be handed over to whatever relay answers.
pub(super) struct Mail {
    sender: String,
    recipient: String,
    token: String,
    size: usize,
    /// The body up to, but without, the final dot.
    pub(super) stuffed: Vec<u8>,
}

/// What the relay said it can do, as far as we use it (RFC 1869 keywords, in any case).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) pipelining: bool,
    pub(super) starttls: bool,
    pub(super) auth_plain: bool,
    dsn: bool,
    size_declared: bool,
    largest_bytes: Option<usize>,
}

impl Offers {
    /// Reads the lines of the answer to EHLO; the first one is only a greeting.
    pub(super) fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            // "AUTH=PLAIN LOGIN" is what old servers wrote before RFC 4954.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            match words.next() {
                Some("PIPELINING") => offers.pipelining = true,
                Some("STARTTLS") => offers.starttls = true,
                Some("DSN") => offers.dsn = true,
                Some("AUTH") => offers.auth_plain |= words.any(|word| word == "PLAIN"),
                Some("SIZE") => {
                    offers.size_declared = true;
                    let bytes = words.next().and_then(|word| word.parse().ok());
                    offers.largest_bytes = bytes.filter(|bytes| *bytes > 0);
                }
                _ => {}
            }
        }
        offers
    }
}

impl Mail {
    /// Checks a message and makes it ready, or says why it never can be.
    pub(super) fn prepare(settings: &Settings, message: &Outgoing) -> Result<Self, Outcome> {
        let Address::Email(email) = &message.address else {
            return Err(refused("the message has no e-mail address"));
        };
        let recipient = email.expose();
        if !recipient.is_ascii() || recipient.parse::<MailAddress>().is_err() {
            return Err(refused("the stored address is not an e-mail address"));
        }
        let room = |bounces: &BounceAddress| bounces.has_room_for(&message.report_token);
        if !is_token(&message.report_token) || !settings.bounces.as_ref().is_none_or(room) {
            return Err(refused("the report token does not fit into an address"));
        }
        let body = &message.body.0;
        let stuffed = wire::stuffed(body).map_err(unfit)?;
        Ok(Self {
            sender: sender(settings, &message.report_token),
            recipient: recipient.to_owned(),
            token: message.report_token.clone(),
            size: body.len(),
            stuffed,
        })
    }

    /// Why this relay cannot take this mail, if so.
    pub(super) fn obstacle(&self, offers: &Offers) -> Option<&'static str> {
        let too_large = offers.largest_bytes.is_some_and(|most| self.size > most);
        too_large.then_some("the mail is larger than the relay takes (SIZE)")
    }

    /// `MAIL FROM`, with the parameters that the relay offers.
    pub(super) fn mail_command(&self, offers: &Offers) -> String {
        let mut command = format!("MAIL FROM:<{}>", self.sender);
        if offers.size_declared {
            command += &format!(" SIZE={}", self.size);
        }
        if offers.dsn {
            command += &format!(" RET=HDRS ENVID={}", self.token);
        }
        command + "\r\n"
    }

    /// `RCPT TO`: a bounce and a delay are told to us (RFC 3461), a success is not.
    pub(super) fn rcpt_command(&self, offers: &Offers) -> String {
        let notify = match offers.dsn {
            true => " NOTIFY=FAILURE,DELAY",
            false => "",
        };
        format!("RCPT TO:<{}>{notify}\r\n", self.recipient)
    }
}

/// The address bounces return to: one of its own for each attempt, where a domain for them is set.
fn sender(settings: &Settings, token: &str) -> String {
    match &settings.bounces {
        Some(bounces) => bounces.of(token),
        None => settings.envelope_from.clone(),
    }
}

/// Fits into the local part of an address and into an ENVID as it is (RFC 5321, RFC 3461).
fn is_token(token: &str) -> bool {
    (1..=57).contains(&token.len())
        && token
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

fn refused(cause: &str) -> Outcome {
    Outcome::Refused {
        cause: cause.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_keywords_in_any_case() {
        let lines = [
            "mx hello",
            "pipelining",
            "StartTLS",
            "auth=login plain",
            "dsn",
            "SIZE 10",
        ];
        let offers = Offers::read(&lines.map(str::to_owned));
        assert!(offers.pipelining && offers.starttls && offers.auth_plain && offers.dsn);
        assert_eq!(offers.largest_bytes, Some(10));
    }

    #[test]
    fn the_greeting_line_offers_nothing_and_size_zero_is_no_limit() {
        let offers = Offers::read(&["PIPELINING".to_owned(), "SIZE 0".to_owned()]);
        assert!(!offers.pipelining && offers.size_declared);
        assert_eq!(offers.largest_bytes, None);
    }

    #[test]
    fn a_token_never_ends_a_line() {
        assert!(is_token("aZ09-_"));
        for token in ["", "a b", "a\r\n", "a>", "a@b", "é", &"x".repeat(58)] {
            assert!(!is_token(token), "{token:?}");
        }
    }
}
