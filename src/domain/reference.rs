//! The short code in a message with which a person and the phone desk find the same notice.
//!
//! Six characters of an alphabet without look-alikes, the last one a check character. It is drawn
//! at random, is not the booking number, and is not the key that gateways de-duplicate by.

use std::fmt;
use std::str::FromStr;

/// Letters and digits that cannot be mistaken for one another, read aloud or written by hand.
const ALPHABET: &[u8; 21] = b"2346789CFGHJKMPQRTVWX";

/// Weights of the check sum modulo 21. Each is coprime to 21, and so is each difference of two
/// neighbours: one wrong character and two swapped neighbours are both noticed.
const WEIGHTS: [usize; 6] = [8, 10, 5, 4, 2, 1];

/// A reference with a valid check character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference([u8; 6]);

impl Reference {
    /// The reference that follows from a random number; only its first 22 bits matter.
    #[must_use]
    pub fn draw(entropy: u64) -> Self {
        let mut rest = entropy;
        let mut places = [0usize; 6];
        for place in places.iter_mut().take(5) {
            *place = usize::try_from(rest % 21).unwrap_or_default();
            rest /= 21;
        }
        let sum: usize = places
            .iter()
            .zip(WEIGHTS)
            .map(|(place, weight)| place * weight)
            .sum();
        places[5] = (21 - sum % 21) % 21;
        Self(places.map(|place| ALPHABET[place]))
    }

    /// The six characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("every character is of the ASCII alphabet")
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text is not a reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAReference {
    /// It has another length, or a character that references do not use.
    #[error("a reference has six characters of 2346789CFGHJKMPQRTVWX")]
    Form,
    /// The check character does not fit: it was misread, misheard or invented.
    #[error("this reference was never issued: its check character does not fit")]
    Check,
}

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let upper = text.trim().to_ascii_uppercase();
        let bytes: [u8; 6] = upper
            .as_bytes()
            .try_into()
            .map_err(|_| NotAReference::Form)?;
        let mut sum = 0;
        for (byte, weight) in bytes.iter().zip(WEIGHTS) {
            let place = ALPHABET
                .iter()
                .position(|c| c == byte)
                .ok_or(NotAReference::Form)?;
            sum += place * weight;
        }
        if sum % 21 == 0 {
            Ok(Self(bytes))
        } else {
            Err(NotAReference::Check)
        }
    }
}
