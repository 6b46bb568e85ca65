//! What a day's settled slots come to, as a point that everybody computes and its owner checks.

use super::params::DayParams;
use super::shares::VerifiedShares;
use super::verify::VerifiedDay;
use crate::fast::{Points, sum_of};
use crate::group::{PointBytes, encode_point};
use crate::secret::Secret;
use crate::tally::weighted_sum;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

/// A verified vector over the slots of a day: its readings, or its shares.
#[derive(Clone, Copy)]
pub struct DayVector<'a> {
    pub(super) slots: &'a [usize],
    pub(super) digest: [u8; 32],
    /// R, then a point a slot.
    pub(super) points: &'a Points,
}

impl<'a> From<&'a VerifiedDay> for DayVector<'a> {
    fn from(day: &'a VerifiedDay) -> Self {
        Self { slots: day.present(), digest: day.digest(), points: day.vector() }
    }
}

impl<'a> From<&'a VerifiedShares> for DayVector<'a> {
    fn from(shares: &'a VerifiedShares) -> Self {
        Self { slots: shares.present(), digest: shares.digest(), points: shares.vector() }
    }
}

/// Σ w_k·C_k over the slots that the day has: with R a ciphertext of Σ w_k·x_k. `weights` has one entry a slot of the day; those
/// of slots without a reading do not count.
///
/// # Panics
/// When there are less weights than slots.
pub fn day_point<'a>(day: impl Into<DayVector<'a>>, weights: &[i64]) -> PointBytes {
    let DayVector { slots, points, .. } = day.into();
    let present: Vec<i64> = slots.iter().map(|slot| weights[*slot]).collect();
    encode_point(&weighted_sum(&present, 1, |places| sum_of(points, places)))
}

/// The owner's check of its [`day_point`]: true when it holds `amount` under the day's own randomness, that is when it equals
/// amount·V + r·Σ w_k·Y_k.
///
/// # Panics
/// When there are less weights than slots.
pub fn day_point_holds(
    params: &DayParams,
    r: &Secret<Scalar>,
    present: &[usize],
    weights: &[i64],
    amount: u128,
    point: &PointBytes,
) -> bool {
    let of_present: Vec<i64> = present.iter().map(|slot| weights[*slot]).collect();
    let key_sum = |places: &[usize]| -> RistrettoPoint {
        places.iter().map(|place| params.slot_keys()[present[*place]]).sum()
    };
    let mask = r.expose() * weighted_sum(&of_present, 0, key_sum);
    let value = params.vector().bases().value_table();
    encode_point(&(value * &Scalar::from(amount) + mask)) == *point
}
