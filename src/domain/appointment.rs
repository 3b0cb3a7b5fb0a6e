//! The canonical appointment: one booking for one person as we last saw it.
//!
//! Every source maps its rows to this record; nothing behind the sources knows another shape. We
//! keep our own copy because many booking systems delete the row, and the phone number with it, at
//! the moment of the cancellation.

use std::fmt;

use chrono::{DateTime, Utc};
use xxhash_rust::xxh3::Xxh3;

use super::about::About;
use super::directory::{OfficeId, ServiceId};
use super::recipient::Recipient;

/// The configured name of a booking system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(pub String);

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The booking's key in its source, as text. It identifies a booking, not a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingKey(pub String);

impl fmt::Display for BookingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a booking stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// The person is expected.
    Active,
    /// The person must not come.
    Cancelled,
}

/// What a person can believe of a booking: whether it stands, when and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookingState {
    /// Whether it stands.
    pub standing: Standing,
    /// The start, as an instant.
    pub start: DateTime<Utc>,
    /// The office.
    pub office: OfficeId,
}

/// One booking, mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appointment {
    /// The system that holds it.
    pub source: SourceName,
    /// Its key there.
    pub key: BookingKey,
    /// Whether, when and where.
    pub state: BookingState,
    /// What for.
    pub service: ServiceId,
    /// Whom to tell: at least one, by role.
    pub recipients: Vec<Recipient>,
    /// What else is said of it.
    pub about: About,
}

impl Appointment {
    /// A fingerprint of everything in the record, so that an unchanged row costs one comparison.
    ///
    /// Each part is preceded by its length, so that no two records run into the same bytes. It is
    /// stored only beside the record itself and erased with it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut hash = Xxh3::new();
        let mut part = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part(match self.state.standing {
            Standing::Active => "active",
            Standing::Cancelled => "cancelled",
        });
        part(&self.state.start.timestamp_millis().to_string());
        part(&self.state.office.0);
        part(&self.service.0);
        for recipient in &self.recipients {
            part(&recipient.role.to_string());
            part(recipient.language.map_or("", |language| language.tag()));
            part(&recipient.contact.fingerprint_text());
        }
        part(&self.about.words());
        Fingerprint(hash.digest128())
    }
}

/// What identifies the content of an appointment; equal fingerprints mean an unchanged row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);
