//! Four field elements: the arithmetic, with the bounds of every step.
//!
//! AVX2 multiplies 32-bit integers, ten limbs each; a fused multiplication and addition of doubles takes 53 bits, and gives
//! both parts of a product exactly (Emmart, Zheng and Weems 2018): with 2^103 added, whose last place is worth 2^51, what is
//! left of a·b is the high part, rounded to the nearest; subtracted from a·b it leaves the low part, of either sign. Each part
//! stands in the last bits of its double behind a constant that is known, so that the doubles are added as integers, and the
//! constants taken off once per column. A product takes a fifth less time so, and everything else half. Exact for the rounding
//! to the nearest in which Rust code runs; nothing depends on the values, so the time does not either.
//!
//! M = 2^51 + 2^15 is the largest limb that is reduced. Every function takes and returns limbs from 0 to M.

use crate::field::{MASK, P, TWO_P};
use core::arch::x86_64::*;

/// Four field elements.
pub(super) type Half = [__m256i; 5];

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
pub(super) fn splat(word: u64) -> __m256i {
    _mm256_set1_epi64x(word.cast_signed())
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn start_of<const COLUMN: usize>() -> __m256i {
    splat(const { start(COLUMN) })
}

/// Integers below 2^52 as doubles: the limb is the last 52 bits of a double between 2^52 and 2^53, whose last place is worth 1.
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
///
/// - a·b is at most M² < 2^102 + 2^68, so `high` is from 2^103 to below 2^104: its last place is worth 2^51 and its last bits are
///   h = round(a·b/2^51), from 0 to 2^51 + 2^17.
/// - 2^103 + 1.5·2^52 is 2^51 + 3 times 2^51, a double; less `high` it is 3 − h times 2^51, below 2^53 in units, a double too.
/// - what is left, l = a·b − h·2^51, is from −2^50 to 2^50: `low` is 1.5·2^52 + l, between 2^52 and 2^53, exactly.
macro_rules! product {
    ($low:ident, $high:ident: $($a:ident $i:literal $b:ident $j:literal),*) => {$(
        let high = _mm256_fmadd_pd($a[$i], $b[$j], _mm256_set1_pd(HIGH));
        let low = _mm256_fmadd_pd($a[$i], $b[$j], _mm256_sub_pd(_mm256_set1_pd(HIGH_AND_LOW), high));
        $low = _mm256_add_epi64($low, _mm256_castpd_si256(low));
        $high = _mm256_add_epi64($high, _mm256_castpd_si256(high));
    )*};
}

/// One parallel carry; limbs below 2^60 become reduced: what is carried is below 2^9, and 19 times that below 2^14.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn carry(z: &Half) -> Half {
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
///
/// A column has at most five low parts, each from −2^50 to 2^50, and five high ones, each from 0 to 2^51 + 2^17; those from the
/// sixth on have at most four low ones. So a column is above −5·2^50 and below 5·(2^51 + 2^17) + 5·2^50 < 2^54, an upper one above
/// −4·2^50 and below 2^54 too. A lower one with 19 times the upper is above −81·2^50 > −2^57 and below 20·2^54. The start adds 2^8·p,
/// whose limbs are from 2^59 − 19·2^8 to 2^59: what is carried is positive and below 2^59 + 20·2^54 < 2^60.
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
pub(super) fn multiply(a: &Half, b: &Half) -> Half {
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

/// As [`multiply`], with the products of two different limbs once and their columns twice: the same columns.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn square(a: &Half) -> Half {
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

/// At most 2·M = 2^52 + 2^16 before the carry.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn add(a: &Half, b: &Half) -> Half {
    carry(&limbs!(|i: usize| _mm256_add_epi64(a[i], b[i])))
}

/// 2p is added first, whose limbs are at least 2^52 − 38 > M: from 0 to 2^52 + M before the carry, below 2^53.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn sub(a: &Half, b: &Half) -> Half {
    carry(&limbs!(|i: usize| _mm256_sub_epi64(_mm256_add_epi64(a[i], splat(TWO_P[i])), b[i])))
}

/// The canonical representative.
///
/// The value is at most M·(1 + 2^51 + … + 2^204) < 2^255 + 2^220 < 2p. So q, what x + 19 carries past 2^255, is 1 exactly when x is at least
/// p, and 0 otherwise; x + 19·q without its bit 255 is x − q·p. Limbs stay below 2^52 + 2^15 on the way.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn freeze(z: &Half) -> Half {
    let mut z = *z;
    let mut q = splat(19);
    for limb in &z {
        q = _mm256_srli_epi64::<51>(_mm256_add_epi64(*limb, q));
    }
    z[0] = _mm256_add_epi64(z[0], _mm256_mul_epu32(q, splat(19)));
    for i in 0..4 {
        z[i + 1] = _mm256_add_epi64(z[i + 1], _mm256_srli_epi64::<51>(z[i]));
        z[i] = _mm256_and_si256(z[i], splat(MASK));
    }
    z[4] = _mm256_and_si256(z[4], splat(MASK));
    z
}
