//! The small words of the configuration: lengths of time, windows, zones, schedules, addresses.
//!
//! Each reads from one text and prints the same text back, so `config show` is read by `-c`. A text
//! that does not fit is refused with what was expected; the place comes from the document.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::NaiveTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::calendar::SendWindow;
use crate::domain::contact::{Address, Email, Phone, Regions};
use crate::domain::language::Language;
use crate::inbound::lmtp;
use crate::service::{
    self,
    schedule::{self, ScheduleError},
};

/// serde through the text form.
macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
as_text!(
    Length,
    Window,
    Zone,
    Schedule,
    Allowed,
    Second,
    LanguageWord,
    LmtpPlace
);

/// Where LMTP is listened for: an address, or `unix:` and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LmtpPlace(pub lmtp::Place);

impl FromStr for LmtpPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self(lmtp::Place::Unix(path.into())));
        }
        let address = text.parse().map_err(|_| {
            format!(
                "\"{text}\" is neither an address, such as \"127.0.0.1:2424\", nor \"unix:PATH\""
            )
        })?;
        Ok(Self(lmtp::Place::Tcp(address)))
    }
}

impl fmt::Display for LmtpPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A length of time: a whole number with `ms`, `s`, `min`, `h` or `d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Length(pub Duration);

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("min", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is not a length of time; write a number and ms, s, min, h or d, such as \"30s\""
            )
        };
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = unit.trim();
        let (_, millis) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(wrong)?;
        let millis = number.checked_mul(*millis).ok_or_else(wrong)?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let fits = UNITS
            .iter()
            .find(|(_, unit)| millis.is_multiple_of(*unit) && *unit <= millis);
        match fits {
            Some((name, unit)) => write!(f, "{}{name}", millis / unit),
            None => write!(f, "{millis}ms"),
        }
    }
}

/// When a channel may leave: `"08:00-21:00"` (hyphen or en dash) or `"always"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(pub SendWindow);

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "always" {
            return Ok(Self(SendWindow::Always));
        }
        let wrong = || format!("\"{text}\" is not a window; write \"08:00-21:00\" or \"always\"");
        let (from, to) = text.split_once(['-', '–']).ok_or_else(wrong)?;
        let time =
            |part: &str| NaiveTime::parse_from_str(part.trim(), "%H:%M").map_err(|_| wrong());
        let (from, to) = (time(from)?, time(to)?);
        if from < to {
            Ok(Self(SendWindow::Daily { from, to }))
        } else {
            Err(format!(
                "\"{text}\" is not a window: it must open before it ends, on the same day; write \
                 \"08:00-21:00\" or \"always\""
            ))
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            SendWindow::Always => f.write_str("always"),
            SendWindow::Daily { from, to } => {
                write!(f, "{}-{}", from.format("%H:%M"), to.format("%H:%M"))
            }
        }
    }
}

/// A zone of the IANA database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(pub chrono_tz::Tz);

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        text.parse().map(Self).map_err(|_| {
            let near = super::error::nearest(text, names()).unwrap_or("Europe/Oslo");
            format!("\"{text}\" is not a time zone; did you mean \"{near}\"?")
        })
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// When upkeep runs: a cron expression of five fields, weekdays by name.
///
/// Only its text is kept: the zone it is read in stands elsewhere in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(pub String);

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match schedule::Schedule::new(text, chrono_tz::UTC) {
            Ok(_) => Ok(Self(text.to_owned())),
            // The crate draws the expression above its sentence; our own document shows it better.
            Err(ScheduleError::Syntax(drawn)) => {
                let why = drawn.lines().last().unwrap_or_default();
                let why = why.trim_start_matches(['|', ' ']);
                Err(format!("\"{text}\" is not a schedule: {why}"))
            }
            Err(error) => Err(format!("\"{text}\": {error}")),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A language that messages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LanguageWord(pub Language);

impl FromStr for LanguageWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let language: Result<Language, _> = text.parse();
        language.map(Self).map_err(|unknown| unknown.to_string())
    }
}

impl fmt::Display for LanguageWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who may be written to while a gateway is on trial: a number in international form, an e-mail
/// address, or every address of a domain (`@b.example`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed(pub service::Allowed);

impl FromStr for Allowed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let wrong = || {
            format!(
                "\"{text}\" is neither a number with its country code (\"+47 40 00 00 00\") nor an \
                 e-mail address nor a domain (\"@agency.example\")"
            )
        };
        if let Some(domain) = text.strip_prefix('@') {
            let fits = Email::read(&format!("anybody@{domain}")).is_ok();
            let domain = fits
                .then(|| domain.to_ascii_lowercase())
                .ok_or_else(wrong)?;
            return Ok(Self(service::Allowed::MailDomain(domain)));
        }
        // Only the international form says without a region which number is meant.
        let regions = Regions {
            default: "NO",
            plausible: &[],
        };
        let address = if text.starts_with('+') {
            Phone::read(text, regions).map(Address::Phone)
        } else {
            Email::read(text).map(Address::Email)
        };
        address
            .map(|address| Self(service::Allowed::Address(address)))
            .map_err(|_| wrong())
    }
}

impl fmt::Display for Allowed {
    /// The plain text: these are the testers' own addresses, written by them into the file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            service::Allowed::Address(Address::Phone(phone)) => f.write_str(phone.expose()),
            service::Allowed::Address(Address::Email(email)) => f.write_str(email.expose()),
            service::Allowed::Address(Address::None) => Ok(()),
            service::Allowed::MailDomain(domain) => write!(f, "@{domain}"),
        }
    }
}

/// The second language of a message, or `"none"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second(pub Option<Language>);

impl FromStr for Second {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let language: Language = text
            .parse()
            .map_err(|unknown| format!("{unknown}; or \"none\""))?;
        Ok(Self(Some(language)))
    }
}

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.map_or("none", Language::tag))
    }
}

/// serde for the stable words of `domain`, by [`from_word`](crate::domain::message::Channel).
macro_rules! by_word {
    ($($module:ident: $type:ty = $what:literal),+ $(,)?) => {$(
        pub(super) mod $module {
            //! serde by the stable word.
            use serde::{Deserialize, Deserializer, Serializer};

            pub(in crate::config) fn serialize<S: Serializer>(
                value: &$type,
                to: S,
            ) -> Result<S::Ok, S::Error> {
                to.serialize_str(value.word())
            }

            pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
                from: D,
            ) -> Result<$type, D::Error> {
                let word = String::deserialize(from)?;
                <$type>::from_word(&word).ok_or_else(|| {
                    let known: Vec<&str> = <$type>::ALL.iter().map(|value| value.word()).collect();
                    let help = crate::config::error::did_you_mean(&word, &known);
                    serde::de::Error::custom(format!(
                        "\"{word}\" is not {}; {help}",
                        $what
                    ))
                })
            }
        }
    )+};
}
by_word!(
    channel_word: crate::domain::message::Channel = "a channel",
    when_word: crate::domain::plan::When = "a change that rules speak of",
    purpose_word: crate::domain::notice::Purpose = "a purpose",
    alarm_kind_word: crate::domain::alarm::AlarmKind = "a kind of alarm",
    severity_word: crate::domain::alarm::Severity = "an urgency",
    guardians_word: crate::domain::verdict::Guardians = "a number of guardians",
    on_unknown_word: crate::domain::notice::OnUnknown = "an answer to an unknown outcome",
);
