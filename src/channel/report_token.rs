//! The token that names an attempt in a callback URL: nobody but us can make one.
//!
//! A gateway's report is believed because it shows the token of an attempt. The token says nothing
//! about the person or the message, and knowing one gives no other.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How much of the MAC a token carries: 128 bits, above the 96 that NIST SP 800-107 r1 (5.3.3) calls
/// comfortable for a truncated HMAC.
const MAC_BYTES: usize = 16;

/// The hexadecimal digits of a nonce.
const NONCE_DIGITS: usize = 8;

/// Keeps these MACs apart from any other use of the same secret.
const PURPOSE: &[u8] = b"varsel report token 2\0";

/// What a token names: one attempt, by its number and by the nonce of its claim. After a backup was
/// restored the number may be given out once more, and the nonce tells the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// The number of the attempt.
    pub attempt: i64,
    /// The nonce of its claim.
    pub nonce: u32,
}

/// The token of an attempt: its number, its nonce and a MAC over both, in characters that every URL
/// and every mail address carries unescaped. It is at most 57 of them long: with `bounce+` before
/// it, that is the local part of an address (RFC 5321, 4.5.3.1.1).
#[must_use]
pub fn token(secret: &[u8; 32], named: Named) -> String {
    use std::fmt::Write;
    let tag = mac(secret, named).finalize().into_bytes();
    let mut token = format!("{:x}-{:08x}", named.attempt.cast_unsigned(), named.nonce);
    for byte in tag.iter().take(MAC_BYTES) {
        // Writing to a String cannot fail.
        let _ = write!(token, "{byte:02x}");
    }
    token
}

/// The attempt that a token names, if the token is ours. The MAC is compared in constant time.
#[must_use]
pub fn verify(secret: &[u8; 32], token: &str) -> Option<Named> {
    let (number, rest) = token.split_once('-')?;
    let (nonce, tag) = rest.split_at_checked(NONCE_DIGITS)?;
    let attempt = u64::from_str_radix(number, 16).ok()?.cast_signed();
    let nonce_read = u32::from_str_radix(nonce, 16).ok()?;
    let named = Named {
        attempt,
        nonce: nonce_read,
    };
    // One attempt has one spelling: no sign, no leading zero, no capitals.
    let spelt = (
        format!("{:x}", attempt.cast_unsigned()),
        format!("{nonce_read:08x}"),
    );
    if (spelt.0.as_str(), spelt.1.as_str()) != (number, nonce) {
        return None;
    }
    let tag = read_hex(tag)?;
    mac(secret, named).verify_truncated_left(&tag).ok()?;
    Some(named)
}

fn mac(secret: &[u8; 32], named: Named) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(PURPOSE);
    mac.update(&named.attempt.to_be_bytes());
    mac.update(&named.nonce.to_be_bytes());
    mac
}

fn read_hex(text: &str) -> Option<[u8; MAC_BYTES]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; MAC_BYTES];
    if text.len() != 2 * MAC_BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: [u8; 32] = [7; 32];

    proptest! {
        #[test]
        fn a_token_names_its_attempt_and_is_fit_for_a_url_and_an_address(attempt: i64, nonce: u32) {
            let named = Named { attempt, nonce };
            let token = token(&SECRET, named);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'), "{token}");
            prop_assert!(token.len() <= 57, "{token}");
            prop_assert_eq!(verify(&SECRET, &token), Some(named));
            prop_assert_eq!(verify(&[8; 32], &token), None);
        }

        #[test]
        fn no_change_of_one_character_is_accepted(
            attempt in 0..i64::MAX, nonce: u32, at: usize, to in "[ -~]"
        ) {
            let good = token(&SECRET, Named { attempt, nonce });
            let at = at % good.len();
            let bad = format!("{}{to}{}", &good[..at], &good[at + 1..]);
            prop_assume!(bad != good);
            prop_assert_eq!(verify(&SECRET, &bad), None);
        }

        #[test]
        fn what_is_no_token_is_not_accepted(text in "\\PC*") {
            prop_assert_eq!(verify(&SECRET, &text), None);
        }
    }

    #[test]
    fn an_attempt_has_one_spelling() {
        let named = Named {
            attempt: 0xab,
            nonce: 0xcd,
        };
        let good = token(&SECRET, named);
        assert!(good.starts_with("ab-000000cd"), "{good}");
        for bad in [
            good.replacen("ab", "0ab", 1),
            good.replacen("ab", "+ab", 1),
            good.replacen("-000000cd", "-+00000cd", 1),
            good.replacen("-000000cd", "-cd", 1),
            good.to_uppercase(),
        ] {
            assert_eq!(verify(&SECRET, &bad), None, "{bad}");
        }
        assert_eq!(verify(&SECRET, &good[..good.len() - 2]), None);
        assert_eq!(verify(&SECRET, "ab-"), None);
        assert_eq!(verify(&SECRET, "ab-000000cd"), None);
    }
}
