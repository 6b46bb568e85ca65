//! R = r·G and C_k = x_k·V + r·Y_k, in constant time.

use crate::bid::params::BidParams;
use crate::group::{PointBytes, encode_point};
use crate::secret::Secret;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

/// The encoded vector (R; C_1..C_M).
pub(crate) struct BidVector {
    pub r: PointBytes,
    pub c: Vec<PointBytes>,
}

/// Encrypts the quantities with one randomness r, one key a step.
pub(crate) fn commit(params: &BidParams, r: &Secret<Scalar>, quantities_wh: &[u64]) -> BidVector {
    commit_at(params, r, quantities_wh.iter().copied().enumerate())
}

/// As [`commit`] for some steps, each with its quantity.
pub(crate) fn commit_at(
    params: &BidParams,
    r: &Secret<Scalar>,
    quantities_wh: impl Iterator<Item = (usize, u64)>,
) -> BidVector {
    let value = params.bases().value_table();
    let tables = params.key_tables();
    let c = quantities_wh
        .map(|(step, quantity)| {
            let quantity = Secret::new(Scalar::from(quantity));
            // r·Y_k opens C_k, so it is wiped like r itself.
            let mask: Secret<RistrettoPoint> = Secret::new(match tables {
                Some(tables) => r.expose() * &tables[step],
                None => r.expose() * params.step_keys()[step],
            });
            encode_point(&(quantity.expose() * value + mask.expose()))
        })
        .collect();
    BidVector { r: encode_point(&(r.expose() * RISTRETTO_BASEPOINT_TABLE)), c }
}
