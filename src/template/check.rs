//! Everything about the texts that can be wrong before anybody is sent one, with file and line.
//!
//! Here stands what the files show by themselves; what only shows in a text is found by rendering
//! (`inspection`).

use std::collections::BTreeSet;

use self::inspection::{Inspection, any_reference, every_case_of};
use super::facts;
use super::limits::{self, Longest};
use super::source;
use super::{SmsText, TemplateFault, Templates};
use crate::domain::directory::{Directory, ServiceKind};
use crate::domain::language::{Language, LanguagePair};
use crate::domain::message::Channel;
use crate::domain::notice::Purpose;
use crate::domain::plan::Telling;
use crate::domain::reference::Reference;

mod inspection;
mod length;

/// Blocks that messages use of themselves.
const OWN_BLOCKS: [&str; 3] = ["tail", "pointer", "calendar"];

/// Names that the template language gives every text.
const LANGUAGE_NAMES: [&str; 5] = ["loop", "range", "dict", "namespace", "debug"];

impl Templates {
    /// What is wrong with the texts for messages in these languages and for this directory; only
    /// warnings leave the daemon free to start.
    #[must_use]
    pub fn check(&self, directory: &Directory, languages: LanguagePair) -> Vec<TemplateFault> {
        let mut faults = self.missing_files(languages);
        faults.extend(self.unknown_variables());
        faults.extend(
            self.sources
                .values()
                .filter_map(|source| source.max_parts().err()),
        );
        faults.extend(self.deceptions());
        // A text that lacks a file or a variable cannot be rendered; one reason is enough.
        if faults.is_empty() {
            let mut inspection = Inspection::new(self, languages);
            inspection.every_case();
            inspection.real_directory(directory);
            faults = inspection.into_faults();
            faults.extend(self.left_out(directory, languages));
        }
        faults.extend(self.strays.iter().cloned());
        faults.sort();
        faults
    }

    /// As [`Templates::check`], for every pair of languages that people can be written to in here:
    /// each language that has texts, at each office, with `second` as the second language.
    #[must_use]
    pub fn check_pairs(
        &self,
        directory: &Directory,
        second: Option<Language>,
    ) -> Vec<TemplateFault> {
        let mut pairs: Vec<LanguagePair> = Vec::new();
        let offices: BTreeSet<Language> = directory.offices.values().map(|o| o.language).collect();
        let people = self
            .written_languages()
            .into_iter()
            .chain(offices.iter().copied());
        for own in people {
            for office in &offices {
                let pair = LanguagePair::of(own, *office, second);
                // Turned round, a pair says the same.
                let known = |other: &LanguagePair| {
                    *other == pair
                        || (Some(other.first), other.second) == (pair.second, Some(pair.first))
                };
                if !pairs.iter().any(known) {
                    pairs.push(pair);
                }
            }
        }
        // They do not know each other, and each start waits for all of them.
        let faults: BTreeSet<TemplateFault> = std::thread::scope(|scope| {
            let check = |pair| scope.spawn(move || self.check(directory, pair));
            let checks: Vec<_> = pairs.into_iter().map(check).collect();
            let done = checks.into_iter().map(|check| {
                let ended = check.join();
                ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            done.flatten().collect()
        });
        faults.into_iter().collect()
    }

    /// The languages in which a cancellation is written, by SMS or e-mail.
    fn written_languages(&self) -> BTreeSet<Language> {
        let written = |language: &Language| {
            [Channel::Sms, Channel::Email].into_iter().any(|channel| {
                let name = source::text_name(Purpose::Cancellation, *language, channel);
                self.sources.contains_key(&name)
            })
        };
        Language::ALL.into_iter().filter(written).collect()
    }

    /// As [`Templates::sms`], with every date at its longest: what the text can cost.
    ///
    /// # Errors
    /// As [`Templates::sms`].
    pub fn sms_at_longest(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
    ) -> Result<SmsText, super::RenderError> {
        let stretch = |language, facts| Longest::known().stretch(language, facts);
        Ok(self.sms_of(telling, directory, reference, stretch)?)
    }

    /// The names a text may use, for values and conditions alike.
    #[must_use]
    pub fn variables() -> BTreeSet<&'static str> {
        known_variables()
    }

    fn missing_files(&self, languages: LanguagePair) -> Vec<TemplateFault> {
        let mut faults = Vec::new();
        let mut need = |name: String, language: Language| {
            if !self.sources.contains_key(&name) {
                faults.push(TemplateFault {
                    file: self.path(&name),
                    place: None,
                    problem: format!(
                        "there is no text in {language}; every language in use needs one"
                    ),
                    warning: false,
                    remedy: None,
                });
            }
        };
        for (purpose, channel) in Self::written_purposes() {
            for language in languages.iter() {
                need(source::text_name(purpose, language, channel), language);
            }
        }
        for block in OWN_BLOCKS {
            for language in languages.iter() {
                need(source::block_name(block, language), language);
            }
        }
        faults
    }

    /// Every purpose and channel that must have texts.
    fn written_purposes() -> impl Iterator<Item = (Purpose, Channel)> {
        let both = |purpose: Purpose| [(purpose, Channel::Sms), (purpose, Channel::Email)];
        Purpose::ALL.iter().copied().flat_map(both)
    }

    /// Letters of other alphabets, invisible characters, marks of direction.
    fn deceptions(&self) -> impl Iterator<Item = TemplateFault> {
        self.sources.values().filter_map(|source| {
            let (place, found) = source.deceptive()?;
            Some(TemplateFault {
                file: source.path.clone(),
                place: Some(place),
                problem: format!("the text has {found}"),
                remedy: None,
                warning: false,
            })
        })
    }

    fn unknown_variables(&self) -> Vec<TemplateFault> {
        let known = known_variables();
        let mut faults = Vec::new();
        for (name, source) in &self.sources {
            let Ok(template) = self.engine.get_template(name) else {
                continue;
            };
            let used: BTreeSet<String> = template.undeclared_variables(false).into_iter().collect();
            let unknown = used.iter().filter(|variable| {
                !known.contains(variable.as_str()) && !LANGUAGE_NAMES.contains(&variable.as_str())
            });
            for variable in unknown {
                let near = source::nearest(variable, known.iter().copied());
                faults.push(TemplateFault {
                    file: source.path.clone(),
                    place: source.place_of_word(variable),
                    problem: format!("unknown variable \"{variable}\"; did you mean \"{near}\"?"),
                    warning: false,
                    remedy: None,
                });
            }
        }
        faults
    }

    /// What the agency did not give and the texts therefore leave out.
    fn left_out(&self, directory: &Directory, languages: LanguagePair) -> Option<TemplateFault> {
        // Told once, whatever pairs are checked.
        let file = self.path(&source::block_name("stay", Language::Nb));
        let offered =
            |kind: ServiceKind| directory.offices.values().any(|o| o.line(kind).is_some());
        let services = directory.services.values().filter(|service| {
            let lacks = |language| {
                let note = service.stay_note.as_ref();
                note.and_then(|note| note.get(language)).is_none()
            };
            service.kind.is_immigration() && offered(service.kind) && languages.iter().any(lacks)
        });
        let names: Vec<String> = services.map(|s| format!("\"{}\"", s.id)).collect();
        if names.is_empty() {
            return None;
        }
        Some(TemplateFault {
            file,
            place: None,
            problem: format!(
                "no stay_note in every language of {}, so the texts leave out what most people \
                 will call about",
                names.join(", ")
            ),
            warning: true,
            remedy: Some(
                "add stay_note = { nb = \"...\", en = \"...\" } to each [services.NAME] of your \
                 directory ([agency] directory)"
                    .to_owned(),
            ),
        })
    }
}

/// The names of all variables.
fn known_variables() -> BTreeSet<&'static str> {
    let directory = limits::directory();
    let languages = LanguagePair {
        first: Language::Nb,
        second: None,
    };
    let cases = every_case_of(&directory, languages);
    let facts = cases.first().and_then(|telling| {
        facts::facts(
            telling,
            &directory,
            any_reference(),
            Language::Nb,
            &[Language::Nb],
        )
        .ok()
    });
    facts.map_or_else(BTreeSet::new, |facts| facts.names().collect())
}
