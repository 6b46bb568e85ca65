//! Field elements by AVX2 and FMA: eight in two halves of four lanes, five limbs of 51 bits, multiplied as doubles.
//!
//! AVX2 multiplies 32-bit integers, ten limbs each; a fused multiplication and addition of doubles takes 53 bits, and gives
//! both parts of a product exactly (Emmart, Zheng and Weems 2018): with 2^103 added, whose last place is worth 2^51, what is
//! left of a·b is the high part, rounded to the nearest; subtracted from a·b it leaves the low part, of either sign. Each part
//! stands in the last bits of its double behind a constant that is known, so that the doubles are added as integers, and the
//! constants taken off once per column. A product takes a fifth less time so, and everything else half. Exact for the rounding
//! to the nearest in which Rust code runs; nothing depends on the values, so the time does not either.
//!
//! Reduced means limbs of at most 2^51 + 2^15, and nothing is loose:
//!
//! - product: a·b is below 2^102 + 2^68, so the sum is below 2^104; a high part is at most 2^51 + 2^18, a low one at most 2^50
//!   of either sign. A column of five of each is above −2^53 and below 2^54, with what comes back times 19 above −2^58; 2^8·p is
//!   added, whose limbs are above 2^58. What is left is below 2^60, and one parallel carry leaves at most 2^51 + 19·2^9.
//! - sum: at most 2^52 + 2^16 before its carry; difference: 2p is added first, so limbs stay positive and below 2^53.

use super::{Entry, Field, Limbs, Ring, formulas};
use core::arch::x86_64::*;

/// Four field elements.
type Half = [__m256i; 5];

/// Four field elements, as the formulas see them.
#[derive(Clone, Copy)]
struct Quad(Half);

/// Eight field elements.
#[derive(Clone, Copy)]
pub(crate) struct Avx2([Half; 2]);

const MASK: u64 = (1 << 51) - 1;
/// p in limbs of 51 bits.
const P: Limbs = [(1 << 51) - 19, MASK, MASK, MASK, MASK];

/// What a product is added to for its high part: its last place is worth 2^51.
const HIGH: f64 = (1u128 << 103) as f64;
/// What a low part stands behind: 1.5·2^52, so that either sign leaves the last place worth 1.
const LOW: f64 = (3u64 << 51) as f64;
/// Both, exactly.
const HIGH_AND_LOW: f64 = HIGH + LOW;

/// What a column starts from, or is added at its end, so that the constants of its parts are taken off: 2^8·p where it is the result's.
const fn start(column: usize) -> u64 {
    // Column k has the low parts of products i + j = k and the high parts of i + j = k − 1.
    const fn products(sum: usize) -> u64 {
        if sum < 5 { sum as u64 + 1 } else { 9 - sum as u64 }
    }
    let lows = if column < 9 { products(column) } else { 0 };
    let highs = if column > 0 { products(column - 1) } else { 0 };
    let bias = if column < 5 { P[column] << 8 } else { 0 };
    bias.wrapping_sub(lows.wrapping_mul(LOW.to_bits())).wrapping_sub(highs.wrapping_mul(HIGH.to_bits()))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn splat(word: u64) -> __m256i {
    _mm256_set1_epi64x(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn start_of<const COLUMN: usize>() -> __m256i {
    splat(const { start(COLUMN) })
}

/// Integers below 2^52 as doubles.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn double(limb: __m256i) -> __m256d {
    let exponent = splat(const { (1u64 << 52) as f64 }.to_bits());
    let behind = _mm256_castsi256_pd(_mm256_or_si256(limb, exponent));
    _mm256_sub_pd(behind, _mm256_castsi256_pd(exponent))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn doubles(limbs: &Half) -> [__m256d; 5] {
    [double(limbs[0]), double(limbs[1]), double(limbs[2]), double(limbs[3]), double(limbs[4])]
}

/// Adds the parts of `$a[$i]`·`$b[$j]` to a column and to the one above.
macro_rules! product {
    ($low:ident, $high:ident: $($a:ident $i:literal $b:ident $j:literal),*) => {$(
        let high = _mm256_fmadd_pd($a[$i], $b[$j], _mm256_set1_pd(HIGH));
        let low = _mm256_fmadd_pd($a[$i], $b[$j], _mm256_sub_pd(_mm256_set1_pd(HIGH_AND_LOW), high));
        $low = _mm256_add_epi64($low, _mm256_castpd_si256(low));
        $high = _mm256_add_epi64($high, _mm256_castpd_si256(high));
    )*};
}

/// An array of what a function gives for each limb: written out, because values that a loop puts into an array go through
/// memory.
macro_rules! limbs {
    ($of:expr) => {{
        let of = $of;
        [of(0), of(1), of(2), of(3), of(4)]
    }};
}

/// One parallel carry; limbs below 2^60 become reduced.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn carry(z: &Half) -> Half {
    let low = |i: usize| _mm256_and_si256(z[i], splat(MASK));
    let high = |i: usize| _mm256_srli_epi64::<51>(z[i]);
    [
        _mm256_add_epi64(low(0), _mm256_mul_epu32(high(4), splat(19))),
        _mm256_add_epi64(low(1), high(0)),
        _mm256_add_epi64(low(2), high(1)),
        _mm256_add_epi64(low(3), high(2)),
        _mm256_add_epi64(low(4), high(3)),
    ]
}

/// The columns of a product, of either sign, as a reduced element.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn fold(columns: &[__m256i; 10]) -> Half {
    let folded = |k: usize| {
        let upper = columns[k + 5];
        let times_3 = _mm256_add_epi64(upper, _mm256_add_epi64(upper, upper));
        let times_19 = _mm256_add_epi64(_mm256_slli_epi64::<4>(upper), times_3);
        _mm256_add_epi64(columns[k], times_19)
    };
    carry(&limbs!(folded))
}

/// Row by row: one limb of `a` times all of `b`, six columns at work, of which each row finishes the lowest.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn multiply(a: &Half, b: &Half) -> Half {
    let b = doubles(b);
    let none = _mm256_setzero_si256();
    let mut lower = [none; 5];
    let (mut c0, mut c1, mut c2, mut c3, mut c4) = (none, none, none, none, none);
    // The black box hides how many rows there are: the compiler would write them out and work on all of them at once, for
    // which there are not registers enough.
    let rows: &[__m256i] = core::hint::black_box(a);
    for (limb, finished) in rows.iter().zip(&mut lower) {
        let a = [double(*limb)];
        let mut c5 = none;
        product!(c0, c1: a 0 b 0);
        product!(c1, c2: a 0 b 1);
        product!(c2, c3: a 0 b 2);
        product!(c3, c4: a 0 b 3);
        product!(c4, c5: a 0 b 4);
        *finished = c0;
        (c0, c1, c2, c3, c4) = (c1, c2, c3, c4, c5);
    }
    let started = |column: __m256i, start: __m256i| _mm256_add_epi64(column, start);
    fold(&[
        started(lower[0], start_of::<0>()),
        started(lower[1], start_of::<1>()),
        started(lower[2], start_of::<2>()),
        started(lower[3], start_of::<3>()),
        started(lower[4], start_of::<4>()),
        started(c0, start_of::<5>()),
        started(c1, start_of::<6>()),
        started(c2, start_of::<7>()),
        started(c3, start_of::<8>()),
        started(c4, start_of::<9>()),
    ])
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn square(a: &Half) -> Half {
    let a = doubles(a);
    // What stands twice: products of two different limbs.
    let none = _mm256_setzero_si256();
    let (mut c1, mut c2, mut c3, mut c4) = (none, none, none, none);
    let (mut c5, mut c6, mut c7, mut c8) = (none, none, none, none);
    product!(c1, c2: a 0 a 1);
    product!(c2, c3: a 0 a 2);
    product!(c3, c4: a 0 a 3, a 1 a 2);
    product!(c4, c5: a 0 a 4, a 1 a 3);
    product!(c5, c6: a 1 a 4, a 2 a 3);
    product!(c6, c7: a 2 a 4);
    product!(c7, c8: a 3 a 4);
    let twice = |column: __m256i, start: __m256i| _mm256_add_epi64(_mm256_add_epi64(column, column), start);
    let (mut c0, mut c9) = (start_of::<0>(), start_of::<9>());
    (c1, c2) = (twice(c1, start_of::<1>()), twice(c2, start_of::<2>()));
    (c3, c4) = (twice(c3, start_of::<3>()), twice(c4, start_of::<4>()));
    (c5, c6) = (twice(c5, start_of::<5>()), twice(c6, start_of::<6>()));
    (c7, c8) = (twice(c7, start_of::<7>()), twice(c8, start_of::<8>()));
    product!(c0, c1: a 0 a 0);
    product!(c2, c3: a 1 a 1);
    product!(c4, c5: a 2 a 2);
    product!(c6, c7: a 3 a 3);
    product!(c8, c9: a 4 a 4);
    fold(&[c0, c1, c2, c3, c4, c5, c6, c7, c8, c9])
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add(a: &Half, b: &Half) -> Half {
    carry(&limbs!(|i: usize| _mm256_add_epi64(a[i], b[i])))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn sub(a: &Half, b: &Half) -> Half {
    carry(&limbs!(|i: usize| _mm256_sub_epi64(_mm256_add_epi64(a[i], splat(2 * P[i])), b[i])))
}

/// The bits of a mask as whole lanes, of the half that begins at lane `from`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn whole(mask: u8, from: u8) -> __m256i {
    let bits = _mm256_set_epi64x(8 << from, 4 << from, 2 << from, 1 << from);
    _mm256_cmpeq_epi64(_mm256_and_si256(splat(u64::from(mask)), bits), bits)
}

/// The top bits of both halves' lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn mask_of(halves: [__m256i; 2]) -> u8 {
    let bits = |half| _mm256_movemask_pd(_mm256_castsi256_pd(half)) as u8;
    bits(halves[0]) | bits(halves[1]) << 4
}

/// Transposes a 4×4 matrix of words.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn transpose(r: [__m256i; 4]) -> [__m256i; 4] {
    let (a, b) = (_mm256_unpacklo_epi64(r[0], r[1]), _mm256_unpackhi_epi64(r[0], r[1]));
    let (c, d) = (_mm256_unpacklo_epi64(r[2], r[3]), _mm256_unpackhi_epi64(r[2], r[3]));
    [
        _mm256_permute2x128_si256::<0x20>(a, c),
        _mm256_permute2x128_si256::<0x20>(b, d),
        _mm256_permute2x128_si256::<0x31>(a, c),
        _mm256_permute2x128_si256::<0x31>(b, d),
    ]
}

/// Four words as a vector.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn load(words: &[u64; 4]) -> __m256i {
    // SAFETY: the reference is to 32 readable bytes, and the load has no alignment demand.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

/// A vector as four words.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(crate) fn store(vector: __m256i, words: &mut [u64; 4]) {
    // SAFETY: the reference is to 32 writable bytes, and the store has no alignment demand.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), vector) };
}

/// Four of a slice's words.
#[inline]
fn four(words: &[u64], from: usize) -> &[u64; 4] {
    words[from..from + 4].try_into().expect("four words")
}

#[inline]
fn four_mut(words: &mut [u64], from: usize) -> &mut [u64; 4] {
    (&mut words[from..from + 4]).try_into().expect("four words")
}

impl Avx2 {
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn splat(limbs: &Limbs) -> Self {
        Self([limbs!(|i: usize| splat(limbs[i])); 2])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn from_lanes(lanes: &[Limbs; 8]) -> Self {
        let half = |h: usize| limbs!(|i: usize| load(&core::array::from_fn(|l| lanes[4 * h + l][i])));
        Self([half(0), half(1)])
    }

    /// The carry alone, for the tests.
    #[cfg(test)]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn carried(lanes: &[Limbs; 8]) -> Self {
        let Self([low, high]) = Self::from_lanes(lanes);
        Self([carry(&low), carry(&high)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn to_lanes(self) -> [Limbs; 8] {
        let columns = Self::columns(self);
        core::array::from_fn(|l| core::array::from_fn(|i| columns[i][l]))
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
        let mut frozen = *self;
        for z in &mut frozen.0 {
            // Reduced is below 2p, so q is 1 exactly when the value is at least p: then x + 19 carries past 2^255.
            let mut q = splat(19);
            for limb in &*z {
                q = _mm256_srli_epi64::<51>(_mm256_add_epi64(*limb, q));
            }
            z[0] = _mm256_add_epi64(z[0], _mm256_mul_epu32(q, splat(19)));
            for i in 0..4 {
                z[i + 1] = _mm256_add_epi64(z[i + 1], _mm256_srli_epi64::<51>(z[i]));
                z[i] = _mm256_and_si256(z[i], splat(MASK));
            }
            z[4] = _mm256_and_si256(z[4], splat(MASK));
        }
        frozen
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

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn select(&self, other: &Self, mask: u8) -> Self {
        let masks = [whole(mask, 0), whole(mask, 4)];
        let half = |h: usize| limbs!(|i: usize| _mm256_blendv_epi8(self.0[h][i], other.0[h][i], masks[h]));
        Self([half(0), half(1)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn gather<const WORDS: usize, const ELEMENTS: usize>(points: [&[u64; WORDS]; 8]) -> [Self; ELEMENTS] {
        let mut columns = [[_mm256_setzero_si256(); WORDS]; 2];
        for (h, columns) in columns.iter_mut().enumerate() {
            for from in (0..WORDS).step_by(4) {
                let row = |l: usize| load(four(points[4 * h + l], from));
                let block = transpose([row(0), row(1), row(2), row(3)]);
                columns[from..from + 4].copy_from_slice(&block);
            }
        }
        let mut elements = [Self([[_mm256_setzero_si256(); 5]; 2]); ELEMENTS];
        for (e, element) in elements.iter_mut().enumerate() {
            for (half, columns) in element.0.iter_mut().zip(&columns) {
                half.copy_from_slice(&columns[5 * e..5 * e + 5]);
            }
        }
        elements
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn scatter<const WORDS: usize, const ELEMENTS: usize>(
        elements: &[Self; ELEMENTS],
        mut places: [&mut [u64; WORDS]; 8],
    ) {
        for (h, places) in places.chunks_exact_mut(4).enumerate() {
            let mut columns = [_mm256_setzero_si256(); WORDS];
            for (columns, element) in columns.chunks_exact_mut(5).zip(elements) {
                columns.copy_from_slice(&element.0[h]);
            }
            for from in (0..WORDS).step_by(4) {
                let block = transpose(columns[from..from + 4].try_into().expect("four columns"));
                for (place, words) in places.iter_mut().zip(block) {
                    store(words, four_mut(&mut place[..], from));
                }
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn columns(self) -> [[u64; 8]; 5] {
        let mut columns = [[0; 8]; 5];
        for (h, half) in self.0.iter().enumerate() {
            for (words, column) in columns.iter_mut().zip(half) {
                store(*column, four_mut(words, 4 * h));
            }
        }
        columns
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    fn choose(block: &[Entry; 8], digits: &[i64; 8]) -> ([Self; 3], u8) {
        let digits = digits.map(i64::cast_unsigned);
        let mut chosen = [[[_mm256_setzero_si256(); 5]; 2]; 3];
        let mut signs = [_mm256_setzero_si256(); 2];
        for h in 0..2 {
            let digits = load(four(&digits, 4 * h));
            signs[h] = digits;
            // |d| = (d ^ s) − s for the sign s, 0 or −1.
            let sign = _mm256_cmpgt_epi64(_mm256_setzero_si256(), digits);
            let magnitude = _mm256_sub_epi64(_mm256_xor_si256(digits, sign), sign);
            let mut words = [_mm256_setzero_si256(); 15];
            let one = _mm256_and_si256(_mm256_cmpeq_epi64(magnitude, _mm256_setzero_si256()), splat(1));
            (words[0], words[5]) = (one, one);
            for (at, entry) in block.iter().enumerate() {
                // The black box keeps the compiler from seeing a choice, which it might make a branch or a masked load.
                let wanted = core::hint::black_box(_mm256_cmpeq_epi64(magnitude, splat(at as u64 + 1)));
                for (word, lanes) in words.iter_mut().zip(entry) {
                    *word = _mm256_or_si256(*word, _mm256_and_si256(wanted, load(four(lanes, 4 * h))));
                }
            }
            for (element, words) in chosen.iter_mut().zip(words.chunks_exact(5)) {
                element[h].copy_from_slice(words);
            }
        }
        (chosen.map(Self), mask_of(signs))
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
