//! From t verified shares to the opened point.

use super::{CombineError, VerifiedShare};
use crate::group::{scalar_from_i64, value_base};
use crate::keygen::ThresholdKeys;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
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

/// λ_i = Π_{j≠i} x_j / (x_j − x_i) for distinct numbers that are not zero.
fn lagrange_at_zero(numbers: &[u16]) -> Vec<Scalar> {
    let others = |i: u16| numbers.iter().filter(move |j| **j != i);
    let mut coefficients: Vec<Scalar> = numbers
        .iter()
        .map(|&i| others(i).map(|&j| scalar_from_i64(i64::from(j) - i64::from(i))).product())
        .collect();
    Scalar::batch_invert(&mut coefficients);
    for (coefficient, &i) in coefficients.iter_mut().zip(numbers) {
        *coefficient *= others(i).map(|&j| Scalar::from(j)).product::<Scalar>();
    }
    coefficients
}

/// Whether an opened point is `value`·V; this is all that a reader of a published value needs to check.
pub fn check_value(opened: &RistrettoPoint, value: i64) -> bool {
    scalar_from_i64(value) * value_base() == *opened
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lagrange_recovers_the_constant_term() {
        let [a, b, c] = [Scalar::from(9u8), Scalar::from(4u8), Scalar::from(6u8)];
        let f = |x: u16| a + b * Scalar::from(x) + c * Scalar::from(x) * Scalar::from(x);
        for numbers in [[1, 2, 3], [4, 2, 1], [7, 128, 3]] {
            let sum: Scalar = lagrange_at_zero(&numbers).iter().zip(numbers).map(|(l, x)| l * f(x)).sum();
            assert_eq!(sum, a);
        }
    }
}
