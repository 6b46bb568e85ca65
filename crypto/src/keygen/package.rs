//! A dealer's public package: its encoding and everything that is checked about it alone.

use super::{KeyGenContext, KeyGenError, read_number};
use crate::group::{PointBytes, decode_point};
use crate::labels;
use crate::schnorr::{SignatureBytes, SigningKey, VerifyingKey};
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::ristretto::RistrettoPoint;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use rayon::prelude::*;

/// What a dealer puts on the ledger: the commitments to its polynomials, the proofs of knowledge of their constant
/// terms, and its signature over all of it. Untrusted until [`super::public_keys`] has accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealerPackage {
    /// The dealer, 1..=n.
    pub dealer: u16,
    /// For each key the commitments to t coefficients, constant term first.
    pub commitments: Vec<Vec<PointBytes>>,
    /// For each key the proof of knowledge of the constant term.
    pub proofs: Vec<SignatureBytes>,
    /// The dealer's signature over context and package.
    pub signature: SignatureBytes,
}

impl DealerPackage {
    /// Signs the package anew with the dealer's key.
    pub fn sign(&mut self, ctx: &KeyGenContext, key: &SigningKey, rng: &mut impl CryptoRngCore) {
        self.signature = key.sign(&mut self.transcript(ctx), rng);
    }

    /// Canonical encoding: dealer, the keys' commitments (list of lists), the proofs, the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write_unsigned(&mut w);
        w.bytes(&self.signature);
        w.finish()
    }

    /// Decodes a package for a session; nothing is checked but the shape.
    ///
    /// # Errors
    /// [`WireError`] unless there are exactly the session's number of keys, t commitments and a proof for each.
    pub fn from_bytes(bytes: &[u8], ctx: &KeyGenContext) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let dealer = read_number(&mut r, "dealer")?;
        let keys = exactly(&mut r, "keys", ctx.key_count(), 32 * ctx.coefficients())?;
        let mut commitments = Vec::with_capacity(keys);
        for _ in 0..keys {
            let count = exactly(&mut r, "commitments of a key", ctx.coefficients(), 32)?;
            let points = (0..count).map(|_| r.array("commitment")).collect::<Result<_, _>>()?;
            commitments.push(points);
        }
        let count = exactly(&mut r, "proofs", ctx.key_count(), 64)?;
        let proofs = (0..count).map(|_| r.array("proof")).collect::<Result<_, _>>()?;
        let signature = r.array("signature")?;
        r.finish()?;
        Ok(Self { dealer, commitments, proofs, signature })
    }

    fn write_unsigned(&self, w: &mut Writer) {
        w.u16(self.dealer).length(self.commitments.len());
        for points in &self.commitments {
            w.length(points.len()).bytes(points.as_flattened());
        }
        w.length(self.proofs.len()).bytes(self.proofs.as_flattened());
    }

    fn transcript(&self, ctx: &KeyGenContext) -> Transcript {
        let mut w = Writer::new();
        self.write_unsigned(&mut w);
        let mut t = ctx.transcript(labels::KEYGEN_PACKAGE, self.dealer);
        t.append_message(b"package", &w.finish());
        t
    }

    /// Checks the signature first, so that every later fault is the dealer's own, then shape, points and proofs.
    /// Returns the points, key by key.
    pub(super) fn verify(
        &self,
        ctx: &KeyGenContext,
        dealer_key: &VerifyingKey,
    ) -> Result<Vec<Vec<RistrettoPoint>>, KeyGenError> {
        self.check_signature(ctx, dealer_key)?;
        self.check_content(ctx)
    }

    /// Whether the dealer that the package names has signed it for this session.
    pub(super) fn check_signature(
        &self,
        ctx: &KeyGenContext,
        dealer_key: &VerifyingKey,
    ) -> Result<(), KeyGenError> {
        let signed = dealer_key.verify(&mut self.transcript(ctx), &self.signature);
        signed.map_err(|_| KeyGenError::Signature { dealer: self.dealer })
    }

    /// Shape, points and proofs.
    pub(super) fn check_content(&self, ctx: &KeyGenContext) -> Result<Vec<Vec<RistrettoPoint>>, KeyGenError> {
        let dealer = self.dealer;
        let points = self.points(ctx)?;
        let base = ctx.transcript(labels::KEYGEN_PROOF, dealer);
        let first_false = (0..ctx.keys)
            .into_par_iter()
            .zip(&self.commitments)
            .zip(&self.proofs)
            .find_first(|((key, commitments), proof)| !proof_holds(&base, *key, commitments, proof));
        match first_false {
            Some(((key, _), _)) => Err(KeyGenError::Proof { dealer, key }),
            None => Ok(points),
        }
    }

    /// The shape and the decoded commitments, key by key; the first fault in the order of keys is named.
    pub(super) fn points(&self, ctx: &KeyGenContext) -> Result<Vec<Vec<RistrettoPoint>>, KeyGenError> {
        let (dealer, found, proofs) = (self.dealer, self.commitments.len(), self.proofs.len());
        if found != ctx.key_count() || proofs != ctx.key_count() {
            return Err(KeyGenError::KeyCount { dealer, found, proofs, expected: ctx.keys });
        }
        let decoded: Vec<Result<_, KeyGenError>> = (0..ctx.keys)
            .into_par_iter()
            .zip(&self.commitments)
            .map(|(key, commitments)| decode_commitments(ctx, dealer, key, commitments))
            .collect();
        // Sequential, because a parallel `collect` into a `Result` gives any of the errors.
        decoded.into_iter().collect()
    }
}

/// Reads a list length that must be `expected`.
pub(super) fn exactly(
    r: &mut Reader<'_>,
    field: &'static str,
    expected: usize,
    entry_bytes: usize,
) -> Result<usize, WireError> {
    if r.length(field, expected, entry_bytes)? == expected {
        Ok(expected)
    } else {
        Err(WireError::Invalid { field, why: "less entries than the session asks for" })
    }
}

fn decode_commitments(
    ctx: &KeyGenContext,
    dealer: u16,
    key: u32,
    commitments: &[PointBytes],
) -> Result<Vec<RistrettoPoint>, KeyGenError> {
    let found = commitments.len();
    if found != ctx.coefficients() {
        return Err(KeyGenError::CommitmentCount { dealer, key, found, expected: ctx.threshold });
    }
    let decode = |(coefficient, bytes): (u16, &PointBytes)| {
        decode_point("commitment", bytes).map_err(|source| KeyGenError::Commitment {
            dealer,
            key,
            coefficient,
            source,
        })
    };
    (0..ctx.threshold).zip(commitments).map(decode).collect()
}

/// The statement of a proof of knowledge: context and dealer (in `base`), the key's index and all its commitments.
pub(super) fn constant_transcript(base: &Transcript, key: u32, commitments: &[PointBytes]) -> Transcript {
    let mut t = base.clone();
    t.append_u64(b"key", key.into());
    t.append_message(b"commitments", commitments.as_flattened());
    t
}

fn proof_holds(base: &Transcript, key: u32, commitments: &[PointBytes], proof: &SignatureBytes) -> bool {
    let constant = commitments.first().and_then(|bytes| VerifyingKey::from_bytes(bytes).ok());
    constant.is_some_and(|a| a.verify(&mut constant_transcript(base, key, commitments), proof).is_ok())
}
