//! The running sums of a round's bids: R_tot, X_k under every step key, and the digest of the bid set.

use crate::bid::{BidParams, VerifiedBid};
use crate::fast::{Totals, sum_of};
use crate::group::{PointBytes, encode_point, scalar_from_i64};
use crate::labels;
use crate::secret::Secret;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;

/// Sums over all verified bids of a round, in ledger order.
#[derive(Clone)]
pub struct Tally {
    /// R_tot, then the step totals.
    totals: Totals,
    count: u64,
    bid_set: [u8; 32],
    /// [`Tally::to_canonical_bytes`], once it was asked for: every state root has it, and most blocks bring no bids.
    encoded: OnceLock<Vec<u8>>,
}

impl Tally {
    /// An empty tally over `steps` steps.
    pub fn new(steps: usize) -> Self {
        Self { totals: Totals::new(steps + 1), count: 0, bid_set: [0; 32], encoded: OnceLock::new() }
    }

    /// Adds a bid. Only a [`VerifiedBid`] can enter, with the points that its verification has decompressed.
    ///
    /// # Panics
    /// When the bid was verified for another number of steps, which the ledger's round excludes.
    pub fn add(&mut self, bid: &VerifiedBid) {
        assert_eq!(bid.vector().len(), self.totals.len(), "bid and tally belong to one market");
        self.totals.add(bid.vector());
        self.count += 1;
        self.encoded = OnceLock::new();
        let mut hash = Sha256::new();
        hash.update(labels::BID_SET);
        hash.update(self.bid_set);
        hash.update(bid.digest());
        self.bid_set = hash.finalize().into();
    }

    /// R_tot, the sum of all R.
    pub fn r_total(&self) -> RistrettoPoint {
        self.totals.get(0)
    }
    /// Number of bids.
    pub fn count(&self) -> u64 {
        self.count
    }
    /// Running digest over the bids' digests in the order in which they were added.
    pub fn bid_set(&self) -> [u8; 32] {
        self.bid_set
    }

    /// Σ w_k·C_k over the step totals, a ciphertext of Σ w_k·X_k under Σ w_k·Y_k.
    ///
    /// # Panics
    /// When `weights` is not one weight per step.
    pub fn weighted_sum(&self, weights: &[i64]) -> RistrettoPoint {
        assert_eq!(weights.len() + 1, self.totals.len(), "one weight a step");
        weighted_sum(weights, 1, |places| self.totals.sum_of(places))
    }

    /// The tally in bytes, for the state root.
    pub fn to_canonical_bytes(&self) -> &[u8] {
        self.encoded.get_or_init(|| {
            let mut w = crate::wire::Writer::new();
            let encoded = self.totals.encode();
            w.u64(self.count).bytes(&self.bid_set).bytes(&encoded[0]);
            w.length(encoded.len() - 1).bytes(encoded[1..].as_flattened());
            w.finish()
        })
    }
}

/// Σ w_k·P_k for public weights, where `sum_of` adds the points at some places and step k has the place k + `first`.
/// Points of equal weight are added before they are multiplied: the weights of openings and fills take few values, so
/// this is an addition a step and two or three multiplications.
pub(crate) fn weighted_sum(
    weights: &[i64],
    first: usize,
    sum_of: impl Fn(&[usize]) -> RistrettoPoint,
) -> RistrettoPoint {
    let mut groups: std::collections::BTreeMap<i64, Vec<usize>> = std::collections::BTreeMap::new();
    for (step, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight != 0) {
        groups.entry(*weight).or_default().push(step + first);
    }
    let groups: Vec<(i64, RistrettoPoint)> =
        groups.iter().map(|(weight, places)| (*weight, sum_of(places))).collect();
    multiply_small(&groups)
}

/// Bits of a weight up to which doubling and adding is faster than the multiplication for scalars of any length.
const SMALL_BITS: u32 = 48;

/// Σ w·P for public weights, in variable time: as many doublings as the longest weight has bits.
fn multiply_small(terms: &[(i64, RistrettoPoint)]) -> RistrettoPoint {
    let bits = terms.iter().map(|(weight, _)| u64::BITS - weight.unsigned_abs().leading_zeros()).max();
    let bits = bits.unwrap_or(0);
    if bits > SMALL_BITS {
        let scalars = terms.iter().map(|(weight, _)| scalar_from_i64(*weight));
        return RistrettoPoint::vartime_multiscalar_mul(scalars, terms.iter().map(|(_, point)| point));
    }
    let mut sum = RistrettoPoint::identity();
    for bit in (0..bits).rev() {
        sum += sum;
        for (weight, point) in terms.iter().filter(|(weight, _)| (weight.unsigned_abs() >> bit) & 1 == 1) {
            if *weight < 0 { sum -= point } else { sum += point }
        }
    }
    sum
}

/// A member's settlement point Σ q_k·C_k: with R a ciphertext of its own fill Σ q_k·x_k (Wh/2^16).
///
/// # Panics
/// When `fill_weights` is not one weight per step.
pub fn settlement_point(bid: &VerifiedBid, fill_weights: &[i64]) -> PointBytes {
    assert_eq!(fill_weights.len() + 1, bid.vector().len(), "one weight a step");
    encode_point(&weighted_sum(fill_weights, 1, |places| sum_of(bid.vector(), places)))
}

/// The owner's check of its settlement point: true when it holds `fill_wh_q16` under the bid's own randomness, that is
/// when it equals fill·V + r·Σ q_k·Y_k.
pub fn settlement_point_holds(
    params: &BidParams,
    r: &Secret<Scalar>,
    fill_weights: &[i64],
    fill_wh_q16: i64,
    point: &PointBytes,
) -> bool {
    let mask = r.expose()
        * weighted_sum(fill_weights, 0, |places| places.iter().map(|step| params.step_keys()[*step]).sum());
    encode_point(&(params.bases().value_table() * &scalar_from_i64(fill_wh_q16) + mask)) == *point
}

/// What a bid bought and what it sold, as ciphertexts with its R: Σ q_k·C_k over the steps with positive fill weights, and
/// Σ −q_k·C_k over those with negative ones, in Wh/2^16. The identity (32 zero bytes) where there are none.
///
/// # Panics
/// When `fill_weights` is not one weight per step.
pub fn settlement_sides(bid: &VerifiedBid, fill_weights: &[i64]) -> [PointBytes; 2] {
    assert_eq!(fill_weights.len() + 1, bid.vector().len(), "one weight a step");
    side_weights(fill_weights)
        .map(|weights| encode_point(&weighted_sum(&weights, 1, |places| sum_of(bid.vector(), places))))
}

/// The keys of [`settlement_sides`]: the same sums of the step keys.
///
/// # Panics
/// When `fill_weights` is not one weight per step.
pub fn settlement_side_keys(params: &BidParams, fill_weights: &[i64]) -> [RistrettoPoint; 2] {
    assert_eq!(fill_weights.len(), params.steps(), "one weight a step");
    side_weights(fill_weights).map(|weights| {
        weighted_sum(&weights, 0, |places| places.iter().map(|step| params.step_keys()[*step]).sum())
    })
}

/// The weights of what is bought and of what is sold, none negative.
fn side_weights(fill_weights: &[i64]) -> [Vec<i64>; 2] {
    let bought = fill_weights.iter().map(|weight| (*weight).max(0)).collect();
    [bought, fill_weights.iter().map(|weight| weight.saturating_neg().max(0)).collect()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT as G;

    #[test]
    fn small_weights_multiply_as_scalars_do() {
        let points = [3u64, 5, 7].map(|factor| Scalar::from(factor) * G);
        let edge = 1i64 << SMALL_BITS;
        for weights in [
            [0, 0, 0],
            [1, -1, 1],
            [65_536, 1, -65_535],
            [edge - 1, 2, 1 - edge],
            [edge, -3, 4],
            [i64::MAX, i64::MIN, -1],
        ] {
            let terms: Vec<_> = weights.into_iter().zip(points).collect();
            let expected: RistrettoPoint =
                terms.iter().map(|(weight, point)| scalar_from_i64(*weight) * point).sum();
            assert_eq!(multiply_small(&terms), expected, "{weights:?}");
        }
        assert_eq!(multiply_small(&[]), RistrettoPoint::identity());
    }
}
