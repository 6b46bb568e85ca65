//! Field elements in 64-bit words, for any processor: eight one after another, five limbs of 51 bits, products of 128 bits.
//!
//! Eight at a time pays here too: products that do not depend on each other fill the time that a single one would wait.
//! Reduced means limbs of at most 2^51 + 2^15; loose means three times that:
//!
//! - product of loose factors: a column is at most (1 + 4·19)·9·2^102 and a bit, below 2^112; what passes 2^255 has no part
//!   that comes back times 19, so its carry is below 2^58 and 19 times that fits a word.
//! - difference: 2p is added first, which no reduced limb exceeds.
//!
//! Nothing here can overflow, so everything is computed wrapping: a check would cost as much as what it checks.

use super::{Entry, Field, Limbs, MASK, Ring, TWO_P, formulas};

/// Eight field elements.
#[derive(Clone, Copy)]
pub(crate) struct Words(pub(super) [Limbs; 8]);

/// One parallel carry.
#[inline(always)]
pub(super) fn carry(z: Limbs) -> Limbs {
    let c = z.map(|limb| limb >> 51);
    let l = z.map(|limb| limb & MASK);
    [
        l[0].wrapping_add(c[4].wrapping_mul(19)),
        l[1].wrapping_add(c[0]),
        l[2].wrapping_add(c[1]),
        l[3].wrapping_add(c[2]),
        l[4].wrapping_add(c[3]),
    ]
}

#[inline(always)]
fn wide(a: u64, b: u64) -> u128 {
    u128::from(a).wrapping_mul(u128::from(b))
}

/// The columns of a product as a reduced element.
#[inline(always)]
fn fold(mut columns: [u128; 5]) -> Limbs {
    let mut limbs = [0; 5];
    for i in 0..4 {
        columns[i + 1] = columns[i + 1].wrapping_add(columns[i] >> 51);
        limbs[i] = columns[i] as u64 & MASK;
    }
    limbs[4] = columns[4] as u64 & MASK;
    limbs[0] = limbs[0].wrapping_add(((columns[4] >> 51) as u64).wrapping_mul(19));
    limbs[1] = limbs[1].wrapping_add(limbs[0] >> 51);
    limbs[0] &= MASK;
    limbs
}

#[inline(always)]
fn sum<const N: usize>(products: [u128; N]) -> u128 {
    products.into_iter().fold(0, u128::wrapping_add)
}

#[inline(always)]
fn multiply(a: &Limbs, b: &Limbs) -> Limbs {
    let n = b.map(|limb| limb.wrapping_mul(19));
    fold([
        sum([wide(a[0], b[0]), wide(a[1], n[4]), wide(a[2], n[3]), wide(a[3], n[2]), wide(a[4], n[1])]),
        sum([wide(a[0], b[1]), wide(a[1], b[0]), wide(a[2], n[4]), wide(a[3], n[3]), wide(a[4], n[2])]),
        sum([wide(a[0], b[2]), wide(a[1], b[1]), wide(a[2], b[0]), wide(a[3], n[4]), wide(a[4], n[3])]),
        sum([wide(a[0], b[3]), wide(a[1], b[2]), wide(a[2], b[1]), wide(a[3], b[0]), wide(a[4], n[4])]),
        sum([wide(a[0], b[4]), wide(a[1], b[3]), wide(a[2], b[2]), wide(a[3], b[1]), wide(a[4], b[0])]),
    ])
}

#[inline(always)]
fn square(a: &Limbs) -> Limbs {
    let (n3, n4) = (a[3].wrapping_mul(19), a[4].wrapping_mul(19));
    let d = a.map(|limb| limb.wrapping_mul(2));
    fold([
        sum([wide(a[0], a[0]), wide(d[1], n4), wide(d[2], n3)]),
        sum([wide(a[3], n3), wide(d[0], a[1]), wide(d[2], n4)]),
        sum([wide(a[1], a[1]), wide(d[0], a[2]), wide(d[4], n3)]),
        sum([wide(a[4], n4), wide(d[0], a[3]), wide(d[1], a[2])]),
        sum([wide(a[2], a[2]), wide(d[0], a[4]), wide(d[1], a[3])]),
    ])
}

#[inline(always)]
fn freeze(limbs: &Limbs) -> Limbs {
    let mut z = *limbs;
    // Reduced is below 2p, so q is 1 exactly when the value is at least p: then x + 19 carries past 2^255.
    let q = z.iter().fold(19, |q: u64, limb| limb.wrapping_add(q) >> 51);
    z[0] = z[0].wrapping_add(q.wrapping_mul(19));
    for i in 0..4 {
        z[i + 1] = z[i + 1].wrapping_add(z[i] >> 51);
        z[i] &= MASK;
    }
    z[4] &= MASK;
    z
}

/// All ones where the number is zero, without a branch.
#[inline(always)]
fn ones_if_zero(number: u64) -> u64 {
    ((number | number.wrapping_neg()) >> 63).wrapping_sub(1)
}

/// The lowest bits of eight words, together.
#[inline(always)]
fn mask_of(words: [u64; 8]) -> u8 {
    words.into_iter().enumerate().fold(0, |mask, (lane, word)| mask | ((word as u8 & 1) << lane))
}

/// One field element, as the formulas see it.
#[derive(Clone, Copy)]
struct One(Limbs);

impl Ring for One {
    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        Self(carry(self.add_loose(other).0))
    }

    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        Self(carry(self.sub_loose(other).0))
    }

    #[inline(always)]
    fn add_loose(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i].wrapping_add(other.0[i])))
    }

    #[inline(always)]
    fn sub_loose(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i].wrapping_add(TWO_P[i]).wrapping_sub(other.0[i])))
    }

    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        Self(multiply(&self.0, &other.0))
    }

    #[inline(always)]
    fn square(&self) -> Self {
        Self(square(&self.0))
    }
}

impl Words {
    #[inline(always)]
    fn each(&self, other: &Self, operation: impl Fn(&One, &One) -> One) -> Self {
        let mut lanes = [[0; 5]; 8];
        for (lane, (a, b)) in lanes.iter_mut().zip(self.0.iter().zip(&other.0)) {
            *lane = operation(&One(*a), &One(*b)).0;
        }
        Self(lanes)
    }
}

/// Works lane by lane.
#[inline(always)]
fn by_lane<const N: usize>(
    sum: &mut [Words; 4],
    other: &[Words; N],
    operation: impl Fn([&One; 4], [&One; N]) -> [One; 4],
) {
    for l in 0..8 {
        let own = sum.each_ref().map(|element| One(element.0[l]));
        let others = other.each_ref().map(|element| One(element.0[l]));
        for (element, lane) in sum.iter_mut().zip(operation(own.each_ref(), others.each_ref())) {
            element.0[l] = lane.0;
        }
    }
}

impl Ring for Words {
    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        self.each(other, Ring::add)
    }

    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        self.each(other, Ring::sub)
    }

    #[inline(always)]
    fn add_loose(&self, other: &Self) -> Self {
        self.each(other, Ring::add_loose)
    }

    #[inline(always)]
    fn sub_loose(&self, other: &Self) -> Self {
        self.each(other, Ring::sub_loose)
    }

    #[inline(never)]
    fn mul(&self, other: &Self) -> Self {
        self.each(other, Ring::mul)
    }

    #[inline(never)]
    fn square(&self) -> Self {
        self.each(self, |a, _| a.square())
    }
}

impl Field for Words {
    #[inline(always)]
    fn splat(limbs: &Limbs) -> Self {
        Self([*limbs; 8])
    }

    #[inline(always)]
    fn from_lanes(lanes: &[Limbs; 8]) -> Self {
        Self(*lanes)
    }

    #[inline(always)]
    fn to_lanes(self) -> [Limbs; 8] {
        self.0
    }

    #[inline(always)]
    fn square_times<const K: usize>(x: &mut [Self; K], count: usize) {
        for lane in x.iter_mut().flat_map(|group| &mut group.0) {
            *lane = (0..count).fold(*lane, |power, _| square(&power));
        }
    }

    #[inline(never)]
    fn add_affine(sum: &mut [Self; 4], other: &[Self; 3]) {
        by_lane(sum, other, formulas::add_affine);
    }

    #[inline(never)]
    fn add_cached(sum: &mut [Self; 4], other: &[Self; 4]) {
        by_lane(sum, other, formulas::add_cached);
    }

    #[inline(never)]
    fn double(sum: &mut [Self; 4]) {
        by_lane(sum, &[], |[x, y, z, _], []| formulas::double([x, y, z]));
    }

    #[inline(always)]
    fn freeze(&self) -> Self {
        Self(self.0.map(|limbs| freeze(&limbs)))
    }

    #[inline(always)]
    fn is_zero(&self) -> u8 {
        mask_of(self.0.map(|limbs| ones_if_zero(freeze(&limbs).into_iter().fold(0, |any, limb| any | limb))))
    }

    #[inline(always)]
    fn is_negative(&self) -> u8 {
        mask_of(self.0.map(|limbs| freeze(&limbs)[0]))
    }

    #[inline(always)]
    fn select(&self, other: &Self, mask: u8) -> Self {
        let mut lanes = self.0;
        for (l, (lane, other)) in lanes.iter_mut().zip(&other.0).enumerate() {
            let wanted = core::hint::black_box(u64::from(mask >> l & 1).wrapping_neg());
            for (limb, other) in lane.iter_mut().zip(other) {
                *limb ^= (*limb ^ other) & wanted;
            }
        }
        Self(lanes)
    }

    #[inline(always)]
    fn gather<const WORDS: usize, const ELEMENTS: usize>(points: [&[u64; WORDS]; 8]) -> [Self; ELEMENTS] {
        let mut elements = [Self([[0; 5]; 8]); ELEMENTS];
        for (l, point) in points.into_iter().enumerate() {
            for (element, words) in elements.iter_mut().zip(point.chunks_exact(5)) {
                element.0[l].copy_from_slice(words);
            }
        }
        elements
    }

    #[inline(always)]
    fn scatter<const WORDS: usize, const ELEMENTS: usize>(
        elements: &[Self; ELEMENTS],
        places: [&mut [u64; WORDS]; 8],
    ) {
        for (l, place) in places.into_iter().enumerate() {
            for (words, element) in place.chunks_exact_mut(5).zip(elements) {
                words.copy_from_slice(&element.0[l]);
            }
        }
    }

    #[inline(always)]
    fn columns(self) -> [[u64; 8]; 5] {
        core::array::from_fn(|i| core::array::from_fn(|l| self.0[l][i]))
    }

    #[inline(always)]
    fn choose(block: &[Entry; 8], digits: &[i64; 8]) -> ([Self; 3], u8) {
        // |d| = (d ^ s) − s for the sign s, 0 or −1.
        let magnitudes =
            digits.map(|digit| ((digit ^ (digit >> 63)).wrapping_sub(digit >> 63)).cast_unsigned());
        let mut words = [[0; 8]; 15];
        let one = magnitudes.map(|magnitude| ones_if_zero(magnitude) & 1);
        (words[0], words[5]) = (one, one);
        for (at, entry) in (1..).zip(block) {
            // The black box keeps the compiler from seeing a choice, which it might make a branch.
            let wanted = core::hint::black_box(magnitudes.map(|magnitude| ones_if_zero(magnitude ^ at)));
            for (word, lanes) in words.iter_mut().zip(entry) {
                for l in 0..8 {
                    word[l] |= lanes[l] & wanted[l];
                }
            }
        }
        let element =
            |e: usize| Self(core::array::from_fn(|l| core::array::from_fn(|i| words[5 * e + i][l])));
        (core::array::from_fn(element), mask_of(digits.map(|digit| (digit >> 63).cast_unsigned())))
    }
}
