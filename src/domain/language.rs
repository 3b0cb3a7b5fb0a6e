//! The languages people are written to in, and texts that exist once per language.
//!
//! Which of them a person gets, and in what order, is decided in `plan`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A language of the messages, named by its BCP 47 tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Language {
    /// Norwegian Bokmål.
    Nb,
    /// Norwegian Nynorsk.
    Nn,
    /// English.
    En,
    /// Northern Sámi: an agency may write its texts; none are built in.
    Se,
}

impl Language {
    /// Every language, in the order of the reference texts.
    pub const ALL: [Self; 4] = [Self::Nb, Self::Nn, Self::En, Self::Se];

    /// The languages whose texts are built in.
    pub const SHIPPED: [Self; 3] = [Self::Nb, Self::Nn, Self::En];

    /// The BCP 47 tag: `nb`, `nn`, `en` or `se`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::Nb => "nb",
            Self::Nn => "nn",
            Self::En => "en",
            Self::Se => "se",
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(tag: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL
            .into_iter()
            .find(|l| l.tag() == tag)
            .ok_or_else(|| UnknownLanguage(tag.to_owned()))
    }
}

/// A tag that names no language we write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a language Varsel writes; known are nb, nn, en and se")]
pub struct UnknownLanguage(pub String);

/// The languages of one message in order: the person's own first, then the other one, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LanguagePair {
    /// The person's language.
    pub first: Language,
    /// The second language of a bilingual message.
    pub second: Option<Language>,
}

impl LanguagePair {
    /// The languages for a person who reads `own`, at an office that writes `office`, where
    /// messages have `second` as their second language: their own first; where that is the second
    /// language already, the office's or English follows.
    #[must_use]
    pub fn of(own: Language, office: Language, second: Option<Language>) -> Self {
        let other = |second: Language| match second == own {
            true if own == Language::En => Some(office).filter(|office| *office != own),
            true => Some(Language::En),
            false => Some(second),
        };
        Self {
            first: own,
            second: second.and_then(other),
        }
    }

    /// The languages in order.
    pub fn iter(self) -> impl Iterator<Item = Language> {
        std::iter::once(self.first).chain(self.second)
    }
}

/// One text in several languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(pub BTreeMap<Language, String>);

impl Texts {
    /// The text in `language`, if the agency gave one.
    #[must_use]
    pub fn get(&self, language: Language) -> Option<&str> {
        self.0.get(&language).map(String::as_str)
    }
}

impl<const N: usize> From<[(Language, &str); N]> for Texts {
    fn from(pairs: [(Language, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(l, t)| (l, t.to_owned())).collect())
    }
}
