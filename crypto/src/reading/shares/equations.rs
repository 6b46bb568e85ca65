//! The clear verifier of a day's shares: one equation at a time, in the specification's words.

use super::params::ShareParams;
use super::replay::{Replay, Weights, y_inverse_at};
use super::verify::{Prepared, ShareFault};
use crate::bid::equations::folded_factors;
use crate::bid::layout::pair_weights;
use crate::bid::range_prover::powers;
use crate::bid::steps::Steps;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};

fn sum(scalars: &[Scalar], points: &[RistrettoPoint]) -> RistrettoPoint {
    RistrettoPoint::vartime_multiscalar_mul(scalars, points)
}

/// The points of a proof and its statement, in the portable form.
struct Points {
    /// A, S, T1, T2, N1 to N4.
    fixed: Vec<RistrettoPoint>,
    rounds: Vec<RistrettoPoint>,
    r_a: RistrettoPoint,
    c_a: Vec<RistrettoPoint>,
    r_c: RistrettoPoint,
    c_c: Vec<RistrettoPoint>,
}

impl Points {
    fn of(shares: &Prepared<'_>) -> Self {
        let mut fixed = shares.points.to_portable();
        let mut rounds = fixed.split_off(8);
        let mut vector = rounds.split_off(2 * shares.replay.rounds.rounds.len());
        let c_a = vector.split_off(1);
        let mut day = shares.day.vector().to_portable();
        let c_c = day.split_off(1);
        Self { fixed, rounds, r_a: vector[0], c_a, r_c: day[0], c_c }
    }
}

/// Checks all equations; the error names the first that fails.
pub(super) fn check(params: &ShareParams, shares: &Prepared<'_>) -> Result<(), ShareFault> {
    let points = Points::of(shares);
    let (o, present) = (&shares.replay, Steps::Some(shares.day.present().to_vec()));
    if !e1(params, o, &points, &present, shares.caps) {
        return Err(ShareFault::Values);
    }
    if !e2(params, o, &points, &present) {
        return Err(ShareFault::Components);
    }
    let base = RISTRETTO_BASEPOINT_POINT;
    let of_shares = o.responses[0] * base == points.fixed[6] + o.e * points.r_a;
    let of_day = o.responses[1] * base == points.fixed[7] + o.e * points.r_c;
    if !(of_shares && of_day) {
        return Err(ShareFault::Randomness);
    }
    if inner_product(params, o, &points) { Ok(()) } else { Err(ShareFault::Range) }
}

/// E1: Σ al_k·U_k + be_k·W_k + (δ − t̂)·V + x·T1 + x²·T2 = r_c·Σ be_k·unit·Y_k − r_A·Σ (al_k + be_k)·Y_k + τ·B with
/// U_k = cap_k·V − C_A,k and W_k = unit·C_c,k − C_A,k.
fn e1(params: &ShareParams, o: &Replay, p: &Points, present: &Steps, caps: &[u64]) -> bool {
    let (weights, unit) = (Weights::of(params, &o.z), params.unit_of_wh());
    let (value, blinding) = (params.vector().bases().value(), params.vector().bases().blinding());
    let (al, be) = (present.select(&weights.of_cap), present.select(&weights.of_reading));
    let keys = present.select(params.vector().step_keys());
    let of_u: Vec<RistrettoPoint> =
        caps.iter().zip(&p.c_a).map(|(cap, c_a)| Scalar::from(*cap) * value - c_a).collect();
    let of_w: Vec<RistrettoPoint> = p.c_c.iter().zip(&p.c_a).map(|(c_c, c_a)| unit * c_c - c_a).collect();
    let delta = weights.delta(params, &o.y, &o.z, &o.y.invert());
    let statement = sum(&al, &of_u)
        + sum(&be, &of_w)
        + (delta - o.t_hat) * value
        + o.x * p.fixed[2]
        + o.x * o.x * p.fixed[3];
    let [s_a, s_c, s_tau, _] = o.responses;
    let key_of_readings = unit * sum(&be, &keys);
    let key_of_shares = sum(&present.select(&weights.of_shares()), &keys);
    s_c * key_of_readings - s_a * key_of_shares + s_tau * blinding == p.fixed[4] + o.e * statement
}

/// E2: Σ ρ^{k−1}·C_A,k = x_ρ·V + r_A·Σ ρ^{k−1}·Y_k.
fn e2(params: &ShareParams, o: &Replay, p: &Points, present: &Steps) -> bool {
    let rho_powers = present.select(&powers(Scalar::ONE, &o.rho, params.slots()));
    let keys = present.select(params.vector().step_keys());
    o.responses[3] * params.vector().bases().value() + o.responses[0] * sum(&rho_powers, &keys)
        == p.fixed[5] + o.e * sum(&rho_powers, &p.c_a)
}

/// The inner-product argument for P = A + x·S − μ·B − z·⟨1, G⟩_bits + ⟨z + z^{1+j}·2^bit·y^{-i}, H⟩_bits
/// + Σ (y^{-i_k}·f_k·G_{i_k} + y^{-i_k}·g_k·H_{i_k}) + w·t̂·V.
fn inner_product(params: &ShareParams, o: &Replay, p: &Points) -> bool {
    let (bases, layout) = (params.vector().bases(), params.layout());
    let products = Weights::of(params, &o.z).products;
    let z_powers = powers(o.z * o.z, &o.z, layout.steps);
    let (u, y_inverse) = (&o.rounds.u, o.y.invert());
    let u_inverse: Vec<Scalar> = u.iter().map(Scalar::invert).collect();
    let mut scalars = vec![Scalar::ONE, o.x, -o.mu, o.w * (o.t_hat - o.rounds.a * o.rounds.b)];
    let mut points = vec![p.fixed[0], p.fixed[1], *bases.blinding(), *bases.value()];
    let rounds = layout.arities().zip(u.iter().zip(&u_inverse));
    scalars.extend(rounds.flat_map(|(arity, (u, inverse))| pair_weights(arity, u, inverse)).flatten());
    points.extend(&p.rounds);
    for place in 0..layout.total() {
        let [s, s_inverse] = folded_factors(layout, u, &u_inverse, place);
        let y_inverse = y_inverse_at(&y_inverse, place);
        let [of_g, of_h] = if place < layout.bit_places() {
            let two_power = Scalar::from(1u64 << (place % layout.bits));
            [-o.z, o.z + z_powers[place / layout.bits] * two_power * y_inverse]
        } else {
            let product = products.get(place - layout.bit_places());
            product.map_or([Scalar::ZERO; 2], |[f, g]| [y_inverse * f, y_inverse * g])
        };
        scalars.extend([of_g - o.rounds.a * s, of_h - o.rounds.b * s_inverse * y_inverse]);
        points.extend([bases.g()[place], bases.h()[place]]);
    }
    sum(&scalars, &points).is_identity()
}
