//! The utility as a public order: it sells at retail and buys at feed-in, up to a limit each way, after the members.
//!
//! Its order is in nobody's bid. In every curve it is a public constant: S_k is larger by the import limit from the
//! retail tick on, D_k by the export limit up to the feed-in tick. So the same sums of the members' bids are opened, the
//! constant is added to each, and the rule runs on the result. At a tick that holds the utility's order members are filled
//! first; how much of that tick is theirs follows from what was opened, since the utility's part is public
//! (ADR 0045).

use crate::clearing::MAX_OPENED_WH;
use crate::grid::Grid;
use crate::outcome::{Outcome, Rationed};
use crate::sums::SumKind;
use crate::units::{Q16, format_ct_per_kwh};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a utility's order is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UtilityError {
    /// A tariff is none of the market's prices.
    #[error(
        "the {tariff} tariff {} ct/kWh is none of the market's prices ({}): tariffs lie on ticks",
        format_ct_per_kwh(*price_mct_per_kwh), grid.describe()
    )]
    OffTick {
        /// `retail` or `feed-in`.
        tariff: &'static str,
        /// Its price.
        price_mct_per_kwh: i64,
        /// The market's prices.
        grid: Grid,
    },
    /// The utility would buy at a price at which it sells.
    #[error(
        "the feed-in tariff {} ct/kWh has to be below retail, {} ct/kWh: the utility would trade with itself",
        format_ct_per_kwh(*feed_in_mct_per_kwh), format_ct_per_kwh(*retail_mct_per_kwh)
    )]
    FeedInNotBelowRetail {
        /// The feed-in tariff.
        feed_in_mct_per_kwh: i64,
        /// The retail tariff.
        retail_mct_per_kwh: i64,
    },
    /// More than any clearing can trade.
    #[error("the {way} limit is {limit_wh} Wh; at most {MAX_OPENED_WH} Wh are possible")]
    Limit {
        /// `import` or `export`.
        way: &'static str,
        /// The limit given.
        limit_wh: u64,
    },
}

/// The utility's order in one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utility {
    retail_tick: u32,
    feed_in_tick: u32,
    import_limit_wh: u64,
    export_limit_wh: u64,
}

/// What the utility trades in a round, in whole Wh: where it trades in part, no member is rationed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UtilityFill {
    /// Sold to the members, at the round's price.
    pub sold_wh: u64,
    /// Bought from them, at the round's price.
    pub bought_wh: u64,
}

/// A tick of the grid at exactly this price.
fn tick_at(grid: &Grid, tariff: &'static str, price_mct_per_kwh: i64) -> Result<u32, UtilityError> {
    let off = || UtilityError::OffTick { tariff, price_mct_per_kwh, grid: *grid };
    let bottom = grid.price_min_mct_per_kwh();
    if price_mct_per_kwh < bottom || price_mct_per_kwh > grid.price_max_mct_per_kwh() {
        return Err(off());
    }
    let above_mct = price_mct_per_kwh.abs_diff(bottom);
    if !above_mct.is_multiple_of(grid.tick_mct_per_kwh()) {
        return Err(off());
    }
    // On the grid, so below MAX_TICKS.
    u32::try_from(above_mct / grid.tick_mct_per_kwh()).map_err(|_| off())
}

impl Utility {
    /// A utility that sells up to `import_limit_wh` at retail and buys up to `export_limit_wh` at feed-in.
    ///
    /// # Errors
    /// One [`UtilityError`] per rule: both tariffs on ticks, feed-in below retail, limits of at most 2^40 Wh.
    pub fn new(
        grid: &Grid,
        retail_mct_per_kwh: i64,
        feed_in_mct_per_kwh: i64,
        import_limit_wh: u64,
        export_limit_wh: u64,
    ) -> Result<Self, UtilityError> {
        if feed_in_mct_per_kwh >= retail_mct_per_kwh {
            return Err(UtilityError::FeedInNotBelowRetail { feed_in_mct_per_kwh, retail_mct_per_kwh });
        }
        let retail_tick = tick_at(grid, "retail", retail_mct_per_kwh)?;
        let feed_in_tick = tick_at(grid, "feed-in", feed_in_mct_per_kwh)?;
        for (way, limit_wh) in [("import", import_limit_wh), ("export", export_limit_wh)] {
            if limit_wh > MAX_OPENED_WH.unsigned_abs() {
                return Err(UtilityError::Limit { way, limit_wh });
            }
        }
        Ok(Self { retail_tick, feed_in_tick, import_limit_wh, export_limit_wh })
    }

    /// What the utility's order adds to a sum over the members' bids, in Wh: at most 2^40 either way.
    pub(crate) fn added_wh(&self, kind: SumKind, tick: i64) -> i64 {
        let sells = |upto: i64| if upto >= i64::from(self.retail_tick) { self.import_limit_wh } else { 0 };
        let buys = |from: i64| if from <= i64::from(self.feed_in_tick) { self.export_limit_wh } else { 0 };
        let (buys_wh, sells_wh) = match kind {
            SumKind::W => (buys(tick + 1), sells(tick)),
            SumKind::Z => (buys(tick), sells(tick)),
            SumKind::S => return sells(tick).cast_signed(),
            SumKind::D => return buys(tick).cast_signed(),
        };
        buys_wh.cast_signed() - sells_wh.cast_signed()
    }

    /// The utility's part of the long side's orders at a tick, Wh.
    pub(crate) fn at_tick_wh(&self, long: Rationed, tick: i64) -> i64 {
        let at = |order_tick: u32, limit_wh: u64| {
            if i64::from(order_tick) == tick { limit_wh.cast_signed() } else { 0 }
        };
        match long {
            Rationed::Demand => at(self.feed_in_tick, self.export_limit_wh),
            Rationed::Supply => at(self.retail_tick, self.import_limit_wh),
            Rationed::None => 0,
        }
    }

    /// What the utility trades when `at_margin_wh` of its order on the long side at the marginal tick is filled; an order
    /// anywhere else is filled whole or not at all.
    pub(crate) fn fill(&self, outcome: &Outcome, long: Rationed, at_margin_wh: i64) -> UtilityFill {
        let Some(trade) = outcome.trade else { return UtilityFill::default() };
        let whole = |filled: bool, limit_wh: u64| if filled { limit_wh } else { 0 };
        let mut fill = UtilityFill {
            sold_wh: whole(self.retail_tick <= trade.highest_sell_tick, self.import_limit_wh),
            bought_wh: whole(self.feed_in_tick >= trade.lowest_buy_tick, self.export_limit_wh),
        };
        // Not negative: it is what is wanted beyond the members' part.
        match long {
            Rationed::Supply if self.retail_tick == trade.highest_sell_tick => {
                fill.sold_wh = at_margin_wh.unsigned_abs();
            }
            Rationed::Demand if self.feed_in_tick == trade.lowest_buy_tick => {
                fill.bought_wh = at_margin_wh.unsigned_abs();
            }
            _ => {}
        }
        fill
    }
}

impl UtilityFill {
    /// What it sells, in Wh/2^16.
    pub fn sold_q16(&self) -> u128 {
        u128::from(self.sold_wh) * u128::from(Q16)
    }

    /// What it buys, in Wh/2^16.
    pub fn bought_q16(&self) -> u128 {
        u128::from(self.bought_wh) * u128::from(Q16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SumKind::{D, S, W, Z};

    #[test]
    fn every_rule_refuses() {
        let grid = Grid::new(-2_000, 1_000, 8).unwrap();
        let utility = |retail, feed_in, import, export| Utility::new(&grid, retail, feed_in, import, export);
        assert!(utility(5_000, -2_000, 1 << 40, 1 << 40).is_ok());
        for (retail, feed_in, tariff) in
            [(4_500, 0, "retail"), (6_000, 0, "retail"), (3_000, -500, "feed-in"), (3_000, -3_000, "feed-in")]
        {
            let error = utility(retail, feed_in, 1, 1).unwrap_err();
            assert!(
                matches!(&error, UtilityError::OffTick { tariff: found, .. } if *found == tariff),
                "{error}"
            );
            assert!(error.to_string().contains("-2.00 to 5.00"), "{error}");
        }
        for (retail, feed_in) in [(1_000, 1_000), (-1_000, 0), (i64::MIN, i64::MAX)] {
            assert!(matches!(utility(retail, feed_in, 1, 1), Err(UtilityError::FeedInNotBelowRetail { .. })));
        }
        assert!(matches!(
            utility(3_000, 0, (1 << 40) + 1, 0),
            Err(UtilityError::Limit { way: "import", .. })
        ));
        assert!(matches!(utility(3_000, 0, 0, u64::MAX), Err(UtilityError::Limit { way: "export", .. })));
    }

    /// The constants are the weights of the sums, applied to one order each way.
    #[test]
    fn constants_are_those_of_one_more_order() {
        let grid = Grid::new(0, 1_000, 4).unwrap();
        let utility = Utility::new(&grid, 2_000, 1_000, 70, 9).unwrap();
        let mut totals = [0i64; 8];
        (totals[4], totals[3]) = (70, 9);
        for (kind, first) in [(W, -1), (Z, 0), (S, 0), (D, 0)] {
            for tick in first..4 {
                let request = crate::SumRequest { kind, tick, purpose: crate::Purpose::Path };
                let weights = request.weights(&grid);
                let sum: i64 = weights.iter().zip(totals).map(|(weight, wh)| weight * wh).sum();
                assert_eq!(utility.added_wh(kind, tick.into()), sum, "{request}");
            }
        }
    }
}
