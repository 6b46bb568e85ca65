//! Field elements by AVX2 and FMA: eight in two halves of four lanes, five limbs of 51 bits, multiplied as doubles ([`half`]).
//!
//! Reduced means limbs of at most 2^51 + 2^15, as with AVX-512 IFMA, and nothing is loose.

use super::{Entry, Field, Limbs, Ring, formulas};
use core::arch::x86_64::*;
use half::{Half, add, freeze, multiply, square, sub};
use memory::mask_of;

/// An array of what a function gives for each limb: written out, because values that a loop puts into an array go through
/// memory.
macro_rules! limbs {
    ($of:expr) => {{
        let of = $of;
        [of(0), of(1), of(2), of(3), of(4)]
    }};
}

mod half;
mod memory;

pub(crate) use memory::{load, store};

/// Four field elements, as the formulas see them.
#[derive(Clone, Copy)]
struct Quad(Half);

/// Eight field elements.
#[derive(Clone, Copy)]
pub(crate) struct Avx2([Half; 2]);

impl Avx2 {
    /// The carry alone, for the tests.
    #[cfg(test)]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn carried(lanes: &[Limbs; 8]) -> Self {
        let Self([low, high]) = Self::from_lanes(lanes);
        Self([half::carry(&low), half::carry(&high)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn add(&self, other: &Self) -> Self {
        Self([add(&self.0[0], &other.0[0]), add(&self.0[1], &other.0[1])])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn sub(&self, other: &Self) -> Self {
        Self([sub(&self.0[0], &other.0[0]), sub(&self.0[1], &other.0[1])])
    }

    /// Out of line where it is not part of a formula: its code is long.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn mul(&self, other: &Self) -> Self {
        Self([multiply(&self.0[0], &other.0[0]), multiply(&self.0[1], &other.0[1])])
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn square(&self) -> Self {
        Self([square(&self.0[0]), square(&self.0[1])])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn freeze(&self) -> Self {
        Self([freeze(&self.0[0]), freeze(&self.0[1])])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn is_zero(&self) -> u8 {
        let frozen = Self::freeze(self);
        let mut zeros = [_mm256_setzero_si256(); 2];
        for (zero, half) in zeros.iter_mut().zip(&frozen.0) {
            let mut any = half[0];
            for limb in &half[1..] {
                any = _mm256_or_si256(any, *limb);
            }
            *zero = _mm256_cmpeq_epi64(any, _mm256_setzero_si256());
        }
        mask_of(zeros)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn is_negative(&self) -> u8 {
        let frozen = Self::freeze(self);
        mask_of([_mm256_slli_epi64::<63>(frozen.0[0][0]), _mm256_slli_epi64::<63>(frozen.0[1][0])])
    }
}

impl Avx2 {
    /// Squares half by half, so that the halves hide each other's latency.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn square_halves(groups: &mut [Self], count: usize) {
        for _ in 0..count {
            for group in &mut *groups {
                group.0[0] = square(&group.0[0]);
                group.0[1] = square(&group.0[1]);
            }
        }
    }

    /// The formulas of points work on one half after the other: a quarter of the values at once, and code that fits the
    /// processor's cache of instructions though all products are inlined.
    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn add_affine_half(sum: &mut [Self; 4], other: &[Self; 3], h: usize) {
        let [x, y, z, t] = sum.each_ref().map(|element| Quad(element.0[h]));
        let [y_plus_x, y_minus_x, xy2d] = other.each_ref().map(|element| Quad(element.0[h]));
        let added = formulas::add_affine([&x, &y, &z, &t], [&y_plus_x, &y_minus_x, &xy2d]);
        put(sum, added, h);
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn add_cached_half(sum: &mut [Self; 4], other: &[Self; 4], h: usize) {
        let [x, y, z, t] = sum.each_ref().map(|element| Quad(element.0[h]));
        let [y_plus_x, y_minus_x, z2, t2d] = other.each_ref().map(|element| Quad(element.0[h]));
        let added = formulas::add_cached([&x, &y, &z, &t], [&y_plus_x, &y_minus_x, &z2, &t2d]);
        put(sum, added, h);
    }

    #[inline(never)]
    #[target_feature(enable = "avx2,fma")]
    fn double_half(sum: &mut [Self; 4], h: usize) {
        let [x, y, z, _] = sum.each_ref().map(|element| Quad(element.0[h]));
        put(sum, formulas::double([&x, &y, &z]), h);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn put(sum: &mut [Avx2; 4], [x, y, z, t]: [Quad; 4], h: usize) {
    (sum[0].0[h], sum[1].0[h], sum[2].0[h], sum[3].0[h]) = (x.0, y.0, z.0, t.0);
}

impl Ring for Quad {
    #[inline(always)]
    fn add(&self, other: &Self) -> Self {
        // SAFETY: as in `forward`.
        Self(unsafe { add(&self.0, &other.0) })
    }

    #[inline(always)]
    fn sub(&self, other: &Self) -> Self {
        // SAFETY: as in `forward`.
        Self(unsafe { sub(&self.0, &other.0) })
    }

    #[inline(always)]
    fn mul(&self, other: &Self) -> Self {
        // SAFETY: as in `forward`.
        Self(unsafe { multiply(&self.0, &other.0) })
    }

    #[inline(always)]
    fn square(&self) -> Self {
        // SAFETY: as in `forward`.
        Self(unsafe { square(&self.0) })
    }
}

impl Ring for Avx2 {
    forward! {
        add(self: &Self, other: &Self) -> Self;
        sub(self: &Self, other: &Self) -> Self;
        mul(self: &Self, other: &Self) -> Self;
        square(self: &Self) -> Self;
    }
}

impl Field for Avx2 {
    forward! {
        splat(limbs: &Limbs) -> Self;
        from_lanes(lanes: &[Limbs; 8]) -> Self;
        to_lanes(self: Self) -> [Limbs; 8];
        freeze(self: &Self) -> Self;
        is_zero(self: &Self) -> u8;
        is_negative(self: &Self) -> u8;
        select(self: &Self, other: &Self, mask: u8) -> Self;
        columns(self: Self) -> [[u64; 8]; 5];
        choose(block: &[Entry; 8], digits: &[i64; 8]) -> ([Self; 3], u8);
    }
    forward_memory!();

    #[inline(always)]
    fn square_times<const K: usize>(x: &mut [Self; K], count: usize) {
        // SAFETY: as in `forward`.
        unsafe { Self::square_halves(x, count) }
    }

    #[inline(always)]
    fn add_affine(sum: &mut [Self; 4], other: &[Self; 3]) {
        for h in 0..2 {
            // SAFETY: as in `forward`.
            unsafe { Self::add_affine_half(sum, other, h) }
        }
    }

    #[inline(always)]
    fn add_cached(sum: &mut [Self; 4], other: &[Self; 4]) {
        for h in 0..2 {
            // SAFETY: as in `forward`.
            unsafe { Self::add_cached_half(sum, other, h) }
        }
    }

    #[inline(always)]
    fn double(sum: &mut [Self; 4]) {
        for h in 0..2 {
            // SAFETY: as in `forward`.
            unsafe { Self::double_half(sum, h) }
        }
    }
}
