//! Telephone numbers and e-mail addresses: personal data, checked once and printed masked.
//!
//! A value of these types is fit to be used; the raw text of a source never travels further than
//! [`Contact::read`]. Only `expose` gives the plain value away, and only stores and channels call it.

use std::fmt;

use lettre::Address as MailAddress;

use super::message::Channel;

/// A telephone number in E.164 form (`+4740000000`). Debug and Display are masked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Phone(String);

/// An e-mail address that has passed lettre's grammar and holds no control character. Debug and
/// Display are masked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

/// Why a number or address cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unusable {
    /// The source gives none.
    Missing,
    /// It is not a number or address at all.
    Invalid,
    /// It is a number in more than one plausible country.
    Ambiguous,
    /// It holds characters that no header or request may carry.
    ControlCharacters,
}

super::message::words!(Unusable {
    Missing => "missing",
    Invalid => "invalid",
    Ambiguous => "ambiguous",
    ControlCharacters => "control_characters",
});

/// Where a number without a country code may belong.
#[derive(Clone, Copy, Debug)]
pub struct Regions<'a> {
    /// The region to assume ("NO"): the office's, else the source's.
    pub default: &'a str,
    /// Other regions that are plausible at this office ("DZ").
    pub plausible: &'a [String],
}

impl Phone {
    /// Reads a number as people and booking systems write it.
    ///
    /// # Errors
    /// [`Unusable::Ambiguous`] when it is valid in more than one of the regions, other values as
    /// their names say.
    pub fn read(raw: &str, regions: Regions<'_>) -> Result<Self, Unusable> {
        let _ = (raw, regions);
        Err(Unusable::Invalid)
    }

    /// A number that was read before and stored in E.164 form.
    #[must_use]
    pub fn from_stored(e164: &str) -> Self {
        Self(e164.to_owned())
    }

    /// The plain number in E.164 form, for stores and channels only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// As the names of [`Unusable`] say.
    pub fn read(raw: &str) -> Result<Self, Unusable> {
        let address: MailAddress = raw.trim().parse().map_err(|_| Unusable::Invalid)?;
        Ok(Self(address.to_string()))
    }

    /// An address that was read before and stored.
    #[must_use]
    pub fn from_stored(address: &str) -> Self {
        Self(address.to_owned())
    }

    /// The plain address, for stores and channels only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keep = self.0.len().saturating_sub(2);
        write!(
            f,
            "{}•••{}",
            self.0.get(..3).unwrap_or("+"),
            self.0.get(keep..).unwrap_or("")
        )
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.chars().next().unwrap_or('•');
        write!(f, "{first}•••@•••")
    }
}

/// Where a message goes: the one address its channel can use. Printed masked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// For the channel `sms`, and for the person who calls.
    Phone(Phone),
    /// For the channel `email`.
    Email(Email),
    /// The call list without a number: the office's door list.
    None,
}

/// Where one person can be reached, or why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The telephone number.
    pub phone: Result<Phone, Unusable>,
    /// The e-mail address.
    pub email: Result<Email, Unusable>,
}

impl Contact {
    /// Reads what the source gives; an empty or blank text counts as missing.
    #[must_use]
    pub fn read(phone: Option<&str>, email: Option<&str>, regions: Regions<'_>) -> Self {
        let given = |text: Option<&str>| {
            text.map(str::trim)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
                .ok_or(Unusable::Missing)
        };
        Self {
            phone: given(phone).and_then(|raw| Phone::read(&raw, regions)),
            email: given(email).and_then(|raw| Email::read(&raw)),
        }
    }

    /// Whether the person can be reached on this channel.
    #[must_use]
    pub fn has(&self, channel: Channel) -> bool {
        match channel {
            Channel::Sms | Channel::Phone => self.phone.is_ok(),
            Channel::Email => self.email.is_ok(),
        }
    }

    /// The address this channel uses.
    #[must_use]
    pub fn address(&self, channel: Channel) -> Address {
        match channel {
            Channel::Sms | Channel::Phone => {
                self.phone.clone().map_or(Address::None, Address::Phone)
            }
            Channel::Email => self.email.clone().map_or(Address::None, Address::Email),
        }
    }

    /// Whether the source gives neither number nor address.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.phone == Err(Unusable::Missing) && self.email == Err(Unusable::Missing)
    }

    /// The plain values in one text, for the appointment's fingerprint only.
    pub(super) fn fingerprint_text(&self) -> String {
        let phone = self
            .phone
            .as_ref()
            .map_or_else(|why| why.word(), |phone| phone.expose());
        let email = self
            .email
            .as_ref()
            .map_or_else(|why| why.word(), |email| email.expose());
        format!("{phone}\n{email}")
    }
}
