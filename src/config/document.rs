//! TOML in layers, with the place of every value kept, so that any later error can show its line.
//!
//! Tables of an upper layer are merged key by key into the lower one; everything else replaces. The
//! spans of all layers live in one line of numbers (each layer has its own range of it), so an error
//! that serde reports in the merged tree still names the right file.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, did_you_mean};

/// One text to be layered.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What an error calls it: the path as the person gave it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The layers, and where each value of the merged document stands.
#[derive(Debug)]
pub struct Document {
    /// Each with where its range of positions starts.
    layers: Vec<(usize, Layer)>,
    /// The layers that lie below one `[[source]]`: their place in `layers`, and the table's number.
    profiles: Vec<(usize, usize)>,
    places: BTreeMap<String, Range<usize>>,
}

impl Document {
    /// Merges the layers, lowest first, with each profile below the `[[source]]` of its number, and
    /// reads the result.
    ///
    /// # Errors
    /// For what is not TOML, and for keys, types and values that do not fit, each with its place.
    pub fn read<T: DeserializeOwned>(
        layers: Vec<Layer>,
        profiles: Vec<(usize, Layer)>,
    ) -> Result<(T, Self), ConfigError> {
        let first = layers.len();
        let (numbers, texts): (Vec<_>, Vec<_>) = profiles.into_iter().unzip();
        let mut document = Self {
            layers: offsets(layers.into_iter().chain(texts).collect()),
            profiles: (first..).zip(numbers).collect(),
            places: BTreeMap::new(),
        };
        let mut places = BTreeMap::new();
        let value = document.merged().and_then(|tree| {
            note_places(&mut places, "", tree.get_ref());
            T::deserialize(toml::de::Deserializer::from(tree))
                .map_err(|error| Fault::new(&error, 0))
        });
        document.places = places;
        match value {
            Ok(value) => Ok((value, document)),
            Err(fault) => Err(document.explain(fault)),
        }
    }

    /// An error at the value (or table) of these keys, such as `["gateway", "sms", "url"]`; at the
    /// nearest table around it when the key itself is absent.
    #[must_use]
    pub fn error(&self, keys: &[&str], problem: impl Into<String>, help: &str) -> ConfigError {
        let error = ConfigError::new(problem, help);
        let found = (1..=keys.len()).rev().find_map(|length| {
            let path = keys[..length].join(".");
            self.places.get(&path).cloned()
        });
        match found {
            Some(span) => self.at(error, span),
            None => error,
        }
    }

    fn merged(&self) -> Result<Spanned<DeTable<'_>>, Fault> {
        let mut merged = DeTable::new();
        let mut span = 0..0;
        let whole = self.layers.len() - self.profiles.len();
        for (offset, layer) in &self.layers[..whole] {
            let parsed =
                DeTable::parse(&layer.text).map_err(|error| Fault::new(&error, *offset))?;
            span = shift(&parsed.span(), *offset);
            overlay(&mut merged, shifted(parsed.into_inner(), *offset));
        }
        for (place, number) in &self.profiles {
            let (offset, layer) = &self.layers[*place];
            let parsed =
                DeTable::parse(&layer.text).map_err(|error| Fault::new(&error, *offset))?;
            underlay(&mut merged, *number, shifted(parsed.into_inner(), *offset));
        }
        Ok(Spanned::new(span, merged))
    }

    /// serde's sentence in the words of a person who edits a file.
    fn explain(&self, fault: Fault) -> ConfigError {
        let message = fault.message.as_str();
        let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let error_here = match (message, names.as_slice()) {
            (text, [typed, known @ ..]) if text.starts_with("unknown field") => ConfigError::new(
                format!("unknown key \"{typed}\""),
                did_you_mean(typed, known),
            ),
            (text, [typed, known @ ..]) if text.starts_with("unknown variant") => ConfigError::new(
                format!("unknown word \"{typed}\""),
                did_you_mean(typed, known),
            ),
            (text, [missing]) if text.starts_with("missing field") => ConfigError::new(
                format!("the key \"{missing}\" is missing"),
                "add it; `varsel config init` shows every key with what it means",
            ),
            _ => ConfigError::new(
                in_words(message),
                "`varsel config init` shows every key with what it means",
            ),
        };
        match fault.span {
            Some(span) => self.at(error_here, span),
            None => error_here,
        }
    }

    fn at(&self, error: ConfigError, span: Range<usize>) -> ConfigError {
        let layer = self.layers.iter().rev().find(|(at, _)| *at <= span.start);
        let Some((offset, layer)) = layer else {
            return error;
        };
        let span = (span.start - offset)..(span.end.saturating_sub(*offset));
        error.at(&layer.name, &layer.text, first_line(&layer.text, span))
    }
}

/// serde names types as programmers do.
fn in_words(message: &str) -> String {
    message
        .replace("invalid type: ", "wrong kind of value: ")
        .replace("invalid value: ", "wrong value: ")
        .replace("expected a string", "expected a text in quotation marks")
        .replace("expected u32", "expected a whole number, 0 or more")
        .replace("expected usize", "expected a whole number, 0 or more")
        .replace("expected f64", "expected a number")
        .replace(
            "invalid socket address syntax",
            "not an address and port: write it as \"127.0.0.1:8080\"",
        )
        .replace('`', "\"")
}

/// What toml or serde found, with its place in the one line of numbers.
struct Fault {
    message: String,
    span: Option<Range<usize>>,
}

impl Fault {
    fn new(error: &toml::de::Error, offset: usize) -> Self {
        Self {
            message: error.message().to_owned(),
            span: error.span().map(|span| shift(&span, offset)),
        }
    }
}

/// A table's span may run over many lines; an error shows only the first.
fn first_line(text: &str, span: Range<usize>) -> Range<usize> {
    let start = span.start.min(text.len());
    let end = span.end.clamp(start, text.len());
    let line = text.get(start..end).and_then(|part| part.find('\n'));
    start..line.map_or(end, |length| start + length)
}

/// Gives each layer its own range of positions.
fn offsets(layers: Vec<Layer>) -> Vec<(usize, Layer)> {
    let mut next = 0;
    let with_offset = |layer: Layer| {
        let offset = next;
        next += layer.text.len() + 1;
        (offset, layer)
    };
    layers.into_iter().map(with_offset).collect()
}

fn shift(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}

fn shifted(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let mut moved = DeTable::new();
    for (key, value) in table {
        let key = Spanned::new(shift(&key.span(), by), key.into_inner());
        moved.insert(key, shifted_value(value, by));
    }
    moved
}

fn shifted_value(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = shift(&value.span(), by);
    let value = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted(table, by)),
        DeValue::Array(items) => DeValue::Array(
            items
                .into_iter()
                .map(|item| shifted_value(item, by))
                .collect(),
        ),
        plain => plain,
    };
    Spanned::new(span, value)
}

/// Merges `upper` into `lower`: tables key by key, everything else replaces.
fn overlay<'i>(lower: &mut DeTable<'i>, upper: DeTable<'i>) {
    for (key, mut value) in upper {
        if let DeValue::Table(above) = value.get_mut()
            && let Some(below) = lower.get_mut(&key)
            && let DeValue::Table(below) = below.get_mut()
        {
            let mut whole = std::mem::take(below);
            overlay(&mut whole, std::mem::take(above));
            *above = whole;
        }
        lower.remove(&key);
        lower.insert(key, value);
    }
}

/// Lays a profile below the `[[source]]` of this number.
fn underlay<'i>(document: &mut DeTable<'i>, number: usize, profile: DeTable<'i>) {
    if let Some(sources) = document.get_mut("source")
        && let DeValue::Array(sources) = sources.get_mut()
        && let Some(source) = sources.get_mut(number)
        && let DeValue::Table(source) = source.get_mut()
    {
        let above = std::mem::replace(source, profile);
        overlay(source, above);
    }
}

fn note_places(places: &mut BTreeMap<String, Range<usize>>, path: &str, table: &DeTable<'_>) {
    for (key, value) in table {
        note_place(places, join(path, key.get_ref()), value);
    }
}

fn note_place(
    places: &mut BTreeMap<String, Range<usize>>,
    path: String,
    value: &Spanned<DeValue<'_>>,
) {
    match value.get_ref() {
        DeValue::Table(table) => note_places(places, &path, table),
        DeValue::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                note_place(places, join(&path, &number.to_string()), item);
            }
        }
        _ => {}
    }
    places.insert(path, value.span());
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}
