//! The calendar part of a mail: a change to an entry that the booking system's own invitation put into
//! the person's calendar (RFC 5545, 5546 and 6047). Pure.
//!
//! Only what was invited is moved or cancelled, under the same UID and organizer; the text beside it
//! says everything, since nobody knows which calendars read it. Times are in UTC: readers refuse zones
//! that they do not know.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};

use crate::domain::about::Invited;
use crate::domain::contact::Email;

/// What happens to the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It stands, at this time and place (RFC 5546, 3.2.2).
    Request,
    /// It is cancelled (RFC 5546, 3.2.5).
    Cancel,
}

impl Method {
    /// The word of the METHOD property and of the part's type, which must agree.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }

    fn status(self) -> &'static str {
        match self {
            Self::Request => "CONFIRMED",
            Self::Cancel => "CANCELLED",
        }
    }
}

/// The entry, as it is to stand from now on.
pub struct CalendarEntry<'a> {
    /// What happens to it.
    pub method: Method,
    /// What it is known by, and who invited.
    pub invited: &'a Invited,
    /// Grows with each revision of the appointment; the invitation had 0.
    pub sequence: u32,
    /// The start.
    pub start: DateTime<Utc>,
    /// What it is called.
    pub summary: &'a str,
    /// Where it is; empty where that is not to be said.
    pub place: &'a str,
}

impl CalendarEntry<'_> {
    /// The object for the one person it goes to, stamped with the instant it was first written at.
    pub(super) fn written(&self, to: &Email, at: DateTime<Utc>) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| fold(&mut text, &format!("{name}:{value}"));
        line("BEGIN", "VCALENDAR");
        line("VERSION", "2.0");
        line("PRODID", "-//Varsel//Varsel//EN");
        line("METHOD", self.method.word());
        line("BEGIN", "VEVENT");
        line("UID", &escaped(&self.invited.uid));
        line("SEQUENCE", &self.sequence.to_string());
        line("DTSTAMP", &utc(at));
        line("DTSTART", &utc(self.start));
        line("ORGANIZER", &mailto(&self.invited.organizer));
        // No answer is wanted; nobody reads one.
        line("ATTENDEE;RSVP=FALSE", &mailto(to));
        line("SUMMARY", &escaped(self.summary));
        let place = escaped(self.place);
        if !place.is_empty() {
            line("LOCATION", &place);
        }
        line("STATUS", self.method.status());
        // Calendars are shown to colleagues and families.
        line("CLASS", "PRIVATE");
        line("END", "VEVENT");
        line("END", "VCALENDAR");
        text
    }
}

/// RFC 5545, 3.3.5, form 2.
fn utc(at: DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

/// RFC 5545, 3.3.11. Control characters but the line break are left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => safe.extend(['\\', c]),
            '\n' | '\u{2028}' | '\u{2029}' => safe.push_str("\\n"),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}

/// RFC 6068, 2: what means something in a URI is written as its number.
fn mailto(address: &Email) -> String {
    let mut uri = String::from("mailto:");
    for byte in address.expose().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$'*+@".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// A line holds no more octets than this, its line break not counted (RFC 5545, 3.1).
const MOST_OCTETS: usize = 75;

/// Adds a line, folded between characters.
fn fold(text: &mut String, line: &str) {
    let mut octets = 0;
    for c in line.chars() {
        if octets + c.len_utf8() > MOST_OCTETS {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(c);
        octets += c.len_utf8();
    }
    text.push_str("\r\n");
}
