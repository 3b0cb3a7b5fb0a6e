//! The public keys of those who may sign lists.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What stands before the 32 bytes of an Ed25519 key in its usual wrapping (RFC 8410, 4).
const WRAPPING: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A key that may sign lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListKey {
    /// Whose it is.
    pub name: String,
    /// The Ed25519 public key.
    pub key: [u8; 32],
}

/// Reads a public key: base64 of its 32 bytes, bare or in the wrapping that OpenSSL writes.
pub(super) fn read(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    let bare = bytes.strip_prefix(&WRAPPING[..]).unwrap_or(&bytes);
    bare.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_bare_and_as_openssl_writes_it() {
        let wrapped = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let bare = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
        let key = read(wrapped).unwrap();
        assert_eq!(read(bare), Some(key));
        assert_eq!((key[0], key[31]), (0xd7, 0x1a));
        for no_key in ["", "11qY", "not base64", &wrapped[4..]] {
            assert_eq!(read(no_key), None, "{no_key}");
        }
    }
}
