//! SHA-256 with a label in front and every part framed, so that no two uses and no two splits share an input.

use sha2::{Digest, Sha256};

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_framed_and_labels_separate() {
        assert_ne!(hash(b"l", &[b"ab", b"c"]), hash(b"l", &[b"a", b"bc"]));
        assert_ne!(hash(b"l", &[b"ab"]), hash(b"m", &[b"ab"]));
        assert_ne!(hash(b"l", &[b""]), hash(b"l", &[]));
    }
}
