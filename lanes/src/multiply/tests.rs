//! Every width of a window, at the limits of its digits.

use super::*;
use crate::field::words::Words;
use crate::{Kind, Lanes};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Edges for all widths, then random scalars.
fn scalars(count: usize) -> Vec<Scalar> {
    let power = |bit: usize| (0..bit).fold(Scalar::ONE, |power, _| power + power);
    let mut all = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::from(2u64), power(252)];
    all.extend([power(252) - Scalar::ONE, power(252) + Scalar::ONE, power(251), power(63), power(64)]);
    for (width, _) in WIDTHS {
        // The largest digit everywhere; one more, which turns into the smallest and a carry everywhere; all ones.
        for digit in [1u64 << (width - 1), (1 << (width - 1)) + 1, (1 << width) - 1] {
            all.push((0..252 / width).fold(Scalar::ZERO, |sum, _| sum * power(width) + Scalar::from(digit)));
        }
    }
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    all.resize_with(count, || Scalar::random(&mut rng));
    all
}

#[test]
fn every_width_multiplies_at_the_limits_of_its_digits() {
    for lanes in Kind::ALL.into_iter().filter_map(Lanes::of) {
        check_widths(lanes);
    }
}

/// The sum by windows of this width, by the kind of the lanes.
fn by_kind(lanes: Lanes, scalars: &[[u8; 32]], points: &[&Affine], choice: (usize, usize)) -> Sum {
    match lanes.kind() {
        #[cfg(target_arch = "x86_64")]
        Kind::Ifma => by_windows::<crate::field::ifma::Ifma>(scalars, points, choice),
        #[cfg(target_arch = "x86_64")]
        Kind::Avx2 => by_windows::<crate::field::avx2::Avx2>(scalars, points, choice),
        _ => by_windows::<Words>(scalars, points, choice),
    }
}

fn check_widths(lanes: Lanes) {
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut points: Vec<RistrettoPoint> = (0..90).map(|_| RistrettoPoint::random(&mut rng)).collect();
    // Repeated points, a negated one and identities.
    for at in [1, 17, 40, 41] {
        points[at] = points[0];
    }
    points[42] = -points[0];
    let encodings: Vec<[u8; 32]> = points.iter().map(|point| point.compress().0).collect();
    let mut ours: Vec<Affine> = lanes.decode(&encodings).into_iter().flatten().collect();
    for at in [2, 30, 89] {
        (points[at], ours[at]) = (RistrettoPoint::identity(), Affine::IDENTITY);
    }
    let ours: Vec<&Affine> = ours.iter().collect();
    let scalars = scalars(90);
    let bytes: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
    let expected = RistrettoPoint::vartime_multiscalar_mul(&scalars, &points).compress().0;
    for choice in WIDTHS {
        let sum = |range: std::ops::Range<usize>| by_kind(lanes, &bytes[range.clone()], &ours[range], choice);
        assert_eq!(lanes.encode(&[sum(0..90)]), [expected], "{choice:?}");
        for i in 0..90 {
            let single = (scalars[i] * points[i]).compress().0;
            assert_eq!(lanes.encode(&[sum(i..i + 1)]), [single], "{choice:?}, scalar {i}");
        }
    }
}

#[test]
fn more_points_take_wider_windows() {
    for (width, windows) in WIDTHS {
        assert!(windows % 8 == 0 && width * windows >= 254, "{width}");
    }
    let sizes = [0, 100, 200, 300, 1000, 30_000];
    assert_eq!(sizes.map(windows_for), WIDTHS);
}
