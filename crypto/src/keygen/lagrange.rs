//! Lagrange coefficients, for combining opening shares and for weighting a resharing.

use crate::group::scalar_from_i64;
use curve25519_dalek::scalar::Scalar;

/// λ_i = Π_{j≠i} x_j / (x_j − x_i) for distinct numbers that are not zero.
pub(crate) fn lagrange_at_zero(numbers: &[u16]) -> Vec<Scalar> {
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
