//! Whether two pairs under the account key hold the same balance, without anybody learning what they hold.
//!
//! A member who has lost its key makes a new pair for the balance that its backup says. The registrar and a second signer vouch for
//! the member, not for the amount: that is compared. Opening the difference of the two pairs would not do, since a difference that
//! is not zero would be read: 1,000 EUR are 2^53 units, a minute's work. So every validator multiplies the difference by a secret
//! of its own, and the sum is opened:
//!
//! ```text
//! dR = R_old − R_new     dC = C_old − C_new
//! A_i = q_i·dR     B_i = q_i·dC     with equal logarithms proved
//! Σ B_i − s_0·Σ A_i = (Σ q_i)·(v_old − v_new)·V
//! ```
//!
//! which is the identity when the balances are equal, and a random point otherwise as long as one validator's q is secret.
//!
//! # Security
//! - The new pair comes with a proof of knowledge of what it holds ([`prove_pair`]): the old pair plus (a·G, a·Y_0) has the same
//!   balance and would give somebody who knows a the account.
//! - How often it may be tried, and who may, is the ledger's: each try tells whether one guess is right.

use crate::group::{
    PointBytes, ScalarBytes, TranscriptExt, decode_point, decode_scalar, encode_point, value_base,
};
use crate::labels;
use crate::money::scalar_from_i128;
use crate::secret::Secret;
use crate::wire::WireError;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use thiserror::Error;

/// A pair (R, C) = (b·G, v·V + b·Y_0).
pub type Pair = [RistrettoPoint; 2];

/// What is compared. All of it is in the transcripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Identity of the ledger.
    pub ledger_id: [u8; 32],
    /// The account.
    pub account: PointBytes,
    /// Which try of this account, from 0.
    pub attempt: u64,
}

/// A proof of two or three scalars: challenge, then responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairProof {
    /// Challenge.
    pub challenge: ScalarBytes,
    /// Responses for b and v.
    pub responses: [ScalarBytes; 2],
}

/// A validator's blinded difference with its proof of equal logarithms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindedDifference {
    /// The validator, 1..=n.
    pub validator: u16,
    /// A_i and B_i.
    pub points: [PointBytes; 2],
    /// Challenge.
    pub challenge: ScalarBytes,
    /// Response.
    pub response: ScalarBytes,
}

/// What is wrong with a part of a recovery.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecoveryFault {
    /// Malformed points or scalars.
    #[error("malformed: {0}")]
    Malformed(#[from] WireError),
    /// The handles of the two pairs are the same: their difference would be a multiple of V alone.
    #[error("the new pair has the old pair's handle; make one with fresh randomness")]
    SameHandle,
    /// The proof does not hold.
    #[error("the proof does not hold for this recovery")]
    Proof,
    /// One validator twice in a sum.
    #[error("two blinded differences of validator {0}")]
    Duplicate(u16),
    /// Fewer than are needed: a point of so few could be read by them, and that of none says that any balances are equal.
    #[error("{found} blinded differences are there, {needed} are needed; wait for more validators")]
    TooFew {
        /// Blinded differences given.
        found: usize,
        /// How many are needed.
        needed: u16,
    },
}

impl Recovery {
    fn transcript(&self, part: &'static [u8], account_key: &RistrettoPoint, pairs: &[&Pair]) -> Transcript {
        let mut t = Transcript::new(labels::RECOVERY);
        t.append_message(b"version", &labels::PROTOCOL_VERSION.to_le_bytes());
        t.append_message(b"part", part);
        t.append_message(b"ledger", &self.ledger_id);
        t.append_message(b"account", &self.account);
        t.append_u64(b"attempt", self.attempt);
        t.append_message(b"account-key", &encode_point(account_key));
        for point in pairs.iter().flat_map(|pair| pair.iter()) {
            t.append_message(b"pair", &encode_point(point));
        }
        t
    }
}

fn challenge(t: &mut Transcript, announcements: &[RistrettoPoint]) -> Scalar {
    announcements.iter().for_each(|point| t.append_message(b"announcement", &encode_point(point)));
    t.challenge_scalar(b"e")
}

/// Proves knowledge of what a new pair holds: b and v.
pub fn prove_pair(
    recovery: &Recovery,
    account_key: &RistrettoPoint,
    pair: &Pair,
    blinding: &Secret<Scalar>,
    amount: &Secret<i128>,
    rng: &mut impl CryptoRngCore,
) -> PairProof {
    let mut t = recovery.transcript(b"new pair", account_key, &[pair]);
    let builder = t.build_rng().rekey_with_witness_bytes(b"b", blinding.expose().as_bytes());
    let mut proof_rng = builder.rekey_with_witness_bytes(b"v", &amount.expose().to_le_bytes()).finalize(rng);
    let [k_b, k_v] = core::array::from_fn(|_| Secret::new(Scalar::random(&mut proof_rng)));
    let announcements =
        [k_b.expose() * RISTRETTO_BASEPOINT_POINT, k_v.expose() * value_base() + k_b.expose() * account_key];
    let e = challenge(&mut t, &announcements);
    let value = Secret::new(scalar_from_i128(*amount.expose()));
    let responses = [k_b.expose() + e * blinding.expose(), k_v.expose() + e * value.expose()];
    PairProof { challenge: e.to_bytes(), responses: responses.map(|scalar| scalar.to_bytes()) }
}

/// Checks [`prove_pair`].
///
/// # Errors
/// [`RecoveryFault`].
pub fn verify_pair(
    recovery: &Recovery,
    account_key: &RistrettoPoint,
    pair: &Pair,
    proof: &PairProof,
) -> Result<(), RecoveryFault> {
    let e = decode_scalar("challenge", &proof.challenge)?;
    let s_b = decode_scalar("response", &proof.responses[0])?;
    let s_v = decode_scalar("response", &proof.responses[1])?;
    let announcements = [
        RistrettoPoint::vartime_multiscalar_mul([s_b, -e], [RISTRETTO_BASEPOINT_POINT, pair[0]]),
        RistrettoPoint::vartime_multiscalar_mul([s_v, s_b, -e], [value_base(), *account_key, pair[1]]),
    ];
    let mut t = recovery.transcript(b"new pair", account_key, &[pair]);
    if challenge(&mut t, &announcements) == e { Ok(()) } else { Err(RecoveryFault::Proof) }
}

fn difference([old, new]: [&Pair; 2]) -> Result<Pair, RecoveryFault> {
    let difference = [old[0] - new[0], old[1] - new[1]];
    if difference[0].is_identity() { Err(RecoveryFault::SameHandle) } else { Ok(difference) }
}

/// A validator's blinded difference of the old and the new pair. Made once a try: the caller keeps it before it is sent.
///
/// # Errors
/// [`RecoveryFault::SameHandle`].
pub fn blind(
    recovery: &Recovery,
    account_key: &RistrettoPoint,
    pairs: [&Pair; 2],
    validator: u16,
    rng: &mut impl CryptoRngCore,
) -> Result<BlindedDifference, RecoveryFault> {
    let base = difference(pairs)?;
    let q = Secret::new(Scalar::random(&mut *rng));
    let points = base.map(|point| encode_point(&(q.expose() * point)));
    let mut t = recovery.transcript(b"difference", account_key, &pairs);
    t.append_u64(b"validator", validator.into());
    t.append_message(b"blinded", points.as_flattened());
    let builder = t.build_rng().rekey_with_witness_bytes(b"q", q.expose().as_bytes());
    let nonce = Secret::new(Scalar::random(&mut builder.finalize(rng)));
    let e = challenge(&mut t, &base.map(|point| nonce.expose() * point));
    let response = nonce.expose() + e * q.expose();
    Ok(BlindedDifference { validator, points, challenge: e.to_bytes(), response: response.to_bytes() })
}

/// Checks [`blind`] and gives A_i and B_i.
///
/// # Errors
/// [`RecoveryFault`].
pub fn verify_blinded(
    recovery: &Recovery,
    account_key: &RistrettoPoint,
    pairs: [&Pair; 2],
    blinded: &BlindedDifference,
) -> Result<Pair, RecoveryFault> {
    let base = difference(pairs)?;
    let e = decode_scalar("challenge", &blinded.challenge)?;
    let s = decode_scalar("response", &blinded.response)?;
    let points = [decode_point("A", &blinded.points[0])?, decode_point("B", &blinded.points[1])?];
    let announcements: [RistrettoPoint; 2] =
        core::array::from_fn(|i| RistrettoPoint::vartime_multiscalar_mul([s, -e], [base[i], points[i]]));
    let mut t = recovery.transcript(b"difference", account_key, &pairs);
    t.append_u64(b"validator", blinded.validator.into());
    t.append_message(b"blinded", blinded.points.as_flattened());
    if challenge(&mut t, &announcements) == e { Ok(points) } else { Err(RecoveryFault::Proof) }
}

/// The sums A and B of at least `needed` blinded differences that hold, one a validator; `needed` is t of the keys, so that one of
/// them is of an honest validator. A is what validators open B against with their shares of
/// the account key ([`crate::opening`]); the balances are equal when the opened point is the identity.
///
/// # Errors
/// [`RecoveryFault`] of the first that does not hold or repeats a validator, or when there are too few.
pub fn blinded_sum(
    recovery: &Recovery,
    account_key: &RistrettoPoint,
    pairs: [&Pair; 2],
    needed: u16,
    blinded: &[BlindedDifference],
) -> Result<Pair, RecoveryFault> {
    if blinded.len() < usize::from(needed.max(1)) {
        return Err(RecoveryFault::TooFew { found: blinded.len(), needed });
    }
    let mut sum = [RistrettoPoint::default(); 2];
    for (at, one) in blinded.iter().enumerate() {
        if blinded[..at].iter().any(|other| other.validator == one.validator) {
            return Err(RecoveryFault::Duplicate(one.validator));
        }
        let points = verify_blinded(recovery, account_key, pairs, one)?;
        sum.iter_mut().zip(points).for_each(|(sum, point)| *sum += point);
    }
    Ok(sum)
}
