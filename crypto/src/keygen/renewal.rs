//! Refresh and resharing: dealers deal what they already share, so the keys stay.
//!
//! Refresh (Herzberg, Jarecki, Krawczyk, Yung, CRYPTO 1995): a dealer shares zero under every key, and everybody adds
//! what it gets to its share. Resharing (Desmedt, Jajodia 1997; Wong, Wang, Wing 2002): holder i shares its own share
//! s_{k,i} among the new group with the new threshold, and a new holder's share is Σ λ_i·f_i(j) over t old holders.
//! The weights λ_i are applied when it is known which t dealings count, not by the dealers: a dealer that fails
//! then costs its own dealing and no other one.
//!
//! # Security
//!
//! The constant term of each polynomial is public beforehand — the identity in a refresh, the share key Y_{k,i} in a
//! resharing — and therefore **not part of a package**: a package lists the commitments of the degrees 1..=t' − 1
//! only. A dealer that shares anything else has shares that do not match and is found by their receivers; no package
//! can change a key. No proof of knowledge is needed: what comes out depends on no constant term that a dealer could
//! choose, and n' − f' receivers with matching shares fix every polynomial.

use super::context::{SessionContext, Task};
use super::deal::DealtShares;
use super::package::exactly;
use super::public::ThresholdKeys;
use super::shares::KeyShares;
use super::{KeyGenError, read_number};
use crate::group::{PointBytes, decode_point};
use crate::labels;
use crate::schnorr::{SignatureBytes, SigningKey, VerifyingKey};
use crate::secret::Secret;
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use rayon::prelude::*;

/// What a dealer of a refresh or a resharing puts on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalPackage {
    /// The dealer, 1..=n of the old group.
    pub dealer: u16,
    /// For each key the commitments to the coefficients of the degrees 1..=t' − 1.
    pub commitments: Vec<Vec<PointBytes>>,
    /// The dealer's signature over context and package.
    pub signature: SignatureBytes,
}

/// What a dealer makes for one key.
struct Redealt {
    commitments: Vec<PointBytes>,
    /// The share of receiver i at i − 1.
    shares: Secret<Vec<Scalar>>,
}

/// Deals a refresh as dealer `dealer`: a sharing of zero for every key.
///
/// # Errors
/// [`KeyGenError::Context`] unless `ctx` is sound and of a refresh, [`KeyGenError::UnknownDealer`].
pub fn deal_refresh(
    ctx: &SessionContext,
    key: &SigningKey,
    dealer: u16,
    rng: &mut impl CryptoRngCore,
) -> Result<(RenewalPackage, Vec<DealtShares>), KeyGenError> {
    if ctx.task != Task::Refresh {
        return Err(KeyGenError::Context { why: "the session is no refresh" });
    }
    let zeros = Secret::new(vec![Scalar::ZERO; ctx.key_count()]);
    redeal(ctx, key, dealer, &zeros, rng)
}

/// Deals a resharing as the holder of `shares`: a sharing of its share of every key for the new group.
///
/// # Errors
/// [`KeyGenError::Context`] unless `ctx` is sound and of a resharing, [`KeyGenError::UnknownDealer`] and
/// [`KeyGenError::ShareCount`] for shares of another group or session.
pub fn deal_resharing(
    ctx: &SessionContext,
    key: &SigningKey,
    shares: &KeyShares,
    rng: &mut impl CryptoRngCore,
) -> Result<(RenewalPackage, Vec<DealtShares>), KeyGenError> {
    if ctx.task != Task::Reshare {
        return Err(KeyGenError::Context { why: "the session is no resharing" });
    }
    redeal(ctx, key, shares.index(), shares.scalars(), rng)
}

fn redeal(
    ctx: &SessionContext,
    key: &SigningKey,
    dealer: u16,
    constants: &Secret<Vec<Scalar>>,
    rng: &mut impl CryptoRngCore,
) -> Result<(RenewalPackage, Vec<DealtShares>), KeyGenError> {
    ctx.check()?;
    ctx.generation().check_dealer(dealer)?;
    let found = constants.expose().len();
    if found != ctx.key_count() {
        return Err(KeyGenError::ShareCount { dealer, found, expected: ctx.keys });
    }
    // A generator a key, so that the result does not depend on the number of threads.
    let mut seeds = Secret::new(vec![[0u8; 32]; found]);
    seeds.expose_mut().iter_mut().for_each(|seed| rng.fill_bytes(seed));
    let dealt: Vec<Redealt> = constants
        .expose()
        .par_iter()
        .zip(seeds.expose())
        .map(|(constant, seed)| redeal_key(ctx, constant, ChaCha20Rng::from_seed(*seed)))
        .collect();
    let share_of = |receiver: u16| {
        let mut shares = Secret::new(Vec::with_capacity(found));
        shares.expose_mut().extend(dealt.iter().map(|k| k.shares.expose()[usize::from(receiver) - 1]));
        DealtShares { dealer, receiver, shares }
    };
    let receivers = (1..=ctx.receivers.validators).map(share_of).collect();
    let commitments = dealt.into_iter().map(|k| k.commitments).collect();
    let mut package = RenewalPackage { dealer, commitments, signature: [0; 64] };
    package.sign(ctx, key, rng);
    Ok((package, receivers))
}

/// A fresh polynomial through `constant`; constant time in all secrets.
fn redeal_key(ctx: &SessionContext, constant: &Scalar, mut rng: ChaCha20Rng) -> Redealt {
    let degree = ctx.listed_coefficients();
    let coefficients: Vec<SigningKey> = (0..degree).map(|_| SigningKey::generate(&mut rng)).collect();
    let commitments = coefficients.iter().map(|a| a.verifying_key().to_bytes()).collect();
    let mut shares = Secret::new(Vec::with_capacity(ctx.receivers.validators.into()));
    for receiver in 1..=ctx.receivers.validators {
        let x = Scalar::from(receiver);
        let horner = |value: Scalar, a: &SigningKey| (value + a.secret().expose()) * x;
        let above = Secret::new(coefficients.iter().rev().fold(Scalar::ZERO, horner));
        shares.expose_mut().push(above.expose() + constant);
    }
    Redealt { commitments, shares }
}

impl RenewalPackage {
    /// Signs the package anew with the dealer's key.
    pub fn sign(&mut self, ctx: &SessionContext, key: &SigningKey, rng: &mut impl CryptoRngCore) {
        self.signature = key.sign(&mut self.transcript(ctx), rng);
    }

    /// Canonical encoding: dealer, the keys' commitments (list of lists), the signature.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        self.write_unsigned(&mut w);
        w.bytes(&self.signature);
        w.finish()
    }

    /// Decodes a package of a session; nothing is checked but the shape.
    ///
    /// # Errors
    /// [`WireError`] unless there are exactly the session's number of keys and t' − 1 commitments for each.
    pub fn from_bytes(bytes: &[u8], ctx: &SessionContext) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let dealer = read_number(&mut r, "dealer")?;
        let degree = ctx.listed_coefficients();
        let keys = exactly(&mut r, "keys", ctx.key_count(), 32 * degree)?;
        let mut commitments = Vec::with_capacity(keys);
        for _ in 0..keys {
            let count = exactly(&mut r, "commitments of a key", degree, 32)?;
            commitments.push((0..count).map(|_| r.array("commitment")).collect::<Result<_, _>>()?);
        }
        let signature = r.array("signature")?;
        r.finish()?;
        Ok(Self { dealer, commitments, signature })
    }

    fn write_unsigned(&self, w: &mut Writer) {
        w.u16(self.dealer).length(self.commitments.len());
        for points in &self.commitments {
            w.length(points.len()).bytes(points.as_flattened());
        }
    }

    fn transcript(&self, ctx: &SessionContext) -> Transcript {
        let mut w = Writer::new();
        self.write_unsigned(&mut w);
        ctx.transcript(labels::KEYGEN_RENEWAL, &w.finish())
    }

    pub(super) fn check_signature(
        &self,
        ctx: &SessionContext,
        dealer_key: &VerifyingKey,
    ) -> Result<(), KeyGenError> {
        let signed = dealer_key.verify(&mut self.transcript(ctx), &self.signature);
        signed.map_err(|_| KeyGenError::Signature { dealer: self.dealer })
    }

    /// The commitments of all degrees, key by key, with the constant terms that the session asks for.
    pub(super) fn points(
        &self,
        ctx: &SessionContext,
        previous: &ThresholdKeys,
    ) -> Result<Vec<Vec<RistrettoPoint>>, KeyGenError> {
        let (dealer, found) = (self.dealer, self.commitments.len());
        if found != ctx.key_count() {
            return Err(KeyGenError::KeyCount { dealer, found, proofs: 0, expected: ctx.keys });
        }
        let decode = |(key, listed): (u32, &Vec<PointBytes>)| {
            let mut points = Vec::with_capacity(listed.len() + 1);
            points.push(match ctx.task {
                Task::Reshare => *previous.share_key(dealer, key as usize),
                Task::Refresh | Task::Generate => RistrettoPoint::identity(),
            });
            if listed.len() != ctx.listed_coefficients() {
                let (found, expected) = (listed.len(), ctx.receivers.threshold - 1);
                return Err(KeyGenError::CommitmentCount { dealer, key, found, expected });
            }
            for (coefficient, bytes) in (1..).zip(listed) {
                let wrong = |source| KeyGenError::Commitment { dealer, key, coefficient, source };
                points.push(decode_point("commitment", bytes).map_err(wrong)?);
            }
            Ok(points)
        };
        let decoded: Vec<Result<_, KeyGenError>> =
            (0..ctx.keys).into_par_iter().zip(&self.commitments).map(decode).collect();
        // Sequential, because a parallel `collect` into a `Result` gives any of the errors.
        decoded.into_iter().collect()
    }
}
