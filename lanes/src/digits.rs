//! Signed digits of scalars.

/// Digits of a scalar below 2^253 in radix 2^`width`, each in −2^(width−1)..=2^(width−1), lowest first.
///
/// Variable time for widths that the multiplication of public scalars uses; the constant-time multiplication uses
/// [`radix_16`].
pub(crate) fn signed(scalar: &[u8; 32], width: usize, digits: &mut [i16]) {
    let words: [u64; 4] =
        core::array::from_fn(|i| u64::from_le_bytes(scalar[8 * i..8 * i + 8].try_into().expect("8 bytes")));
    let (radix, mask) = (1i64 << width, (1u64 << width) - 1);
    let mut carry = 0i64;
    for (i, digit) in digits.iter_mut().enumerate() {
        let bit = i * width;
        let (word, shift) = (bit / 64, bit % 64);
        let mut raw = if word < 4 { words[word] >> shift } else { 0 };
        if shift + width > 64 && word + 1 < 4 {
            raw |= words[word + 1] << (64 - shift);
        }
        let value = (raw & mask) as i64 + carry;
        carry = i64::from(value > radix / 2);
        *digit = (value - carry * radix) as i16;
    }
}

/// Bits of a scalar below 2^253 and of a carry out of it.
pub(crate) const NAF_PLACES: usize = 256;

/// Digits of a scalar below 2^253 by place, zero or odd and below 16 in magnitude, at most one of five in a row not zero:
/// the non-adjacent form of width 5. Variable time.
pub(crate) fn non_adjacent(scalar: &[u8; 32]) -> [i8; NAF_PLACES] {
    let words: [u64; 5] = core::array::from_fn(|i| {
        scalar.get(8 * i..8 * i + 8).map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().expect("8 bytes")))
    });
    let mut digits = [0; NAF_PLACES];
    let (mut place, mut carry) = (0, 0);
    while place < NAF_PLACES {
        let (word, shift) = (place / 64, place % 64);
        let mut window = words[word] >> shift;
        if shift > 59 {
            window |= words[word + 1] << (64 - shift);
        }
        let window = (window & 31) as i8 + carry;
        if window & 1 == 0 {
            place += 1;
            continue;
        }
        carry = i8::from(window >= 16);
        digits[place] = window - 32 * carry;
        place += 5;
    }
    digits
}

/// The 64 digits of a scalar below 2^253 in radix 16, each in −8..8, without a branch on the scalar: what cannot
/// overflow is computed wrapping, because a check for overflow would be one.
pub(crate) fn radix_16(scalar: &[u8; 32], digits: &mut [i8; 64]) {
    for (i, byte) in scalar.iter().enumerate() {
        digits[2 * i] = (byte & 15) as i8;
        digits[2 * i + 1] = (byte >> 4) as i8;
    }
    let mut carry = 0i8;
    for digit in digits.iter_mut().take(63) {
        let value = digit.wrapping_add(carry);
        carry = value.wrapping_add(8) >> 4;
        *digit = value.wrapping_sub(carry << 4);
    }
    digits[63] = digits[63].wrapping_add(carry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::scalar::Scalar;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn scalars() -> Vec<Scalar> {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        let mut all = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE, Scalar::from(0x8888_8888_8888_8888u64)];
        all.extend((0..100).map(|_| Scalar::random(&mut rng)));
        all
    }

    fn sum(digits: impl DoubleEndedIterator<Item = i64>, width: usize) -> Scalar {
        let radix = Scalar::from(1u64 << width);
        digits.rev().fold(Scalar::ZERO, |value, digit| {
            let magnitude = Scalar::from(digit.unsigned_abs());
            value * radix + if digit < 0 { -magnitude } else { magnitude }
        })
    }

    #[test]
    fn digits_make_the_scalar() {
        for scalar in scalars() {
            for (width, count) in crate::multiply::WIDTHS {
                let mut digits = vec![0i16; count];
                signed(scalar.as_bytes(), width, &mut digits);
                assert!(digits.iter().all(|d| i64::from(*d).abs() <= 1 << (width - 1)));
                assert_eq!(sum(digits.iter().map(|d| i64::from(*d)), width), scalar);
            }
            let digits = non_adjacent(scalar.as_bytes());
            assert!(digits.iter().all(|d| *d == 0 || d % 2 != 0 && d.abs() < 16));
            assert!(digits.windows(5).all(|five| five.iter().filter(|d| **d != 0).count() <= 1));
            assert_eq!(sum(digits.iter().map(|d| i64::from(*d)), 1), scalar);
            let mut digits = [0; 64];
            radix_16(scalar.as_bytes(), &mut digits);
            assert!(digits.iter().all(|d| (-8..8).contains(d)));
            assert_eq!(sum(digits.iter().map(|d| i64::from(*d)), 4), scalar);
        }
    }
}
