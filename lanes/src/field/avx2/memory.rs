//! Elements between vectors and memory, and choices among them.

use super::Avx2;
use super::half::splat;
use crate::field::{Entry, Limbs};
use core::arch::x86_64::*;

/// The bits of a mask as whole lanes, of the half that begins at lane `from`.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn whole(mask: u8, from: u8) -> __m256i {
    let bits = _mm256_set_epi64x(8 << from, 4 << from, 2 << from, 1 << from);
    _mm256_cmpeq_epi64(_mm256_and_si256(splat(u64::from(mask)), bits), bits)
}

/// The top bits of both halves' lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn mask_of(halves: [__m256i; 2]) -> u8 {
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
    pub(super) fn splat(limbs: &Limbs) -> Self {
        Self([limbs!(|i: usize| splat(limbs[i])); 2])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn from_lanes(lanes: &[Limbs; 8]) -> Self {
        let half = |h: usize| limbs!(|i: usize| load(&core::array::from_fn(|l| lanes[4 * h + l][i])));
        Self([half(0), half(1)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn to_lanes(self) -> [Limbs; 8] {
        let columns = Self::columns(self);
        core::array::from_fn(|l| core::array::from_fn(|i| columns[i][l]))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn select(&self, other: &Self, mask: u8) -> Self {
        let masks = [whole(mask, 0), whole(mask, 4)];
        let half = |h: usize| limbs!(|i: usize| _mm256_blendv_epi8(self.0[h][i], other.0[h][i], masks[h]));
        Self([half(0), half(1)])
    }

    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn gather<const WORDS: usize, const ELEMENTS: usize>(
        points: [&[u64; WORDS]; 8],
    ) -> [Self; ELEMENTS] {
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
    pub(super) fn scatter<const WORDS: usize, const ELEMENTS: usize>(
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
    pub(super) fn columns(self) -> [[u64; 8]; 5] {
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
    pub(super) fn choose(block: &[Entry; 8], digits: &[i64; 8]) -> ([Self; 3], u8) {
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
