//! One round of checks by rendering: every case there can be, with each placeholder at its limit;
//! then the agency's own directory, to see what it lacks and what its names add.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::length::{fits_at_limits, keep_longest, too_long};
use crate::domain::deception::looks_like_a_link;
use crate::domain::directory::{Directory, Office, Service};
use crate::domain::language::{Language, LanguagePair};
use crate::domain::message::Channel;
use crate::domain::notice::Purpose;
use crate::domain::pair;
use crate::domain::plan::Telling;
use crate::domain::reference::Reference;
use crate::domain::segments::fold_typography;
use crate::template::facts::{self, Facts};
use crate::template::limits;
use crate::template::source::{self, Source};
use crate::template::{Failed, SmsText, TemplateFault, Templates, letter, samples};

/// A moment for the sample cases; any will do, since every date is stretched.
const MOMENT_UNIX_SECONDS: i64 = 1_615_899_600;

/// A reference like any other: every one has six characters.
const ANY_REFERENCE: u64 = 0;

/// One round of checks.
pub(super) struct Inspection<'a> {
    pub(super) templates: &'a Templates,
    pub(super) languages: LanguagePair,
    /// Each fault once, however many cases show it.
    faults: BTreeSet<TemplateFault>,
    /// The longest text of each line that is too long, with its length.
    pub(super) too_long: BTreeMap<(PathBuf, Option<usize>), (usize, TemplateFault)>,
}

impl<'a> Inspection<'a> {
    pub(super) fn new(templates: &'a Templates, languages: LanguagePair) -> Self {
        Self {
            templates,
            languages,
            faults: BTreeSet::new(),
            too_long: BTreeMap::new(),
        }
    }

    /// Every case there can be, at the limits.
    pub(super) fn every_case(&mut self) {
        let directory = limits::directory();
        for telling in every_case_of(&directory, self.languages) {
            let both = self.facts(&telling, &directory);
            for (purpose, channel) in Templates::written_purposes() {
                if purpose == telling.purpose {
                    self.same_in_both_languages(purpose, channel, &both);
                }
            }
            if fits_at_limits(&telling) {
                self.sms_length(&telling, &both);
            }
        }
    }

    fn facts(&mut self, telling: &Telling, directory: &Directory) -> Vec<(Language, Facts)> {
        let all: Vec<Language> = self.languages.iter().collect();
        let mut both = Vec::new();
        for language in &all {
            match facts::facts(telling, directory, any_reference(), *language, &all) {
                Ok(facts) => both.push((*language, facts)),
                Err(error) => self.failed(Failed::Facts(error)),
            }
        }
        both
    }

    /// Both languages must say the same: the same placeholders, case by case.
    fn same_in_both_languages(
        &mut self,
        purpose: Purpose,
        channel: Channel,
        both: &[(Language, Facts)],
    ) {
        let mut said: Vec<(Language, BTreeSet<Said>)> = Vec::new();
        for (language, facts) in both {
            let named = facts.named();
            let rendered = match channel {
                Channel::Sms => self.templates.core(purpose, *language, &named),
                Channel::Email | Channel::Phone => {
                    let letter = self.templates.letter(purpose, *language, &named);
                    letter.map(|letter| letter::whole(&letter))
                }
            };
            match rendered {
                Ok(text) => {
                    if channel == Channel::Sms {
                        self.links(purpose, *language, &text);
                    }
                    said.push((*language, said_in(&text, *language)));
                }
                Err(failed) => self.failed(failed),
            }
        }
        if let [(first, one), (second, other)] = said.as_slice() {
            self.compare(purpose, channel, (*first, one), (*second, other));
        }
    }

    fn compare(
        &mut self,
        purpose: Purpose,
        channel: Channel,
        one: (Language, &BTreeSet<Said>),
        other: (Language, &BTreeSet<Said>),
    ) {
        for ((language, said), (silent, lacks)) in [(one, other), (other, one)] {
            for thing in said.difference(lacks) {
                let (name, shown) = match thing {
                    Said::Value(name) => (name.as_str(), format!("{{{{ {name} }}}}")),
                    Said::Itself(said) if !pair::can_say(silent, said) => continue,
                    Said::Itself(pair::Said::Figure(figure)) => {
                        (figure.as_str(), format!("\"{figure}\""))
                    }
                    Said::Itself(pair::Said::Term(term)) => (*term, format!("\"{term}\"")),
                };
                let speaking = self.source(purpose, language, channel);
                let place = speaking.and_then(|source| source.place_of_word(name));
                let place = place
                    .map(|place| format!(" (line {})", place.line))
                    .unwrap_or_default();
                let file = source::text_name(purpose, silent, channel);
                self.faults.insert(TemplateFault {
                    file: self.templates.path(&file),
                    place: None,
                    problem: format!(
                        "{silent} never says {shown} where {language}{place} does; both \
                         languages must say the same"
                    ),
                    // Words may differ for a good reason; values and figures may not.
                    warning: matches!(thing, Said::Itself(pair::Said::Term(_))),
                    remedy: None,
                });
            }
        }
    }

    /// No link and nothing that a phone would make one of, unless the text's header allows it.
    fn links(&mut self, purpose: Purpose, language: Language, core: &str) {
        let core = fold_typography(core);
        let source = self.source(purpose, language, Channel::Sms);
        let allowed = source.map(Source::allowed_links).unwrap_or_default();
        let shown = |word: &&str| {
            word.trim_matches(|c: char| !c.is_alphanumeric())
                .to_lowercase()
        };
        let mut links = core
            .split_whitespace()
            .filter(|word| looks_like_a_link(word));
        let Some(word) = links.find(|word| !allowed.contains(&shown(word).as_str())) else {
            return;
        };
        let name = source::text_name(purpose, language, Channel::Sms);
        self.faults.insert(TemplateFault {
            file: self.templates.path(&name),
            place: source.and_then(|source| source.place_of(word)),
            problem: format!(
                "\"{word}\" looks like a link; no SMS holds one, so that people can tell ours from fraud"
            ),
            warning: false,
            remedy: None,
        });
    }

    /// The agency's own offices and services: what a text lacks is an error, what a long name adds
    /// is a warning. So in every edition, and each text is told of once.
    pub(super) fn real_directory(&mut self, directory: &Directory) {
        let mut costs: BTreeMap<PathBuf, (usize, TemplateFault)> = BTreeMap::new();
        let mut services: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
        let languages = self.languages;
        let cases = directory.each().flat_map(|edition| {
            let cases = cases_of(edition, languages, samples::main_cases);
            cases.into_iter().map(move |telling| (edition, telling))
        });
        for (directory, telling) in cases {
            let email = self
                .templates
                .email_of(&telling, directory, any_reference());
            email
                .err()
                .into_iter()
                .for_each(|failed| self.failed(failed));
            let Some(sms) = self.sms(&telling, directory) else {
                continue;
            };
            self.links(telling.purpose, telling.languages.first, &sms.text);
            let each = allowed_anyhow(&telling, directory);
            if sms.segments.parts > self.allowed(telling.purpose, telling.languages.iter(), each) {
                let warning = self.long_name(&telling, &sms, each);
                let file = warning.file.clone();
                let found = services.entry(file.clone()).or_default();
                found.insert(telling.service.to_string());
                keep_longest(&mut costs, file, sms.segments.units, warning);
            }
        }
        for (file, (_, mut warning)) in costs {
            let others = services.get(&file).map_or(0, |found| found.len() - 1);
            if others > 0 {
                let of_them = if others == 1 { "service" } else { "services" };
                let also = format!("; too many also with {others} other {of_them}");
                warning.problem.push_str(&also);
            }
            self.faults.insert(warning);
        }
    }

    fn long_name(&self, telling: &Telling, sms: &SmsText, each: usize) -> TemplateFault {
        let (service, office) = (&telling.service, &telling.change.new.office);
        let allowed = self.allowed(telling.purpose, telling.languages.iter(), each);
        let cost = too_long(&sms.segments, allowed);
        let problem = format!("with service \"{service}\" at office \"{office}\", {cost}");
        let (purpose, language) = (telling.purpose, telling.languages.first);
        let text = (sms.text.as_str(), &sms.segments);
        // The languages' parts are added up; raising one of them is enough.
        let own = self.allowed(purpose, [language].into_iter(), each);
        let enough = own + sms.segments.parts.saturating_sub(allowed);
        let remedy = format!(
            "shorten name_sms of office \"{office}\" or the name of service \"{service}\" in the \
             directory, or accept the price: sms_parts = {enough} in the table of either"
        );
        TemplateFault {
            warning: true,
            remedy: Some(remedy),
            ..self.length_fault(purpose, language, text, problem)
        }
    }

    pub(super) fn source(
        &self,
        purpose: Purpose,
        language: Language,
        channel: Channel,
    ) -> Option<&'a Source> {
        let name = source::text_name(purpose, language, channel);
        self.templates.sources.get(&name)
    }

    pub(super) fn into_faults(self) -> Vec<TemplateFault> {
        let too_long = self.too_long.into_values().map(|(_, fault)| fault);
        self.faults.into_iter().chain(too_long).collect()
    }

    pub(super) fn failed(&mut self, failed: Failed) {
        self.faults.insert(match failed {
            Failed::Text(fault) => fault,
            Failed::Facts(error) => TemplateFault {
                file: PathBuf::from("offices.toml"),
                place: None,
                problem: error.0,
                warning: false,
                remedy: None,
            },
        });
    }
}

/// The parts that the directory itself accepts for this service or this office.
fn allowed_anyhow(telling: &Telling, directory: &Directory) -> usize {
    let service = directory.services.get(&telling.service);
    let office = directory.offices.get(&telling.change.new.office);
    let service = service.map_or(1, |service| service.sms_parts);
    service.max(office.map_or(1, |office| office.sms_parts))
}

pub(super) fn every_case_of(directory: &Directory, languages: LanguagePair) -> Vec<Telling> {
    cases_of(directory, languages, samples::every_case)
}

/// The cases of every service at every office that offers it.
fn cases_of(
    directory: &Directory,
    languages: LanguagePair,
    cases: fn(&Directory, &Office, &Service, LanguagePair, DateTime<Utc>) -> Vec<Telling>,
) -> Vec<Telling> {
    let mut found = Vec::new();
    for office in directory.offices.values() {
        for service in directory.services.values() {
            if office.line(service.kind).is_some() {
                found.extend(cases(directory, office, service, languages, moment()));
            }
        }
    }
    found
}

fn moment() -> DateTime<Utc> {
    DateTime::from_timestamp(MOMENT_UNIX_SECONDS, 0).unwrap_or_default()
}

/// What both languages must say alike: the names between the marks of [`Facts::named`], and what
/// stands in the text itself.
fn said_in(text: &str, language: Language) -> BTreeSet<Said> {
    let mut said = BTreeSet::new();
    let mut words = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{27e8}') {
        let (name, tail) = after.split_once('\u{27e9}').unwrap_or((after, ""));
        words.push_str(before);
        // A value between two figures keeps them apart.
        words.push('\u{27e8}');
        said.insert(Said::Value(name.to_owned()));
        rest = tail;
    }
    words.push_str(rest);
    said.extend(pair::said(&words, language).into_iter().map(Said::Itself));
    said
}

/// Something that a text says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// The value of a variable.
    Value(String),
    /// What stands in the text itself.
    Itself(pair::Said),
}

pub(super) fn any_reference() -> Reference {
    Reference::draw(ANY_REFERENCE)
}
