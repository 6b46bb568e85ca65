//! Every operation against integers modulo p that know nothing of limbs, for inputs over the whole weakly reduced range.

use super::*;
use crate::Lanes;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// The largest limb that is weakly reduced.
const MOST: u64 = (1 << 51) + (1 << 15);
/// p in words of 64 bits.
const P: Model = Model([u64::MAX - 18, u64::MAX, u64::MAX, u64::MAX >> 1]);

/// An integer below p in words of 64 bits, with the slowest and plainest arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Model([u64; 4]);

impl Model {
    const ZERO: Self = Self([0; 4]);
    const ONE: Self = Self([1, 0, 0, 0]);

    /// The value of limbs of any size.
    fn of(limbs: &Limbs) -> Self {
        limbs.iter().rev().fold(Self::ZERO, |value, limb| {
            (0..51).fold(value, |value, _| value.add(value)).add(Self([*limb, 0, 0, 0]))
        })
    }

    fn at_least(self, other: Self) -> bool {
        self.0.iter().rev().ge(other.0.iter().rev())
    }

    /// self − other for self ≥ other.
    fn minus(self, other: Self) -> Self {
        let mut borrow = false;
        Self(core::array::from_fn(|i| {
            let (word, first) = self.0[i].overflowing_sub(other.0[i]);
            let (word, second) = word.overflowing_sub(u64::from(borrow));
            borrow = first | second;
            word
        }))
    }

    fn add(self, other: Self) -> Self {
        let mut carry = 0;
        let sum = Self(core::array::from_fn(|i| {
            let word = u128::from(self.0[i]) + u128::from(other.0[i]) + carry;
            carry = word >> 64;
            word as u64
        }));
        if sum.at_least(P) { sum.minus(P) } else { sum }
    }

    fn neg(self) -> Self {
        if self == Self::ZERO { self } else { P.minus(self) }
    }

    /// Bit by bit.
    fn mul(self, other: Self) -> Self {
        (0..255).rev().fold(Self::ZERO, |product, bit| {
            let doubled = product.add(product);
            if other.0[bit / 64] >> (bit % 64) & 1 == 1 { doubled.add(self) } else { doubled }
        })
    }

    fn pow(self, exponent: Self) -> Self {
        (0..255).rev().fold(Self::ONE, |power, bit| {
            let squared = power.mul(power);
            if exponent.0[bit / 64] >> (bit % 64) & 1 == 1 { squared.mul(self) } else { squared }
        })
    }

    fn is_square(self) -> bool {
        let half = P.minus(Self::ONE).0;
        let half = core::array::from_fn(|i| half[i] >> 1 | half.get(i + 1).map_or(0, |word| word << 63));
        self.pow(Self(half)) == Self::ONE
    }

    fn is_negative(self) -> bool {
        self.0[0] & 1 == 1
    }
}

/// Elements over the whole weakly reduced range: named extremes, then limbs that mix extremes and random values.
fn elements(count: usize, seed: u64) -> Vec<Limbs> {
    let top = (1 << 51) - 1;
    let mut all = vec![[0; 5], [1, 0, 0, 0, 0], [MOST; 5], [top; 5], [1 << 51; 5], [0, 0, 0, 0, MOST]];
    // p − 2 to p + 18, and 2^255 and what follows it.
    all.extend((top - 20..=top).map(|low| [low, top, top, top, top]));
    all.extend((0..20).map(|low| [low, 0, 0, 0, 1 << 51]));
    all.extend((0..5).map(|i| core::array::from_fn(|j| if i == j { MOST } else { 0 })));
    all.extend((0..5).map(|i| core::array::from_fn(|j| if i == j { 0 } else { MOST })));
    let edges = [0, 1, 18, 19, 20, top - 19, top - 18, top - 1, top, top + 1, top + 19, MOST - 1, MOST];
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    while all.len() < count {
        all.push(core::array::from_fn(|_| match rng.next_u32() % 3 {
            0 => edges[rng.next_u32() as usize % edges.len()],
            _ => rng.next_u64() % (MOST + 1),
        }));
    }
    all
}

fn eights(elements: &[Limbs]) -> impl Iterator<Item = [Limbs; 8]> {
    elements.as_chunks::<8>().0.iter().copied()
}

/// Where the processor has the vectors.
fn run(check: unsafe fn()) {
    if Lanes::detect().is_some() {
        // SAFETY: detection has shown the features that the checks are compiled for.
        unsafe { check() }
    }
}

/// Limbs of `ours` are weakly reduced and make the expected values.
#[target_feature(enable = "avx512f,avx512ifma")]
fn expect(name: &str, ours: Fe8, inputs: &[[Limbs; 8]], expected: impl Fn(usize) -> Model) {
    for (l, limbs) in ours.to_lanes().iter().enumerate() {
        let inputs: Vec<Limbs> = inputs.iter().map(|input| input[l]).collect();
        assert!(limbs.iter().all(|limb| *limb <= MOST), "{name} of {inputs:?} leaves {limbs:?}");
        assert_eq!(Model::of(limbs), expected(l), "{name} of {inputs:?}");
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn check_pairs() {
    let left = elements(4000, 1);
    // Every left extreme meets other right ones on each turn.
    for (turn, shift) in [0usize, 1, 7, 29].into_iter().enumerate() {
        let mut right = elements(4000, turn as u64 + 2);
        right.rotate_left(shift);
        for (a, b) in eights(&left).zip(eights(&right)) {
            let (x, y) = (Fe8::from_lanes(&a), Fe8::from_lanes(&b));
            let model = |l: usize| (Model::of(&a[l]), Model::of(&b[l]));
            expect("sum", x.add(&y), &[a, b], |l| model(l).0.add(model(l).1));
            expect("difference", x.sub(&y), &[a, b], |l| model(l).0.add(model(l).1.neg()));
            expect("product", x.mul(&y), &[a, b], |l| model(l).0.mul(model(l).1));
            let chosen = |l: usize| if 0b1010_0110 >> l & 1 == 1 { model(l).1 } else { model(l).0 };
            expect("selection", x.select(&y, 0b1010_0110), &[a, b], chosen);
        }
    }
}

#[test]
fn sums_differences_and_products_are_those_of_integers() {
    run(check_pairs);
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn check_singles() {
    for a in eights(&elements(8000, 6)) {
        let x = Fe8::from_lanes(&a);
        assert_eq!(x.to_lanes(), a);
        let model = |l: usize| Model::of(&a[l]);
        expect("square", x.square(), &[a], |l| model(l).mul(model(l)));
        expect("negation", x.neg(), &[a], |l| model(l).neg());
        let abs = |l: usize| if model(l).is_negative() { model(l).neg() } else { model(l) };
        expect("absolute value", x.abs(), &[a], abs);
        let frozen = x.freeze();
        expect("canonical form", frozen, &[a], model);
        for (l, limbs) in frozen.to_lanes().iter().enumerate() {
            // The words of the model are canonical: so are the limbs when they make the same bytes.
            let words = model(l).0.map(u64::to_le_bytes);
            assert!(limbs.iter().all(|limb| limb >> 51 == 0), "canonical form of {:?}", a[l]);
            assert_eq!(bytes_from_limbs(limbs), *words.as_flattened(), "canonical form of {:?}", a[l]);
            assert_eq!(limbs_from_bytes(&bytes_from_limbs(limbs)), *limbs);
            assert_eq!(x.is_zero() >> l & 1 == 1, model(l) == Model::ZERO, "{:?} as zero", a[l]);
            assert_eq!(x.is_negative() >> l & 1 == 1, model(l).is_negative(), "{:?} as negative", a[l]);
        }
    }
}

#[test]
fn squares_negations_and_canonical_forms_are_those_of_integers() {
    run(check_singles);
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn check_carry() {
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    for turn in 0..1000 {
        let limb = |rng: &mut ChaCha20Rng| if turn == 0 { (1 << 61) - 1 } else { rng.next_u64() >> 3 };
        let a: [Limbs; 8] = core::array::from_fn(|_| core::array::from_fn(|_| limb(&mut rng)));
        // Sums of the model's words stay below 2^256: a limb is taken apart first.
        let model = |l: usize| {
            let (low, high) = (a[l].map(|limb| limb & MASK as u64), a[l].map(|limb| limb >> 51));
            let up = Model::of(&high).mul(Model([1 << 51, 0, 0, 0]));
            Model::of(&low).add(up)
        };
        expect("carry", Fe8::carry(Fe8::from_lanes(&a).0), &[a], model);
    }
}

#[test]
fn a_carry_leaves_weakly_reduced_limbs_up_to_its_bound() {
    run(check_carry);
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn check_roots() {
    for a in eights(&elements(1200, 8)) {
        let x = Fe8::from_lanes(&a);
        let model = |l: usize| Model::of(&a[l]);
        let inverse = invert(&x);
        let one = |l: usize| if model(l) == Model::ZERO { Model::ZERO } else { Model::ONE };
        expect("product with the inverse", inverse.mul(&x), &[a], one);
        expect("inverse", inverse, &[a], |l| model(l).pow(P.minus(Model([2, 0, 0, 0]))));
        let [(first, one_root), (second, other_root)] = inverse_sqrt(&[x, x.neg()]);
        // −1 is a square, so x and −x are squares together.
        assert_eq!(first, second);
        assert_eq!((one_root.is_negative(), other_root.is_negative()), (0, 0));
        for (l, limbs) in a.iter().enumerate() {
            assert_eq!(first >> l & 1 == 1, model(l).is_square(), "{limbs:?} as a square");
        }
        // For no square the root is that of √−1/x, as RFC 9496 has it.
        let sqrt_m1 = Model::of(&constants::SQRT_M1);
        let residue = |l: usize| match (model(l) == Model::ZERO, first >> l & 1) {
            (true, _) => Model::ZERO,
            (false, 1) => Model::ONE,
            (false, _) => sqrt_m1,
        };
        expect("v·root²", one_root.square().mul(&x), &[a], residue);
    }
}

#[test]
fn inverses_and_inverse_roots_are_those_of_integers() {
    run(check_roots);
}

#[test]
fn constants_are_what_their_names_say() {
    let small = |value: u64| Model([value, 0, 0, 0]);
    let (minus_one, d) = (Model::ONE.neg(), Model::of(&constants::D));
    assert_eq!(d.mul(small(121_666)), small(121_665).neg());
    assert_eq!(Model::of(&constants::D2), d.add(d));
    let sqrt_m1 = Model::of(&constants::SQRT_M1);
    assert_eq!(sqrt_m1.mul(sqrt_m1), minus_one);
    assert!(!sqrt_m1.is_negative());
    let root = Model::of(&constants::INVSQRT_A_MINUS_D);
    assert_eq!(root.mul(root).mul(minus_one.add(d.neg())), Model::ONE);
    assert_eq!(Model::of(&TWO_P.map(|limb| limb as u64)), Model::ZERO);
    for constant in [constants::ONE, constants::D, constants::D2, constants::SQRT_M1] {
        assert!(constant.iter().all(|limb| limb >> 51 == 0));
    }
}
