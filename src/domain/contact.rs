//! Telephone numbers and e-mail addresses: personal data, checked once and printed masked.
//!
//! A value of these types is fit to be used; the raw text of a source never travels further than
//! [`Contact::read`]. Only `expose` gives the plain value away, to stores and channels, and
//! [`Phone::to_dial`] to the person who phones.

use std::collections::BTreeSet;
use std::fmt;

use lettre::Address as MailAddress;
use phonenumber::{Mode, Type, metadata::DATABASE};

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
    /// It stands on so many bookings that it is nobody's own.
    Shared,
}

super::message::words!(Unusable {
    Missing => "missing",
    Invalid => "invalid",
    Ambiguous => "ambiguous",
    ControlCharacters => "control_characters",
    Shared => "shared",
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
    /// With a country code (`+` or `00`) it means that country. Without one it is read in every
    /// region of the office, and used only if exactly one of them knows it: a guess would tell a
    /// stranger. Landlines are read too; whether a text message reaches them is for the report to
    /// say. Freephone, premium and company numbers never belong to one person and are refused.
    ///
    /// # Errors
    /// [`Unusable::Ambiguous`] when it is valid in more than one of the regions, other values as
    /// their names say.
    pub fn read(raw: &str, regions: Regions<'_>) -> Result<Self, Unusable> {
        let dialled = dialled(raw)?;
        if let Some(mobile) = norwegian_mobile(&dialled, regions) {
            return Ok(Self(mobile));
        }
        if dialled.starts_with('+') {
            return e164(&dialled, None).map(Self).ok_or(Unusable::Invalid);
        }
        let everywhere =
            std::iter::once(regions.default).chain(regions.plausible.iter().map(String::as_str));
        let mut found: BTreeSet<String> = everywhere
            .filter_map(|region| region.parse().ok())
            .flat_map(|region| national(&dialled, region))
            .collect();
        match (found.pop_first(), found.is_empty()) {
            (Some(only), true) => Ok(Self(only)),
            (Some(_), false) => Err(Unusable::Ambiguous),
            (None, _) => Err(Unusable::Invalid),
        }
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

    /// The number in clear, in groups as people read and dial it, for the call list only.
    #[must_use]
    pub fn to_dial(&self) -> String {
        let number = phonenumber::parse(None, &self.0);
        number.map_or_else(
            |_| self.0.clone(),
            |number| number.format().mode(Mode::International).to_string(),
        )
    }
}

impl Email {
    /// Reads an address.
    ///
    /// Only ASCII on both sides: a relay need not offer SMTPUTF8 (RFC 6531), and an address that
    /// the relay would refuse later is better known as unusable now. No quoted name before the `@`
    /// (RFC 5321, 4.1.2), in which anything may stand and which servers read differently. The domain
    /// is a name with a dot, never a bare host or a literal.
    ///
    /// # Errors
    /// As the names of [`Unusable`] say.
    pub fn read(raw: &str) -> Result<Self, Unusable> {
        let trimmed = raw.trim();
        if trimmed.chars().any(is_control) {
            return Err(Unusable::ControlCharacters);
        }
        let address: MailAddress = trimmed.parse().map_err(|_| Unusable::Invalid)?;
        let fits =
            trimmed.is_ascii() && !trimmed.contains('"') && trimmed.len() <= MOST_EMAIL_BYTES;
        if fits && is_public_name(address.domain()) {
            Ok(Self(address.to_string()))
        } else {
            Err(Unusable::Invalid)
        }
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
        let country = country_code(&self.0);
        let rest = self.0.get(country.len()..).unwrap_or_default();
        let last = if rest.len() < LEAST_MASKED_DIGITS {
            ""
        } else {
            rest.get(rest.len() - 2..).unwrap_or_default()
        };
        write!(f, "{country}•••{last}")
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

/// The longest address a mail server must take: RFC 5321 4.5.3.1.3 without the angle brackets.
const MOST_EMAIL_BYTES: usize = 254;

/// The longest way anybody writes a number; what is longer is no number.
const MOST_PHONE_CHARS: usize = 40;

/// A number with fewer digits behind its country code is masked whole.
const LEAST_MASKED_DIGITS: usize = 6;

/// Characters that no header or request may carry: C0, C1, and those that turn the direction of
/// writing around.
fn is_control(c: char) -> bool {
    c.is_control() || is_bidi(c)
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// The number as it is dialled: digits, with a plus sign before them if it names its country.
fn dialled(raw: &str) -> Result<String, Unusable> {
    // Address books wrap numbers in marks for the direction of writing; at the ends they say nothing.
    let trimmed = raw.trim_matches(|c: char| c.is_whitespace() || is_bidi(c));
    if trimmed.chars().any(is_control) {
        return Err(Unusable::ControlCharacters);
    }
    if trimmed.chars().count() > MOST_PHONE_CHARS {
        return Err(Unusable::Invalid);
    }
    let mut dialled = String::with_capacity(trimmed.len());
    for c in trimmed.chars() {
        match c {
            '0'..='9' => dialled.push(c),
            '+' if dialled.is_empty() => dialled.push(c),
            '-' | '\u{2010}'..='\u{2013}' | '.' | '(' | ')' => {}
            space if space.is_whitespace() => {}
            _ => return Err(Unusable::Invalid),
        }
    }
    match dialled.strip_prefix("00") {
        Some(international) => Ok(format!("+{international}")),
        None => Ok(dialled),
    }
}

/// The everyday case, read without the tables of the world: they cost far more, and a
/// snapshot may hold many thousand numbers. A law holds it to what the tables say.
fn norwegian_mobile(dialled: &str, regions: Regions<'_>) -> Option<String> {
    let national = match dialled.strip_prefix("+47") {
        Some(national) => national,
        None if regions.default == "NO" && regions.plausible.iter().all(|r| r == "NO") => dialled,
        None => return None,
    };
    let is_mobile = national.len() == 8 && national.starts_with(['4', '9']);
    let digits = national.bytes().all(|byte| byte.is_ascii_digit());
    (is_mobile && digits).then(|| format!("+47{national}"))
}

/// Whether this names a region ("NO") whose telephone numbers are known.
#[must_use]
pub fn is_region(text: &str) -> bool {
    let region: Option<phonenumber::country::Id> = text.parse().ok();
    region.is_some_and(|region| DATABASE.by_id(region.as_ref()).is_some())
}

/// What a number without a country code can mean in one region.
///
/// The library takes leading digits that equal the region's code for the code itself (47 00 00 00
/// in Norway is read as +47 00 00 00), so the number is also read with the code written before it.
fn national(dialled: &str, region: phonenumber::country::Id) -> impl Iterator<Item = String> {
    let code = DATABASE
        .by_id(region.as_ref())
        .map(|meta| meta.country_code());
    let explicit = code.and_then(|code| e164(&format!("+{code}{dialled}"), None));
    e164(dialled, Some(region)).into_iter().chain(explicit)
}

/// The E.164 form, if it is a number that can belong to a person there.
fn e164(dialled: &str, region: Option<phonenumber::country::Id>) -> Option<String> {
    let number = phonenumber::parse(region, dialled).ok()?;
    let personal = matches!(
        number.number_type(&DATABASE),
        Type::FixedLine
            | Type::Mobile
            | Type::FixedLineOrMobile
            | Type::PersonalNumber
            | Type::Voip
    );
    (personal && phonenumber::is_valid(&number))
        .then(|| number.format().mode(Mode::E164).to_string())
}

/// Whether mail can be addressed to it over the public network: at least two labels, and the last
/// one is no number.
fn is_public_name(domain: &str) -> bool {
    domain
        .rsplit_once('.')
        .is_some_and(|(_, last)| last.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// The plus sign and the country code (ITU-T E.164 lists them; no code begins another), or nothing.
fn country_code(e164: &str) -> &str {
    let Some(digits) = e164.strip_prefix('+') else {
        return "";
    };
    let length = match digits.get(..2).map(str::as_bytes) {
        Some([b'1' | b'7', _]) => 1,
        Some(
            [b'2', b'0' | b'7']
            | [b'3', b'0'..=b'4' | b'6' | b'9']
            | [b'4', b'0' | b'1' | b'3'..=b'9']
            | [b'5', b'1'..=b'8']
            | [b'6', b'0'..=b'6']
            | [b'8', b'1' | b'2' | b'4' | b'6']
            | [b'9', b'0'..=b'5' | b'8'],
        ) => 2,
        _ => 3,
    };
    e164.get(..=length).unwrap_or_default()
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
    /// Neither a number nor an address.
    #[must_use]
    pub fn none() -> Self {
        Self {
            phone: Err(Unusable::Missing),
            email: Err(Unusable::Missing),
        }
    }

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

#[cfg(test)]
#[path = "contact/tests.rs"]
mod tests;
