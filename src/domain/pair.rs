//! What two texts must say alike, although their words differ: the figures (a date, a number, a telephone
//! number) and the terms on which somebody acts. It reads words; what a sentence means, it cannot know.

use std::collections::BTreeSet;

use super::language::Language;

/// Something that a text says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// A figure; groups of digits with one space between are one.
    Figure(String),
    /// A term, by its English name.
    Term(&'static str),
}

/// A term of which a pair of texts shall not speak in one language only.
struct Term {
    name: &'static str,
    /// The beginnings of its words in Bokmål, in Nynorsk and in English.
    nb: &'static [&'static str],
    nn: &'static [&'static str],
    en: &'static [&'static str],
}

/// The terms in which public announcements in two languages were seen to differ, and those whose loss
/// would send somebody the wrong way.
const TERMS: [Term; 10] = [
    Term {
        name: "reduced",
        nb: &["nedskaler", "reduser", "redusert"],
        nn: &["nedskaler", "reduser"],
        en: &["reduc"],
    },
    Term {
        name: "closed",
        nb: &["steng"],
        nn: &["steng", "stengd"],
        en: &["closed", "closing", "closes", "shut"],
    },
    Term {
        name: "critical",
        nb: &["kritisk"],
        nn: &["kritisk"],
        en: &["critical"],
    },
    Term {
        name: "emergency",
        nb: &["nød"],
        nn: &["naud"],
        en: &["emergenc"],
    },
    Term {
        name: "many",
        nb: &["mange"],
        nn: &["mange"],
        en: &["many"],
    },
    Term {
        name: "travel document",
        nb: &["reisedokument"],
        nn: &["reisedokument"],
        en: &["travel document"],
    },
    Term {
        name: "citizenship",
        nb: &["statsborger"],
        nn: &["statsborgar"],
        en: &["citizen"],
    },
    Term {
        name: "guardian",
        nb: &["foresatt", "verge"],
        nn: &["føresett", "verje"],
        en: &["guardian"],
    },
    Term {
        name: "cash",
        nb: &["kontant"],
        nn: &["kontant"],
        en: &["cash"],
    },
    Term {
        name: "cancelled",
        nb: &["avlys", "kanseller"],
        nn: &["avlys", "kanseller"],
        en: &["cancel"],
    },
];

impl Term {
    fn words(&self, language: Language) -> &'static [&'static str] {
        match language {
            Language::Nb => self.nb,
            Language::Nn => self.nn,
            Language::En => self.en,
            // Nobody here can say which words these would be.
            Language::Se => &[],
        }
    }

    fn is_in(&self, text: &str, language: Language) -> bool {
        let begins = |word: &&str| {
            text.match_indices(*word).any(|(at, _)| {
                let before = text.get(..at).and_then(|text| text.chars().next_back());
                before.is_none_or(|c| !c.is_alphanumeric())
            })
        };
        self.words(language).iter().any(begins)
    }
}

/// The figures of a text, and its terms.
#[must_use]
pub fn said(text: &str, language: Language) -> BTreeSet<Said> {
    let lower = text.to_lowercase();
    let terms = TERMS.iter().filter(|term| term.is_in(&lower, language));
    let terms = terms.map(|term| Said::Term(term.name));
    figures(text).map(Said::Figure).chain(terms).collect()
}

/// Whether a language has words for it: one that has none is not blamed for its silence.
#[must_use]
pub fn can_say(language: Language, said: &Said) -> bool {
    match said {
        Said::Figure(_) => true,
        Said::Term(name) => TERMS
            .iter()
            .any(|term| term.name == *name && !term.words(language).is_empty()),
    }
}

fn figures(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !c.is_ascii_digit() && c != ' ');
    let figures = runs.map(|run| run.replace(' ', ""));
    figures.filter(|figure| !figure.is_empty())
}
