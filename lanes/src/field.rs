//! Eight elements of the field modulo p = 2^255 − 19 at once, one a 64-bit lane.
//!
//! An element is five limbs of 51 bits. The multiplier of AVX-512 IFMA takes 52-bit inputs and adds the low or the
//! high 52 bits of the product to an accumulator. "Weakly reduced" means limbs of at most 2^51 + 2^15, which every
//! function here takes and returns, so that inputs of a product always fit 52 bits:
//!
//! - product: columns of at most 5·2^52 low and 2·5·2^52 high parts stay below 2^56; folding 2^255 ≡ 19 gives less
//!   than 2^61; one parallel carry then leaves at most 2^51 + 19·2^10.
//! - sum: at most 2^52 + 2^16 before its carry; difference: 2p is added first, so limbs stay positive and below 2^53.

use core::arch::x86_64::*;

/// Eight field elements.
#[derive(Clone, Copy)]
pub(crate) struct Fe8(pub [__m512i; 5]);

const MASK: i64 = (1 << 51) - 1;
/// 2p in limbs of 51 bits.
const TWO_P: [i64; 5] = [(1 << 52) - 38, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2, (1 << 52) - 2];

/// One element as five 51-bit limbs.
pub(crate) type Limbs = [u64; 5];

/// The curve's constant d and what follows from it, and √−1.
pub(crate) mod constants {
    use super::Limbs;
    pub const ONE: Limbs = [1, 0, 0, 0, 0];
    pub const D: Limbs =
        [929955233495203, 466365720129213, 1662059464998953, 2033849074728123, 1442794654840575];
    pub const D2: Limbs =
        [1859910466990425, 932731440258426, 1072319116312658, 1815898335770999, 633789495995903];
    pub const SQRT_M1: Limbs =
        [1718705420411056, 234908883556509, 2233514472574048, 2117202627021982, 765476049583133];
    /// 1/√(a − d) for a = −1.
    pub const INVSQRT_A_MINUS_D: Limbs =
        [278908739862762, 821645201101625, 8113234426968, 1777959178193151, 2118520810568447];
}

impl Fe8 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn zero() -> Self {
        Self([_mm512_setzero_si512(); 5])
    }

    /// The same element in all lanes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn splat(limbs: &Limbs) -> Self {
        Self(core::array::from_fn(|i| _mm512_set1_epi64(limbs[i] as i64)))
    }

    /// Lane l gets element l.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn from_lanes(lanes: &[Limbs; 8]) -> Self {
        let column = |i: usize| -> [u64; 8] { core::array::from_fn(|l| lanes[l][i]) };
        Self(core::array::from_fn(|i| load(&column(i))))
    }

    /// Lane l's element at l.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn to_lanes(self) -> [Limbs; 8] {
        let columns: [[u64; 8]; 5] = core::array::from_fn(|i| store(self.0[i]));
        core::array::from_fn(|l| core::array::from_fn(|i| columns[i][l]))
    }

    /// One parallel carry; limbs below 2^61 become weakly reduced.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn carry(z: [__m512i; 5]) -> Self {
        let mask = _mm512_set1_epi64(MASK);
        let c: [__m512i; 5] = core::array::from_fn(|i| _mm512_srli_epi64::<51>(z[i]));
        let low: [__m512i; 5] = core::array::from_fn(|i| _mm512_and_si512(z[i], mask));
        Self([
            _mm512_madd52lo_epu64(low[0], c[4], _mm512_set1_epi64(19)),
            _mm512_add_epi64(low[1], c[0]),
            _mm512_add_epi64(low[2], c[1]),
            _mm512_add_epi64(low[3], c[2]),
            _mm512_add_epi64(low[4], c[3]),
        ])
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn add(&self, other: &Self) -> Self {
        Self::carry(core::array::from_fn(|i| _mm512_add_epi64(self.0[i], other.0[i])))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn sub(&self, other: &Self) -> Self {
        Self::carry(core::array::from_fn(|i| {
            _mm512_sub_epi64(_mm512_add_epi64(self.0[i], _mm512_set1_epi64(TWO_P[i])), other.0[i])
        }))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn neg(&self) -> Self {
        Self::zero().sub(self)
    }

    /// Columns 0 to 9 of a product (low and doubled high parts), folded and carried.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn fold(low: [__m512i; 9], high: [__m512i; 9]) -> Self {
        // Column k: low[k] + 2·high[k − 1].
        let column = |k: usize| {
            let doubled = |h: __m512i| _mm512_add_epi64(h, h);
            match k {
                0 => low[0],
                9 => doubled(high[8]),
                _ => _mm512_add_epi64(low[k], doubled(high[k - 1])),
            }
        };
        Self::carry(core::array::from_fn(|k| {
            let upper = column(k + 5);
            // 19·u = 16·u + 2·u + u
            let times_3 = _mm512_add_epi64(upper, _mm512_add_epi64(upper, upper));
            let times_19 = _mm512_add_epi64(_mm512_slli_epi64::<4>(upper), times_3);
            _mm512_add_epi64(column(k), times_19)
        }))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn mul(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let zero = _mm512_setzero_si512();
        let (mut low, mut high) = ([zero; 9], [zero; 9]);
        for i in 0..5 {
            for j in 0..5 {
                low[i + j] = _mm512_madd52lo_epu64(low[i + j], a[i], b[j]);
                high[i + j] = _mm512_madd52hi_epu64(high[i + j], a[i], b[j]);
            }
        }
        Self::fold(low, high)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn square(&self) -> Self {
        let a = &self.0;
        let zero = _mm512_setzero_si512();
        let (mut low, mut high) = ([zero; 9], [zero; 9]);
        for i in 0..5 {
            for j in i + 1..5 {
                low[i + j] = _mm512_madd52lo_epu64(low[i + j], a[i], a[j]);
                high[i + j] = _mm512_madd52hi_epu64(high[i + j], a[i], a[j]);
            }
        }
        for k in 0..9 {
            low[k] = _mm512_add_epi64(low[k], low[k]);
            high[k] = _mm512_add_epi64(high[k], high[k]);
        }
        for i in 0..5 {
            low[2 * i] = _mm512_madd52lo_epu64(low[2 * i], a[i], a[i]);
            high[2 * i] = _mm512_madd52hi_epu64(high[2 * i], a[i], a[i]);
        }
        Self::fold(low, high)
    }

    /// The canonical representative.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn freeze(&self) -> Self {
        let mask = _mm512_set1_epi64(MASK);
        let nineteen = _mm512_set1_epi64(19);
        // Weakly reduced is below 2p, so q is 1 exactly when the value is at least p: then x + 19 carries past 2^255.
        let mut q = _mm512_srli_epi64::<51>(_mm512_add_epi64(self.0[0], nineteen));
        for i in 1..5 {
            q = _mm512_srli_epi64::<51>(_mm512_add_epi64(self.0[i], q));
        }
        let mut z = self.0;
        z[0] = _mm512_madd52lo_epu64(z[0], q, nineteen);
        for i in 0..4 {
            z[i + 1] = _mm512_add_epi64(z[i + 1], _mm512_srli_epi64::<51>(z[i]));
            z[i] = _mm512_and_si512(z[i], mask);
        }
        z[4] = _mm512_and_si512(z[4], mask);
        Self(z)
    }

    /// Lanes that are zero.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn is_zero(&self) -> __mmask8 {
        let z = self.freeze().0;
        let any =
            _mm512_or_si512(_mm512_or_si512(z[0], z[1]), _mm512_or_si512(z[2], _mm512_or_si512(z[3], z[4])));
        _mm512_testn_epi64_mask(any, any)
    }

    /// Lanes whose canonical representative is odd.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn is_negative(&self) -> __mmask8 {
        _mm512_test_epi64_mask(self.freeze().0[0], _mm512_set1_epi64(1))
    }

    /// `other` in the lanes of `mask`, `self` elsewhere.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn select(&self, other: &Self, mask: __mmask8) -> Self {
        Self(core::array::from_fn(|i| _mm512_mask_blend_epi64(mask, self.0[i], other.0[i])))
    }

    /// Negated in the lanes of `mask`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn negate_where(&self, mask: __mmask8) -> Self {
        self.select(&self.neg(), mask)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn abs(&self) -> Self {
        self.negate_where(self.is_negative())
    }
}

/// x^(2^count) for several independent groups: they hide each other's latency.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square_times<const K: usize>(mut x: [Fe8; K], count: usize) -> [Fe8; K] {
    for _ in 0..count {
        for group in &mut x {
            *group = group.square();
        }
    }
    x
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply<const K: usize>(a: &[Fe8; K], b: &[Fe8; K]) -> [Fe8; K] {
    core::array::from_fn(|k| a[k].mul(&b[k]))
}

/// (x^(2^250 − 1), x^11), the common part of inversion and square root.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn power_chain<const K: usize>(x: &[Fe8; K]) -> ([Fe8; K], [Fe8; K]) {
    let x2 = square_times(*x, 1);
    let x9 = multiply(x, &square_times(x2, 2));
    let x11 = multiply(&x2, &x9);
    let e5 = multiply(&x9, &square_times(x11, 1));
    let e10 = multiply(&square_times(e5, 5), &e5);
    let e20 = multiply(&square_times(e10, 10), &e10);
    let e40 = multiply(&square_times(e20, 20), &e20);
    let e50 = multiply(&square_times(e40, 10), &e10);
    let e100 = multiply(&square_times(e50, 50), &e50);
    let e200 = multiply(&square_times(e100, 100), &e100);
    (multiply(&square_times(e200, 50), &e50), x11)
}

/// 1/x (0 for 0).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn invert(x: &Fe8) -> Fe8 {
    let (e250, x11) = power_chain(&[*x]);
    square_times(e250, 5)[0].mul(&x11[0])
}

/// Lanes where v is a non-zero square, and |1/√v| there (RFC 9496, SQRT_RATIO_M1 with u = 1).
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
pub(crate) fn inverse_sqrt<const K: usize>(v: &[Fe8; K]) -> [(__mmask8, Fe8); K] {
    let v3: [Fe8; K] = core::array::from_fn(|k| v[k].square().mul(&v[k]));
    let v7: [Fe8; K] = core::array::from_fn(|k| v3[k].square().mul(&v[k]));
    let (e250, _) = power_chain(&v7);
    // (p − 5)/8 = 2^252 − 3
    let p58 = multiply(&square_times(e250, 2), &v7);
    let one = Fe8::splat(&constants::ONE);
    let sqrt_m1 = Fe8::splat(&constants::SQRT_M1);
    core::array::from_fn(|k| {
        let r = p58[k].mul(&v3[k]);
        let check = v[k].mul(&r.square());
        let correct = check.sub(&one).is_zero();
        let flipped = check.add(&one).is_zero();
        let flipped_i = check.add(&sqrt_m1).is_zero();
        let r = r.select(&r.mul(&sqrt_m1), flipped | flipped_i);
        (correct | flipped, r.abs())
    })
}

/// Eight words as a vector.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn load(words: &[u64; 8]) -> __m512i {
    // SAFETY: the reference is to 64 readable bytes, and the load has no alignment demand.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

/// A vector as eight words.
#[inline]
#[target_feature(enable = "avx512f")]
pub(crate) fn store(vector: __m512i) -> [u64; 8] {
    let mut words = [0u64; 8];
    // SAFETY: the array is 64 writable bytes, and the store has no alignment demand.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) };
    words
}

/// Splits 32 little-endian bytes into limbs; bit 255 is dropped.
pub(crate) fn limbs_from_bytes(bytes: &[u8; 32]) -> Limbs {
    let word = |i: usize| u64::from_le_bytes(bytes[i..i + 8].try_into().expect("8 bytes"));
    let mask = MASK as u64;
    [
        word(0) & mask,
        (word(6) >> 3) & mask,
        (word(12) >> 6) & mask,
        (word(19) >> 1) & mask,
        (word(24) >> 12) & mask,
    ]
}

/// Joins canonical limbs to 32 little-endian bytes.
pub(crate) fn bytes_from_limbs(l: &Limbs) -> [u8; 32] {
    let words =
        [l[0] | l[1] << 51, l[1] >> 13 | l[2] << 38, l[2] >> 26 | l[3] << 25, l[3] >> 39 | l[4] << 12];
    let mut bytes = [0u8; 32];
    for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests;
