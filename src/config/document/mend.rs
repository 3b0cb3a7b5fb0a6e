//! Reads on after a mistake, so that every mistake of a file is told in one run.
//!
//! serde ends at the first value that does not fit. Here that value is taken out of the tree (what
//! the lowest layer says takes its place), a key that is missing gets a stand-in, and the tree is
//! read again. What was mended is remembered, so that nobody is told what only follows from it.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The keys of a place, from the top.
type Steps = Vec<String>;

/// A document that is mended mistake by mistake.
pub(super) struct Mending<'i> {
    /// What is read.
    pub(super) tree: Spanned<DeTable<'i>>,
    /// The lowest layer, which is good by itself.
    pub(super) default: DeTable<'i>,
    /// What stands in for a key that has no default, by the key's name.
    pub(super) stand_ins: DeTable<'i>,
    /// The keys that are not as the file says, with their tables.
    pub(super) mended: BTreeSet<String>,
}

/// What was mended.
pub(super) struct Mend {
    /// The key, with its tables.
    pub(super) key: String,
    /// Whether it only follows from what was mended before, and is no mistake of its own.
    pub(super) follows: bool,
}

impl Mending<'_> {
    /// Takes out the key at `span`, where perhaps another one was `meant`; `None` if none is there.
    pub(super) fn drop_key(&mut self, span: &Range<usize>, meant: Option<&str>) -> Option<Mend> {
        let steps = self.find(|key, _| key == Some(span))?;
        self.remove(&steps);
        let key = steps.join(".");
        if let (Some(meant), Some((_, table))) = (meant, steps.split_last()) {
            let meant = table.iter().map(String::as_str).chain([meant]);
            self.mended.insert(meant.collect::<Vec<_>>().join("."));
        }
        Some(Mend {
            key,
            follows: false,
        })
    }

    /// Takes out the value at `span`; `None` if none is there.
    pub(super) fn drop_value(&mut self, span: &Range<usize>) -> Option<Mend> {
        let mut steps = self.find(|_, value| value.span() == *span)?;
        self.remove(&steps);
        if steps
            .last()
            .is_some_and(|step| step.parse::<usize>().is_ok())
        {
            steps.pop();
        }
        let key = steps.join(".");
        self.mended.insert(key.clone());
        Some(Mend {
            key,
            follows: false,
        })
    }

    /// Gives the table at `span` a value for the key that it lacks; `None` where there is none.
    pub(super) fn stand_in(&mut self, span: &Range<usize>, key: &str) -> Option<Mend> {
        let (name, value) = self.stand_ins.get_key_value(key)?;
        let (name, value) = (name.clone(), value.get_ref().clone());
        let lacks = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::Table(table) => value.span() == *span && !table.contains_key(key),
            _ => false,
        };
        let mut steps = self.find(|_, value| lacks(value))?;
        if let DeValue::Table(table) = at(self.tree.get_mut(), &steps)?.get_mut() {
            table.insert(name, Spanned::new(span.clone(), value));
        }
        steps.push(key.to_owned());
        let key = steps.join(".");
        let follows = !is_sound(&self.mended, &key);
        self.mended.insert(key.clone());
        Some(Mend { key, follows })
    }

    /// The first place whose key's span and whose value pass the test.
    fn find(
        &self,
        fits: impl Fn(Option<&Range<usize>>, &Spanned<DeValue<'_>>) -> bool,
    ) -> Option<Steps> {
        let mut found = None;
        walk(
            self.tree.get_ref(),
            &mut Steps::new(),
            &mut |steps, key, value| {
                if found.is_none() && fits(key, value) {
                    found = Some(steps.clone());
                }
            },
        );
        found
    }

    /// Takes a place out of the tree, or puts the lowest layer's value there.
    fn remove(&mut self, steps: &Steps) {
        let Some((last, above)) = steps.split_last() else {
            return;
        };
        let usual = at(&mut self.default, steps).cloned();
        if above.is_empty() {
            replace(self.tree.get_mut(), last, usual);
            return;
        }
        match at(self.tree.get_mut(), above).map(Spanned::get_mut) {
            Some(DeValue::Table(table)) => replace(table, last, usual),
            Some(DeValue::Array(items)) => {
                let kept = items.iter().enumerate();
                let kept = kept.filter(|(place, _)| place.to_string() != *last);
                *items = kept.map(|(_, item)| item.clone()).collect();
            }
            _ => {}
        }
    }
}

/// Whether neither this key, nor a table around it, nor anything in it was mended.
pub(super) fn is_sound(mended: &BTreeSet<String>, path: &str) -> bool {
    let within = |inner: &str, outer: &str| {
        let rest = inner.strip_prefix(outer);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    !mended
        .iter()
        .any(|other| within(other, path) || within(path, other))
}

fn replace<'i>(table: &mut DeTable<'i>, key: &str, usual: Option<Spanned<DeValue<'i>>>) {
    match (table.get_mut(key), usual) {
        (Some(value), Some(usual)) => *value = usual,
        _ => drop(table.remove(key)),
    }
}

/// The value that these keys lead to.
fn at<'t, 'i>(
    table: &'t mut DeTable<'i>,
    steps: &[String],
) -> Option<&'t mut Spanned<DeValue<'i>>> {
    let (first, rest) = steps.split_first()?;
    let mut value = table.get_mut(first.as_str())?;
    for step in rest {
        value = match value.get_mut() {
            DeValue::Table(table) => table.get_mut(step.as_str())?,
            DeValue::Array(items) => items.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(value)
}

type Visit<'v> = dyn FnMut(&Steps, Option<&Range<usize>>, &Spanned<DeValue<'_>>) + 'v;

/// Visits every value with its keys and, in a table, its key's span.
fn walk(table: &DeTable<'_>, steps: &mut Steps, visit: &mut Visit<'_>) {
    for (key, value) in table {
        steps.push(key.get_ref().to_string());
        walk_value(Some(&key.span()), value, steps, visit);
        steps.pop();
    }
}

fn walk_value(
    key: Option<&Range<usize>>,
    value: &Spanned<DeValue<'_>>,
    steps: &mut Steps,
    visit: &mut Visit<'_>,
) {
    visit(steps, key, value);
    match value.get_ref() {
        DeValue::Table(table) => walk(table, steps, visit),
        DeValue::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                steps.push(number.to_string());
                walk_value(None, item, steps, visit);
                steps.pop();
            }
        }
        _ => {}
    }
}
