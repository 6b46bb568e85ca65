//! Multiscalar multiplication of secret scalars by fixed points, without a branch or an address that depends on them.

use crate::digits;
use crate::field::{Entry, Field};
use crate::point::{Affine, Affine8, Sum, Sum8, normalize_groups};

/// Multiples 1·P to 8·P of fixed points, eight points a block in lanes.
pub struct FixedTable {
    /// `blocks[k][m]` holds (m + 1)·P for the points 8k to 8k + 7, stored lane by lane.
    blocks: Vec<[Entry; 8]>,
    points: usize,
}

/// Blocks whose tables stay in the cache while all digits are worked through.
const CHUNK_BLOCKS: usize = 32;

impl FixedTable {
    /// Bytes of a table for `points` points.
    pub const fn bytes(points: usize) -> usize {
        points.div_ceil(8) * size_of::<[Entry; 8]>()
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.points
    }

    /// True without points.
    pub fn is_empty(&self) -> bool {
        self.points == 0
    }

    #[inline(always)]
    pub(crate) fn build<F: Field>(points: &[Affine]) -> Self {
        let identity = Affine::IDENTITY;
        let mut blocks = Vec::with_capacity(points.len().div_ceil(8));
        for chunk in points.chunks(8) {
            let point = Affine8::<F>::load(core::array::from_fn(|l| chunk.get(l).unwrap_or(&identity)));
            let mut sum = Sum8::<F>::identity();
            let mut multiples = [sum; 8];
            for multiple in &mut multiples {
                sum.add_affine(&point);
                *multiple = sum;
            }
            let mut block = [[[0; 8]; 15]; 8];
            for (words, affine) in block.iter_mut().zip(normalize_groups(&multiples)) {
                for (words, element) in words.chunks_exact_mut(5).zip(affine.0) {
                    words.copy_from_slice(&element.columns());
                }
            }
            blocks.push(block);
        }
        Self { blocks, points: points.len() }
    }

    /// Σ scalar·point in constant time, with one scalar a point.
    #[inline(always)]
    pub(crate) fn multiply<F: Field>(&self, scalars: &[[u8; 32]]) -> Sum {
        let mut total = Sum8::<F>::identity();
        for (blocks, scalars) in self.blocks.chunks(CHUNK_BLOCKS).zip(scalars.chunks(8 * CHUNK_BLOCKS)) {
            total.add(&multiply_chunk(blocks, scalars));
        }
        let lanes = total.store();
        let mut sum = Sum8::<F>::load([&lanes[0]; 8]);
        for lane in &lanes[1..] {
            sum.add(&Sum8::<F>::load([lane; 8]));
        }
        sum.store()[0]
    }
}

#[inline(always)]
fn multiply_chunk<F: Field>(blocks: &[[Entry; 8]], scalars: &[[u8; 32]]) -> Sum8<F> {
    // digits[block][position] holds the eight lanes' digits.
    let mut digits = vec![[[0i64; 8]; 64]; blocks.len()];
    let mut own = [0i8; 64];
    for (i, scalar) in scalars.iter().enumerate() {
        digits::radix_16(scalar, &mut own);
        for (position, digit) in own.iter().enumerate() {
            digits[i / 8][position][i % 8] = i64::from(*digit);
        }
    }
    let mut sum = Sum8::<F>::identity();
    for position in (0..64).rev() {
        for _ in 0..4 {
            sum.double();
        }
        for (block, digits) in blocks.iter().zip(&digits) {
            sum.add_affine(&select(block, &digits[position]));
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

/// digit·P in each lane; every entry of the table is read.
#[inline(always)]
fn select<F: Field>(block: &[Entry; 8], digits: &[i64; 8]) -> Affine8<F> {
    let (chosen, negative) = F::choose(block, digits);
    Affine8(chosen).negate_where(negative)
}
