//! Orders and their place on the grid (clearing rule, first section; protocol, sections 3 and 4).

use crate::grid::Grid;
use crate::units::format_ct_per_kwh;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Which way an order trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Takes energy, up to its limit.
    Buy,
    /// Gives energy, from its limit on.
    Sell,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        })
    }
}

/// One limit order. A limit finer than a mct was rounded when it was read, down for a buy and up for a sell: grid prices
/// are whole mct, so the order lands on the same tick either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Buy or sell.
    pub side: Side,
    /// Highest price of a buy, lowest price of a sell; below zero, a buy wants to be paid and a sell pays.
    pub limit_mct_per_kwh: i64,
    /// Most that is traded.
    pub energy_wh: u64,
}

/// What happens to an order that can never trade on the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OffGrid {
    /// It is an error that names the grid.
    #[default]
    Refuse,
    /// It is left out.
    Drop,
}

/// A buy below the lowest or a sell above the highest price of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a {side} at {} ct/kWh can never trade on the grid {}; change its limit or the grid, or leave such orders out \
     (off-grid drop)",
    format_ct_per_kwh(*limit_mct_per_kwh), grid.describe()
)]
pub struct OffGridOrder {
    /// Buy or sell.
    pub side: Side,
    /// Its limit.
    pub limit_mct_per_kwh: i64,
    /// The grid that it is off.
    pub grid: Grid,
}

/// Why orders could not be put into a vector of steps.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MappingError {
    /// An order can never trade.
    #[error(transparent)]
    OffGrid(#[from] OffGridOrder),
    /// The bits of a quantity are none of those that exist.
    #[error("a quantity has 8, 16 or 32 bits, not {bits}")]
    Bits {
        /// The number given.
        bits: u32,
    },
    /// The orders of one side at one price are more than a quantity can hold.
    #[error(
        "the {side} orders at {} ct/kWh add up to {} Wh or more; one step of a bid holds at most {limit_wh} Wh: lower the \
         quantity or use other prices",
        format_ct_per_kwh(*price_mct_per_kwh), total_wh
    )]
    StepTooLarge {
        /// Buy or sell.
        side: Side,
        /// The price of the step.
        price_mct_per_kwh: i64,
        /// What they add up to, as far as it was counted.
        total_wh: u64,
        /// Most that a step holds.
        limit_wh: u64,
    },
}

/// The step of an order, 0-based: 2j for "sell at p_j", 2j+1 for "buy at p_j".
///
/// A buy limit between ticks rounds down and a sell limit up. A buy above the top counts at the top and a sell below the
/// bottom at the bottom: both get a better price than asked.
///
/// # Errors
/// [`OffGridOrder`] for a buy below the bottom or a sell above the top.
pub fn step_of(grid: &Grid, order: &Order) -> Result<usize, OffGridOrder> {
    let off = OffGridOrder { side: order.side, limit_mct_per_kwh: order.limit_mct_per_kwh, grid: *grid };
    let bottom = grid.price_min_mct_per_kwh();
    let above_mct = (order.limit_mct_per_kwh >= bottom).then(|| order.limit_mct_per_kwh.abs_diff(bottom));
    let (tick, offset) = match order.side {
        Side::Buy => (above_mct.ok_or(off)? / grid.tick_mct_per_kwh(), 1),
        Side::Sell => (above_mct.unwrap_or(0).div_ceil(grid.tick_mct_per_kwh()), 0),
    };
    let top = u64::from(grid.ticks() - 1);
    if order.side == Side::Sell && tick > top {
        return Err(off);
    }
    // At most MAX_TICKS - 1, so nothing is cut off.
    Ok(2 * tick.min(top) as usize + offset)
}

/// One member's quantities a step, in Wh: the vector that its bid seals.
///
/// # Errors
/// [`MappingError`] for an order off the grid and for a step above 2^bits − 1 Wh.
pub fn step_quantities(grid: &Grid, orders: &[Order], bits: u32) -> Result<Vec<u64>, MappingError> {
    if ![8, 16, 32].contains(&bits) {
        return Err(MappingError::Bits { bits });
    }
    sum_by_step(grid, orders, (1 << bits) - 1)
}

/// The totals a step of a whole book, in Wh, as far as 64 bits go.
///
/// # Errors
/// [`MappingError`] for an order off the grid and for a total that does not fit.
pub fn step_totals(grid: &Grid, orders: &[Order]) -> Result<Vec<u64>, MappingError> {
    sum_by_step(grid, orders, u64::MAX)
}

fn sum_by_step(grid: &Grid, orders: &[Order], limit_wh: u64) -> Result<Vec<u64>, MappingError> {
    let mut totals_wh = vec![0u64; grid.steps()];
    for order in orders {
        let step = step_of(grid, order)?;
        let total_wh = totals_wh[step].saturating_add(order.energy_wh);
        // A saturated sum is refused even when the limit is all of 64 bits.
        let fits = totals_wh[step].checked_add(order.energy_wh).is_some_and(|sum| sum <= limit_wh);
        if !fits {
            let price_mct_per_kwh = grid.price_mct_per_kwh(step as u32 / 2);
            return Err(MappingError::StepTooLarge {
                side: order.side,
                price_mct_per_kwh,
                total_wh,
                limit_wh,
            });
        }
        totals_wh[step] = total_wh;
    }
    Ok(totals_wh)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(side: Side, limit_mct_per_kwh: i64, energy_wh: u64) -> Order {
        Order { side, limit_mct_per_kwh, energy_wh }
    }

    #[test]
    fn limits_round_in_the_member_s_favour() {
        let grid = Grid::new(1_000, 100, 4).unwrap(); // 1000, 1100, 1200, 1300
        let step = |side, limit| step_of(&grid, &order(side, limit, 1)).ok();
        assert_eq!(step(Side::Buy, 1_199), Some(3));
        assert_eq!(step(Side::Buy, 1_200), Some(5));
        assert_eq!(step(Side::Sell, 1_200), Some(4));
        assert_eq!(step(Side::Sell, 1_101), Some(4));
        assert_eq!(step(Side::Buy, 9_999), Some(7));
        assert_eq!(step(Side::Sell, 0), Some(0));
        assert_eq!(step(Side::Sell, 1_300), Some(6));
        assert_eq!(step(Side::Buy, 999), None);
        assert_eq!(step(Side::Sell, 1_301), None);
        assert_eq!(step(Side::Sell, i64::MAX), None);
        assert_eq!((step(Side::Sell, i64::MIN), step(Side::Buy, i64::MIN)), (Some(0), None));
        let message = step_of(&grid, &order(Side::Sell, 1_301, 1)).unwrap_err().to_string();
        assert!(message.contains("sell at 1.301") && message.contains("1.00 to 1.30"), "{message}");
    }

    /// Down is away from zero below it: a division that cut toward zero would give a buy a worse price than it asked.
    #[test]
    fn limits_below_zero_round_in_the_member_s_favour_too() {
        let grid = Grid::new(-200, 100, 4).unwrap(); // -200, -100, 0, 100
        let step = |side, limit| step_of(&grid, &order(side, limit, 1)).ok();
        assert_eq!(
            [-200, -101, -100, -1, 0, 99].map(|limit| step(Side::Buy, limit)),
            [1, 1, 3, 3, 5, 5].map(Some)
        );
        assert_eq!(
            [-201, -199, -100, -99, 0, 1].map(|limit| step(Side::Sell, limit)),
            [0, 2, 2, 4, 4, 6].map(Some)
        );
        assert_eq!((step(Side::Buy, -201), step(Side::Sell, 101)), (None, None));
        let message = step_of(&grid, &order(Side::Buy, -201, 1)).unwrap_err().to_string();
        assert!(message.contains("buy at -0.201") && message.contains("-0.20 to 0.10"), "{message}");
    }

    #[test]
    fn quantities_stay_inside_their_bits() {
        let grid = Grid::new(0, 100, 2).unwrap();
        let orders = [order(Side::Buy, 150, 200), order(Side::Buy, 100, 55), order(Side::Sell, 0, 7)];
        assert_eq!(step_quantities(&grid, &orders, 8), Ok(vec![7, 0, 0, 255]));
        let more = [orders[0], orders[1], order(Side::Buy, 100, 1)];
        assert!(matches!(
            step_quantities(&grid, &more, 8),
            Err(MappingError::StepTooLarge { total_wh: 256, limit_wh: 255, .. })
        ));
        assert_eq!(step_quantities(&grid, &more, 16), Ok(vec![0, 0, 0, 256]));
        assert_eq!(step_quantities(&grid, &orders, 12), Err(MappingError::Bits { bits: 12 }));
        let huge = [order(Side::Buy, 100, u64::MAX), order(Side::Buy, 100, 1)];
        assert!(matches!(step_totals(&grid, &huge), Err(MappingError::StepTooLarge { .. })));
        assert!(matches!(step_totals(&grid, &[order(Side::Sell, 101, 1)]), Err(MappingError::OffGrid(_))));
    }
}
