//! Multiscalar multiplication of secret scalars by fixed points, without a branch or an address that depends on them.

use crate::digits;
use crate::field::Fe8;
use crate::point::{Affine, Affine8, Sum, Sum8, normalize_groups};
use core::arch::x86_64::*;

/// Multiples 1·P to 8·P of fixed points, eight points a block in lanes.
pub struct FixedTable {
    /// `blocks[k][m]` holds (m + 1)·P for the points 8k to 8k + 7, stored lane by lane.
    blocks: Vec<[[[u64; 8]; 15]; 8]>,
    points: usize,
}

/// Blocks whose tables stay in the cache while all digits are worked through.
const CHUNK_BLOCKS: usize = 32;

impl FixedTable {
    /// Bytes of a table for `points` points.
    pub const fn bytes(points: usize) -> usize {
        points.div_ceil(8) * size_of::<[[[u64; 8]; 15]; 8]>()
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.points
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.points == 0
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn build(points: &[Affine]) -> Self {
        let identity = Affine::IDENTITY;
        let blocks = points
            .chunks(8)
            .map(|chunk| {
                let point = Affine8::load(core::array::from_fn(|l| chunk.get(l).unwrap_or(&identity)));
                let mut sum = Sum8::identity();
                let multiples: [Sum8; 8] = core::array::from_fn(|_| {
                    sum = sum.add_affine(&point);
                    sum
                });
                let mut block = [[[0; 8]; 15]; 8];
                for (words, affine) in block.iter_mut().zip(normalize_groups(&multiples)) {
                    let limbs = affine.y_plus_x.0.into_iter().chain(affine.y_minus_x.0).chain(affine.xy2d.0);
                    words.iter_mut().zip(limbs).for_each(|(words, limb)| *words = crate::field::store(limb));
                }
                block
            })
            .collect();
        Self { blocks, points: points.len() }
    }

    /// Σ scalar·point in constant time, with one scalar a point.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(crate) fn multiply(&self, scalars: &[[u8; 32]]) -> Sum {
        let mut total = Sum8::identity();
        for (blocks, scalars) in self.blocks.chunks(CHUNK_BLOCKS).zip(scalars.chunks(8 * CHUNK_BLOCKS)) {
            total = total.add(&multiply_chunk(blocks, scalars));
        }
        let lanes = total.store();
        let mut sum = Sum8::load([&lanes[0]; 8]);
        for lane in &lanes[1..] {
            sum = sum.add(&Sum8::load([lane; 8]));
        }
        sum.store()[0]
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_chunk(blocks: &[[[[u64; 8]; 15]; 8]], scalars: &[[u8; 32]]) -> Sum8 {
    // digits[block][position] holds the eight lanes' digits.
    let mut digits = vec![[[0i64; 8]; 64]; blocks.len()];
    let mut own = [0i8; 64];
    for (i, scalar) in scalars.iter().enumerate() {
        digits::radix_16(scalar, &mut own);
        for (position, digit) in own.iter().enumerate() {
            digits[i / 8][position][i % 8] = i64::from(*digit);
        }
    }
    let mut sum = Sum8::identity();
    for position in (0..64).rev() {
        for _ in 0..4 {
            sum = sum.double();
        }
        for (block, digits) in blocks.iter().zip(&digits) {
            sum = sum.add_affine(&select(block, &digits[position]));
        }
    }
    wipe(&mut own);
    wipe(digits.as_flattened_mut().as_flattened_mut());
    sum
}

/// Zeroes digits, which are as secret as the scalars. The compiler takes the black box for a reader of the zeros, so it
/// cannot drop them as dead; out of line, so that they are written to the memory that the digits are in.
#[inline(never)]
fn wipe<T: Default + Copy>(digits: &mut [T]) {
    digits.fill(T::default());
    core::hint::black_box(digits);
}

/// digit·P in each lane: every entry of the table is read, masks keep the one that is wanted.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn select(block: &[[[u64; 8]; 15]; 8], digits: &[i64; 8]) -> Affine8 {
    let digits = crate::field::load(&digits.map(i64::cast_unsigned));
    let magnitude = _mm512_abs_epi64(digits);
    let negative = _mm512_cmplt_epi64_mask(digits, _mm512_setzero_si512());
    // The identity is (1, 1, 0).
    let mut limbs = [_mm512_setzero_si512(); 15];
    let one = _mm512_maskz_set1_epi64(_mm512_testn_epi64_mask(magnitude, magnitude), 1);
    (limbs[0], limbs[5]) = (one, one);
    for (entry, words) in block.iter().enumerate() {
        let wanted = _mm512_cmpeq_epi64_mask(magnitude, _mm512_set1_epi64(entry as i64 + 1));
        // Without the black box the compiler would see a choice and make it a masked load, and no manual promises that
        // a load with an empty mask touches its line.
        let wanted = core::hint::black_box(_mm512_maskz_set1_epi64(wanted, -1));
        for (limb, words) in limbs.iter_mut().zip(words) {
            *limb = _mm512_or_si512(*limb, _mm512_and_si512(wanted, crate::field::load(words)));
        }
    }
    let fe = |from: usize| Fe8(core::array::from_fn(|i| limbs[from + i]));
    Affine8 { y_plus_x: fe(0), y_minus_x: fe(5), xy2d: fe(10) }.negate_where(negative)
}
