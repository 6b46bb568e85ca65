//! Opening a public linear combination of a whole book by shares of t validators (specification sections 2 and 6).
//!
//! For weights w the sum C_w = Σ w_k·X_k = value·V + r·Y_w is a ciphertext under Y_w = Σ w_k·Y_k with handle
//! R = r·G. Validator i releases D_i = s_w·R, s_w = Σ w_k·s_{k,i}, with a proof (Chaum and Pedersen, CRYPTO 1992) of
//!
//! ```text
//! D_i = s·R  and  Y_{w,i} = s·G        for one s,   Y_{w,i} = Σ w_k·Y_{k,i}
//! ```
//!
//! and any t of them give r·Y_w = Σ λ_i·D_i, so value·V = C_w − Σ λ_i·D_i.
//!
//! # Security
//!
//! - Only D_i leaves the validator, never s_w: the secret of a combination would open it in every round.
//! - This module proves and checks; *whether* a sum may be opened (final close, frozen bid set, the sum the ledger
//!   asks for next) is decided by the caller before [`release_share`].
//! - Only [`verify_share`] makes a [`VerifiedShare`], and [`combine`] takes nothing else.

mod combine;
mod error;

pub use combine::{check_value, combine};
pub use error::{CombineError, ReleaseError, ShareFault, ShareRule};

use crate::group::{PointBytes, ScalarBytes, TranscriptExt, decode_point, decode_scalar, encode_point};
use crate::keygen::{KeyShares, ThresholdKeys};
use crate::labels;
use crate::secret::Secret;
use crate::wire::{Reader, WireError, Writer};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use merlin::Transcript;
use rand_core::CryptoRngCore;

/// Length of an encoded opening share.
pub const OPENING_SHARE_BYTES: usize = 2 + 3 * 32;

/// Which opening a share belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningContext {
    /// The ledger.
    pub ledger_id: [u8; 32],
    /// The round whose book is opened.
    pub round_id: u64,
    /// Number of the opening within the round, from 0.
    pub opening_index: u32,
    /// Digest of the frozen set of bids.
    pub bid_set: [u8; 32],
}

/// A validator's share of one opening, as it came. Untrusted until [`verify_share`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningShare {
    /// The validator, 1..=n.
    pub validator: u16,
    /// D_i.
    pub point: PointBytes,
    /// Challenge of the proof.
    pub challenge: ScalarBytes,
    /// Response of the proof.
    pub response: ScalarBytes,
}

/// A share whose proof holds for its opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedShare {
    validator: u16,
    point: RistrettoPoint,
    /// Digest of the opening: context, weights and R.
    opening: [u8; 32],
}

/// The statement of the proof, absorbed: context and weights first, then validator, its combined share key, R and D.
struct Statement {
    transcript: Transcript,
    opening: [u8; 32],
}

impl Statement {
    fn new(
        ctx: &OpeningContext,
        weights: &[i64],
        r_total: &RistrettoPoint,
        validator: u16,
        share_key: &RistrettoPoint,
        point: &PointBytes,
    ) -> Self {
        let mut t = Transcript::new(labels::OPENING_SHARE);
        t.append_u64(b"version", labels::PROTOCOL_VERSION.into());
        t.append_message(b"ledger", &ctx.ledger_id);
        t.append_u64(b"round", ctx.round_id);
        t.append_u64(b"opening", ctx.opening_index.into());
        t.append_message(b"bid set", &ctx.bid_set);
        t.append_message(
            b"weights",
            weights.iter().map(|w| w.to_le_bytes()).collect::<Vec<_>>().as_flattened(),
        );
        t.append_message(b"R", &encode_point(r_total));
        let mut opening = [0u8; 32];
        t.clone().challenge_bytes(b"opening", &mut opening);
        t.append_u64(b"validator", validator.into());
        t.append_message(b"share key", &encode_point(share_key));
        t.append_message(b"D", point);
        Self { transcript: t, opening }
    }

    fn challenge(mut self, on_base: &RistrettoPoint, on_r: &RistrettoPoint) -> Scalar {
        self.transcript.append_message(b"K_G", &encode_point(on_base));
        self.transcript.append_message(b"K_R", &encode_point(on_r));
        self.transcript.challenge_scalar(b"challenge")
    }
}

/// Makes this validator's share of the sum with the given weights, with its proof. The caller has decided that the
/// sum may be opened and has persisted that decision.
///
/// # Errors
/// [`ReleaseError`]; nothing is released for weights that do not fit, an empty book, or key shares that are not
/// those of `public`.
pub fn release_share(
    ctx: &OpeningContext,
    weights: &[i64],
    shares: &KeyShares,
    public: &ThresholdKeys,
    r_total: &RistrettoPoint,
    rng: &mut impl CryptoRngCore,
) -> Result<OpeningShare, ReleaseError> {
    let validator = shares.index();
    if !public.has_validator(validator) {
        return Err(ReleaseError::UnknownValidator { validator, validators: public.validators() });
    }
    if r_total.is_identity() {
        return Err(ReleaseError::NothingToOpen);
    }
    let secret = shares.weighted(weights)?;
    let share_key = public.weighted_share_key(validator, weights)?;
    // Weights that combine this validator's shares to zero have no share either.
    if secret.expose() * RISTRETTO_BASEPOINT_TABLE != share_key || share_key.is_identity() {
        return Err(ReleaseError::WrongShares { validator });
    }
    let point = encode_point(&(secret.expose() * r_total));
    let statement = Statement::new(ctx, weights, r_total, validator, &share_key, &point);
    let nonce = Secret::new(Scalar::random(
        &mut statement
            .transcript
            .build_rng()
            .rekey_with_witness_bytes(b"share", secret.expose().as_bytes())
            .finalize(rng),
    ));
    let challenge =
        statement.challenge(&(nonce.expose() * RISTRETTO_BASEPOINT_TABLE), &(nonce.expose() * r_total));
    let response = nonce.expose() + challenge * secret.expose();
    Ok(OpeningShare { validator, point, challenge: challenge.to_bytes(), response: response.to_bytes() })
}

/// Checks a share against the opening that was asked for.
///
/// # Errors
/// [`ShareFault`] with the validator and the broken rule; the others' shares stay usable.
pub fn verify_share(
    ctx: &OpeningContext,
    weights: &[i64],
    public: &ThresholdKeys,
    r_total: &RistrettoPoint,
    share: &OpeningShare,
) -> Result<VerifiedShare, ShareFault> {
    let validator = share.validator;
    let fault = |rule| ShareFault { validator, rule };
    if !public.has_validator(validator) {
        return Err(fault(ShareRule::UnknownValidator));
    }
    if r_total.is_identity() {
        return Err(fault(ShareRule::NothingToOpen));
    }
    let share_key =
        public.weighted_share_key(validator, weights).map_err(|e| fault(ShareRule::Weights(e)))?;
    let point = decode_point("D", &share.point).map_err(|_| fault(ShareRule::Point))?;
    let challenge = decode_scalar("challenge", &share.challenge).map_err(|_| fault(ShareRule::Scalar))?;
    let response = decode_scalar("response", &share.response).map_err(|_| fault(ShareRule::Scalar))?;

    // K_G = z·G − c·Y_{w,i} and K_R = z·R − c·D_i must hash to the same challenge.
    let on_base = RistrettoPoint::vartime_double_scalar_mul_basepoint(&-challenge, &share_key, &response);
    let on_r = RistrettoPoint::vartime_multiscalar_mul([response, -challenge], [r_total, &point]);
    let statement = Statement::new(ctx, weights, r_total, validator, &share_key, &share.point);
    let opening = statement.opening;
    if statement.challenge(&on_base, &on_r) != challenge {
        return Err(fault(ShareRule::Proof));
    }
    Ok(VerifiedShare { validator, point, opening })
}

impl VerifiedShare {
    /// The validator that released the share.
    pub fn validator(&self) -> u16 {
        self.validator
    }
}

impl OpeningShare {
    /// Canonical encoding, [`OPENING_SHARE_BYTES`] long.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(self.validator).bytes(&self.point).bytes(&self.challenge).bytes(&self.response);
        w.finish()
    }

    /// Decodes a share; what is in it is checked by [`verify_share`], so that a false one can be blamed.
    ///
    /// # Errors
    /// [`WireError`] when the length is not [`OPENING_SHARE_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let share = Self {
            validator: r.u16("validator")?,
            point: r.array("D")?,
            challenge: r.array("challenge")?,
            response: r.array("response")?,
        };
        r.finish()?;
        Ok(share)
    }
}
