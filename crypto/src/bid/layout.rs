//! Where the values of a range proof stand in its two vectors, and how the inner-product argument folds them: of a bid, of a
//! day of readings ([`crate::reading`]) and of a day's shares.
//!
//! The quantities take `bits · steps` places. With money, 128 more follow: what is left of two capacities, what is left of
//! the balance, and one product ([`extra`]). The length is then no power of two. Doubling it would double the work of
//! everybody, so the argument folds by three where that comes out shorter: the length is 2^m, 3·2^m or 9·2^m, whichever is
//! the smallest (2,304 for 128 steps of 16 bits, not 4,096). What is left over has no place in any value.
//!
//! The places are blocks of 2^m. Rounds by two fold inside of the blocks, first; the last rounds fold the blocks by three.

use curve25519_dalek::scalar::Scalar;

/// Places behind the quantities of a bid with money, from the first one on.
pub(crate) mod extra {
    use std::ops::Range;
    /// Bits of what a bid leaves of the import capacity, then of the export capacity, then of the balance: a balance is
    /// below 2^62.
    pub const VALUES: [Range<usize>; 3] = [0..32, 32..64, 64..127];
    /// The product that is zero: all that the bid asks for, times what its balance lacks.
    pub const PRODUCT: usize = 127;
    /// How many places there are.
    pub const PLACES: usize = 128;
}

/// The lengths of a bid's range proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Bits of a quantity.
    pub bits: usize,
    /// Quantities M.
    pub steps: usize,
    /// Whether the places of money follow.
    pub money: bool,
    /// Products that are zero, a place each, behind the quantities of a day's shares.
    pub products: usize,
    /// Rounds of the argument that fold by two, m.
    pub halvings: usize,
    /// Rounds after them that fold by three: 0, 1 or 2.
    pub thirds: usize,
}

impl Layout {
    /// The layout of a bid of `steps` quantities of `bits` bits, both powers of two.
    pub fn new(bits: usize, steps: usize, money: bool) -> Self {
        Self::of(bits, steps, money, 0)
    }

    /// The layout of `values` values of `bits` bits with so many products behind them.
    pub fn with_products(bits: usize, values: usize, products: usize) -> Self {
        Self::of(bits, values, false, products)
    }

    fn of(bits: usize, steps: usize, money: bool, products: usize) -> Self {
        let places = bits * steps + if money { extra::PLACES } else { products };
        let halvings = |thirds: u32| places.div_ceil(3usize.pow(thirds)).next_power_of_two().trailing_zeros();
        let (_, thirds) = (0..3u32)
            .map(|thirds| (3usize.pow(thirds) << halvings(thirds), thirds))
            // A block holds whole values. One block does: it is no shorter than everything.
            .filter(|(_, thirds)| 1 << halvings(*thirds) >= bits)
            .min()
            .expect("one block at least");
        let (halvings, thirds) = (halvings(thirds) as usize, thirds as usize);
        Self { bits, steps, money, products, halvings, thirds }
    }

    /// Places of the quantities: those of money follow.
    pub fn quantities(&self) -> usize {
        self.bits * self.steps
    }

    /// Places that hold a bit: the quantities' and, with money, those of the three values behind them.
    pub fn bit_places(&self) -> usize {
        self.quantities() + if self.money { extra::PRODUCT } else { 0 }
    }

    /// Places that hold anything, the products' last; those behind them stay zero.
    pub fn used_places(&self) -> usize {
        self.quantities() + if self.money { extra::PLACES } else { self.products }
    }

    /// Length of the vectors.
    pub fn total(&self) -> usize {
        self.blocks() << self.halvings
    }

    /// Blocks that the rounds by three fold: 1, 3 or 9.
    pub fn blocks(&self) -> usize {
        3usize.pow(self.thirds as u32)
    }

    /// What each round folds by, in order.
    pub fn arities(&self) -> impl Iterator<Item = usize> + Clone {
        std::iter::repeat_n(2, self.halvings).chain(std::iter::repeat_n(3, self.thirds))
    }

    /// Pairs of L and R that the argument sends: one in a round by two, two in a round by three.
    pub fn pairs(&self) -> usize {
        self.halvings + 2 * self.thirds
    }

    /// The place that stands at `position` of the vectors as the argument folds them: block by block is not the order in
    /// which halves and thirds are contiguous.
    pub fn place(&self, position: usize) -> usize {
        let blocks = self.blocks();
        ((position % blocks) << self.halvings) + position / blocks
    }
}

/// The weights of a round's L and R for its challenge and the inverse of it, pair by pair.
pub(crate) fn pair_weights(arity: usize, u: &Scalar, u_inverse: &Scalar) -> Vec<[Scalar; 2]> {
    let squares = [u * u, u_inverse * u_inverse];
    if arity == 2 { vec![squares] } else { vec![[*u, *u_inverse], squares] }
}

/// What a generator of the left vector is multiplied by in a round, by the part that it stands in; those of the right vector
/// take the same in reverse.
pub(crate) fn part_factors(arity: usize, u: &Scalar, u_inverse: &Scalar) -> Vec<Scalar> {
    if arity == 2 { vec![*u_inverse, *u] } else { vec![*u_inverse, Scalar::ONE, *u] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_shortest_that_hold_everything() {
        let total = |bits, steps, money| Layout::new(bits, steps, money).total();
        assert_eq!(total(16, 128, false), 2_048);
        assert_eq!(total(16, 128, true), 2_304);
        assert_eq!(total(8, 4, true), 192);
        assert_eq!(total(8, 16, true), 256);
        assert_eq!(total(8, 32, true), 384);
        assert_eq!(total(8, 64, true), 768);
        assert_eq!(total(8, 128, true), 1_152);
        assert_eq!(total(32, 8_192, true), 9 * 32_768);
        // Nine blocks of eight would hold 65 places, and no value.
        assert_eq!(Layout::with_products(32, 2, 1).total(), 96);
        assert_eq!(Layout::with_products(16, 200, 100).total(), 4_096);
        assert_eq!(Layout::with_products(32, 200, 100).total(), 8_192);
    }

    #[test]
    fn every_place_has_one_position() {
        for money in [false, true] {
            for (bits, steps) in [(8, 4), (8, 32), (16, 128), (32, 64)] {
                let layout = Layout::new(bits, steps, money);
                let mut places: Vec<usize> = (0..layout.total()).map(|p| layout.place(p)).collect();
                assert!(money || places.is_sorted(), "without money nothing moves");
                places.sort_unstable();
                assert!(places.into_iter().eq(0..layout.total()));
            }
        }
    }
}
