//! Schnorr signatures on Ristretto255 inside of a caller's transcript.
//!
//! The caller absorbs everything that is signed, the public key comes next, then the announcement N = k·G; the
//! response is s = k + c·a for the challenge c. The verification equation is s·G = N + c·A, which is linear in all
//! points, so that a bid's signature joins the batch of its proof (`bid::batch`).

use crate::absorb::Absorb;
use crate::group::{PointBytes, TranscriptExt, decode_point, decode_scalar, encode_point};
use crate::secret::Secret;
use crate::wire::WireError;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// A signature: announcement N and response s, 32 bytes each.
pub type SignatureBytes = [u8; 64];

/// The signature does not belong to this key and these bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the signature does not match the signed bytes and the key")]
pub struct SignatureInvalid;

/// A signing key a with its public key A = a·G.
#[derive(Clone, Debug)]
pub struct SigningKey {
    secret: Secret<Scalar>,
    public: VerifyingKey,
}

/// A public key A, never the identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    point: RistrettoPoint,
    bytes: PointBytes,
}

impl SigningKey {
    /// A fresh key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        loop {
            if let Some(key) = Self::from_scalar(Secret::new(Scalar::random(rng))) {
                return key;
            }
        }
    }

    /// The key of a given secret scalar; none for zero, whose public key is the identity.
    pub fn from_scalar(secret: Secret<Scalar>) -> Option<Self> {
        if *secret.expose() == Scalar::ZERO {
            return None;
        }
        let point = secret.expose() * RISTRETTO_BASEPOINT_TABLE;
        Some(Self { secret, public: VerifyingKey { point, bytes: encode_point(&point) } })
    }

    /// The public key.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.public
    }

    /// The secret scalar, for proofs that use the same key.
    pub fn secret(&self) -> &Secret<Scalar> {
        &self.secret
    }

    /// Signs everything that `transcript` has absorbed. The nonce depends on the secret, the whole transcript and
    /// the random source, so neither a repeated nor a weak source alone gives the key away.
    pub fn sign(&self, transcript: &mut Transcript, rng: &mut impl CryptoRngCore) -> SignatureBytes {
        transcript.append_message(b"signer", &self.public.bytes);
        let nonce = Secret::new(Scalar::random(
            &mut transcript
                .build_rng()
                .rekey_with_witness_bytes(b"signing-key", self.secret.expose().as_bytes())
                .finalize(rng),
        ));
        let announcement = encode_point(&(nonce.expose() * RISTRETTO_BASEPOINT_TABLE));
        transcript.append_message(b"announcement", &announcement);
        let challenge = transcript.challenge_scalar(b"signature-challenge");
        let response = nonce.expose() + challenge * self.secret.expose();
        let mut signature = [0u8; 64];
        signature[..32].copy_from_slice(&announcement);
        signature[32..].copy_from_slice(response.as_bytes());
        signature
    }
}

/// A decoded signature with its challenge: the statement `response·G = announcement + challenge·key`.
pub struct SignatureStatement {
    /// N as encoded.
    pub announcement: PointBytes,
    /// c.
    pub challenge: Scalar,
    /// s.
    pub response: Scalar,
}

impl VerifyingKey {
    /// Decodes a key; the identity is refused.
    pub fn from_bytes(bytes: &PointBytes) -> Result<Self, WireError> {
        Ok(Self { point: decode_point("public key", bytes)?, bytes: *bytes })
    }

    /// Canonical encoding.
    pub fn to_bytes(&self) -> PointBytes {
        self.bytes
    }

    /// The point A.
    pub fn point(&self) -> &RistrettoPoint {
        &self.point
    }

    /// Replays the signer's transcript and returns the equation that is left to check.
    pub fn signature_statement(
        key: &PointBytes,
        transcript: &mut Transcript,
        signature: &SignatureBytes,
    ) -> Result<SignatureStatement, WireError> {
        Self::statement_on(key, transcript, signature)
    }

    /// [`Self::signature_statement`] on whatever absorbs.
    pub(crate) fn statement_on(
        key: &PointBytes,
        transcript: &mut impl Absorb,
        signature: &SignatureBytes,
    ) -> Result<SignatureStatement, WireError> {
        let announcement: PointBytes = signature[..32].try_into().expect("32 of 64 bytes");
        let response =
            decode_scalar("signature response", &signature[32..].try_into().expect("32 of 64 bytes"))?;
        transcript.absorb(b"signer", key);
        transcript.absorb(b"announcement", &announcement);
        let challenge = transcript.draw_scalar(b"signature-challenge");
        Ok(SignatureStatement { announcement, challenge, response })
    }

    /// Checks a signature over everything that `transcript` has absorbed.
    pub fn verify(
        &self,
        transcript: &mut Transcript,
        signature: &SignatureBytes,
    ) -> Result<(), SignatureInvalid> {
        let statement =
            Self::signature_statement(&self.bytes, transcript, signature).map_err(|_| SignatureInvalid)?;
        // s·G − c·A re-encoded: comparing encodings also refuses a non-canonical announcement.
        let expected = RistrettoPoint::vartime_double_scalar_mul_basepoint(
            &-statement.challenge,
            &self.point,
            &statement.response,
        );
        if encode_point(&expected) == statement.announcement { Ok(()) } else { Err(SignatureInvalid) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn transcript(message: &[u8]) -> Transcript {
        let mut t = Transcript::new(b"schnorr test");
        t.append_message(b"m", message);
        t
    }

    #[test]
    fn every_bit_of_message_key_and_signature_matters() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let key = SigningKey::generate(&mut rng);
        let signature = key.sign(&mut transcript(b"message"), &mut rng);
        let public = key.verifying_key();
        assert_eq!(public.verify(&mut transcript(b"message"), &signature), Ok(()));
        assert_eq!(public.verify(&mut transcript(b"messagf"), &signature), Err(SignatureInvalid));
        let other = SigningKey::generate(&mut rng).verifying_key();
        assert_eq!(other.verify(&mut transcript(b"message"), &signature), Err(SignatureInvalid));
        for byte in 0..64 {
            let mut changed = signature;
            changed[byte] ^= 1;
            assert_eq!(
                public.verify(&mut transcript(b"message"), &changed),
                Err(SignatureInvalid),
                "byte {byte}"
            );
        }
    }

    #[test]
    fn same_random_source_still_gives_different_nonces() {
        let key = SigningKey::generate(&mut ChaCha20Rng::seed_from_u64(1));
        let a = key.sign(&mut transcript(b"a"), &mut ChaCha20Rng::seed_from_u64(2));
        let b = key.sign(&mut transcript(b"b"), &mut ChaCha20Rng::seed_from_u64(2));
        assert_ne!(a[..32], b[..32]);
    }
}
