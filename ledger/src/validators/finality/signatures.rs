//! Many Ed25519 signatures in one multiscalar multiplication.
//!
//! Signature (R_i, s_i) of key A_i over m_i holds when 8·(s_i·B − R_i − k_i·A_i) is the identity, k_i = SHA-512(R_i ‖ A_i ‖ m_i) (ZIP 215,
//! ADR 0027). The batch checks
//!
//! ```text
//! 8·( −Σ z_i·s_i·B + Σ z_i·R_i + Σ z_i·k_i·A_i )  =  the identity
//! ```
//!
//! with weights z_i of 128 bits that follow from all keys, signatures and messages. The factor 8 makes the batch agree with each
//! signature by itself; a false one passes with probability 2^-128. Terms of one key are added before they are multiplied.

use super::keys::ConsensusKeyBytes;
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256, Sha512};
use std::collections::BTreeMap;
use veilgrid_crypto::labels;

/// Signatures that are checked together.
#[derive(Default)]
pub(super) struct Batch(Vec<Item>);

struct Item {
    key: ConsensusKeyBytes,
    announcement: [u8; 32],
    response: [u8; 32],
    challenge: Scalar,
}

impl Batch {
    pub(super) fn add(&mut self, key: &ConsensusKeyBytes, message: &[u8], signature: &[u8; 64]) {
        let (mut announcement, mut response) = ([0; 32], [0; 32]);
        announcement.copy_from_slice(&signature[..32]);
        response.copy_from_slice(&signature[32..]);
        let hash = Sha512::new().chain_update(announcement).chain_update(key).chain_update(message);
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        self.0.push(Item { key: *key, announcement, response, challenge });
    }

    /// Whether all of them hold.
    pub(super) fn holds(&self) -> bool {
        self.is_identity().unwrap_or(false)
    }

    /// None for bytes that are no point or no canonical scalar.
    fn is_identity(&self) -> Option<bool> {
        let mut weights = ChaCha20Rng::from_seed(self.seed());
        let (mut of_keys, mut of_base) = (BTreeMap::new(), Scalar::ZERO);
        let (mut scalars, mut points) = (Vec::new(), Vec::new());
        for item in &self.0 {
            let mut bytes = [0u8; 32];
            weights.fill_bytes(&mut bytes[..16]);
            let weight = Scalar::from_bytes_mod_order(bytes);
            of_base -= weight * Option::<Scalar>::from(Scalar::from_canonical_bytes(item.response))?;
            *of_keys.entry(item.key).or_insert(Scalar::ZERO) += weight * item.challenge;
            scalars.push(weight);
            points.push(CompressedEdwardsY(item.announcement).decompress()?);
        }
        for (key, scalar) in of_keys {
            scalars.push(scalar);
            points.push(CompressedEdwardsY(key).decompress()?);
        }
        scalars.push(of_base);
        points.push(ED25519_BASEPOINT_POINT);
        let sum = EdwardsPoint::vartime_multiscalar_mul(&scalars, &points);
        Some(sum.mul_by_cofactor().is_identity())
    }

    /// The challenges stand for the messages.
    fn seed(&self) -> [u8; 32] {
        let mut seed = Sha256::new_with_prefix(labels::CERTIFICATES);
        for Item { key, announcement, response, challenge } in &self.0 {
            seed.update(key);
            seed.update(announcement);
            seed.update(response);
            seed.update(challenge.as_bytes());
        }
        seed.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_zebra::{SigningKey, VerificationKey};

    fn alone(key: &ConsensusKeyBytes, message: &[u8], signature: &[u8; 64]) -> bool {
        VerificationKey::try_from(*key).is_ok_and(|key| key.verify(&(*signature).into(), message).is_ok())
    }

    /// The eight points whose order divides the cofactor, in every encoding that decodes to them (ZIP 215).
    fn small_points() -> Vec<[u8; 32]> {
        let canonical = curve25519_dalek::constants::EIGHT_TORSION.map(|point| point.compress().0);
        let mut encodings = canonical.to_vec();
        // y = 1 as p + 1, y = 0 as p, each with both signs.
        for low in [0xee, 0xed] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, 0x7f);
            encodings.push(bytes);
            bytes[31] = 0xff;
            encodings.push(bytes);
        }
        encodings
    }

    /// Where verifiers of Ed25519 differ from each other, a batch and the signature by itself have to agree: small keys,
    /// small and not canonical points, s beyond the order.
    #[test]
    fn a_batch_agrees_with_each_signature_where_verifiers_differ() {
        let honest = SigningKey::from([3; 32]);
        let honest_key: [u8; 32] = VerificationKey::from(&honest).into();
        let (mut accepted, mut refused) = (0, 0);
        for key in small_points().into_iter().chain([honest_key]) {
            for announcement in small_points() {
                for response in [Scalar::ZERO.to_bytes(), Scalar::ONE.to_bytes(), ORDER] {
                    let mut signature = [0; 64];
                    signature[..32].copy_from_slice(&announcement);
                    signature[32..].copy_from_slice(&response);
                    let expected = alone(&key, b"message", &signature);
                    let mut batch = Batch::default();
                    batch.add(&key, b"message", &signature);
                    assert_eq!(batch.holds(), expected, "alone");
                    batch.add(&honest_key, b"other", &honest.sign(b"other").to_bytes());
                    assert_eq!(batch.holds(), expected, "beside a true one");
                    accepted += usize::from(expected);
                    refused += usize::from(!expected);
                }
            }
        }
        assert!(accepted > 50 && refused > 50, "{accepted} accepted, {refused} refused");
    }

    /// ℓ, little-endian: zero in an encoding that is not canonical.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
}
