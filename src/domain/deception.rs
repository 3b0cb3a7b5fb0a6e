//! What makes a text look like something that it is not: letters of other alphabets among Latin
//! ones, marks that turn the order of reading, invisible characters, links, senders.
//!
//! People learn to tell our messages from fraud by their looks; ours must never use its means.

use std::fmt;

/// Operators refuse longer alphanumeric senders (3GPP TS 23.040, 9.1.2.5: eleven septets).
const SENDER_CHARS_MAX: usize = 11;

/// Endings that phones make a link of, whatever stands before them.
const LINK_ENDINGS: [&str; 9] = [
    "no", "com", "net", "org", "eu", "io", "info", "app", "example",
];

/// A character that deceives, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deceptive {
    /// Its byte offset in the text.
    pub offset: usize,
    /// The character.
    pub character: char,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Control,
    Direction,
    Invisible,
    LooksLatin,
}

impl fmt::Display for Deceptive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = u32::from(self.character);
        match self.kind {
            Kind::Control => write!(f, "the control character U+{code:04X}; remove it"),
            Kind::Direction => write!(
                f,
                "the mark U+{code:04X}, which turns the direction of reading; remove it"
            ),
            Kind::Invisible => write!(f, "the invisible character U+{code:04X}; remove it"),
            Kind::LooksLatin => write!(
                f,
                "\"{}\" (U+{code:04X}), which is not a Latin letter but may look like one; write \
                 the Latin one",
                self.character
            ),
        }
    }
}

/// The first character of a text in a Latin alphabet that deceives its readers.
#[must_use]
pub fn deceptive(text: &str) -> Option<Deceptive> {
    text.char_indices().find_map(|(offset, character)| {
        let kind = kind(character)?;
        Some(Deceptive {
            offset,
            character,
            kind,
        })
    })
}

fn kind(c: char) -> Option<Kind> {
    match c {
        '\n' | '\t' => None,
        c if c.is_control() => Some(Kind::Control),
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Some(Kind::Direction)
        }
        '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' => {
            Some(Kind::Invisible)
        }
        // Greek, Cyrillic, Armenian and Cherokee letters; full-width forms; mathematical letters.
        '\u{370}'..='\u{58F}'
        | '\u{13A0}'..='\u{13FF}'
        | '\u{1F00}'..='\u{1FFF}'
        | '\u{FF01}'..='\u{FF5E}'
        | '\u{1D400}'..='\u{1D7FF}' => Some(Kind::LooksLatin),
        _ => None,
    }
}

/// Whether a phone would make a link of a word, or a person take it for one.
#[must_use]
pub fn looks_like_a_link(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let lower = word.to_lowercase();
    if lower.contains("://") || lower.starts_with("www.") {
        return true;
    }
    let host = lower.split(['/', '?', ':']).next().unwrap_or_default();
    let Some((before, ending)) = host.rsplit_once('.') else {
        return false;
    };
    // A full stop without a space before a capital is a slip, not a domain: "St.Hanshaugen".
    let written_small = word
        .get(before.len() + 1..)
        .is_some_and(|ending| ending.starts_with(|c: char| c.is_ascii_lowercase()));
    let like_a_domain = before.chars().count() >= 2
        && (2..=10).contains(&ending.len())
        && ending.chars().all(|c| c.is_ascii_lowercase());
    (!before.is_empty() && LINK_ENDINGS.contains(&ending)) || (written_small && like_a_domain)
}

/// Whether operators carry a name as the sender of an SMS, and people read it as one.
///
/// # Errors
/// Why not, and what to do.
pub fn sender_id(name: &str) -> Result<(), String> {
    if name.chars().count() > SENDER_CHARS_MAX {
        return Err(format!(
            "\"{name}\" is longer than {SENDER_CHARS_MAX} characters; operators refuse such senders"
        ));
    }
    if let Some(odd) = name
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != ' ')
    {
        return Err(format!(
            "\"{name}\" has \"{odd}\"; as the sender of an SMS only A-Z, a-z, 0-9 and space arrive \
             everywhere"
        ));
    }
    if !name.chars().any(|c| c.is_ascii_alphabetic()) {
        return Err(format!(
            "\"{name}\" has no letter; phones would show it as a number to call"
        ));
    }
    Ok(())
}

#[cfg(test)]
#[path = "deception/tests.rs"]
mod tests;
