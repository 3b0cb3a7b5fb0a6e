//! One configuration error: what is wrong, the line that shows it, and what to do about it.
//!
//! It is a miette diagnostic, so that the terminal shows the file's own line; it never holds the
//! value of a secret, because no secret is ever written in the file.

use std::fmt;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// What is wrong with the configuration, and where.
#[derive(Debug)]
pub struct ConfigError(Box<Parts>);

#[derive(Debug)]
struct Parts {
    problem: String,
    help: Option<String>,
    key: Option<String>,
    place: Option<Place>,
    not_there: bool,
}

#[derive(Debug)]
struct Place {
    file: String,
    line: Option<usize>,
    /// The character in the line, where the text is not at hand.
    column: Option<usize>,
    /// The text, where it is at hand to be shown.
    shown: Option<(NamedSource<String>, Range<usize>)>,
}

impl ConfigError {
    /// An error that no line of a file shows.
    #[must_use]
    pub fn new(problem: impl Into<String>, help: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            problem: problem.into(),
            help: Some(help.into()).filter(|text: &String| !text.is_empty()),
            key: None,
            place: None,
            not_there: false,
        }))
    }

    /// A file that cannot be read; `help` says where its path comes from.
    #[must_use]
    pub fn unreadable(what: &str, file: &Path, error: &std::io::Error, help: &str) -> Self {
        let (why, help) = match error.kind() {
            ErrorKind::InvalidData => ("it is not UTF-8".to_owned(), "save it as UTF-8"),
            _ => (error.to_string(), help),
        };
        Self::new(
            format!("{what} \"{}\" cannot be read: {why}", file.display()),
            help,
        )
    }

    /// The same error, shown at `span` of the file `name` with this text.
    #[must_use]
    pub fn at(mut self, name: &str, text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        self.0.place = Some(Place {
            file: name.to_owned(),
            line: Some(before.matches('\n').count() + 1),
            column: None,
            shown: Some((NamedSource::new(name, text.to_owned()), span)),
        });
        self
    }

    /// The same error, in a file whose text is not at hand.
    #[must_use]
    pub fn in_file(mut self, file: &Path, line: Option<usize>) -> Self {
        self.0.place = Some(Place {
            file: file.display().to_string(),
            line,
            column: None,
            shown: None,
        });
        self
    }

    /// The same error, at this character of its line, counted from 1.
    #[must_use]
    pub fn at_column(mut self, column: Option<usize>) -> Self {
        if let Some(place) = &mut self.0.place {
            place.column = column;
        }
        self
    }

    /// The same error, of this key with its tables ("gateway.sms.url").
    #[must_use]
    pub fn of(mut self, key: impl Into<String>) -> Self {
        self.0.key = Some(key.into());
        self
    }

    /// The same error, where the file may be right and something that it names is not there.
    #[must_use]
    pub fn not_there(mut self) -> Self {
        self.0.not_there = true;
        self
    }

    /// What is wrong.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.0.problem
    }

    /// What to do.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.0.place.as_ref().map(|place| place.file.as_str())
    }

    /// The line in it, counted from 1.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        self.0.place.as_ref()?.line
    }

    /// All of it in one line, for a log, which shows no text of a file: where, what is wrong, and what to do.
    #[must_use]
    pub fn in_a_line(&self) -> String {
        let parts = &self.0;
        let place = parts.place.as_ref().map(|place| format!("{place}: "));
        let help = parts.help.as_ref().map(|help| format!(" ({help})"));
        let (place, help) = (place.unwrap_or_default(), help.unwrap_or_default());
        let line = format!("{place}{}{help}", parts.problem);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The key, with its tables.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether the file may be right, and something that it names is not there.
    #[must_use]
    pub fn is_not_there(&self) -> bool {
        self.0.not_there
    }
}

impl fmt::Display for ConfigError {
    /// The problem, with its place where the text is not at hand to show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.0.place.as_ref().filter(|place| place.shown.is_none()) {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.problem)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column.filter(|_| self.line.is_some())] {
            number.map_or(Ok(()), |number| write!(f, ":{number}"))?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

impl Diagnostic for ConfigError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.0.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        let (source, _) = self.0.place.as_ref()?.shown.as_ref()?;
        Some(source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (_, span) = self.0.place.as_ref()?.shown.as_ref()?;
        let label = LabeledSpan::new_with_span(None, span.clone());
        Some(Box::new(std::iter::once(label)))
    }
}

/// The known name nearest to a mistyped one, if any is near.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.8;
    let rated = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(typed, name), name));
    let best = rated.max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.filter(|(near, _)| *near >= NEAR).map(|(_, name)| name)
}

/// "did you mean …?" or the list of what is known.
#[must_use]
pub fn did_you_mean(typed: &str, known: &[&str]) -> String {
    match nearest(typed, known.iter().copied()) {
        Some(name) => format!("did you mean \"{name}\"?"),
        None if known.is_empty() => "nothing is known here: remove it".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    }
}
