//! Many bids in one random-weighted multiscalar multiplication.
//!
//! Every bid contributes five equations (the inner-product argument, E1, E2, E3 and the signature), each times a
//! 128-bit weight of its own. Each point of a bid enters once with its merged scalar; the points that all bids share
//! (generators, V, B, G, all Y_k) enter once a batch with accumulated scalars. If any equation is false, the sum is
//! the identity with probability at most 2^-128 over the weights, which are drawn from a transcript over every
//! byte of the batch (`protocol-spec/04-batch-verification.md`).

use crate::bid::layout::pair_weights;
use crate::bid::merge::{Inverses, SharedSums, StaticScalars};
use crate::bid::money::{CostWeights, YPowers, is_buy};
use crate::bid::params::BidParams;
use crate::bid::prepared::Prepared;
use crate::bid::replay::{Replay, ReplayedMoney};
use crate::bid::steps::Steps;
use crate::fast::{Points, multiscalar, multiscalar_at};
use crate::labels;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Points of one parallel piece; more gains nothing and costs memory (about 600 bytes a point).
const PIECE_POINTS: usize = 1 << 16;
/// Static points of one parallel piece.
const STATIC_PIECE: usize = 2048;

/// True when every bid is valid.
pub fn all_valid(params: &BidParams, bids: &[&Prepared]) -> bool {
    all_valid_with(params, bids, &draw_weights(bids))
}

/// As [`all_valid`] for given weights, one set a bid. Only weights from [`draw_weights`] make the verdict sound.
pub(crate) fn all_valid_with(params: &BidParams, bids: &[&Prepared], weights: &[Weights]) -> bool {
    assert_eq!(bids.len(), weights.len(), "one set of weights a bid");
    if bids.is_empty() {
        return true;
    }
    let per_bid = bids[0].points.len();
    let even = bids.len().div_ceil(rayon::current_num_threads());
    let piece = even.clamp(1, (PIECE_POINTS / per_bid).max(1));
    let (sum, statics) = bids
        .par_chunks(piece)
        .zip(weights.par_chunks(piece))
        .map(|(bids, weights)| dynamic_part(params, bids, weights))
        .reduce_with(|(p, a), (q, b)| (p + q, a.merge(b)))
        .expect("at least one piece");
    (sum + statics.multiply(params)).is_identity()
}

/// Weights of the five equations of one bid: inner product, E1, E2, E3, signature.
pub(crate) type Weights = [Scalar; 5];

/// Draws all weights from a transcript over every bid's binding, which depends on every byte of the bid, its
/// context and the parameters.
pub(crate) fn draw_weights(bids: &[&Prepared]) -> Vec<Weights> {
    let mut t = Transcript::new(labels::BATCH);
    t.append_u64(b"bids", bids.len() as u64);
    for bid in bids {
        t.append_message(b"bid", &bid.replay.binding);
    }
    let mut seed = [0u8; 32];
    t.challenge_bytes(b"weights", &mut seed);
    let mut stream = ChaCha20Rng::from_seed(seed);
    let mut weight = || {
        let mut bytes = [0u8; 32];
        stream.fill_bytes(&mut bytes[..16]);
        Scalar::from_bytes_mod_order(bytes)
    };
    bids.iter().map(|_| core::array::from_fn(|_| weight())).collect()
}

/// One piece: the sum over the bids' own points, and the scalars of the shared ones.
fn dynamic_part(params: &BidParams, bids: &[&Prepared], weights: &[Weights]) -> (RistrettoPoint, Statics) {
    let inverses = invert_challenges(bids);
    let mut statics = Statics::new(params);
    let mut scalars = Vec::with_capacity(bids.iter().map(|bid| bid.points.len()).sum());
    for ((bid, weights), inverses) in bids.iter().zip(weights).zip(&inverses) {
        merge_bid(params, &bid.replay, weights, inverses, &mut statics, &mut scalars);
    }
    let points: Vec<&Points> = bids.iter().map(|bid| &bid.points).collect();
    (multiscalar(&scalars, &points), statics)
}

/// One inversion for all challenges of a piece (Montgomery's trick, by the scalar type).
fn invert_challenges(bids: &[&Prepared]) -> Vec<Inverses> {
    let mut all: Vec<Scalar> = bids
        .iter()
        .flat_map(|bid| {
            [bid.replay.y, left_out_e(&bid.replay)].into_iter().chain(bid.replay.u.iter().copied())
        })
        .collect();
    Scalar::batch_invert(&mut all);
    let mut rest = all.as_slice();
    let mut take = |rounds: usize| {
        let (head, tail) = rest.split_at(2 + rounds);
        rest = tail;
        Inverses { y: head[0], e: head[1], u: head[2..].to_vec() }
    };
    bids.iter().map(|bid| take(bid.replay.u.len())).collect()
}

/// e where steps are left out; 1, whose inverse nobody needs, where none are.
fn left_out_e(o: &Replay) -> Scalar {
    if o.steps == Steps::All { Scalar::ONE } else { o.e }
}

/// Accumulated scalars of the points that all bids share.
struct Statics {
    value: Scalar,
    blinding: Scalar,
    base: Scalar,
    /// Σ w·z, the constant part of every G_i (minus) and H_i (plus).
    z_sum: Scalar,
    sums: SharedSums,
    /// What is taken off the keys of steps that were left out.
    left_out: Vec<Scalar>,
    money: MoneyStatics,
    /// Reduced sums of the pieces that were merged into this one.
    pieces: Vec<StaticScalars>,
}

impl Statics {
    fn new(params: &BidParams) -> Self {
        Self {
            value: Scalar::ZERO,
            blinding: Scalar::ZERO,
            base: Scalar::ZERO,
            z_sum: Scalar::ZERO,
            sums: SharedSums::new(params),
            left_out: vec![Scalar::ZERO; params.step_keys().len()],
            money: MoneyStatics::default(),
            pieces: Vec::new(),
        }
    }

    fn merge(mut self, mut other: Self) -> Self {
        self.value += other.value;
        self.blinding += other.blinding;
        self.base += other.base;
        self.z_sum += other.z_sum;
        add_all(&mut self.left_out, &other.left_out);
        self.money.merge(other.money);
        self.pieces.push(other.sums.reduce());
        self.pieces.append(&mut other.pieces);
        self
    }

    /// The sum over the shared points.
    fn multiply(&self, params: &BidParams) -> RistrettoPoint {
        let mut own = self.sums.reduce();
        for piece in &self.pieces {
            add_all(&mut own.keys, &piece.keys);
            add_all(&mut own.g, &piece.g);
            add_all(&mut own.h, &piece.h);
        }
        // A value without a key has a sum, and nothing that it belongs to.
        own.keys.truncate(params.step_keys().len());
        add_all(&mut own.keys, &self.left_out);
        self.money.add_to_keys(&mut own.keys);
        let bit_places = params.bases().layout().bit_places();
        own.g[..bit_places].iter_mut().for_each(|g| *g -= self.z_sum);
        own.h[..bit_places].iter_mut().for_each(|h| *h += self.z_sum);
        let mut scalars = vec![self.value, self.blinding, self.base];
        scalars.append(&mut own.keys);
        scalars.append(&mut own.g);
        scalars.append(&mut own.h);
        scalars.extend(params.account_key().map(|_| self.money.account));
        scalars
            .par_chunks(STATIC_PIECE)
            .enumerate()
            .map(|(piece, scalars)| {
                let first = piece * STATIC_PIECE;
                let places: Vec<usize> = (first..first + scalars.len()).collect();
                multiscalar_at(scalars, &[(params.shared(), &places)])
            })
            .reduce(RistrettoPoint::identity, |a, b| a + b)
    }
}

fn add_all(sums: &mut [Scalar], terms: &[Scalar]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

/// Merges one bid: its point scalars go to `scalars` in the order of [`index`], the rest to `statics`.
fn merge_bid(
    params: &BidParams,
    o: &Replay,
    weights: &Weights,
    inverses: &Inverses,
    statics: &mut Statics,
    scalars: &mut Vec<Scalar>,
) {
    let [w_inner, w1, w2, w3, w_signature] = *weights;
    let bases = params.bases();
    let w1e = w1 * o.e;
    let [s_r, s_tau, s_x] = o.responses;
    statics.value += w_inner * o.w * (o.t_hat - o.a * o.b)
        + w1e * (o.delta(bases.bits(), bases.steps()) - o.t_hat)
        - w2 * s_x;
    statics.blinding -= w_inner * o.mu + w1 * s_tau;
    statics.base -= w3 * s_r;
    statics.z_sum += w_inner * o.z;
    scalars.extend([w_inner, w_inner * o.x, w1e * o.x, w1e * o.x * o.x]);
    scalars.extend([w1, w2, w3]);
    if let Some(signature) = &o.signature {
        statics.base -= w_signature * signature.response;
        scalars.extend([w_signature, w_signature * signature.challenge]);
    }
    for (arity, (u, u_inverse)) in bases.layout().arities().zip(o.u.iter().zip(&inverses.u)) {
        let pairs = pair_weights(arity, u, u_inverse);
        scalars.extend(pairs.as_flattened().iter().map(|weight| w_inner * weight));
    }
    if let Some(money) = &o.money {
        merge_money(params, o, money, weights, inverses, statics, scalars);
    }
    scalars.push(w3 * o.e);
    statics.sums.add_generators(params, &o.argument(), w_inner, inverses);
    let vector = scalars.len();
    statics.sums.add_vector(o, [w1, w2], scalars);
    if let Some(money) = &o.money {
        add_to_vector(money, w1e, &mut scalars[vector..]);
    }
    if let Steps::Some(steps) = &o.steps {
        leave_out(steps, &(s_r * inverses.e), vector, statics, scalars);
    }
}

/// Keeps the scalars e·c_k of the steps that have a C_k, and takes back what the others have added to their keys, −s_r·c_k. The
/// sums of all steps are made eight at a time, so that this is less work than leaving them out at first.
fn leave_out(
    steps: &[usize],
    factor: &Scalar,
    vector: usize,
    statics: &mut Statics,
    scalars: &mut Vec<Scalar>,
) {
    let mut kept = steps.iter().copied().peekable();
    for (step, left_out) in statics.left_out.iter_mut().enumerate() {
        if kept.next_if_eq(&step).is_none() {
            *left_out += factor * scalars[vector + step];
        }
    }
    for (place, step) in steps.iter().enumerate() {
        scalars[vector + place] = scalars[vector + step];
    }
    scalars.truncate(vector + steps.len());
}

/// What money adds: the scalars of cost and available go to `scalars`, the rest to `statics`.
fn merge_money(
    params: &BidParams,
    o: &Replay,
    money: &ReplayedMoney,
    weights: &Weights,
    inverses: &Inverses,
    statics: &mut Statics,
    scalars: &mut Vec<Scalar>,
) {
    let (w_inner, w1, w1e) = (weights[0], weights[1], weights[1] * o.e);
    let y = YPowers::of(params, &o.y, &inverses.y);
    statics.value += w1e * money.weights.value_part(&money.terms, &o.y, &o.z, &y);
    scalars.extend(money.point_weights().map(|weight| w1e * weight));
    statics.sums.add_money(money, &y, w_inner, &inverses.y);
    statics.money.add(money, &w1, o);
}

/// Adds e·w1·(side + cost weight) to the scalars of the C_k.
fn add_to_vector(money: &ReplayedMoney, w1e: Scalar, scalars: &mut [Scalar]) {
    let sides = money.weights.sides().map(|side| w1e * side);
    let cost = w1e * money.weights.cost;
    for (step, (scalar, weight)) in scalars.iter_mut().zip(money.terms.costs.weights()).enumerate() {
        *scalar += sides[usize::from(is_buy(step))] + cost * Scalar::from(*weight);
    }
}

/// What the bids of a piece add to Y_0, and to the Y_k besides [`SharedSums`]: the same for all steps of a side, and a multiple
/// of their costs, of which a market has one list a zone.
#[derive(Default)]
struct MoneyStatics {
    account: Scalar,
    sides: [Scalar; 2],
    costs: BTreeMap<[u8; 32], (CostWeights, Scalar)>,
}

impl MoneyStatics {
    fn add(&mut self, money: &ReplayedMoney, w1: &Scalar, o: &Replay) {
        let minus_s_r = -(w1 * o.responses[0]);
        self.account -= w1 * o.account_response;
        self.sides.iter_mut().zip(money.weights.sides()).for_each(|(sum, side)| *sum += minus_s_r * side);
        self.add_costs(&money.terms.costs, minus_s_r * money.weights.cost);
    }

    fn add_costs(&mut self, costs: &CostWeights, factor: Scalar) {
        let entry = self.costs.entry(costs.digest()).or_insert_with(|| (costs.clone(), Scalar::ZERO));
        entry.1 += factor;
    }

    fn merge(&mut self, other: Self) {
        self.account += other.account;
        self.sides.iter_mut().zip(other.sides).for_each(|(sum, side)| *sum += side);
        other.costs.into_values().for_each(|(costs, factor)| self.add_costs(&costs, factor));
    }

    fn add_to_keys(&self, keys: &mut [Scalar]) {
        for (step, key) in keys.iter_mut().enumerate() {
            *key += self.sides[usize::from(is_buy(step))];
            *key +=
                self.costs.values().map(|(costs, f)| f * Scalar::from(costs.weights()[step])).sum::<Scalar>();
        }
    }
}
