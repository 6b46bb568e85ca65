//! The clear verifier: one bid, one equation at a time, in the specification's words. It is the reference that the
//! batch is compared with, and it names the reason when a batch has found a culprit.

use crate::bid::fault::BidFault;
use crate::bid::params::BidParams;
use crate::bid::prepared::{Prepared, index};
use crate::bid::range_prover::powers;
use crate::bid::replay::Replay;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};

fn sum(scalars: &[Scalar], points: &[RistrettoPoint]) -> RistrettoPoint {
    RistrettoPoint::vartime_multiscalar_mul(scalars, points)
}

/// Checks all equations of a prepared bid; the error names the first that fails.
pub fn check(params: &BidParams, bid: &Prepared) -> Result<(), BidFault> {
    let (replay, points) = (&bid.replay, &bid.points.to_portable()[..]);
    if !e1(params, replay, points) {
        return Err(BidFault::Values);
    }
    if !e2(params, replay, points) {
        return Err(BidFault::Components);
    }
    if !e3(replay, points) {
        return Err(BidFault::Randomness);
    }
    if !inner_product(params, replay, points) {
        return Err(BidFault::Range);
    }
    if !signature(replay, points) {
        return Err(BidFault::Signature);
    }
    Ok(())
}

/// Names the first equation that fails of a bid that is known to fail, as [`check`] does. What everything else leaves
/// over is not computed: the inner product is by far the most expensive equation, and somebody who floods with false bids
/// would choose it.
pub(crate) fn fault(params: &BidParams, bid: &Prepared) -> BidFault {
    let (replay, points) = (&bid.replay, &bid.points.to_portable()[..]);
    if !e1(params, replay, points) {
        BidFault::Values
    } else if !e2(params, replay, points) {
        BidFault::Components
    } else if !e3(replay, points) {
        BidFault::Randomness
    } else if signature(replay, points) || !inner_product(params, replay, points) {
        BidFault::Range
    } else {
        BidFault::Signature
    }
}

/// E1: Σ z^{1+k}·C_k + (δ − t̂)·V + x·T1 + x²·T2 = r·Σ z^{1+k}·Y_k + τ·B, as a Schnorr equation.
fn e1(params: &BidParams, o: &Replay, p: &[RistrettoPoint]) -> bool {
    let bases = params.bases();
    let z_powers = powers(o.z * o.z, &o.z, params.steps());
    let statement = sum(&z_powers, &p[index::c(o)..])
        + sum(
            &[o.delta(bases.bits(), bases.steps()) - o.t_hat, o.x, o.x * o.x],
            &[*bases.value(), p[index::T1], p[index::T2]],
        );
    o.responses[0] * sum(&z_powers, params.step_keys()) + o.responses[1] * bases.blinding()
        == p[index::N1] + o.e * statement
}

/// E2: Σ ρ^{k−1}·C_k = x_ρ·V + r·Σ ρ^{k−1}·Y_k. Excludes components of C_k outside of V and Y_k.
fn e2(params: &BidParams, o: &Replay, p: &[RistrettoPoint]) -> bool {
    let rho_powers = powers(Scalar::ONE, &o.rho, params.steps());
    o.responses[2] * params.bases().value() + o.responses[0] * sum(&rho_powers, params.step_keys())
        == p[index::N2] + o.e * sum(&rho_powers, &p[index::c(o)..])
}

/// E3: R = r·G.
fn e3(o: &Replay, p: &[RistrettoPoint]) -> bool {
    o.responses[0] * RISTRETTO_BASEPOINT_POINT == p[index::N3] + o.e * p[index::r(o)]
}

/// The signature's equation s·G = N + c·A.
fn signature(o: &Replay, p: &[RistrettoPoint]) -> bool {
    o.signature.response * RISTRETTO_BASEPOINT_POINT
        == p[index::SIGNATURE] + o.signature.challenge * p[index::ACCOUNT]
}

/// The inner-product argument for P = A + x·S − μ·B − z·⟨1, G⟩ + ⟨z + z^{1+k}·2^bit·y^{-i}, H⟩ + w·t̂·V:
/// P + Σ u²·L + u^{-2}·R = a·⟨s, G⟩ + b·⟨s^{-1}·y^{-i}, H⟩ + a·b·w·V.
fn inner_product(params: &BidParams, o: &Replay, p: &[RistrettoPoint]) -> bool {
    let bases = params.bases();
    let (n, total) = (bases.bits(), bases.g().len());
    let rounds = o.u.len();
    let y_inverse = powers(Scalar::ONE, &o.y.invert(), total);
    let z_powers = powers(o.z * o.z, &o.z, params.steps());
    let u_inverse: Vec<Scalar> = o.u.iter().map(Scalar::invert).collect();
    let mut scalars = vec![Scalar::ONE, o.x, -o.mu, o.w * (o.t_hat - o.a * o.b)];
    let mut points = vec![p[index::A], p[index::S], *bases.blinding(), *bases.value()];
    for k in 0..rounds {
        scalars.extend([o.u[k] * o.u[k], u_inverse[k] * u_inverse[k]]);
        points.extend([p[index::ROUNDS + 2 * k], p[index::ROUNDS + 2 * k + 1]]);
    }
    for i in 0..total {
        // Round k halves by bit (rounds − 1 − k) of the index: the upper half takes u_k, the lower u_k^{-1}.
        let upper = |k: usize| (i >> (rounds - 1 - k)) & 1 == 1;
        let s: Scalar = (0..rounds).map(|k| if upper(k) { o.u[k] } else { u_inverse[k] }).product();
        let s_inverse: Scalar = (0..rounds).map(|k| if upper(k) { u_inverse[k] } else { o.u[k] }).product();
        let two_power = Scalar::from(1u64 << (i % n));
        scalars.push(-o.z - o.a * s);
        points.push(bases.g()[i]);
        scalars.push(o.z + y_inverse[i] * (z_powers[i / n] * two_power - o.b * s_inverse));
        points.push(bases.h()[i]);
    }
    sum(&scalars, &points).is_identity()
}
