//! Texts: loaded, compiled and checked once; rendering is pure.
//!
//! It knows the directory and the facts of a notice; it decides nothing about whom to tell or when,
//! and never reads a file while rendering.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use minijinja::value::ValueKind;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};

use self::facts::{Fact, Facts, Missing};
use self::letter::Letter;
pub use self::notice::ClosingNotice;
use self::source::{Gathered, Source};
use crate::domain::directory::Directory;
use crate::domain::language::{Language, LanguagePair};
use crate::domain::message::Channel;
use crate::domain::notice::Purpose;
use crate::domain::plan::Telling;
use crate::domain::reference::Reference;
use crate::domain::segments::{Segments, fold_typography, segments};

mod check;
mod embedded;
mod facts;
mod letter;
pub mod limits;
mod notice;
pub mod samples;
mod source;

/// No text takes more steps of the template engine than this; a loop without end is an error.
const MAX_STEPS: u64 = 50_000;

/// The rendered SMS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsText {
    /// The text, typography folded.
    pub text: String,
    /// Its size.
    pub segments: Segments,
    /// The sender people see, in the first language.
    pub sender: String,
}

/// The rendered e-mail, before it is built into bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmailText {
    /// The sender's display name.
    pub from_name: String,
    /// The sender's address.
    pub from_address: String,
    /// The subject, both languages.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// The languages, in order.
    pub languages: Vec<Language>,
    /// What the appointment is called in a calendar, in the first language.
    pub entry_name: String,
    /// Where it is, in a calendar; empty in neutral wording.
    pub entry_place: String,
}

/// What is wrong with a template, with its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{}: {problem}", self.at())]
pub struct TemplateFault {
    /// The file.
    pub file: PathBuf,
    /// The place in it, where it is known.
    pub place: Option<Place>,
    /// What is wrong and what to do.
    pub problem: String,
    /// What to do, where the problem does not say it.
    pub remedy: Option<String>,
    /// A warning does not keep the daemon from starting.
    pub warning: bool,
}

/// A place in a file, counted from 1 as editors count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The character in the line, where it is known.
    pub column: Option<usize>,
}

impl TemplateFault {
    /// The file and the place in it, as editors and compilers write it: "nb.sms.txt:3:14".
    #[must_use]
    pub fn at(&self) -> String {
        let file = self.file.display();
        match self.place {
            None => file.to_string(),
            Some(Place { line, column: None }) => format!("{file}:{line}"),
            Some(Place {
                line,
                column: Some(column),
            }) => format!("{file}:{line}:{column}"),
        }
    }
}

/// Every template of every purpose, compiled.
pub struct Templates {
    engine: Environment<'static>,
    sources: BTreeMap<String, Source>,
    /// Each source as the engine reads it.
    prepared: BTreeMap<String, String>,
    /// Files of the folder that are no texts.
    strays: Vec<TemplateFault>,
}

/// Why a text could not be rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RenderError(pub String);

/// Why a rendering failed.
enum Failed {
    /// The telling names something the directory does not hold.
    Facts(RenderError),
    /// A text could not be made, with its place.
    Text(TemplateFault),
}

impl Templates {
    /// The built-in texts, with those of `folder` in their place where it has them.
    ///
    /// # Errors
    /// Every file that cannot be read, has a name no message uses, or does not compile.
    pub fn load(folder: Option<&Path>) -> Result<Self, Vec<TemplateFault>> {
        let Gathered { sources, strays } = source::gather(folder)?;
        let mut engine = engine();
        let mut faults = Vec::new();
        let mut all_prepared = BTreeMap::new();
        for (name, source) in &sources {
            let compiled = source::prepare(name, &sources).and_then(|prepared| {
                let added = engine.add_template_owned(name.clone(), prepared.clone());
                let compiled = added.map_err(|error| TemplateFault {
                    file: source.path.clone(),
                    place: source.place_of_error(&prepared, &error),
                    problem: error.detail().unwrap_or("cannot be compiled").to_owned(),
                    remedy: None,
                    warning: false,
                });
                all_prepared.insert(name.clone(), prepared);
                compiled
            });
            faults.extend(compiled.err());
        }
        if faults.is_empty() {
            Ok(Self {
                engine,
                sources,
                prepared: all_prepared,
                strays,
            })
        } else {
            Err(faults)
        }
    }

    /// The SMS of a notice.
    ///
    /// # Errors
    /// When the directory lacks something the text needs; the checks at start leave none.
    pub fn sms(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
    ) -> Result<SmsText, RenderError> {
        Ok(self.sms_of(telling, directory, reference, |_, facts| facts)?)
    }

    /// The e-mail of a notice.
    ///
    /// # Errors
    /// As [`Templates::sms`].
    pub fn email(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
    ) -> Result<EmailText, RenderError> {
        Ok(self.email_of(telling, directory, reference)?)
    }

    /// The SMS with its facts changed, as a check may want them.
    fn sms_of(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
        change: impl Fn(Language, Facts) -> Facts,
    ) -> Result<SmsText, Failed> {
        let written = self.written(telling, directory, reference, Channel::Sms)?;
        let written: Vec<_> = written
            .into_iter()
            .map(|(language, facts)| (language, change(language, facts)))
            .collect();
        let mut cores = Vec::new();
        for (language, facts) in &written {
            cores.push(self.core(telling.purpose, *language, facts)?);
        }
        let (language, facts) = &written[0];
        let tail = one_line(&self.block("tail", *language, facts)?);
        let text = fold_typography(&format!("{} {tail}", cores.join("\n\n")));
        Ok(SmsText {
            segments: segments(&text),
            text,
            sender: facts.printed("agency")?,
        })
    }

    fn email_of(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
    ) -> Result<EmailText, Failed> {
        let written = self.written(telling, directory, reference, Channel::Email)?;
        let mut letters = Vec::new();
        for (language, facts) in &written {
            letters.push(self.letter(telling.purpose, *language, facts)?);
        }
        if let [(_, _), (second, facts)] = written.as_slice() {
            let words = self.block("pointer", *second, facts)?;
            letters[0].point(*second, words.trim());
        }
        let subjects: Vec<&str> = letters.iter().map(|l| l.subject.as_str()).collect();
        let subject = subjects.join(" / ");
        let (language, first) = &written[0];
        let entry = self.block("calendar", *language, first)?;
        let (name, place) = entry.trim().split_once('\n').unwrap_or((entry.trim(), ""));
        Ok(EmailText {
            from_name: first.printed("agency_full")?,
            from_address: first.printed("email_from")?,
            text: letter::text(&letters),
            html: letter::html(&letters, &subject),
            subject,
            languages: written.iter().map(|(language, _)| *language).collect(),
            entry_name: name.trim().to_owned(),
            entry_place: one_line(place),
        })
    }

    /// The languages the message is written in, with the facts of each: never empty.
    fn written(
        &self,
        telling: &Telling,
        directory: &Directory,
        reference: Reference,
        channel: Channel,
    ) -> Result<Vec<(Language, Facts)>, Failed> {
        let languages = self.languages(telling.purpose, telling.languages, channel);
        if languages.is_empty() {
            return Err(Failed::Facts(RenderError(format!(
                "there is no text for {} by {} in {}",
                telling.purpose.word(),
                channel.word(),
                telling.languages.first
            ))));
        }
        let of = |language: &Language| {
            let facts = facts::facts(telling, directory, reference, *language, &languages)?;
            Ok((*language, facts))
        };
        languages.iter().map(of).collect()
    }

    /// The languages of `pair` that have a text. A person who reads Nynorsk is written to in Bokmål
    /// where there is no Nynorsk.
    fn languages(&self, purpose: Purpose, pair: LanguagePair, channel: Channel) -> Vec<Language> {
        let has = |language: &Language| {
            let name = source::text_name(purpose, *language, channel);
            self.sources.contains_key(&name)
        };
        let mut languages = Vec::new();
        for language in pair.iter() {
            let near = match language {
                Language::Nn | Language::Se if !has(&language) => Language::Nb,
                Language::Nb | Language::Nn | Language::En | Language::Se => language,
            };
            if has(&near) && !languages.contains(&near) {
                languages.push(near);
            }
        }
        languages
    }

    /// The text of one language of an SMS, without its tail.
    fn core(&self, purpose: Purpose, language: Language, facts: &Facts) -> Result<String, Failed> {
        let name = source::text_name(purpose, language, Channel::Sms);
        Ok(one_line(&self.render(&name, facts)?))
    }

    fn letter(
        &self,
        purpose: Purpose,
        language: Language,
        facts: &Facts,
    ) -> Result<Letter, Failed> {
        let name = source::text_name(purpose, language, Channel::Email);
        let rendered = self.render(&name, facts)?;
        let letter = Letter::read(language, &rendered);
        letter.map_err(|problem| self.failed(&name, None, problem))
    }

    /// Whether this block is written in `language`.
    #[must_use]
    pub fn has_block(&self, block: &str, language: Language) -> bool {
        self.sources
            .contains_key(&source::block_name(block, language))
    }

    fn block(&self, block: &str, language: Language, facts: &Facts) -> Result<String, Failed> {
        self.render(&source::block_name(block, language), facts)
    }

    fn render(&self, name: &str, facts: &Facts) -> Result<String, Failed> {
        let template = self.engine.get_template(name);
        let rendered = template.and_then(|template| template.render(facts.value()));
        rendered.map_err(|error| {
            let deepest = deepest(&error);
            let problem = match deepest.kind() {
                ErrorKind::OutOfFuel => format!("the text takes more than {MAX_STEPS} steps"),
                kind => deepest
                    .detail()
                    .map_or_else(|| kind.to_string(), str::to_owned),
            };
            let name = deepest.name().unwrap_or(name);
            let place = match (self.sources.get(name), self.prepared.get(name)) {
                (Some(source), Some(prepared)) => source.place_of_error(prepared, deepest),
                _ => None,
            };
            self.failed(name, place, problem)
        })
    }

    fn failed(&self, name: &str, place: Option<Place>, problem: String) -> Failed {
        Failed::Text(TemplateFault {
            file: self.path(name),
            place,
            problem,
            warning: false,
            remedy: None,
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        let built_in = || Path::new("templates").join(name);
        self.sources
            .get(name)
            .map_or_else(built_in, |source| source.path.clone())
    }
}

/// The innermost error knows the file and line that a person must look at.
fn deepest(error: &minijinja::Error) -> &minijinja::Error {
    let mut deepest = error;
    while let Some(source) = std::error::Error::source(deepest)
        .and_then(|source| source.downcast_ref::<minijinja::Error>())
    {
        deepest = source;
    }
    deepest
}

impl From<Failed> for RenderError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Facts(error) => error,
            Failed::Text(fault) => Self(fault.to_string()),
        }
    }
}

impl From<RenderError> for Failed {
    fn from(error: RenderError) -> Self {
        Self::Facts(error)
    }
}

impl Facts {
    /// The text of a variable that does not stand in a template.
    fn printed(&self, name: &str) -> Result<String, RenderError> {
        match self.get(name) {
            Some(Fact::Text(text)) => Ok(text.clone()),
            Some(Fact::Missing(why)) => Err(RenderError(why.clone())),
            Some(Fact::Holds(_)) | None => Err(RenderError(format!("{name} is not a text"))),
        }
    }
}

/// The engine with our rules: nothing undefined, nothing escaped, nothing without end.
fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_fuel(Some(MAX_STEPS));
    engine.set_debug(false);
    engine.add_filter("chomp", |text: String| {
        text.trim_end_matches('\n').to_owned()
    });
    engine.set_formatter(|out, state, value| {
        if let Some(missing) = value.downcast_object_ref::<Missing>() {
            let problem = missing.0.clone();
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, problem));
        }
        if value.kind() == ValueKind::Bool {
            let problem = "this is a condition for {% if %}, not a text to print";
            return Err(minijinja::Error::new(ErrorKind::InvalidOperation, problem));
        }
        minijinja::escape_formatter(out, state, value)
    });
    engine
}

/// An SMS is one line per language, however its template is laid out.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
