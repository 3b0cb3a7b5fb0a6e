//! The shape of offices.toml, key by key, before anything is checked.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;

use chrono::NaiveDate;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;

pub(super) use self::practice::{
    ApplicationToml, BookingToml, FeeToml, GuidelinesToml, HoursToml, PassportsToml,
};

use crate::domain::directory::ServiceKind;
use crate::domain::language::{Language, Texts};

mod practice;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileToml {
    #[serde(default)]
    pub(super) guidelines: Vec<GuidelinesToml>,
    #[serde(default)]
    pub(super) districts: BTreeMap<String, DistrictToml>,
    #[serde(default)]
    pub(super) services: BTreeMap<String, ServiceToml>,
    #[serde(default)]
    pub(super) lines: BTreeMap<String, LineToml>,
    #[serde(default)]
    pub(super) offices: BTreeMap<String, OfficeToml>,
    /// Taken out and laid over the rest before this is read; named so that a slip is answered with it.
    #[serde(default, rename = "edition")]
    _edition: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DistrictToml {
    pub(super) agency: Spanned<Words>,
    pub(super) agency_full: Spanned<Words>,
    pub(super) email_from: Spanned<String>,
    #[serde(default)]
    pub(super) digital: BTreeMap<Spanned<String>, DigitalToml>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceToml {
    pub(super) kind: Spanned<KindToml>,
    pub(super) name: Spanned<Words>,
    pub(super) digital: Option<Spanned<DigitalToml>>,
    pub(super) stay_note: Option<Spanned<Words>>,
    pub(super) application: Option<Spanned<ApplicationToml>>,
    #[serde(default)]
    pub(super) neutral: bool,
    #[serde(default = "one")]
    pub(super) sms_parts: NonZeroUsize,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum KindToml {
    Passport,
    IdCard,
    PassportAndIdCard,
    ResidencePermit,
    TravelDocument,
    Citizenship,
}

impl From<KindToml> for ServiceKind {
    fn from(kind: KindToml) -> Self {
        match kind {
            KindToml::Passport => Self::Passport,
            KindToml::IdCard => Self::IdCard,
            KindToml::PassportAndIdCard => Self::PassportAndIdCard,
            KindToml::ResidencePermit => Self::ResidencePermit,
            KindToml::TravelDocument => Self::TravelDocument,
            KindToml::Citizenship => Self::Citizenship,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DigitalToml {
    pub(super) days: Spanned<u32>,
    pub(super) info_phone: Spanned<String>,
    pub(super) info_phone_hours: Spanned<HoursToml>,
    pub(super) steps: PerLanguageLines,
    #[serde(default, deserialize_with = "day")]
    pub(super) from: Option<Spanned<NaiveDate>>,
    #[serde(default, deserialize_with = "day")]
    pub(super) until: Option<Spanned<NaiveDate>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineToml {
    pub(super) phone: Spanned<String>,
    pub(super) hours: Spanned<HoursToml>,
    pub(super) section: Spanned<Words>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfficeToml {
    pub(super) district: Spanned<String>,
    pub(super) name_sms: Spanned<Words>,
    pub(super) name_full: Spanned<Words>,
    pub(super) address: String,
    pub(super) zone: Spanned<String>,
    pub(super) city: Option<Spanned<Words>>,
    #[serde(default)]
    pub(super) abroad: bool,
    pub(super) region: Spanned<String>,
    #[serde(default)]
    pub(super) plausible_regions: Vec<Spanned<String>>,
    pub(super) language: Spanned<String>,
    pub(super) passport_line: Option<Spanned<String>>,
    pub(super) immigration_line: Option<Spanned<String>>,
    pub(super) email: Option<Spanned<String>>,
    pub(super) opening: Option<Spanned<HoursToml>>,
    #[serde(default = "yes")]
    pub(super) norwegian_holidays: bool,
    #[serde(default)]
    pub(super) closed_days: Vec<Day>,
    pub(super) booking: Option<Spanned<BookingToml>>,
    #[serde(default)]
    pub(super) passports: Vec<PassportsToml>,
    #[serde(default = "one")]
    pub(super) sms_parts: NonZeroUsize,
}

/// Where nothing is said, an SMS costs one part in each language.
fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

/// Offices keep Norwegian holidays unless they say otherwise.
fn yes() -> bool {
    true
}

/// One text for every language, or one per language.
#[derive(Clone, Debug)]
pub(super) enum Words {
    Same(String),
    Each(BTreeMap<Language, String>),
}

impl Words {
    pub(super) fn into_texts(self) -> Texts {
        match self {
            Self::Same(text) => Texts(Language::ALL.map(|l| (l, text.clone())).into()),
            Self::Each(texts) => Texts(texts),
        }
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Words;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or one per language: { nb = \"...\", en = \"...\" }")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Words, E> {
                Ok(Words::Same(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((tag, text)) = map.next_entry::<Tag, String>()? {
                    texts.insert(tag.0, text);
                }
                Ok(Words::Each(texts))
            }
        }
        from.deserialize_any(Either)
    }
}

/// A list of lines per language.
#[derive(Deserialize)]
pub(super) struct PerLanguageLines(BTreeMap<Tag, Vec<String>>);

impl PerLanguageLines {
    pub(super) fn into_texts(self) -> Texts {
        let joined = |(tag, lines): (Tag, Vec<String>)| (tag.0, lines.join("\n"));
        Texts(self.0.into_iter().map(joined).collect())
    }
}

/// A language as the file writes it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Tag(Language);

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let tag = String::deserialize(from)?;
        tag.parse().map(Self).map_err(D::Error::custom)
    }
}

/// A day as the file writes it.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "toml::value::Datetime")]
pub(super) struct Day(pub(super) NaiveDate);

impl TryFrom<toml::value::Datetime> for Day {
    type Error = &'static str;

    fn try_from(written: toml::value::Datetime) -> Result<Self, &'static str> {
        let only_a_date = written.time.is_none() && written.offset.is_none();
        written
            .date
            .filter(|_| only_a_date)
            .and_then(|d| NaiveDate::from_ymd_opt(d.year.into(), d.month.into(), d.day.into()))
            .map(Self)
            .ok_or("a day is written 2021-06-30, without a time")
    }
}

fn day<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Spanned<NaiveDate>>, D::Error> {
    let day = Spanned::<Day>::deserialize(from)?;
    let span = day.span();
    Ok(Some(Spanned::new(span, day.into_inner().0)))
}
