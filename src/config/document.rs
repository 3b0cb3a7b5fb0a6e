//! TOML in layers, with the place of every value kept, so that any later error can show its line.
//!
//! Tables of an upper layer are merged key by key into the lower one; everything else replaces. The
//! spans of all layers live in one line of numbers (each layer has its own range of it), so an error
//! that serde reports in the merged tree still names the right file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, did_you_mean, nearest};
use mend::{Mending, is_sound};

mod mend;

/// So many mistakes of one file are told at once; nobody reads more.
const MAX_MISTAKES: usize = 100;

/// One text to be layered.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What an error calls it: the path as the person gave it.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// What lies below one `[[source]]`.
#[derive(Debug)]
pub struct Below {
    /// The number of the table.
    pub number: usize,
    /// Its profile, or nothing where it cannot be read: then the table is not whole.
    pub profile: Option<Layer>,
}

/// The layers, and where each value of the merged document stands.
#[derive(Debug)]
pub struct Document {
    /// Each with where its range of positions starts.
    layers: Vec<(usize, Layer)>,
    /// The layers that lie below one `[[source]]`: their place in `layers`, and the table's number.
    profiles: Vec<(usize, usize)>,
    places: BTreeMap<String, Range<usize>>,
    /// Keys that are not as the file says, because that was a mistake.
    mended: BTreeSet<String>,
}

/// What can be read of a document, with the mistakes that were found on the way.
pub struct Read<T> {
    /// What the layers say; with stand-ins where they are mistaken.
    pub value: T,
    /// Where it stands.
    pub document: Document,
    /// Every mistake, in the order of their places.
    pub mistakes: Vec<ConfigError>,
}

impl Document {
    /// Merges the layers, lowest first, with each profile below the `[[source]]` of its number, and
    /// reads the result. `stand_ins` holds a value for every key that has no default.
    ///
    /// # Errors
    /// What is not TOML, alone: nobody can say what the rest of such a file means.
    pub fn read<T: DeserializeOwned>(
        layers: Vec<Layer>,
        below: Vec<Below>,
        stand_ins: &str,
    ) -> Result<Read<T>, Vec<ConfigError>> {
        let first = layers.len();
        let not_whole = below.iter().filter(|below| below.profile.is_none());
        let mended = not_whole.map(|below| format!("source.{}", below.number));
        let mended = mended.collect();
        let profiles = below.into_iter();
        let (numbers, texts): (Vec<_>, Vec<_>) = profiles
            .filter_map(|below| Some((below.number, below.profile?)))
            .unzip();
        let mut document = Self {
            layers: offsets(layers.into_iter().chain(texts).collect()),
            profiles: (first..).zip(numbers).collect(),
            places: BTreeMap::new(),
            mended: BTreeSet::new(),
        };
        let mut places = BTreeMap::new();
        let (value, mended, mistakes) = {
            let mut mending = document.mending(stand_ins, mended)?;
            note_places(&mut places, "", mending.tree.get_ref());
            let mut faults = Vec::new();
            let value = read_on(&mut mending, &mut faults);
            let mended = std::mem::take(&mut mending.mended);
            let explained = faults.into_iter().map(|fault| document.explain(fault));
            let mistakes: Vec<ConfigError> = explained.collect();
            (value, mended, mistakes)
        };
        document.places = places;
        document.mended = mended;
        match value {
            Some(value) => Ok(Read {
                value,
                document,
                mistakes,
            }),
            None => Err(mistakes),
        }
    }

    /// Whether these keys are as the file says: what is concluded from others follows from a mistake
    /// that is told already.
    #[must_use]
    pub fn is_sound(&self, keys: &[&str]) -> bool {
        is_sound(&self.mended, &keys.join("."))
    }

    /// An error at the value (or table) of these keys, such as `["gateway", "sms", "url"]`; at the
    /// nearest table around it when the key itself is absent.
    #[must_use]
    pub fn error(&self, keys: &[&str], problem: impl Into<String>, help: &str) -> ConfigError {
        let error = ConfigError::new(problem, help).of(keys.join("."));
        let found = (1..=keys.len()).rev().find_map(|length| {
            let path = keys[..length].join(".");
            self.places.get(&path).cloned()
        });
        match found {
            Some(span) => self.at(error, span),
            None => error,
        }
    }

    /// The merged tree; every fault of a layer's syntax otherwise.
    fn mending<'i>(
        &'i self,
        stand_ins: &'i str,
        mended: BTreeSet<String>,
    ) -> Result<Mending<'i>, Vec<ConfigError>> {
        let mut merged = DeTable::new();
        let mut span = 0..0;
        let mut default = None;
        let whole = self.layers.len() - self.profiles.len();
        for (offset, layer) in &self.layers[..whole] {
            let parsed = self.parse(*offset, layer)?;
            span = shift(&parsed.span(), *offset);
            let table = shifted(parsed.into_inner(), *offset);
            default.get_or_insert_with(|| table.clone());
            overlay(&mut merged, table);
        }
        for (place, number) in &self.profiles {
            let (offset, layer) = &self.layers[*place];
            let parsed = self.parse(*offset, layer)?;
            underlay(&mut merged, *number, shifted(parsed.into_inner(), *offset));
        }
        let stand_ins =
            DeTable::parse(stand_ins).map_or_else(|_| DeTable::new(), Spanned::into_inner);
        Ok(Mending {
            tree: Spanned::new(span, merged),
            default: default.unwrap_or_default(),
            stand_ins,
            mended,
        })
    }

    fn parse<'i>(
        &self,
        offset: usize,
        layer: &'i Layer,
    ) -> Result<Spanned<DeTable<'i>>, Vec<ConfigError>> {
        let (parsed, errors) = DeTable::parse_recoverable(&layer.text);
        if errors.is_empty() {
            return Ok(parsed);
        }
        let faults = errors.iter().take(MAX_MISTAKES);
        Err(faults
            .map(|error| self.explain(Fault::new(error, offset)))
            .collect())
    }

    /// serde's sentence in the words of a person who edits a file.
    fn explain(&self, fault: Fault) -> ConfigError {
        const EVERY_KEY: &str = "`varsel config init` shows every key with what it means";
        let error = match fault.kind() {
            Kind::UnknownKey(typed, known) => ConfigError::new(
                format!("unknown key \"{typed}\""),
                did_you_mean(typed, &known),
            ),
            Kind::UnknownWord(typed, known) => ConfigError::new(
                format!("unknown word \"{typed}\""),
                did_you_mean(typed, &known),
            ),
            Kind::Missing(key) => {
                let help = "add it; `varsel config init` shows every key with what it means";
                ConfigError::new(format!("the key \"{key}\" is missing"), help)
            }
            Kind::Misfit => {
                // Where the words or the form of a value are known, the sentence itself ends with the remedy.
                let message = in_words(&fault.message);
                let ends = ["; did you mean ", "; known here: ", "; write "];
                let end = ends.iter().find_map(|end| message.find(end));
                let (problem, help) = match end {
                    Some(end) => (&message[..end], &message[end + 2..]),
                    None => (message.as_str(), EVERY_KEY),
                };
                ConfigError::new(problem, help)
            }
        };
        let error = match fault.key {
            Some(key) => error.of(key),
            None => error,
        };
        match fault.span {
            Some(span) => self.at(error, span),
            None => error,
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
        .replace("expected u16", "expected a whole number from 0 to 65535")
        .replace("expected f64", "expected a number")
        .replace(
            "invalid socket address syntax",
            "not an address and port; write it as \"127.0.0.1:8080\"",
        )
        .replace('`', "\"")
}

/// Reads, mends and reads again, until the tree can be read or nothing more can be mended.
fn read_on<T: DeserializeOwned>(mending: &mut Mending<'_>, faults: &mut Vec<Fault>) -> Option<T> {
    while faults.len() < MAX_MISTAKES {
        let error = match T::deserialize(toml::de::Deserializer::from(mending.tree.clone())) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        let mut fault = Fault::new(&error, 0);
        let span = fault.span.clone().unwrap_or_default();
        let mend = match fault.kind() {
            Kind::UnknownKey(typed, known) => mending.drop_key(&span, nearest(typed, known)),
            Kind::UnknownWord(..) | Kind::Misfit => mending.drop_value(&span),
            Kind::Missing(key) => mending.stand_in(&span, key),
        };
        let goes_on = mend.is_some();
        let follows = mend.as_ref().is_some_and(|mend| mend.follows);
        fault.key = mend.map(|mend| mend.key);
        if !follows {
            faults.push(fault);
        }
        if !goes_on {
            return None;
        }
    }
    None
}

/// What toml or serde found, with its place in the one line of numbers.
struct Fault {
    message: String,
    span: Option<Range<usize>>,
    key: Option<String>,
}

/// What kind of mistake a message of serde tells of.
enum Kind<'m> {
    UnknownKey(&'m str, Vec<&'m str>),
    UnknownWord(&'m str, Vec<&'m str>),
    Missing(&'m str),
    Misfit,
}

impl Fault {
    fn new(error: &toml::de::Error, offset: usize) -> Self {
        Self {
            message: error.message().to_owned(),
            span: error.span().map(|span| shift(&span, offset)),
            key: None,
        }
    }

    fn kind(&self) -> Kind<'_> {
        let message = self.message.as_str();
        let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        match names.as_slice() {
            [typed, known @ ..] if message.starts_with("unknown field") => {
                Kind::UnknownKey(typed, known.to_vec())
            }
            [typed, known @ ..] if message.starts_with("unknown variant") => {
                Kind::UnknownWord(typed, known.to_vec())
            }
            [missing] if message.starts_with("missing field") => Kind::Missing(missing),
            _ => Kind::Misfit,
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
