//! Points and scalars from bytes: canonical encodings only, the identity refused on the wire.

use crate::labels;
use crate::wire::WireError;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use merlin::Transcript;
use sha2::{Digest, Sha512};

/// Canonical encoding of a group element.
pub type PointBytes = [u8; 32];
/// Canonical encoding of a scalar.
pub type ScalarBytes = [u8; 32];

/// Decodes a point; a non-canonical encoding and the identity are refused.
pub fn decode_point(field: &'static str, bytes: &PointBytes) -> Result<RistrettoPoint, WireError> {
    let point = CompressedRistretto(*bytes)
        .decompress()
        .ok_or(WireError::Invalid { field, why: "not a canonical Ristretto point" })?;
    if point.is_identity() {
        return Err(WireError::Invalid { field, why: "the identity is not allowed here" });
    }
    Ok(point)
}

/// Decodes a point that may be the identity, as sums may: 32 zero bytes.
pub fn decode_any_point(field: &'static str, bytes: &PointBytes) -> Result<RistrettoPoint, WireError> {
    if *bytes == [0; 32] { Ok(RistrettoPoint::identity()) } else { decode_point(field, bytes) }
}

/// Decodes a scalar below the group order; `s + ℓ` encodings are refused.
pub fn decode_scalar(field: &'static str, bytes: &ScalarBytes) -> Result<Scalar, WireError> {
    Option::from(Scalar::from_canonical_bytes(*bytes))
        .ok_or(WireError::Invalid { field, why: "not a canonical scalar" })
}

/// Canonical encoding of a point.
pub fn encode_point(point: &RistrettoPoint) -> PointBytes {
    point.compress().0
}

/// Hashes a label to a point whose discrete logarithm nobody knows.
pub fn hash_to_point(label: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&Sha512::digest(label).into())
}

/// A signed integer as a scalar.
pub fn scalar_from_i64(value: i64) -> Scalar {
    let magnitude = Scalar::from(value.unsigned_abs());
    if value < 0 { -magnitude } else { magnitude }
}

/// The value base V.
pub fn value_base() -> RistrettoPoint {
    hash_to_point(labels::BASE_VALUE)
}

/// The blinding base B.
pub fn blinding_base() -> RistrettoPoint {
    hash_to_point(labels::BASE_BLINDING)
}

/// What the protocol's transcripts share: a challenge is 64 bytes reduced modulo the group order.
pub trait TranscriptExt {
    /// Draws a challenge scalar.
    fn challenge_scalar(&mut self, label: &'static [u8]) -> Scalar;
}

impl TranscriptExt for Transcript {
    fn challenge_scalar(&mut self, label: &'static [u8]) -> Scalar {
        let mut bytes = [0u8; 64];
        self.challenge_bytes(label, &mut bytes);
        Scalar::from_bytes_mod_order_wide(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;

    /// The group order ℓ, little-endian.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    #[test]
    fn identity_and_non_canonical_are_refused() {
        assert!(decode_point("p", &[0; 32]).is_err());
        assert!(decode_point("p", &[0xff; 32]).is_err());
        assert!(decode_scalar("s", &ORDER).is_err());
        assert_eq!(decode_scalar("s", &[0; 32]), Ok(Scalar::ZERO));
    }

    #[test]
    fn bases_are_distinct() {
        assert_ne!(value_base(), blinding_base());
        assert_ne!(value_base(), RISTRETTO_BASEPOINT_POINT);
        assert_ne!(blinding_base(), RISTRETTO_BASEPOINT_POINT);
    }
}
