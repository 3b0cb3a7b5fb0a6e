//! Composes one e-mail: a pure function from texts to the complete bytes of RFC 5322.
//!
//! The same letter gives the same bytes, for ever: Date, Message-ID and MIME boundary follow from
//! the letter, so that a retry is the same mail and receiving systems can fold duplicates. A follow-up
//! names the earlier mails, whose Message-IDs follow from their identities in the same way. It sets no
//! Reply-To (the text says that answers are not read), no link and no List-* header.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use hmac::{Hmac, KeyInit, Mac};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::{Address, address::AddressError};
use sha2::Sha256;

use super::calendar::CalendarEntry;
use super::wire;
use crate::domain::contact::Email;
use crate::domain::language::Language;

/// What an e-mail is made of.
pub struct Letter<'a> {
    /// The sender's display name.
    pub from_name: &'a str,
    /// The sender's address; its domain is that of the Message-ID.
    pub from_address: &'a str,
    /// The one person it goes to.
    pub to: &'a Email,
    /// The subject.
    pub subject: &'a str,
    /// The text part.
    pub text: &'a str,
    /// The HTML part, a whole document.
    pub html: &'a str,
    /// The languages of both parts, in order.
    pub languages: &'a [Language],
    /// What names this message and no other: the key that gateways de-duplicate by. It enters only
    /// through an HMAC, so nobody reads it out of the Message-ID.
    pub identity: &'a str,
    /// The secret of that HMAC.
    pub secret: &'a [u8; 32],
    /// When the message was first written; constant over retries.
    pub date: DateTime<Utc>,
    /// The identities of the earlier mails about the same to the same person, oldest first: those that
    /// were sent, or may have been, from the same domain.
    pub thread: &'a [&'a str],
    /// What becomes of the entry in the person's calendar, where one is known.
    pub calendar: Option<CalendarEntry<'a>>,
}

/// Of a longer thread only the newest mails are named.
const MOST_REFERENCES: usize = 12;

/// Why a letter cannot become a mail. No value of the letter is part of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The agency's own address is not one.
    #[error("the sender's address is not an e-mail address ({0}): correct it in the directory")]
    From(AddressError),
    /// The person's address is not one.
    #[error("the recipient's address is not an e-mail address ({0})")]
    To(AddressError),
    /// The date cannot be written in a header.
    #[error("the date of the message lies outside the years 1970 to 9999")]
    Date,
    /// The builder refused.
    #[error("the mail cannot be built: {0}")]
    Build(String),
    /// The result would not pass through SMTP.
    #[error("the mail cannot be carried by SMTP: {0}")]
    Unfit(#[from] wire::Unfit),
}

/// The years a Date header can carry, as seconds since 1970.
const DATES: std::ops::Range<i64> = 0..253_402_300_800;

/// Builds the whole mail.
///
/// # Errors
/// When an address or the date cannot stand in a header, or a line would pass SMTP's limit.
pub fn compose(letter: &Letter<'_>) -> Result<Vec<u8>, ComposeError> {
    let from: Address = letter.from_address.parse().map_err(ComposeError::From)?;
    let to: Address = letter.to.expose().parse().map_err(ComposeError::To)?;
    if !DATES.contains(&letter.date.timestamp()) {
        return Err(ComposeError::Date);
    }
    let id_of = |identity| {
        let derived = derived(letter.secret, "message-id", identity);
        format!("<v1.{derived}@{}>", from.domain())
    };
    let message_id = id_of(letter.identity);
    let skipped = letter.thread.len().saturating_sub(MOST_REFERENCES);
    let thread: Vec<String> = letter.thread[skipped..]
        .iter()
        .map(|id| id_of(id))
        .collect();
    let from_name = one_line(letter.from_name);
    let mut mail = Message::builder()
        .from(Mailbox::new(
            Some(from_name).filter(|name| !name.is_empty()),
            from,
        ))
        .to(Mailbox::new(None, to))
        .subject(one_line(letter.subject))
        .date(SystemTime::from(letter.date))
        .message_id(Some(message_id));
    if let Some(last) = thread.last() {
        let references = thread.join(" ");
        mail = mail.in_reply_to(last.clone()).references(references);
    }
    let mail = mail
        // RFC 3834: written by a machine, so no machine answers.
        .raw_header(fixed("Auto-Submitted", "auto-generated"))
        // The same for Microsoft's clients. Not "All": that also suppresses delivery reports.
        .raw_header(fixed("X-Auto-Response-Suppress", "OOF, AutoReply"))
        .raw_header(fixed("Content-Language", &tags(letter.languages)))
        .multipart(parts(letter))
        .map_err(|error| ComposeError::Build(error.to_string()))?
        .formatted();
    wire::check(&mail)?;
    Ok(mail)
}

/// Text first, HTML second: a reader shows the last part it understands (RFC 2046, 5.1.4). A calendar
/// comes last, as programs that keep one expect it; those that keep none show the HTML.
fn parts(letter: &Letter<'_>) -> MultiPart {
    let boundary = derived(letter.secret, "boundary", letter.identity);
    let parts = MultiPart::alternative()
        .boundary(format!("varsel-{boundary}"))
        .singlepart(part(ContentType::TEXT_PLAIN, letter.text))
        .singlepart(part(ContentType::TEXT_HTML, letter.html));
    match &letter.calendar {
        None => parts,
        Some(entry) => {
            let kind = format!(
                "text/calendar; method={}; charset=utf-8",
                entry.method.word()
            );
            let kind = ContentType::parse(&kind).expect("a method's word is a token");
            parts.singlepart(part(kind, &entry.written(letter.to, letter.date)))
        }
    }
}

fn part(kind: ContentType, text: &str) -> SinglePart {
    SinglePart::builder().header(kind).body(lines(text))
}

/// The first 16 bytes of an HMAC over a message's identity, in hexadecimal.
fn derived(secret: &[u8; 32], purpose: &str, identity: &str) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret).expect("HMAC-SHA256 takes keys of every length");
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(identity.as_bytes());
    let bytes = mac.finalize().into_bytes();
    bytes.iter().take(16).map(|b| format!("{b:02x}")).collect()
}

fn fixed(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn tags(languages: &[Language]) -> String {
    let tags: Vec<&str> = languages.iter().map(|language| language.tag()).collect();
    tags.join(", ")
}

/// A name or subject without control characters or doubled spaces: a line break in one would end
/// the header, and the builder panics on it.
fn one_line(text: &str) -> String {
    let spaced: String = text
        .chars()
        .map(|c| if breaks_a_line(c) { ' ' } else { c })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A body with plain line ends and no other control character but the tab.
fn lines(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .chars()
        .filter(|c| matches!(c, '\n' | '\t') || !c.is_control())
        .collect()
}

/// Control characters, and the line and paragraph separators that some readers obey.
fn breaks_a_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
