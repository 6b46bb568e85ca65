//! Sealing and proving a day's shares.

use super::params::ShareParams;
use super::replay::{Weights, absorb_announcements, absorb_responses, begin};
use super::sealed::SealedShares;
use crate::bid::commit::{BidVector, commit_at};
use crate::bid::inner_product;
use crate::bid::range_prover::{BitCommitment, Bits, Evaluation, powers};
use crate::bid::steps::Steps;
use crate::group::{PointBytes, TranscriptExt, encode_point};
use crate::labels;
use crate::reading::{DayContext, VerifiedDay};
use crate::secret::Secret;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use hkdf::Hkdf;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable};
use thiserror::Error;
use zeroize::Zeroizing;

/// Shares that can't be sealed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ShareError {
    /// Not one reading and one cap for each slot that the day has.
    #[error("{readings} readings and {caps} caps for a day with {present} readings")]
    Lengths {
        /// Readings given.
        readings: usize,
        /// Caps given.
        caps: usize,
        /// Readings of the day.
        present: usize,
    },
    /// A cap does not fit the shares' width.
    #[error("cap {place} needs more than {bits} bits")]
    Cap {
        /// Its place among the day's readings, from 0.
        place: usize,
        /// The width.
        bits: u32,
    },
    /// r or the readings are not those of the day.
    #[error("this is not the opening of the day")]
    Opening,
}

/// What whoever proves knows of the day.
pub struct ShareOpening<'a> {
    /// r_c of the day.
    pub r: &'a Secret<Scalar>,
    /// Its readings, Wh, one a present slot.
    pub readings_wh: &'a [u64],
}

/// r_A of the shares of a day with these caps: it follows from the day's own r, so that the account's owner knows it, too.
pub fn share_randomness(
    params: &ShareParams,
    day: &VerifiedDay,
    caps: &[u64],
    r: &Secret<Scalar>,
) -> Secret<Scalar> {
    let caps: Vec<[u8; 8]> = caps.iter().map(|cap| cap.to_le_bytes()).collect();
    let mut wide = Secret::new([0u8; 64]);
    Hkdf::<Sha256>::new(Some(labels::READING_SHARES_RANDOMNESS), r.expose().as_bytes())
        .expand_multi_info(&[&params.digest(), &day.digest(), caps.as_flattened()], wide.expose_mut())
        .expect("HKDF-SHA256 yields up to 8160 bytes");
    Secret::new(Scalar::from_bytes_mod_order_wide(wide.expose()))
}

/// Seals the shares of a day: of each present slot the smaller of its cap and its reading, both in the parameters' unit. Says the
/// shares, too.
///
/// # Errors
/// [`ShareError`].
pub fn seal_shares(
    params: &ShareParams,
    context: &DayContext,
    day: &VerifiedDay,
    opening: &ShareOpening<'_>,
    caps: &[u64],
    rng: &mut impl CryptoRngCore,
) -> Result<(SealedShares, Secret<Vec<u64>>), ShareError> {
    check(params, day, opening, caps)?;
    let r_a = share_randomness(params, day, caps, opening.r);
    let unit = params.unit().of_wh();
    let readings =
        Zeroizing::new(opening.readings_wh.iter().map(|reading| reading * unit).collect::<Vec<_>>());
    // Below 2^33, so that the difference's top bit says which is smaller; no branch.
    let smaller = |(cap, reading): (&u64, &u64)| {
        let below = Choice::from((cap.wrapping_sub(*reading) >> 63) as u8);
        u64::conditional_select(reading, cap, below)
    };
    let shares: Vec<u64> = caps.iter().zip(readings.iter()).map(smaller).collect();
    let shares = Secret::new(shares);
    let values = Values { readings: &readings, caps, shares: shares.expose(), products: None };
    let secrets = Secrets { r_a: &r_a, r_c: opening.r };
    let vector = commit_shares(params, day, &values, &secrets);
    Ok((prove(params, context, day, &values, &secrets, vector, rng, |_, _| ()), shares))
}

/// What is proved, one entry a present slot, in the unit.
pub(super) struct Values<'a> {
    pub readings: &'a [u64],
    pub caps: &'a [u64],
    pub shares: &'a [u64],
    /// What stands at the products' places; if none, what has to.
    pub products: Option<&'a [[u64; 2]]>,
}

/// The randomness of both vectors.
pub(super) struct Secrets<'a> {
    pub r_a: &'a Secret<Scalar>,
    pub r_c: &'a Secret<Scalar>,
}

/// R_A and the C_A.
pub(super) fn commit_shares(
    params: &ShareParams,
    day: &VerifiedDay,
    values: &Values<'_>,
    secrets: &Secrets<'_>,
) -> BidVector {
    let pairs = day.present().iter().copied().zip(values.shares.iter().copied());
    commit_at(params.vector(), secrets.r_a, pairs)
}

/// Proves; `adapt` gets z and the evaluation before the link, for tests of what is refused.
#[allow(clippy::too_many_arguments, reason = "statement, witness and source of randomness of one proof")]
pub(super) fn prove(
    params: &ShareParams,
    context: &DayContext,
    day: &VerifiedDay,
    values: &Values<'_>,
    secrets: &Secrets<'_>,
    BidVector { r, c }: BidVector,
    rng: &mut impl CryptoRngCore,
    adapt: impl FnOnce(&Scalar, &mut Evaluation),
) -> SealedShares {
    let vector = params.vector();
    let (mut t, rho) = begin(params, context, day, values.caps, &r, &c);
    let mut proof_rng = t
        .build_rng()
        .rekey_with_witness_bytes(b"r", secrets.r_c.expose().as_bytes())
        .rekey_with_witness_bytes(b"r_A", secrets.r_a.expose().as_bytes())
        .finalize(rng);
    let commitment = BitCommitment::new(vector, bits(params, day, values), &mut t, &mut proof_rng);
    let (a, s) = (commitment.a, commitment.s);
    let polynomial = commitment.polynomial(&mut t, &mut proof_rng);
    let (y, z, t1, t2) = (polynomial.y, polynomial.z, polynomial.t1, polynomial.t2);
    let mut evaluation = polynomial.evaluate();
    adapt(&z, &mut evaluation);
    let link = Link::of(params, day, values, &z, &rho);
    let linked = link.prove(params, &mut t, secrets, &evaluation, &mut proof_rng);
    let w = t.challenge_scalar(b"w");
    let argument = inner_product::prove(vector, &mut t, &mut evaluation.l, &mut evaluation.r, &y, &w);
    let mut proof = [a, s, t1, t2].concat();
    proof.extend_from_slice(&linked);
    argument.rounds.iter().for_each(|(left, right)| proof.extend_from_slice(&[*left, *right].concat()));
    proof.extend_from_slice(&[argument.a.to_bytes(), argument.b.to_bytes()].concat());
    SealedShares { r, c, proof }
}

/// The bits of all u, then of all v, then the products; zero where there is no reading.
fn bits(params: &ShareParams, day: &VerifiedDay, values: &Values<'_>) -> Bits {
    let slots = params.slots();
    let mut numbers = Zeroizing::new(vec![0u64; 2 * slots]);
    let mut products = Zeroizing::new(vec![[0u64; 2]; slots]);
    for (place, slot) in day.present().iter().enumerate() {
        // Of the honest prover none is negative.
        let u = values.caps[place].wrapping_sub(values.shares[place]);
        let v = values.readings[place].wrapping_sub(values.shares[place]);
        let product = values.products.map_or([u, v], |products| products[place]);
        (numbers[*slot], numbers[slots + slot], products[*slot]) = (u, v, product);
    }
    Bits::with_products(params.vector().bases(), &numbers, &products)
}

/// The public combinations of keys in E1 and E2, and x_ρ.
struct Link {
    /// Of r_c, of r_A in E1 (with its sign), of r_A in E2.
    keys: [RistrettoPoint; 3],
    x_rho: Secret<Scalar>,
}

impl Link {
    fn of(params: &ShareParams, day: &VerifiedDay, values: &Values<'_>, z: &Scalar, rho: &Scalar) -> Self {
        let (weights, present) = (Weights::of(params, z), Steps::Some(day.present().to_vec()));
        let unit = params.unit_of_wh();
        let of_readings = weights.of_reading.iter().map(|be| unit * be).collect();
        let of_shares = weights.of_shares().iter().map(|weight| -weight).collect();
        let rho_powers = powers(Scalar::ONE, rho, params.slots());
        let keys = present.select(params.vector().step_keys());
        let combined =
            |weights: &Vec<Scalar>| RistrettoPoint::vartime_multiscalar_mul(present.select(weights), &keys);
        let powers = present.select(&rho_powers);
        let x_rho =
            values.shares.iter().zip(&powers).map(|(share, power)| Scalar::from(*share) * power).sum();
        let lists: [Vec<Scalar>; 3] = [of_readings, of_shares, rho_powers];
        Self { keys: lists.each_ref().map(combined), x_rho: Secret::new(x_rho) }
    }

    /// Announcements, t̂, μ and responses: ten items of 32 bytes.
    fn prove(
        &self,
        params: &ShareParams,
        t: &mut Transcript,
        secrets: &Secrets<'_>,
        evaluation: &Evaluation,
        rng: &mut impl CryptoRngCore,
    ) -> Vec<u8> {
        let bases = params.vector().bases();
        let nonces: [Secret<Scalar>; 4] = core::array::from_fn(|_| Secret::new(Scalar::random(rng)));
        let [k_a, k_c, k_tau, k_x] = nonces.each_ref().map(Secret::expose);
        let announcements: [PointBytes; 4] = [
            k_c * self.keys[0] + k_a * self.keys[1] + k_tau * bases.blinding_table(),
            k_x * bases.value_table() + k_a * self.keys[2],
            k_a * RISTRETTO_BASEPOINT_TABLE,
            k_c * RISTRETTO_BASEPOINT_TABLE,
        ]
        .map(|point| encode_point(&point));
        absorb_announcements(t, &evaluation.t_hat, &evaluation.mu, &announcements);
        let e = t.challenge_scalar(b"e");
        let responses = [
            k_a + e * secrets.r_a.expose(),
            k_c + e * secrets.r_c.expose(),
            k_tau + e * evaluation.tau.expose(),
            k_x + e * self.x_rho.expose(),
        ];
        absorb_responses(t, &responses);
        let mut bytes = announcements.concat();
        for scalar in [evaluation.t_hat, evaluation.mu].iter().chain(&responses) {
            bytes.extend_from_slice(scalar.as_bytes());
        }
        bytes
    }
}

fn check(
    params: &ShareParams,
    day: &VerifiedDay,
    opening: &ShareOpening<'_>,
    caps: &[u64],
) -> Result<(), ShareError> {
    let (present, readings) = (day.present().len(), opening.readings_wh.len());
    if readings != present || caps.len() != present {
        return Err(ShareError::Lengths { readings, caps: caps.len(), present });
    }
    let bits = params.unit().bits();
    if let Some(place) = caps.iter().position(|cap| cap >> bits != 0) {
        return Err(ShareError::Cap { place, bits });
    }
    let r_is_the_days = encode_point(&(opening.r.expose() * RISTRETTO_BASEPOINT_TABLE)) == day.r_bytes();
    let in_range = opening.readings_wh.iter().all(|reading| reading >> params.day().bits() == 0);
    if r_is_the_days && in_range && opens(params, day, opening) { Ok(()) } else { Err(ShareError::Opening) }
}

/// Whether the readings are the day's: its points are what they make with its r.
fn opens(params: &ShareParams, day: &VerifiedDay, opening: &ShareOpening<'_>) -> bool {
    let pairs = day.present().iter().copied().zip(opening.readings_wh.iter().copied());
    commit_at(params.day().vector(), opening.r, pairs).c == day.c_bytes()
}
