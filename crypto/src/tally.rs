//! The running sums of a round's bids: R_tot, X_k under every step key, and the digest of the bid set.

use crate::bid::{BidParams, VerifiedBid};
use crate::group::{PointBytes, encode_point, scalar_from_i64};
use crate::labels;
use crate::secret::Secret;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use sha2::{Digest, Sha256};

/// Sums over all verified bids of a round, in ledger order.
#[derive(Clone)]
pub struct Tally {
    r_total: RistrettoPoint,
    c_totals: Vec<RistrettoPoint>,
    count: u64,
    bid_set: [u8; 32],
}

impl Tally {
    /// An empty tally over `steps` steps.
    pub fn new(steps: usize) -> Self {
        let zero = RistrettoPoint::identity();
        Self { r_total: zero, c_totals: vec![zero; steps], count: 0, bid_set: [0; 32] }
    }

    /// Adds a bid. Only a [`VerifiedBid`] can enter, with the points that its verification has decompressed.
    ///
    /// # Panics
    /// When the bid was verified for another number of steps, which the ledger's round excludes.
    pub fn add(&mut self, bid: &VerifiedBid) {
        assert_eq!(bid.c().len(), self.c_totals.len(), "bid and tally belong to one market");
        self.r_total += bid.r();
        for (total, c) in self.c_totals.iter_mut().zip(bid.c()) {
            *total += c;
        }
        self.count += 1;
        let mut hash = Sha256::new();
        hash.update(labels::BID_SET);
        hash.update(self.bid_set);
        hash.update(bid.digest());
        self.bid_set = hash.finalize().into();
    }

    /// R_tot, the sum of all R.
    pub fn r_total(&self) -> &RistrettoPoint {
        &self.r_total
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
    /// When `weights` is not one weight a step.
    pub fn weighted_sum(&self, weights: &[i64]) -> RistrettoPoint {
        weighted_sum(&self.c_totals, weights)
    }

    /// The tally in bytes, for the state root.
    pub fn to_canonical_bytes(&self) -> Vec<u8> {
        let mut w = crate::wire::Writer::new();
        w.u64(self.count).bytes(&self.bid_set).bytes(&encode_point(&self.r_total));
        w.length(self.c_totals.len());
        for total in &self.c_totals {
            w.bytes(&encode_point(total));
        }
        w.finish()
    }
}

/// Σ w_k·P_k for public weights. Steps of equal weight are added before they are multiplied: the weights of openings
/// and fills take three values, so this is a few additions a step and two multiplications.
fn weighted_sum(points: &[RistrettoPoint], weights: &[i64]) -> RistrettoPoint {
    assert_eq!(points.len(), weights.len(), "one weight a step");
    let mut groups: std::collections::BTreeMap<i64, RistrettoPoint> = std::collections::BTreeMap::new();
    for (point, weight) in points.iter().zip(weights).filter(|(_, weight)| **weight != 0) {
        *groups.entry(*weight).or_insert_with(RistrettoPoint::identity) += point;
    }
    let scalars = groups.keys().map(|weight| scalar_from_i64(*weight));
    RistrettoPoint::vartime_multiscalar_mul(scalars, groups.values())
}

/// A member's settlement point Σ q_k·C_k: with R a ciphertext of its own fill Σ q_k·x_k (Wh/2^16).
pub fn settlement_point(bid: &VerifiedBid, fill_weights: &[i64]) -> PointBytes {
    encode_point(&weighted_sum(bid.c(), fill_weights))
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
    let mask = r.expose() * weighted_sum(params.step_keys(), fill_weights);
    encode_point(&(params.bases().value_table() * &scalar_from_i64(fill_wh_q16) + mask)) == *point
}
