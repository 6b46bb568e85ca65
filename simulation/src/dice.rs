//! Random choices of a plan: all from its seed.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use std::ops::Range;

/// A random source with the few questions that plans ask.
pub(crate) struct Dice(ChaCha20Rng);

impl Dice {
    /// A source of its own for each purpose of a seed, so that one more question here changes nothing there.
    pub(crate) fn new(seed: u64, purpose: u64) -> Self {
        Self(rng(seed, purpose))
    }

    /// Below `n`, which is not 0. The bias is of no concern here.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0.next_u64() % n.max(1)
    }

    pub(crate) fn index(&mut self, n: usize) -> usize {
        self.below(n as u64) as usize
    }

    pub(crate) fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.below(range.end.saturating_sub(range.start))
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// The numbers below `n` in random order.
    pub(crate) fn order(&mut self, n: usize) -> Vec<usize> {
        let mut left: Vec<usize> = (0..n).collect();
        let mut order = Vec::with_capacity(n);
        while !left.is_empty() {
            order.push(left.swap_remove(self.index(left.len())));
        }
        order
    }
}

/// A generator for a purpose of a seed.
pub(crate) fn rng(seed: u64, purpose: u64) -> ChaCha20Rng {
    let mut bytes = [0x5a; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&purpose.to_le_bytes());
    ChaCha20Rng::from_seed(bytes)
}
