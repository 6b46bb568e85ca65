//! SHA-256 with a label in front and every part framed, so that no two uses and no two splits share an input.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A SHA-256 digest: block hashes, state roots, ledger ids.
pub type Hash = [u8; 32];

/// Digest of `label` and `parts`, each with its length before it.
pub(crate) fn hash(label: &[u8], parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in core::iter::once(&label).chain(parts) {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Serialises a hash as lower-case hex, the form in which people compare it.
pub(crate) fn serialize_hex<S: serde::Serializer>(value: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(value))
}

/// Most characters of a wrong text that an error shows.
const SHOWN: usize = 80;

/// 32 bytes that people see as 64 hexadecimal digits: keys and hashes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex32(pub [u8; 32]);

/// "A key or hash is 64 hexadecimal digits."
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{found:?} is no key or hash: give 64 hexadecimal digits")]
pub struct NoHex32 {
    /// The text, cut.
    pub found: String,
}

impl fmt::Display for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hex32 {
    type Err = NoHex32;

    fn from_str(text: &str) -> Result<Self, NoHex32> {
        let mut bytes = [0u8; 32];
        match hex::decode_to_slice(text.trim(), &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => {
                let more = if text.chars().count() > SHOWN { "…" } else { "" };
                Err(NoHex32 { found: text.chars().take(SHOWN).chain(more.chars()).collect() })
            }
        }
    }
}

impl TryFrom<String> for Hex32 {
    type Error = NoHex32;

    fn try_from(text: String) -> Result<Self, NoHex32> {
        text.parse()
    }
}

impl From<Hex32> for String {
    fn from(value: Hex32) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_64_hexadecimal_digits_are_a_hash() {
        let text = "0f".repeat(32);
        assert_eq!(text.parse::<Hex32>().expect("64 digits").to_string(), text);
        for wrong in [&text[1..], "", &"zz".repeat(32)] {
            assert_eq!(wrong.parse::<Hex32>(), Err(NoHex32 { found: wrong.to_owned() }));
        }
        let long = "a".repeat(100).parse::<Hex32>().expect_err("too long");
        assert_eq!(long.found.chars().count(), 81);
    }

    #[test]
    fn parts_are_framed_and_labels_separate() {
        assert_ne!(hash(b"l", &[b"ab", b"c"]), hash(b"l", &[b"a", b"bc"]));
        assert_ne!(hash(b"l", &[b"ab"]), hash(b"m", &[b"ab"]));
        assert_ne!(hash(b"l", &[b""]), hash(b"l", &[]));
    }
}
