//! The clear verifier: one bid, one equation at a time, in the specification's words. It is the reference that the
//! batch is compared with, and it names the reason when a batch has found a culprit.

use crate::bid::fault::BidFault;
use crate::bid::layout::{Layout, extra, pair_weights, part_factors};
use crate::bid::money::{YPowers, vector_weights};
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

/// E1: Σ c_k·C_k + (δ − t̂)·V + x·T1 + x²·T2 = r·Σ c_k·Y_k + τ·B, as a Schnorr equation, with c_k = z^{1+k}. Money adds to the
/// c_k, takes in what is available and the cost, and has a multiple of Y_0 on the right side (specification 3.11).
fn e1(params: &BidParams, o: &Replay, p: &[RistrettoPoint]) -> bool {
    let bases = params.bases();
    let weights = vector_weights(&o.z, params.steps(), o.money.as_ref().map(|money| &money.terms.costs));
    let weights = o.steps.select(&weights);
    let mut statement = sum(&weights, &p[index::c(o)..])
        + sum(
            &[o.delta(bases.bits(), bases.steps()) - o.t_hat, o.x, o.x * o.x],
            &[*bases.value(), p[index::T1], p[index::T2]],
        );
    let keys = o.steps.select(params.step_keys());
    let mut response = o.responses[0] * sum(&weights, &keys) + o.responses[1] * bases.blinding();
    if let (Some(money), Some(key)) = (&o.money, params.account_key()) {
        let y = YPowers::of(params, &o.y, &o.y.invert());
        let value = money.weights.value_part(&money.terms, &o.y, &o.z, &y);
        let [cost, available] = [p[index::money(o)], p[index::money(o) + 1]];
        let [of_cost, of_available] = money.point_weights();
        statement += sum(&[value, of_available, of_cost], &[*bases.value(), available, cost]);
        response += o.account_response * key;
    }
    response == p[index::N1] + o.e * statement
}

/// E2: Σ ρ^{k−1}·C_k = x_ρ·V + r·Σ ρ^{k−1}·Y_k. Excludes components of C_k outside of V and Y_k.
fn e2(params: &BidParams, o: &Replay, p: &[RistrettoPoint]) -> bool {
    let rho_powers = o.steps.select(&powers(Scalar::ONE, &o.rho, params.steps()));
    o.responses[2] * params.bases().value()
        + o.responses[0] * sum(&rho_powers, &o.steps.select(params.step_keys()))
        == p[index::N2] + o.e * sum(&rho_powers, &p[index::c(o)..])
}

/// E3: R = r·G.
fn e3(o: &Replay, p: &[RistrettoPoint]) -> bool {
    o.responses[0] * RISTRETTO_BASEPOINT_POINT == p[index::N3] + o.e * p[index::r(o)]
}

/// The signature's equation s·G = N + c·A, where there is one.
fn signature(o: &Replay, p: &[RistrettoPoint]) -> bool {
    o.signature.as_ref().is_none_or(|signature| {
        signature.response * RISTRETTO_BASEPOINT_POINT
            == p[index::SIGNATURE] + signature.challenge * p[index::ACCOUNT]
    })
}

/// The inner-product argument for P = A + x·S − μ·B − z·⟨1, G⟩ + ⟨z + z^{1+k}·2^bit·y^{-i}, H⟩ + w·t̂·V:
/// P + Σ u²·L + u^{-2}·R = a·⟨s, G⟩ + b·⟨s^{-1}·y^{-i}, H⟩ + a·b·w·V. Rounds by three have two pairs of L and R.
fn inner_product(params: &BidParams, o: &Replay, p: &[RistrettoPoint]) -> bool {
    let (bases, layout) = (params.bases(), params.bases().layout());
    let y_inverse = powers(Scalar::ONE, &o.y.invert(), layout.total());
    let z_powers = powers(o.z * o.z, &o.z, params.steps());
    let u_inverse: Vec<Scalar> = o.u.iter().map(Scalar::invert).collect();
    let mut scalars = vec![Scalar::ONE, o.x, -o.mu, o.w * (o.t_hat - o.a * o.b)];
    let mut points = vec![p[index::A], p[index::S], *bases.blinding(), *bases.value()];
    let rounds = layout.arities().zip(o.u.iter().zip(&u_inverse));
    scalars.extend(rounds.flat_map(|(arity, (u, inverse))| pair_weights(arity, u, inverse)).flatten());
    points.extend(&p[index::rounds(o)..index::money(o)]);
    for (place, y_inverse) in y_inverse.iter().enumerate() {
        let [s, s_inverse] = folded_factors(layout, &o.u, &u_inverse, place);
        let [of_g, of_h] = public_place(layout, o, &z_powers, place, y_inverse);
        scalars.extend([of_g - o.a * s, of_h - o.b * s_inverse * y_inverse]);
        points.extend([bases.g()[place], bases.h()[place]]);
    }
    sum(&scalars, &points).is_identity()
}

/// s_i, what all rounds together multiply G_i by, and its inverse.
pub(crate) fn folded_factors(
    layout: &Layout,
    u: &[Scalar],
    u_inverse: &[Scalar],
    place: usize,
) -> [Scalar; 2] {
    // Rounds by two halve by the bits of the place inside of its block, the highest first; those by three by the block's digits.
    let (block, inside) = (place >> layout.halvings, place % (1 << layout.halvings));
    layout.arities().enumerate().fold([Scalar::ONE; 2], |[s, s_inverse], (round, arity)| {
        let part = match arity {
            2 => (inside >> (layout.halvings - 1 - round)) % 2,
            _ => block / 3usize.pow((layout.halvings + layout.thirds - 1 - round) as u32) % 3,
        };
        let factors = part_factors(arity, &u[round], &u_inverse[round]);
        [s * factors[part], s_inverse * factors[arity - 1 - part]]
    })
}

/// What is public about a place in P: the multiples of G_i and H_i.
fn public_place(
    layout: &Layout,
    o: &Replay,
    z_powers: &[Scalar],
    place: usize,
    y_inverse: &Scalar,
) -> [Scalar; 2] {
    let power_of_two = |bit: usize| Scalar::from(1u64 << bit);
    if place < layout.quantities() {
        let value = z_powers[place / layout.bits] * power_of_two(place % layout.bits);
        return [-o.z, o.z + value * y_inverse];
    }
    let (Some(money), at) = (&o.money, place - layout.quantities()) else { return [Scalar::ZERO; 2] };
    if at == extra::PRODUCT {
        return [money.weights.balance * y_inverse, money.weights.asked * y_inverse];
    }
    match extra::VALUES.iter().position(|range| range.contains(&at)) {
        Some(value) => {
            let bit = power_of_two(at - extra::VALUES[value].start);
            [-o.z, o.z + money.weights.values()[value] * bit * y_inverse]
        }
        None => [Scalar::ZERO; 2],
    }
}
