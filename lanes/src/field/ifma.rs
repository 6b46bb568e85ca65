//! Field elements by AVX-512 IFMA: eight in a vector, one a 64-bit lane, five limbs of 51 bits.
//!
//! The multiplier of AVX-512 IFMA takes 52-bit inputs and adds the low or the high 52 bits of the product to an accumulator. Reduced means limbs of at most 2^51 + 2^15, which every function
//! here takes and returns, so that inputs of a product always fit 52 bits; nothing is loose:
//!
//! - product: columns of at most 5·2^52 low and 2·5·2^52 high parts stay below 2^56; folding 2^255 ≡ 19 gives less
//!   than 2^61; one parallel carry then leaves at most 2^51 + 19·2^10.
//! - sum: at most 2^52 + 2^16 before its carry; difference: 2p is added first, so limbs stay positive and below 2^53.

use super::{Entry, Field, Limbs, MASK, Ring, TWO_P, formulas};
use core::arch::x86_64::*;

/// Eight field elements.
#[derive(Clone, Copy)]
pub(crate) struct Ifma(pub [__m512i; 5]);

impl Ifma {
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

    /// One parallel carry; limbs below 2^61 become reduced.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn carry(z: [__m512i; 5]) -> Self {
        let mask = _mm512_set1_epi64(MASK.cast_signed());
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
            _mm512_sub_epi64(
                _mm512_add_epi64(self.0[i], _mm512_set1_epi64(TWO_P[i].cast_signed())),
                other.0[i],
            )
        }))
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
        let mask = _mm512_set1_epi64(MASK.cast_signed());
        let nineteen = _mm512_set1_epi64(19);
        // Reduced is below 2p, so q is 1 exactly when the value is at least p: then x + 19 carries past 2^255.
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
    pub fn is_zero(&self) -> u8 {
        let z = self.freeze().0;
        let any =
            _mm512_or_si512(_mm512_or_si512(z[0], z[1]), _mm512_or_si512(z[2], _mm512_or_si512(z[3], z[4])));
        _mm512_testn_epi64_mask(any, any)
    }

    /// Lanes whose canonical representative is odd.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn is_negative(&self) -> u8 {
        _mm512_test_epi64_mask(self.freeze().0[0], _mm512_set1_epi64(1))
    }

    /// `other` in the lanes of `mask`, `self` elsewhere.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub fn select(&self, other: &Self, mask: u8) -> Self {
        Self(core::array::from_fn(|i| _mm512_mask_blend_epi64(mask, self.0[i], other.0[i])))
    }
}

impl Ifma {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn gather<const WORDS: usize, const ELEMENTS: usize>(points: [&[u64; WORDS]; 8]) -> [Self; ELEMENTS] {
        let mut columns = [_mm512_setzero_si512(); WORDS];
        for block in 0..WORDS / 8 {
            let eight = transpose(core::array::from_fn(|l| load_block(points[l], block)));
            columns[8 * block..8 * block + 8].copy_from_slice(&eight);
        }
        core::array::from_fn(|e| Self(core::array::from_fn(|i| columns[5 * e + i])))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn scatter<const WORDS: usize, const ELEMENTS: usize>(
        elements: &[Self; ELEMENTS],
        mut places: [&mut [u64; WORDS]; 8],
    ) {
        let mut columns = [_mm512_setzero_si512(); WORDS];
        for (columns, element) in columns.chunks_exact_mut(5).zip(elements) {
            columns.copy_from_slice(&element.0);
        }
        for block in 0..WORDS / 8 {
            let eight = transpose(core::array::from_fn(|i| columns[8 * block + i]));
            for (place, words) in places.iter_mut().zip(eight) {
                store_block(place, block, words);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn columns(self) -> [[u64; 8]; 5] {
        self.0.map(|column| store(column))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn choose(block: &[Entry; 8], digits: &[i64; 8]) -> ([Self; 3], u8) {
        let digits = load(&digits.map(i64::cast_unsigned));
        let magnitude = _mm512_abs_epi64(digits);
        let negative = _mm512_cmplt_epi64_mask(digits, _mm512_setzero_si512());
        let mut limbs = [_mm512_setzero_si512(); 15];
        let one = _mm512_maskz_set1_epi64(_mm512_testn_epi64_mask(magnitude, magnitude), 1);
        (limbs[0], limbs[5]) = (one, one);
        for (at, words) in block.iter().enumerate() {
            let wanted = _mm512_cmpeq_epi64_mask(magnitude, _mm512_set1_epi64(at as i64 + 1));
            // Without the black box the compiler would see a choice and make it a masked load, and no manual promises that
            // a load with an empty mask touches its line.
            let wanted = core::hint::black_box(_mm512_maskz_set1_epi64(wanted, -1));
            for (limb, words) in limbs.iter_mut().zip(words) {
                *limb = _mm512_or_si512(*limb, _mm512_and_si512(wanted, load(words)));
            }
        }
        (core::array::from_fn(|e| Self(core::array::from_fn(|i| limbs[5 * e + i]))), negative)
    }
}

impl Ring for Ifma {
    forward! {
        add(self: &Self, other: &Self) -> Self;
        sub(self: &Self, other: &Self) -> Self;
        mul(self: &Self, other: &Self) -> Self;
        square(self: &Self) -> Self;
    }
}

impl Field for Ifma {
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
        for _ in 0..count {
            for group in &mut *x {
                *group = Ring::square(group);
            }
        }
    }

    #[inline(always)]
    fn add_affine(sum: &mut [Self; 4], other: &[Self; 3]) {
        *sum = formulas::add_affine(sum.each_ref(), other.each_ref());
    }

    #[inline(always)]
    fn add_cached(sum: &mut [Self; 4], other: &[Self; 4]) {
        *sum = formulas::add_cached(sum.each_ref(), other.each_ref());
    }

    #[inline(always)]
    fn double(sum: &mut [Self; 4]) {
        *sum = formulas::double([&sum[0], &sum[1], &sum[2]]);
    }
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

/// Transposes an 8×8 matrix of words.
#[inline]
#[target_feature(enable = "avx512f")]
fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
    let even: [__m512i; 4] = core::array::from_fn(|i| _mm512_unpacklo_epi64(r[2 * i], r[2 * i + 1]));
    let odd: [__m512i; 4] = core::array::from_fn(|i| _mm512_unpackhi_epi64(r[2 * i], r[2 * i + 1]));
    let columns = |p: &[__m512i; 4]| {
        let (a, b) = (_mm512_shuffle_i64x2::<0x88>(p[0], p[1]), _mm512_shuffle_i64x2::<0xdd>(p[0], p[1]));
        let (c, d) = (_mm512_shuffle_i64x2::<0x88>(p[2], p[3]), _mm512_shuffle_i64x2::<0xdd>(p[2], p[3]));
        [
            _mm512_shuffle_i64x2::<0x88>(a, c),
            _mm512_shuffle_i64x2::<0x88>(b, d),
            _mm512_shuffle_i64x2::<0xdd>(a, c),
            _mm512_shuffle_i64x2::<0xdd>(b, d),
        ]
    };
    let (e, o) = (columns(&even), columns(&odd));
    [e[0], o[0], e[1], o[1], e[2], o[2], e[3], o[3]]
}

/// Words 8·block to 8·block + 7 of a point's memory.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_block<const N: usize>(words: &[u64; N], block: usize) -> __m512i {
    let eight: &[u64; 8] = words[8 * block..8 * block + 8].try_into().expect("a point has whole blocks");
    load(eight)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_block<const N: usize>(words: &mut [u64; N], block: usize, vector: __m512i) {
    words[8 * block..8 * block + 8].copy_from_slice(&store(vector));
}
