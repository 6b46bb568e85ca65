//! Many bids in one random-weighted multiscalar multiplication.
//!
//! Every bid contributes five equations (the inner-product argument, E1, E2, E3 and the signature), each times a
//! 128-bit weight of its own. Each point of a bid enters once with its merged scalar; the points that all bids share
//! (generators, V, B, G, all Y_k) enter once a batch with accumulated scalars. If any equation is false, the sum is
//! the identity with probability at most 2^-128 over the weights, which are drawn from a transcript over every
//! byte of the batch (`protocol-spec/04-batch-verification.md`).

use crate::bid::merge::{Inverses, SharedSums, StaticScalars};
use crate::bid::params::BidParams;
use crate::bid::prepared::Prepared;
use crate::bid::replay::Replay;
use crate::fast::{Points, multiscalar, multiscalar_at};
use crate::labels;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

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
        .flat_map(|bid| std::iter::once(bid.replay.y).chain(bid.replay.u.iter().copied()))
        .collect();
    Scalar::batch_invert(&mut all);
    let mut rest = all.as_slice();
    let mut take = |rounds: usize| {
        let (head, tail) = rest.split_at(1 + rounds);
        rest = tail;
        Inverses { y: head[0], u: head[1..].to_vec() }
    };
    bids.iter().map(|bid| take(bid.replay.u.len())).collect()
}

/// Accumulated scalars of the points that all bids share.
struct Statics {
    value: Scalar,
    blinding: Scalar,
    base: Scalar,
    /// Σ w·z, the constant part of every G_i (minus) and H_i (plus).
    z_sum: Scalar,
    sums: SharedSums,
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
            pieces: Vec::new(),
        }
    }

    fn merge(mut self, mut other: Self) -> Self {
        self.value += other.value;
        self.blinding += other.blinding;
        self.base += other.base;
        self.z_sum += other.z_sum;
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
        let mut scalars = vec![self.value, self.blinding, self.base];
        scalars.append(&mut own.keys);
        scalars.extend(own.g.iter().map(|g| g - self.z_sum));
        scalars.extend(own.h.iter().map(|h| h + self.z_sum));
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
    statics.base -= w3 * s_r + w_signature * o.signature.response;
    statics.z_sum += w_inner * o.z;
    scalars.extend([w_inner, w_inner * o.x, w1e * o.x, w1e * o.x * o.x]);
    scalars.extend([w1, w2, w3, w_signature, w_signature * o.signature.challenge]);
    for (u, u_inverse) in o.u.iter().zip(&inverses.u) {
        scalars.extend([w_inner * u * u, w_inner * u_inverse * u_inverse]);
    }
    scalars.push(w3 * o.e);
    statics.sums.add_generators(params, o, w_inner, inverses);
    statics.sums.add_vector(o, [w1, w2], scalars);
}
