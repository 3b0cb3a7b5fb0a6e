//! What an SMS costs: its encoding and its parts.
//!
//! Rules and limits: 3GPP TS 23.038 (GSM 7-bit default alphabet and its extension, UCS-2) and TS
//! 23.040 (concatenation with a six-byte user data header). National shift tables are left out:
//! there is none for the languages we write, and HTTP gateways do not offer them.

use unicode_normalization::UnicodeNormalization;

/// How the text travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Encoding {
    /// Septets of the GSM 7-bit default alphabet; extension characters cost two.
    Gsm7,
    /// 16-bit units of UTF-16.
    Ucs2,
}

super::message::words!(Encoding { Gsm7 => "gsm7", Ucs2 => "ucs2" });

/// The size of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// How it travels.
    pub encoding: Encoding,
    /// Its length in septets (GSM-7) or 16-bit units (UCS-2).
    pub units: usize,
    /// How many parts an operator bills.
    pub parts: usize,
    /// The characters that force UCS-2, with their byte offsets; empty for GSM-7.
    pub forced_by: Vec<(usize, char)>,
}

impl Encoding {
    /// The units of a text that travels alone: 140 bytes of user data.
    const fn alone(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// The units of one part of several: six bytes go to the header (TS 23.040, 9.2.3.24.1).
    const fn part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }

    fn width(self, c: char) -> usize {
        match self {
            Self::Gsm7 => septets(c).unwrap_or(1),
            Self::Ucs2 => c.len_utf16(),
        }
    }
}

/// Counts a text as it stands. An empty text is one part of no units.
#[must_use]
pub fn segments(text: &str) -> Segments {
    let foreign = text.char_indices().filter(|(_, c)| septets(*c).is_none());
    let forced_by: Vec<(usize, char)> = foreign.collect();
    let encoding = if forced_by.is_empty() {
        Encoding::Gsm7
    } else {
        Encoding::Ucs2
    };
    let widths = || text.chars().map(|c| encoding.width(c));
    let units = widths().sum();
    let parts = if units <= encoding.alone() {
        1
    } else {
        parts(widths(), encoding.part())
    };
    Segments {
        encoding,
        units,
        parts,
        forced_by,
    }
}

/// Fills parts in order. A character of two units (an escaped septet, a surrogate pair) never
/// straddles a boundary: it opens the next part and leaves one unit of the last one empty.
fn parts(widths: impl Iterator<Item = usize>, limit: usize) -> usize {
    let mut parts = 1;
    let mut filled = 0;
    for width in widths {
        if filled + width > limit {
            parts += 1;
            filled = 0;
        }
        filled += width;
    }
    parts
}

/// What a character costs in the GSM 7-bit default alphabet (TS 23.038, 6.2.1) or its extension
/// table (6.2.1.1), or `None` if it is in neither.
fn septets(c: char) -> Option<usize> {
    match u8::try_from(c) {
        Ok(low) => LOW[usize::from(low)],
        Err(_) => looked_up(c),
    }
}

/// The answers for the characters that nearly every text is made of: each text is counted anew before it leaves.
static LOW: [Option<usize>; 256] = {
    let mut low = [None; 256];
    let mut code = 0;
    while code < low.len() {
        low[code] = looked_up(code as u8 as char);
        code += 1;
    }
    low
};

const fn looked_up(c: char) -> Option<usize> {
    match c {
        '\n' | '\r' | ' '..='#' | '%'..='?' | 'A'..='Z' | 'a'..='z' | '@' | '$' | '_' => Some(1),
        '£' | '¥' | '¤' | '§' | '¡' | '¿' => Some(1),
        'è' | 'é' | 'ù' | 'ì' | 'ò' | 'à' | 'É' | 'Ç' | 'ñ' | 'Ñ' | 'ß' => Some(1),
        'Æ' | 'æ' | 'Ø' | 'ø' | 'Å' | 'å' | 'Ä' | 'ä' | 'Ö' | 'ö' | 'Ü' | 'ü' => {
            Some(1)
        }
        'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' => Some(1),
        '\u{c}' | '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' => Some(2),
        _ => None,
    }
}

/// Replaces typography that doubles the bill and says nothing more (dashes, quotation marks,
/// ellipsis, hard and thin spaces, zero-width characters), after bringing the text to NFC. Letters
/// are never touched.
#[must_use]
pub fn fold_typography(text: &str) -> String {
    // What has no width goes first: between a letter and its accent it would hinder NFC.
    let visible = text.chars().filter(|c| !has_no_width(*c));
    let mut folded = String::with_capacity(text.len());
    for c in visible.nfc() {
        match plain(c) {
            Some(plain) => folded.push_str(plain),
            None => folded.push(c),
        }
    }
    folded
}

fn has_no_width(c: char) -> bool {
    matches!(
        c,
        '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FEFF}'
    )
}

fn plain(c: char) -> Option<&'static str> {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '•' => Some("-"),
        '«' | '»' | '“' | '”' | '„' | '‟' | '″' => Some("\""),
        '‘' | '’' | '‚' | '‛' | '‹' | '›' | '′' | '`' | '´' => Some("'"),
        '…' => Some("..."),
        '\t' | '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}' => {
            Some(" ")
        }
        '\u{2028}' | '\u{2029}' => Some("\n"),
        _ => None,
    }
}

#[cfg(test)]
#[path = "segments/tests.rs"]
mod tests;
