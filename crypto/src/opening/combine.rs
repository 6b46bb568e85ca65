//! From t verified shares to the opened point.

use super::{CombineError, VerifiedShare};
use crate::group::{scalar_from_i64, value_base};
use crate::keygen::{ThresholdKeys, lagrange_at_zero};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::VartimeMultiscalarMul;

/// Combines the first t shares and takes them off `c_sum` = Σ w_k·X_k, which leaves value·V.
///
/// # Errors
/// [`CombineError`] for less than t shares, a validator twice, or shares of different openings.
pub fn combine(
    public: &ThresholdKeys,
    shares: &[VerifiedShare],
    c_sum: &RistrettoPoint,
) -> Result<RistrettoPoint, CombineError> {
    let needed = public.threshold();
    for (position, share) in shares.iter().enumerate() {
        let validator = share.validator;
        if shares[..position].iter().any(|other| other.validator == validator) {
            return Err(CombineError::Duplicate { validator });
        }
        if share.opening != shares[0].opening {
            return Err(CombineError::Mixed { validator });
        }
    }
    let Some(used) = shares.get(..usize::from(needed)) else {
        return Err(CombineError::TooFew { found: shares.len(), needed });
    };
    let numbers: Vec<u16> = used.iter().map(|share| share.validator).collect();
    let points = used.iter().map(|share| share.point);
    Ok(c_sum - RistrettoPoint::vartime_multiscalar_mul(lagrange_at_zero(&numbers), points))
}

/// Whether an opened point is `value`·V; this is all that a reader of a published value needs to check.
pub fn check_value(opened: &RistrettoPoint, value: i64) -> bool {
    scalar_from_i64(value) * value_base() == *opened
}
