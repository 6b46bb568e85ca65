//! Many days' shares in one random-weighted multiscalar multiplication, as for bids: five equations of each (inner product, E1, E2,
//! both E3), each times a 128-bit weight.

use super::params::ShareParams;
use super::replay::{Weights, y_inverse_at};
use super::verify::Prepared;
use crate::bid::layout::pair_weights;
use crate::bid::merge::{Inverses, SharedSums, StaticScalars};
use crate::bid::range_prover::powers;
use crate::fast::{multiscalar, multiscalar_at};
use crate::labels;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::IsIdentity;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

/// Weights of the equations of one proof: inner product, E1, E2, E3 of the shares, E3 of the day.
type EquationWeights = [Scalar; 5];

/// True when all proofs hold.
pub(super) fn all_valid(params: &ShareParams, all: &[&Prepared<'_>]) -> bool {
    if all.is_empty() {
        return true;
    }
    let weights = draw_weights(all);
    let piece = all.len().div_ceil(rayon::current_num_threads());
    let parts: Vec<(RistrettoPoint, Statics)> = all
        .par_chunks(piece)
        .zip(weights.par_chunks(piece))
        .map(|(all, weights)| part(params, all, weights))
        .collect();
    let (sums, statics): (Vec<RistrettoPoint>, Vec<Statics>) = parts.into_iter().unzip();
    let statics = statics.into_iter().reduce(Statics::plus).expect("at least one part");
    (sums.iter().sum::<RistrettoPoint>() + statics.multiply(params)).is_identity()
}

/// Weights from a transcript over every proof's binding.
fn draw_weights(all: &[&Prepared<'_>]) -> Vec<EquationWeights> {
    let mut t = Transcript::new(labels::READING_SHARES_BATCH);
    t.append_u64(b"days", all.len() as u64);
    all.iter().for_each(|one| t.append_message(b"day", &one.replay.binding));
    let mut seed = [0u8; 32];
    t.challenge_bytes(b"weights", &mut seed);
    let mut stream = ChaCha20Rng::from_seed(seed);
    let mut weight = || {
        let mut bytes = [0u8; 32];
        stream.fill_bytes(&mut bytes[..16]);
        Scalar::from_bytes_mod_order(bytes)
    };
    all.iter().map(|_| core::array::from_fn(|_| weight())).collect()
}

/// Scalars of the points that all proofs share.
struct Statics {
    /// Of V, B, G.
    singles: [Scalar; 3],
    keys: Vec<Scalar>,
    /// Of the G_i and H_i.
    generators: [Vec<Scalar>; 2],
}

impl Statics {
    fn plus(mut self, other: Self) -> Self {
        add(&mut self.singles, &other.singles);
        add(&mut self.keys, &other.keys);
        self.generators.iter_mut().zip(&other.generators).for_each(|(sum, more)| add(sum, more));
        self
    }

    fn multiply(self, params: &ShareParams) -> RistrettoPoint {
        let [g, h] = self.generators;
        let scalars = [self.singles.to_vec(), self.keys, g, h].concat();
        let places: Vec<usize> = (0..scalars.len()).collect();
        multiscalar_at(&scalars, &[(params.vector().shared(), &places)])
    }
}

fn add(sums: &mut [Scalar], terms: &[Scalar]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

/// The sum over the own points of some proofs, and what they add to the shared ones.
fn part(
    params: &ShareParams,
    all: &[&Prepared<'_>],
    weights: &[EquationWeights],
) -> (RistrettoPoint, Statics) {
    let layout = params.layout();
    let mut sums = SharedSums::new(params.vector());
    let mut statics = Statics {
        singles: [Scalar::ZERO; 3],
        keys: vec![Scalar::ZERO; params.slots()],
        generators: [vec![Scalar::ZERO; layout.total()], vec![Scalar::ZERO; layout.total()]],
    };
    let (mut z_sum, mut scalars) = (Scalar::ZERO, Vec::new());
    for (one, weights) in all.iter().zip(weights) {
        let o = &one.replay;
        let inverses = invert(o.y, &o.rounds.u);
        sums.add_generators(params.vector(), &o.argument(), weights[0], &inverses);
        z_sum += weights[0] * o.z;
        merge(params, one, weights, &inverses, &mut statics, &mut scalars);
    }
    let StaticScalars { g, h, .. } = sums.reduce();
    let [of_g, of_h] = &mut statics.generators;
    add(of_g, &g);
    add(of_h, &h);
    of_g[..layout.bit_places()].iter_mut().for_each(|g| *g -= z_sum);
    of_h[..layout.bit_places()].iter_mut().for_each(|h| *h += z_sum);
    let points: Vec<_> = all.iter().flat_map(|one| [&one.points, one.day.vector()]).collect();
    (multiscalar(&scalars, &points), statics)
}

fn invert(y: Scalar, u: &[Scalar]) -> Inverses {
    let mut all = [&[y], u].concat();
    Scalar::batch_invert(&mut all);
    let u = all.split_off(1);
    Inverses { y: all[0], e: Scalar::ZERO, u }
}

/// Merges one proof: scalars of its own points, then of the day's; the rest to `statics`.
fn merge(
    params: &ShareParams,
    one: &Prepared<'_>,
    [w_inner, w1, w2, w3, w4]: &EquationWeights,
    inverses: &Inverses,
    statics: &mut Statics,
    scalars: &mut Vec<Scalar>,
) {
    let (o, layout, unit) = (&one.replay, params.layout(), params.unit_of_wh());
    let [s_a, s_c, s_tau, s_x] = o.responses;
    let (weights, rho_powers) = (Weights::of(params, &o.z), powers(*w2, &o.rho, params.slots()));
    let w1e = w1 * o.e;
    let delta = weights.delta(params, &o.y, &o.z, &inverses.y);
    let caps = one.day.present().iter().zip(one.caps);
    let of_caps: Scalar = caps.map(|(slot, cap)| weights.of_cap[*slot] * Scalar::from(*cap)).sum();
    statics.singles[0] +=
        w_inner * o.w * (o.t_hat - o.rounds.a * o.rounds.b) + w1e * (of_caps + delta - o.t_hat) - w2 * s_x;
    statics.singles[1] -= w_inner * o.mu + w1 * s_tau;
    statics.singles[2] -= w3 * s_a + w4 * s_c;
    scalars.extend([*w_inner, w_inner * o.x, w1e * o.x, w1e * o.x * o.x, *w1, *w2, *w3, *w4]);
    for (arity, (u, u_inverse)) in layout.arities().zip(o.rounds.u.iter().zip(&inverses.u)) {
        let pairs = pair_weights(arity, u, u_inverse);
        scalars.extend(pairs.as_flattened().iter().map(|weight| w_inner * weight));
    }
    // R_A and the C_A, then R_c and the C_c.
    scalars.push(w3 * o.e);
    let mut of_readings = vec![w4 * o.e];
    for slot in one.day.present() {
        let shares = w1 * (weights.of_cap[*slot] + weights.of_reading[*slot]);
        let readings = w1 * unit * weights.of_reading[*slot];
        scalars.push(o.e * (rho_powers[*slot] - shares));
        of_readings.push(o.e * readings);
        statics.keys[*slot] += s_a * shares - s_c * readings - s_a * rho_powers[*slot];
    }
    scalars.append(&mut of_readings);
    let mut y_inverse = w_inner * y_inverse_at(&inverses.y, layout.bit_places());
    for (at, [f, g]) in weights.products.iter().enumerate() {
        statics.generators[0][layout.bit_places() + at] += y_inverse * f;
        statics.generators[1][layout.bit_places() + at] += y_inverse * g;
        y_inverse *= inverses.y;
    }
}
