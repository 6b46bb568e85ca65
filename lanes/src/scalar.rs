//! Eight scalars modulo the group order ℓ at once, one a 64-bit lane, for the long scalar loops of a batch.
//!
//! A scalar is five limbs of 52 bits, the width of the multiplier of AVX-512 IFMA. A product is Montgomery's with
//! R = 2^260: a factor is brought into the form f·R mod ℓ once and is then good for thousands of products that
//! leave plain values. Bounds:
//!
//! - a product takes any a < 2^260 in limbs below 2^52 and a factor below ℓ, and gives a value below
//!   a·f/2^260 + ℓ < 2ℓ, in limbs below 2^52; nothing here needs the canonical representative;
//! - inside of it a column gains at most four parts below 2^52 in each of five steps, so it stays below 2^57;
//! - a sum adds limbs without carries: [`MOST_LAZY`] values below 2^52 a limb stay below 2^64. [`ScalarSums`] carries in
//!   time; its top limb then holds what is above 2^208, 2^46 a value, good for 2^17 values.
//!
//! Variable time, for public data.

use crate::field::ifma::{load, store};
use crate::wide::{Kind, Lanes};
use core::arch::x86_64::*;

/// ℓ = 2^252 + 27742317777372353535851937790883648493 in limbs of 52 bits; the limb at 3 is zero and left out below.
const ORDER: [u64; 5] = [0x2_631a_5cf5_d3ed, 0xd_ea2f_79cd_6581, 0x0_0000_0014_def9, 0, 0x0_1000_0000_0000];
const MASK: u64 = (1 << 52) - 1;

/// −ℓ^{-1} mod 2^52, by Newton's iteration.
const ORDER_NEG_INVERSE: u64 = {
    let mut inverse = 1u64;
    let mut i = 0;
    while i < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(ORDER[0].wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg() & MASK
};

/// Values that are added to a sum before its limbs are carried.
const MOST_LAZY: u32 = 4_000;

/// Eight scalars.
#[derive(Clone, Copy)]
struct Sc8([__m512i; 5]);

/// Eight scalars in memory: limb by limb, a column of eight lanes each.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Block([[u64; 8]; 5]);

impl Block {
    const ZERO: Self = Self([[0; 8]; 5]);
}

/// The limbs of 32 little-endian bytes.
fn limbs(bytes: &[u8; 32]) -> [u64; 5] {
    let word = |i: usize| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("8 bytes"));
    let words: [u64; 4] = core::array::from_fn(word);
    [
        words[0] & MASK,
        (words[0] >> 52 | words[1] << 12) & MASK,
        (words[1] >> 40 | words[2] << 24) & MASK,
        (words[2] >> 28 | words[3] << 36) & MASK,
        words[3] >> 16,
    ]
}

impl Sc8 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn splat(bytes: &[u8; 32]) -> Self {
        let limbs = limbs(bytes);
        Self(core::array::from_fn(|i| _mm512_set1_epi64(limbs[i] as i64)))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn from_bytes(lanes: &[[u8; 32]]) -> Self {
        let lanes: [[u64; 5]; 8] = core::array::from_fn(|l| limbs(&lanes[l]));
        Self::load(&Block(core::array::from_fn(|i| core::array::from_fn(|l| lanes[l][i]))))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn load(block: &Block) -> Self {
        Self(core::array::from_fn(|i| load(&block.0[i])))
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn store(self) -> Block {
        Block(core::array::from_fn(|i| store(self.0[i])))
    }

    /// The sum, its limbs not carried.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn plus_lazy(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| _mm512_add_epi64(self.0[i], other.0[i])))
    }

    /// The same values with all limbs but the last below 2^52.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn carry(&self) -> Self {
        let mask = _mm512_set1_epi64(MASK as i64);
        let mut t = self.0;
        for i in 0..4 {
            t[i + 1] = _mm512_add_epi64(t[i + 1], _mm512_srli_epi64::<52>(t[i]));
            t[i] = _mm512_and_si512(t[i], mask);
        }
        Self(t)
    }

    /// The products with factors in Montgomery form (Montgomery 1985, one limb of the factor a step).
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn times(&self, factor: &Self) -> Self {
        let a = &self.0;
        let zero = _mm512_setzero_si512();
        let order: [__m512i; 5] = core::array::from_fn(|i| _mm512_set1_epi64(ORDER[i] as i64));
        let inverse = _mm512_set1_epi64(ORDER_NEG_INVERSE as i64);
        let mut t = [zero; 5];
        for digit in factor.0 {
            for j in 0..5 {
                t[j] = _mm512_madd52lo_epu64(t[j], a[j], digit);
            }
            // The multiple of ℓ that clears the lowest limb; the multiplier looks at the low 52 bits of t[0].
            let m = _mm512_madd52lo_epu64(zero, t[0], inverse);
            for j in [0, 1, 2, 4] {
                t[j] = _mm512_madd52lo_epu64(t[j], m, order[j]);
            }
            let carry = _mm512_srli_epi64::<52>(t[0]);
            t = [_mm512_add_epi64(t[1], carry), t[2], t[3], t[4], zero];
            for j in 0..5 {
                t[j] = _mm512_madd52hi_epu64(t[j], a[j], digit);
            }
            for j in [0, 1, 2, 4] {
                t[j] = _mm512_madd52hi_epu64(t[j], m, order[j]);
            }
        }
        Self(t).carry()
    }
}

/// Sums of scalars modulo ℓ, one a place, in lanes: places 8·b to 8·b + 7 are block b.
#[derive(Clone)]
pub struct ScalarSums {
    blocks: Vec<Block>,
    /// Values added to a place since the last carry, at most.
    lazy: u32,
    /// Products of one call, kept for the next.
    scratch: Vec<Block>,
}

impl ScalarSums {
    /// Zeros.
    ///
    /// # Panics
    /// When the number of places is no multiple of eight.
    pub(crate) fn new(places: usize) -> Self {
        assert!(places.is_multiple_of(8), "places in groups of eight");
        Self { blocks: vec![Block::ZERO; places / 8], lazy: 0, scratch: Vec::new() }
    }

    /// Number of places.
    pub fn len(&self) -> usize {
        8 * self.blocks.len()
    }

    /// True without places.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The sums as 64 little-endian bytes, not reduced modulo ℓ.
    pub fn wide_bytes(&self) -> Vec<[u8; 64]> {
        let place = |at: usize| wide_bytes(core::array::from_fn(|i| self.blocks[at / 8].0[i][at % 8]));
        (0..self.len()).map(place).collect()
    }

    /// Makes room for one more value a place.
    #[inline]
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn make_room(&mut self) {
        self.lazy += 1;
        if self.lazy > MOST_LAZY {
            self.blocks.iter_mut().for_each(|block| *block = Sc8::load(block).carry().store());
            // What is left counts as one value a place.
            self.lazy = 2;
        }
    }

    /// Adds to place p the product of `first[p mod 8]` and of the factors whose bit is set in p / 8, the first factor's bit
    /// being the lowest.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn add_products(&mut self, first: &[[u8; 32]; 8], factors: &[[u8; 32]]) {
        self.make_room();
        let mut scratch = core::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.push(Sc8::from_bytes(first).store());
        for factor in factors {
            let factor = Sc8::splat(factor);
            for at in 0..scratch.len() {
                scratch.push(Sc8::load(&scratch[at]).times(&factor).store());
            }
        }
        for (sum, product) in self.blocks.iter_mut().zip(&scratch) {
            *sum = Sc8::load(sum).plus_lazy(&Sc8::load(product)).store();
        }
        self.scratch = scratch;
    }

    /// Adds `start[p mod start.len()]`·step^(p / start.len()) to place p.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn add_progressions(&mut self, start: &[[u8; 32]], step: &[u8; 32]) {
        self.make_room();
        let step = Sc8::splat(step);
        let row = start.len() / 8;
        for (at, eight) in start.chunks_exact(8).enumerate() {
            let mut term = Sc8::from_bytes(eight);
            for sum in self.blocks[at..].iter_mut().step_by(row) {
                *sum = Sc8::load(sum).plus_lazy(&term).store();
                term = term.times(&step);
            }
        }
    }

    /// With c_p = `first_a[p mod 8]`·step_a^(p / 8) + the same of b: adds c_p·added to place p and hands out c_p·out as
    /// 32 little-endian bytes below 2ℓ.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn add_two_progressions(
        &mut self,
        [a, b]: [(&[[u8; 32]; 8], &[u8; 32]); 2],
        added: &[u8; 32],
        out: &[u8; 32],
    ) -> Vec<[u8; 32]> {
        self.make_room();
        let (mut a_term, mut b_term) = (Sc8::from_bytes(a.0), Sc8::from_bytes(b.0));
        let (a_step, b_step) = (Sc8::splat(a.1), Sc8::splat(b.1));
        let (added, out) = (Sc8::splat(added), Sc8::splat(out));
        let mut handed = Vec::with_capacity(self.len());
        for sum in &mut self.blocks {
            let c = a_term.plus_lazy(&b_term).carry();
            *sum = Sc8::load(sum).plus_lazy(&c.times(&added)).store();
            let products = c.times(&out).store();
            handed.extend((0..8).map(|l| bytes(core::array::from_fn(|i| products.0[i][l]))));
            (a_term, b_term) = (a_term.times(&a_step), b_term.times(&b_step));
        }
        handed
    }
}

/// Witness of a processor whose lanes multiply scalars: with AVX-512 IFMA.
#[derive(Clone, Copy, Debug)]
pub struct ScalarLanes(());

impl ScalarLanes {
    pub(crate) fn of(lanes: Lanes) -> Option<Self> {
        (lanes.kind() == Kind::Ifma).then_some(Self(()))
    }

    /// Sums of scalars, all zero; the number of places is a multiple of eight.
    ///
    /// # Panics
    /// When it is not.
    pub fn sums(self, places: usize) -> ScalarSums {
        ScalarSums::new(places)
    }

    /// Adds to place p of 8·2^`factors.len()` the product of `first[p mod 8]`, below 2^256, and of the factors whose bit is
    /// set in p / 8, the first factor's bit being the lowest. A factor f is given as f·2^260 mod ℓ. Modulo ℓ; public data.
    ///
    /// # Panics
    /// When the number of places is another one.
    pub fn add_products(self, sums: &mut ScalarSums, first: &[[u8; 32]; 8], factors: &[[u8; 32]]) {
        assert_eq!(sums.len(), 8 << factors.len(), "a place a product");
        // SAFETY: the witness is made where the processor has the features that the function is compiled for.
        unsafe { sums.add_products(first, factors) }
    }

    /// Adds `start[p mod start.len()]`·step^(p / `start.len()`) to place p; values as in [`Self::add_products`].
    ///
    /// # Panics
    /// When the rows are not of eights, or do not fill the places.
    pub fn add_progressions(self, sums: &mut ScalarSums, start: &[[u8; 32]], step: &[u8; 32]) {
        let whole =
            !start.is_empty() && start.len().is_multiple_of(8) && sums.len().is_multiple_of(start.len());
        assert!(whole, "rows of eights that fill the places");
        // SAFETY: the witness is made where the processor has the features that the function is compiled for.
        unsafe { sums.add_progressions(start, step) }
    }

    /// Two progressions, each its first eight terms and the factor that leads from each term to the eighth after it: with
    /// c_p the sum of both at p, adds c_p·added to place p, and hands out c_p·out as little-endian bytes below 2ℓ. Values as in
    /// [`Self::add_products`].
    pub fn add_two_progressions(
        self,
        sums: &mut ScalarSums,
        progressions: [(&[[u8; 32]; 8], &[u8; 32]); 2],
        added: &[u8; 32],
        out: &[u8; 32],
    ) -> Vec<[u8; 32]> {
        // SAFETY: the witness is made where the processor has the features that the function is compiled for.
        unsafe { sums.add_two_progressions(progressions, added, out) }
    }
}

/// Little-endian bytes of carried limbs, whose value is below 2^256.
fn bytes(limbs: [u64; 5]) -> [u8; 32] {
    let words = [
        limbs[0] | limbs[1] << 52,
        limbs[1] >> 12 | limbs[2] << 40,
        limbs[2] >> 24 | limbs[3] << 28,
        limbs[3] >> 36 | limbs[4] << 16,
    ];
    let mut bytes = [0; 32];
    bytes.chunks_exact_mut(8).zip(words).for_each(|(chunk, word)| chunk.copy_from_slice(&word.to_le_bytes()));
    bytes
}

/// Little-endian bytes of limbs that may be above 2^52.
fn wide_bytes(mut limbs: [u64; 5]) -> [u8; 64] {
    for i in 0..4 {
        limbs[i + 1] += limbs[i] >> 52;
        limbs[i] &= MASK;
    }
    let mut wide = [0; 64];
    wide[..32].copy_from_slice(&bytes(limbs));
    // What the top limb has above 2^256.
    wide[32..40].copy_from_slice(&(limbs[4] >> 48).to_le_bytes());
    wide
}
