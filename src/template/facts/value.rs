//! The values behind the variables: a text, a condition, or nothing and why.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, Value};

use crate::domain::language::{Language, Texts};

/// The variables of one text in one language. The engine takes them as they are, and only what a text
/// asks for becomes a value of its own: most texts say a tenth of what there is to say.
#[derive(Clone, Debug)]
pub(in crate::template) struct Facts(Arc<BTreeMap<&'static str, Fact>>);

/// The variables as the template engine asks for them.
#[derive(Debug)]
struct Asked(Arc<BTreeMap<&'static str, Fact>>);

impl Object for Asked {
    fn get_value(self: &Arc<Self>, name: &Value) -> Option<Value> {
        self.0.get(name.as_str()?).map(Fact::value)
    }
}

/// One variable.
#[derive(Clone, Debug)]
pub(in crate::template) enum Fact {
    /// A text to print.
    Text(String),
    /// A condition to ask for.
    Holds(bool),
    /// Nothing, and why.
    Missing(String),
}

/// The value of a variable without one: false in a condition, an error when printed.
#[derive(Debug)]
pub(in crate::template) struct Missing(pub(in crate::template) String);

impl Object for Missing {
    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Facts {
    /// The facts as the template engine takes them.
    pub(in crate::template) fn value(&self) -> Value {
        Value::from_object(Asked(Arc::clone(&self.0)))
    }

    /// What all variables are called.
    pub(in crate::template) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }

    /// One variable.
    pub(in crate::template) fn get(&self, name: &str) -> Option<&Fact> {
        self.0.get(name)
    }

    /// One variable, to be replaced.
    pub(in crate::template) fn get_mut(&mut self, name: &str) -> Option<&mut Fact> {
        Arc::make_mut(&mut self.0).get_mut(name)
    }

    /// Whether a variable has a value to print.
    pub(in crate::template) fn has(&self, name: &str) -> bool {
        matches!(self.0.get(name), Some(Fact::Text(_)))
    }

    /// Every text replaced by its own name, to see what a text says without its values.
    pub(in crate::template) fn named(&self) -> Self {
        let name = |(name, fact): (&&'static str, &Fact)| {
            let fact = match fact {
                Fact::Text(_) => Fact::Text(format!("\u{27e8}{name}\u{27e9}")),
                Fact::Holds(_) | Fact::Missing(_) => fact.clone(),
            };
            (*name, fact)
        };
        Self(Arc::new(self.0.iter().map(name).collect()))
    }
}

impl Fact {
    fn value(&self) -> Value {
        match self {
            Self::Text(text) => Value::from(text.as_str()),
            Self::Holds(holds) => Value::from(*holds),
            Self::Missing(why) => Value::from_object(Missing(why.clone())),
        }
    }
}

impl Facts {
    /// None yet.
    pub(super) fn none() -> Self {
        Self(Arc::default())
    }

    pub(super) fn put(&mut self, name: &'static str, fact: Fact) {
        Arc::make_mut(&mut self.0).insert(name, fact);
    }

    pub(super) fn holds(&mut self, name: &'static str, holds: bool) {
        self.put(name, Fact::Holds(holds));
    }

    pub(super) fn text(&mut self, name: &'static str, text: &str) {
        self.put(name, Fact::Text(clean(text)));
    }
}

/// A text of several lines, each in its form; other texts never hold a line break.
pub(super) fn lines(
    checked: Fact,
    texts: Option<&Texts>,
    language: Language,
    form: fn(usize, &str) -> String,
) -> Fact {
    match (checked, texts.and_then(|texts| texts.get(language))) {
        (Fact::Text(_), Some(text)) => {
            let lines = text.lines().map(clean).enumerate();
            let lines: Vec<String> = lines.map(|(at, line)| form(at + 1, &line)).collect();
            Fact::Text(lines.join("\n"))
        }
        (other, _) => other,
    }
}

pub(super) fn numbered(number: usize, line: &str) -> String {
    format!("{number}. {line}")
}

pub(super) fn bulleted(_: usize, line: &str) -> String {
    format!("- {line}")
}

pub(super) fn given_or(text: Option<String>, why: &str) -> Fact {
    match text {
        Some(text) => Fact::Text(clean(&text)),
        None => Fact::Missing(why.to_owned()),
    }
}

/// No value can break out of its line: a header stays one header, a sentence one sentence.
pub(super) fn clean(text: &str) -> String {
    // Marks of direction could turn the rest of a sentence; line and paragraph separators end it.
    let turns = |c: &char| matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.chars().any(|c| turns(&c) || breaks(c)) {
        return text.trim().to_owned();
    }
    let kept = text.chars().filter(|c| !turns(c));
    let kept: String = kept.map(|c| if breaks(c) { ' ' } else { c }).collect();
    kept.trim().to_owned()
}
