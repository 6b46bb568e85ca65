//! Every operation of every kind against integers modulo p that know nothing of limbs, for inputs over the whole reduced
//! range, which is the same for all kinds.
#![cfg(target_arch = "x86_64")]

use super::avx2::Avx2;
use super::ifma::Ifma;
use super::words::Words;
use super::*;
use crate::{Kind, Lanes};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// The largest limb that is reduced.
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

/// Elements over the whole reduced range: named extremes, then limbs that mix extremes and random values.
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

mod points;

/// Limbs of `ours` are reduced and make the expected values.
fn expect<F: Field>(name: &str, ours: F, inputs: &[[Limbs; 8]], expected: impl Fn(usize) -> Model) {
    for (l, limbs) in ours.to_lanes().iter().enumerate() {
        let inputs: Vec<Limbs> = inputs.iter().map(|input| input[l]).collect();
        assert!(limbs.iter().all(|limb| *limb <= MOST), "{name} of {inputs:?} leaves {limbs:?}");
        assert_eq!(Model::of(limbs), expected(l), "{name} of {inputs:?}");
    }
}

fn check_pairs<F: Field>() {
    let left = elements(4000, 1);
    // Every left extreme meets other right ones on each turn.
    for (turn, shift) in [0usize, 1, 7, 29].into_iter().enumerate() {
        let mut right = elements(4000, turn as u64 + 2);
        right.rotate_left(shift);
        for (a, b) in eights(&left).zip(eights(&right)) {
            let (x, y) = (F::from_lanes(&a), F::from_lanes(&b));
            let model = |l: usize| (Model::of(&a[l]), Model::of(&b[l]));
            expect("sum", x.add(&y), &[a, b], |l| model(l).0.add(model(l).1));
            expect("difference", x.sub(&y), &[a, b], |l| model(l).0.add(model(l).1.neg()));
            expect("product", x.mul(&y), &[a, b], |l| model(l).0.mul(model(l).1));
            let (twice, apart) = (x.add_loose(&x), y.sub_loose(&x));
            let loose = |l: usize| {
                let (x, y) = model(l);
                (x.add(x), y.add(x.neg()))
            };
            expect("product of loose ones", twice.mul(&apart), &[a, b], |l| loose(l).0.mul(loose(l).1));
            expect("product of the largest", twice.add_loose(&y).mul(&apart), &[a, b], |l| {
                loose(l).0.add(model(l).1).mul(loose(l).1)
            });
            expect("square of a loose one", apart.square(), &[a, b], |l| loose(l).1.mul(loose(l).1));
            expect("difference of a loose one", twice.sub(&y), &[a, b], |l| loose(l).0.add(model(l).1.neg()));
            let chosen = |l: usize| if 0b1010_0110 >> l & 1 == 1 { model(l).1 } else { model(l).0 };
            expect("selection", x.select(&y, 0b1010_0110), &[a, b], chosen);
        }
    }
}

#[test]
fn sums_differences_and_products_are_those_of_integers() {
    run!(check_pairs);
}

fn check_singles<F: Field>() {
    for a in eights(&elements(8000, 6)) {
        let x = F::from_lanes(&a);
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
    run!(check_singles);
}

fn check_powers<F: Field>() {
    for a in eights(&elements(64, 9)) {
        let mut groups = [F::from_lanes(&a); 3];
        F::square_times(&mut groups, 5);
        for group in groups {
            expect("32nd power", group, &[a], |l| Model::of(&a[l]).pow(Model([32, 0, 0, 0])));
        }
    }
}

#[test]
fn repeated_squares_are_powers() {
    run!(check_powers);
}

/// The carry of a kind, given what limbs it takes.
fn check_carry<F: Field>(bits: u32, carry: impl Fn(&[Limbs; 8]) -> F) {
    let most = (1 << bits) - 1;
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    for turn in 0..1000 {
        let limb = |rng: &mut ChaCha20Rng| if turn == 0 { most } else { rng.next_u64() & most };
        let a: [Limbs; 8] = core::array::from_fn(|_| core::array::from_fn(|_| limb(&mut rng)));
        // Sums of the model's words stay below 2^256: a limb is taken apart first.
        let model = |l: usize| {
            let (low, high) = (a[l].map(|limb| limb & ((1 << 51) - 1)), a[l].map(|limb| limb >> 51));
            let up = Model::of(&high).mul(Model([1 << 51, 0, 0, 0]));
            Model::of(&low).add(up)
        };
        expect("carry", carry(&a), &[a], model);
    }
}

#[test]
fn a_carry_leaves_reduced_limbs_up_to_its_bound() {
    if Lanes::of(Kind::Ifma).is_some() {
        // SAFETY: the processor has the kind's features.
        check_carry(61, |lanes| unsafe { Ifma::carry(<Ifma as Field>::from_lanes(lanes).0) });
    }
    if Lanes::of(Kind::Avx2).is_some() {
        // SAFETY: as above.
        check_carry(60, |lanes| unsafe { Avx2::carried(lanes) });
    }
    check_carry(61, |lanes| Words(lanes.map(words::carry)));
}

/// Every digit in every lane, from a table of arbitrary words.
fn check_choice<F: Field>() {
    let mut rng = ChaCha20Rng::seed_from_u64(10);
    let mut block = [[[0; 8]; 15]; 8];
    block
        .as_flattened_mut()
        .as_flattened_mut()
        .iter_mut()
        .for_each(|word| *word = rng.next_u64() % (MOST + 1));
    for shift in 0..17 {
        let digits: [i64; 8] = core::array::from_fn(|l| (shift + 5 * l as i64) % 17 - 8);
        let (chosen, negative) = F::choose(&block, &digits);
        for (l, digit) in digits.into_iter().enumerate() {
            assert_eq!(negative >> l & 1 == 1, digit < 0);
            for (e, element) in chosen.iter().enumerate() {
                let expected: Limbs = core::array::from_fn(|i| match digit.unsigned_abs() as usize {
                    0 => u64::from(i == 0 && e < 2),
                    at => block[at - 1][5 * e + i][l],
                });
                assert_eq!(element.to_lanes()[l], expected, "digit {digit}");
            }
        }
    }
}

#[test]
fn choices_are_the_entries_of_the_digits() {
    run!(check_choice);
}

/// Points' memory to lanes and back, and to columns.
fn check_memory<F: Field>() {
    let all = elements(32, 11);
    let mut points = [[0u64; 24]; 8];
    for (l, point) in points.iter_mut().enumerate() {
        point[..20].copy_from_slice(all[4 * l..4 * l + 4].as_flattened());
    }
    let elements: [F; 4] = F::gather(points.each_ref());
    let mut back = [[7u64; 24]; 8];
    F::scatter(&elements, back.each_mut());
    for l in 0..8 {
        assert_eq!(points[l][..20], back[l][..20]);
        for (e, element) in elements.iter().enumerate() {
            assert_eq!(element.to_lanes()[l], points[l][5 * e..5 * e + 5]);
            assert!((0..5).all(|i| element.columns()[i][l] == points[l][5 * e + i]));
        }
    }
}

#[test]
fn elements_come_back_from_memory() {
    run!(check_memory);
}

fn check_roots<F: Field>() {
    for a in eights(&elements(1200, 8)) {
        let x = F::from_lanes(&a);
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
    run!(check_roots);
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
    for constant in [constants::ONE, constants::D, constants::D2, constants::SQRT_M1] {
        assert!(constant.iter().all(|limb| limb >> 51 == 0));
    }
}
