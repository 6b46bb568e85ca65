//! What the opened values say about the curves, and whether a new value can be true.
//!
//! The excess demand after m steps of the grid, N_m (W_k = N_{2k+2}, Z_k = N_{2k+1}), never rises; S_k never falls and
//! D_k never rises; S_{-1} = D_L = 0. At every position N_m = D_i − S_j with i = ⌊m/2⌋, j = ⌈m/2⌉ − 1, so two known
//! values give the third. Every value, opened or derived, is checked against its neighbours on its own curve. That is
//! what the rules rely on: no quantity they compute from known values is negative or out of range.

use crate::sums::SumKind;
use crate::units::MAX_UNKNOWN_OPENING;
use std::collections::BTreeMap;
use thiserror::Error;

/// Largest magnitude of a sum in Wh that a clearing can open: the reach of the small logarithm (protocol, section 2).
pub const MAX_OPENED_WH: i64 = MAX_UNKNOWN_OPENING as i64;

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Impossible {
    /// Beyond the bound of every sum.
    #[error("{curve} at {at} would be {value_wh} Wh, beyond {MAX_OPENED_WH}")]
    OutOfRange {
        /// The curve, opened or derived.
        curve: &'static str,
        /// The position on it.
        at: i64,
        /// The value it would have.
        value_wh: i64,
    },
    /// A quantity would be negative.
    #[error("{curve} at tick {at} would be {value_wh} Wh, but it can't be negative")]
    Negative {
        /// The curve, opened or derived.
        curve: &'static str,
        /// The tick.
        at: i64,
        /// The value it would have.
        value_wh: i64,
    },
    /// A curve would rise where it can only fall, or the other way round.
    #[error(
        "{curve} would be {value_wh} Wh at {at} but is {other_wh} Wh at {other}, and it can only {direction} with the price"
    )]
    NotMonotone {
        /// The curve, opened or derived.
        curve: &'static str,
        /// The position that is new.
        at: i64,
        /// The value it would have.
        value_wh: i64,
        /// A position that was known.
        other: i64,
        /// The value there.
        other_wh: i64,
        /// `rise` or `fall`.
        direction: &'static str,
    },
    /// One place would have two values.
    #[error(
        "{curve} at {at} would be {value_wh} Wh, but it follows from earlier openings that it is {known_wh} Wh"
    )]
    Contradiction {
        /// The curve, opened or derived.
        curve: &'static str,
        /// The position.
        at: i64,
        /// The value it would have.
        value_wh: i64,
        /// The value it has.
        known_wh: i64,
    },
}

/// One curve, by position.
struct Curve {
    name: &'static str,
    rises: bool,
    signed: bool,
    values: BTreeMap<i64, i64>,
}

impl Curve {
    fn get(&self, at: i64) -> Option<i64> {
        self.values.get(&at).copied()
    }

    /// Adds a value; false when it was known already.
    fn insert(&mut self, at: i64, value_wh: i64) -> Result<bool, Impossible> {
        let curve = self.name;
        if let Some(known_wh) = self.get(at) {
            let contradiction = Impossible::Contradiction { curve, at, value_wh, known_wh };
            return if known_wh == value_wh { Ok(false) } else { Err(contradiction) };
        }
        if !(-MAX_OPENED_WH..=MAX_OPENED_WH).contains(&value_wh) {
            return Err(Impossible::OutOfRange { curve, at, value_wh });
        }
        if !self.signed && value_wh < 0 {
            return Err(Impossible::Negative { curve, at, value_wh });
        }
        let before = self.values.range(..at).next_back();
        let after = self.values.range(at..).next();
        let wrong = |lower: i64, upper: i64| if self.rises { lower > upper } else { lower < upper };
        let clash = before
            .filter(|(_, low)| wrong(**low, value_wh))
            .or(after.filter(|(_, up)| wrong(value_wh, **up)));
        if let Some((&other, &other_wh)) = clash {
            let direction = if self.rises { "rise" } else { "fall" };
            return Err(Impossible::NotMonotone { curve, at, value_wh, other, other_wh, direction });
        }
        self.values.insert(at, value_wh);
        Ok(true)
    }
}

/// All that is known of a book's curves.
pub(super) struct Known {
    excess: Curve,
    demand: Curve,
    supply: Curve,
}

/// Position of a W or Z in the sequence N.
fn position(kind: SumKind, tick: i64) -> i64 {
    if kind == SumKind::W { 2 * tick + 2 } else { 2 * tick + 1 }
}

impl Known {
    /// Nothing opened yet on a grid of `ticks`: only that supply below the grid and demand above it are zero.
    pub(super) fn new(ticks: i64) -> Self {
        let curve = |name, rises, signed, zero: Option<i64>| Curve {
            name,
            rises,
            signed,
            values: zero.into_iter().map(|at| (at, 0)).collect(),
        };
        Self {
            excess: curve("the excess demand N", false, true, None),
            demand: curve("the demand D", false, false, Some(ticks)),
            supply: curve("the supply S", true, false, Some(-1)),
        }
    }

    /// The value of a sum, if it follows from what was opened.
    pub(super) fn get(&self, kind: SumKind, tick: i64) -> Option<i64> {
        match kind {
            SumKind::W | SumKind::Z => self.excess.get(position(kind, tick)),
            SumKind::S => self.supply.get(tick),
            SumKind::D => self.demand.get(tick),
        }
    }

    /// Takes in an opened value and everything that follows from it.
    pub(super) fn learn(&mut self, kind: SumKind, tick: i64, value_wh: i64) -> Result<(), Impossible> {
        match kind {
            SumKind::W | SumKind::Z => self.learn_excess(position(kind, tick), value_wh),
            SumKind::S => self.learn_supply(tick, value_wh),
            SumKind::D => self.learn_demand(tick, value_wh),
        }
    }

    // The three call each other along the grid; each call adds a value that was not known, so they come to an end. No
    // sum overflows: what goes in is at most 2^40 each.

    fn learn_excess(&mut self, at: i64, value_wh: i64) -> Result<(), Impossible> {
        if !self.excess.insert(at, value_wh)? {
            return Ok(());
        }
        let (demand_at, supply_at) = (at.div_euclid(2), (at - 1).div_euclid(2));
        if let Some(supply_wh) = self.supply.get(supply_at) {
            return self.learn_demand(demand_at, value_wh + supply_wh);
        }
        match self.demand.get(demand_at) {
            Some(demand_wh) => self.learn_supply(supply_at, demand_wh - value_wh),
            None => Ok(()),
        }
    }

    fn learn_supply(&mut self, tick: i64, value_wh: i64) -> Result<(), Impossible> {
        if !self.supply.insert(tick, value_wh)? {
            return Ok(());
        }
        for at in [2 * tick + 1, 2 * tick + 2] {
            if let Some(excess_wh) = self.excess.get(at) {
                self.learn_demand(at.div_euclid(2), excess_wh + value_wh)?;
            }
        }
        Ok(())
    }

    fn learn_demand(&mut self, tick: i64, value_wh: i64) -> Result<(), Impossible> {
        if !self.demand.insert(tick, value_wh)? {
            return Ok(());
        }
        for at in [2 * tick, 2 * tick + 1] {
            if let Some(excess_wh) = self.excess.get(at) {
                self.learn_supply((at - 1).div_euclid(2), value_wh - excess_wh)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SumKind::{D, S, W, Z};

    fn after(values: &[(SumKind, i64, i64)]) -> Result<Known, Impossible> {
        let mut known = Known::new(4);
        for (kind, tick, value_wh) in values {
            known.learn(*kind, *tick, *value_wh)?;
        }
        Ok(known)
    }

    #[test]
    fn what_follows_is_known() {
        let known = after(&[(W, 1, -2), (W, 0, 3), (Z, 1, 1), (S, 1, 5)]).ok().unwrap();
        // D_2 = W_1 + S_1, D_1 = Z_1 + S_1, S_0 = D_1 − W_0
        assert_eq!((known.get(D, 2), known.get(D, 1), known.get(S, 0)), (Some(3), Some(6), Some(3)));
        assert_eq!(known.get(D, 0), None);
        let ends = after(&[(W, -1, 7), (W, 3, -4)]).ok().unwrap();
        assert_eq!((ends.get(D, 0), ends.get(S, 3)), (Some(7), Some(4)));
    }

    #[test]
    fn impossible_values_are_named() {
        let fails = |values: &[(SumKind, i64, i64)]| after(values).err();
        assert!(matches!(
            fails(&[(W, 0, 1), (W, 1, 2)]),
            Some(Impossible::NotMonotone { at: 4, other: 2, .. })
        ));
        assert!(matches!(fails(&[(W, 1, 2), (Z, 1, 1)]), Some(Impossible::NotMonotone { .. })));
        assert!(matches!(fails(&[(S, 2, 5), (S, 1, 6)]), Some(Impossible::NotMonotone { .. })));
        assert!(matches!(fails(&[(D, 2, 5), (D, 1, 4)]), Some(Impossible::NotMonotone { .. })));
        assert!(matches!(fails(&[(S, 0, -1)]), Some(Impossible::Negative { .. })));
        assert!(matches!(fails(&[(W, -1, -1)]), Some(Impossible::Negative { .. })), "D_0 is not negative");
        assert!(matches!(fails(&[(W, 3, 1)]), Some(Impossible::Negative { .. })), "S_3 is not negative");
        assert!(matches!(fails(&[(W, 1, -3), (S, 1, 2)]), Some(Impossible::Negative { .. })), "D_2 = −1");
        assert!(matches!(fails(&[(W, 0, 1), (S, 0, 1), (D, 1, 3)]), Some(Impossible::Contradiction { .. })));
        assert!(matches!(fails(&[(W, 0, MAX_OPENED_WH + 1)]), Some(Impossible::OutOfRange { .. })));
        assert!(matches!(fails(&[(W, 0, i64::MIN)]), Some(Impossible::OutOfRange { .. })));
    }
}
