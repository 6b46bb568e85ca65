//! The sums of a book that a clearing rule may ask for, and their weights a step.

use crate::grid::Grid;
use serde::{Deserialize, Serialize};

/// A curve of the book. b_k, s_k are the quantities bid and asked at tick k, D_k = sum over j >= k of b_j and
/// S_k = sum over j <= k of s_j.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SumKind {
    /// W_k = D_{k+1} − S_k, excess demand between the ticks k and k+1; k from −1 on.
    W,
    /// Z_k = D_k − S_k, excess demand at tick k.
    Z,
    /// S_k, what is offered at p_k.
    S,
    /// D_k, what is demanded at p_k.
    D,
}

/// Why a sum is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Purpose {
    /// The rule can't go on without it.
    Path,
    /// Only to publish the traded volume.
    Volume,
}

/// One sum over the whole book that is opened next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SumRequest {
    /// The curve.
    pub kind: SumKind,
    /// The tick on it; −1 exists for `W` alone.
    pub tick: i32,
    /// Why it is needed.
    pub purpose: Purpose,
}

impl std::fmt::Display for SumRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}_{}", self.kind, self.tick)
    }
}

impl SumRequest {
    /// The weight of every step in this sum, −1, 0 or 1: the sum of weight times step total is the value.
    pub fn weights(&self, grid: &Grid) -> Vec<i64> {
        let at = i64::from(self.tick);
        (0..i64::from(grid.ticks()))
            .flat_map(|tick| {
                let offered = i64::from(tick <= at);
                match self.kind {
                    SumKind::W => [-offered, i64::from(tick > at)],
                    SumKind::Z => [-offered, i64::from(tick >= at)],
                    SumKind::S => [offered, 0],
                    SumKind::D => [0, i64::from(tick >= at)],
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_the_definitions() {
        let grid = Grid::new(0, 2, 4).unwrap();
        // Steps: sell at p_0, buy at p_0, sell at p_1, ...
        let weights = |kind, tick| SumRequest { kind, tick, purpose: Purpose::Path }.weights(&grid);
        assert_eq!(weights(SumKind::W, 1), [-1, 0, -1, 0, 0, 1, 0, 1]);
        assert_eq!(weights(SumKind::W, -1), [0, 1, 0, 1, 0, 1, 0, 1]);
        assert_eq!(weights(SumKind::W, 3), [-1, 0, -1, 0, -1, 0, -1, 0]);
        assert_eq!(weights(SumKind::Z, 1), [-1, 0, -1, 1, 0, 1, 0, 1]);
        assert_eq!(weights(SumKind::S, 2), [1, 0, 1, 0, 1, 0, 0, 0]);
        assert_eq!(weights(SumKind::D, 2), [0, 0, 0, 0, 0, 1, 0, 1]);
    }
}
