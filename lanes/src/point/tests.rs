//! Representatives that decoding never makes: any z, any torsion, limbs that are not canonical.

#![cfg(target_arch = "x86_64")]

use super::*;
use crate::field::{avx2::Avx2, ifma::Ifma, words::Words};
use crate::{Kind, Lanes};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Runs the check for each kind that the processor has.
macro_rules! run {
    ($check:ident) => {
        if Lanes::of(Kind::Ifma).is_some() {
            $check::<Ifma>();
        }
        if Lanes::of(Kind::Avx2).is_some() {
            $check::<Avx2>();
        }
        $check::<Words>();
    };
}

impl<F: Field> Sum8<F> {
    fn and_affine(mut self, other: &Affine8<F>) -> Self {
        self.add_affine(other);
        self
    }

    fn and(mut self, other: &Self) -> Self {
        self.add(other);
        self
    }

    fn twice(mut self) -> Self {
        self.double();
        self
    }
}

fn bytes(points: &[RistrettoPoint]) -> Vec<[u8; 32]> {
    points.iter().map(|point| point.compress().0).collect()
}

/// Seven random points and the identity, in both forms.
fn eight_points<F: Field>(seed: u64) -> ([RistrettoPoint; 8], Affine8<F>) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut points: [RistrettoPoint; 8] = core::array::from_fn(|_| RistrettoPoint::random(&mut rng));
    points[5] = RistrettoPoint::identity();
    let mut encodings = [[0; 32]; 16];
    encodings[8..].copy_from_slice(&bytes(&points));
    let (decoded, valid) = decode16::<F>(&encodings);
    assert_eq!(valid, u16::MAX);
    (points, Affine8::load(core::array::from_fn(|l| &decoded[8 + l])))
}

/// (x, y) with z = 1 in all lanes.
fn splat<F: Field>(x: &Limbs, y: &Limbs) -> Sum8<F> {
    let (x, y) = (F::splat(x), F::splat(y));
    Sum8([x, y, F::one(), x.mul(&y)])
}

/// The four points of order 1, 2 and 4: (0, ±1) and (±√−1, 0).
fn torsion<F: Field>() -> [Sum8<F>; 4] {
    let (zero, i) = (F::zero(), F::splat(&constants::SQRT_M1));
    let one = F::one();
    [(zero, one), (zero, one.neg()), (i, zero), (i.neg(), zero)].map(|(x, y)| Sum8([x, y, one, x.mul(&y)]))
}

fn check_scaled<F: Field>() {
    let (points, affine) = eight_points::<F>(1);
    let sum = Sum8::identity().and_affine(&affine);
    for scale in [[1, 0, 0, 0, 0], [2, 0, 0, 0, 0], constants::SQRT_M1, [(1 << 51) + (1 << 15); 5]] {
        for scale in [F::splat(&scale), F::splat(&scale).neg()] {
            let scaled = |fe: &F| fe.mul(&scale);
            let scaled = Sum8(sum.0.each_ref().map(scaled));
            assert_eq!(encode8(&scaled)[..], bytes(&points));
            let again = Sum8::<F>::load(scaled.store().each_ref());
            let tripled = again.twice().and(&again);
            assert_eq!(encode8(&tripled)[..], bytes(&points.map(|point| point + point + point)));
            let [normal] = normalize_groups(&[scaled])[..] else { panic!("one group") };
            assert_eq!(encode8(&sum.and_affine(&normal))[..], bytes(&points.map(|point| point + point)));
        }
    }
}

#[test]
fn the_scale_of_a_representative_does_not_matter() {
    run!(check_scaled);
}

fn check_torsion<F: Field>() {
    let (points, affine) = eight_points::<F>(2);
    for (i, torsion) in torsion::<F>().iter().enumerate() {
        assert_eq!(encode8(torsion), [[0; 32]; 8], "torsion point {i}");
        assert_eq!(encode8(&torsion.twice()), [[0; 32]; 8], "double of torsion point {i}");
        let shifted = torsion.and_affine(&affine);
        assert_eq!(encode8(&shifted)[..], bytes(&points), "point plus torsion point {i}");
        assert_eq!(encode8(&torsion.and(&shifted))[..], bytes(&points), "{i} twice");
        let doubled = bytes(&points.map(|point| point + point));
        assert_eq!(encode8(&shifted.and(&shifted))[..], doubled, "sum with itself, {i}");
        assert_eq!(encode8(&shifted.twice())[..], doubled, "double, {i}");
        let mut zero = shifted;
        zero.add_cached(&shifted.cached().negate());
        assert_eq!(encode8(&zero), [[0; 32]; 8], "difference from itself, {i}");
    }
}

#[test]
fn the_formulas_are_complete_and_encoding_forgets_torsion() {
    run!(check_torsion);
}

fn check_not_canonical<F: Field>() {
    let top = (1 << 51) - 1;
    let p = [top - 18, top, top, top, top];
    let (p_plus_1, wide_one) = ([top - 17, top, top, top, top], [20, 0, 0, 0, 1 << 51]);
    let identity = [[0; 32]; 8];
    for (x, y) in [([0; 5], constants::ONE), (p, constants::ONE), (p, p_plus_1), (p, wide_one)] {
        let sum = splat::<F>(&x, &y);
        assert_eq!(encode8(&sum), identity, "{x:?} {y:?}");
        assert_eq!(encode8(&sum.twice()), identity, "{x:?} {y:?}");
        assert_eq!(encode8(&sum.and(&sum)), identity, "{x:?} {y:?}");
    }
}

#[test]
fn zero_and_one_count_in_any_representation() {
    run!(check_not_canonical);
}

fn check_long<F: Field>() {
    let (points, affine) = eight_points::<F>(3);
    let mut sum = Sum8::<F>::identity();
    // sum ← 2·sum ± point, which is 2·sum − point in odd lanes.
    for _ in 0..2000 {
        sum = sum.twice().and_affine(&affine.negate_where(0b1010_1010));
    }
    let factor = (0..2000).fold(Scalar::ZERO, |factor, _| factor + factor + Scalar::ONE);
    let expected: Vec<RistrettoPoint> =
        (0..8).map(|l| if l % 2 == 1 { -factor * points[l] } else { factor * points[l] }).collect();
    assert_eq!(encode8(&sum)[..], bytes(&expected));
    let mut steps = Sum8::<F>::identity();
    for _ in 0..10_000 {
        steps.add_affine(&affine);
    }
    let expected = points.map(|point| Scalar::from(10_000u64) * point);
    assert_eq!(encode8(&steps)[..], bytes(&expected));
}

#[test]
fn long_sums_stay_right() {
    run!(check_long);
}

#[test]
fn canonical_encodings_are_even_and_below_p() {
    let mut p = [0xff; 32];
    (p[0], p[31]) = (0xed, 0x7f);
    assert!(!is_canonical(&p));
    let with = |at: usize, byte: u8| {
        let mut encoding = p;
        encoding[at] = byte;
        encoding
    };
    assert!(is_canonical(&with(0, 0xec)) && !is_canonical(&with(0, 0xeb)) && !is_canonical(&with(0, 0xee)));
    assert!(!is_canonical(&with(31, 0xff)) && !is_canonical(&with(31, 0x80)));
    for at in 1..32 {
        let mut below = with(at, if at == 31 { 0x7e } else { 0xfe });
        below[0] = 0xee;
        assert!(is_canonical(&below), "byte {at}");
    }
}
