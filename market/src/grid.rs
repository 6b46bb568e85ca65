//! The price grid p_j = p_min + j·tick, j in [0, L) (protocol, section 3).

use crate::units::format_ct_per_kwh;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most ticks that a grid may have.
pub const MAX_TICKS: u32 = 4096;
/// Highest price on a grid or in an order, and minus the lowest: far beyond any price of energy, and small enough for
/// exact money. Prices may be negative, as wholesale prices are at times: whoever buys then gets paid for it.
pub const MAX_PRICE_MCT_PER_KWH: i64 = 1 << 40;

/// Why a price grid is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GridError {
    /// The number of ticks is not a power of two in range.
    #[error("a grid has a power of two of ticks, 2 to {MAX_TICKS}, not {ticks}")]
    Ticks {
        /// The number given.
        ticks: u32,
    },
    /// The tick is zero or odd, so that the middle of two prices could be no whole mct.
    #[error("the tick has to be an even number of mct/kWh above 0, not {tick_mct_per_kwh}")]
    OddTick {
        /// The tick given.
        tick_mct_per_kwh: u64,
    },
    /// The lowest price is out of range.
    #[error(
        "the lowest price of the grid, {price_min_mct_per_kwh} mct/kWh, is below -{MAX_PRICE_MCT_PER_KWH}; raise it"
    )]
    BottomPrice {
        /// The first price given.
        price_min_mct_per_kwh: i64,
    },
    /// The highest price is out of range.
    #[error(
        "the highest price of the grid, {price_min_mct_per_kwh} + {ticks}·{tick_mct_per_kwh} mct/kWh less one tick, is \
         above {MAX_PRICE_MCT_PER_KWH}; lower the first price or the tick"
    )]
    TopPrice {
        /// The first price given.
        price_min_mct_per_kwh: i64,
        /// The tick given.
        tick_mct_per_kwh: u64,
        /// The number of ticks given.
        ticks: u32,
    },
}

/// A checked price grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawGrid", into = "RawGrid")]
pub struct Grid {
    price_min_mct_per_kwh: i64,
    tick_mct_per_kwh: u64,
    ticks: u32,
}

/// The serialised form, which is checked on the way in.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGrid {
    price_min_mct_per_kwh: i64,
    tick_mct_per_kwh: u64,
    ticks: u32,
}

impl TryFrom<RawGrid> for Grid {
    type Error = GridError;
    fn try_from(raw: RawGrid) -> Result<Self, GridError> {
        Self::new(raw.price_min_mct_per_kwh, raw.tick_mct_per_kwh, raw.ticks)
    }
}

impl From<Grid> for RawGrid {
    fn from(grid: Grid) -> Self {
        Self {
            price_min_mct_per_kwh: grid.price_min_mct_per_kwh,
            tick_mct_per_kwh: grid.tick_mct_per_kwh,
            ticks: grid.ticks,
        }
    }
}

impl Grid {
    /// A grid of `ticks` prices from `price_min_mct_per_kwh` on, `tick_mct_per_kwh` apart. Prices may be negative.
    ///
    /// # Errors
    /// One [`GridError`] per rule: ticks a power of two from 2 to [`MAX_TICKS`], tick even and above zero, lowest and
    /// highest price at most [`MAX_PRICE_MCT_PER_KWH`] from zero.
    pub fn new(price_min_mct_per_kwh: i64, tick_mct_per_kwh: u64, ticks: u32) -> Result<Self, GridError> {
        if !ticks.is_power_of_two() || !(2..=MAX_TICKS).contains(&ticks) {
            return Err(GridError::Ticks { ticks });
        }
        if tick_mct_per_kwh == 0 || !tick_mct_per_kwh.is_multiple_of(2) {
            return Err(GridError::OddTick { tick_mct_per_kwh });
        }
        if price_min_mct_per_kwh < -MAX_PRICE_MCT_PER_KWH {
            return Err(GridError::BottomPrice { price_min_mct_per_kwh });
        }
        u64::from(ticks - 1)
            .checked_mul(tick_mct_per_kwh)
            .and_then(|span| price_min_mct_per_kwh.checked_add_unsigned(span))
            .filter(|top| *top <= MAX_PRICE_MCT_PER_KWH)
            .ok_or(GridError::TopPrice { price_min_mct_per_kwh, tick_mct_per_kwh, ticks })?;
        Ok(Self { price_min_mct_per_kwh, tick_mct_per_kwh, ticks })
    }

    /// The lowest price, p_0.
    pub fn price_min_mct_per_kwh(&self) -> i64 {
        self.price_min_mct_per_kwh
    }
    /// The distance of two prices.
    pub fn tick_mct_per_kwh(&self) -> u64 {
        self.tick_mct_per_kwh
    }
    /// The highest price, p_{L-1}.
    pub fn price_max_mct_per_kwh(&self) -> i64 {
        self.price_mct_per_kwh(self.ticks - 1)
    }
    /// The number of prices, L.
    pub fn ticks(&self) -> u32 {
        self.ticks
    }
    /// The number of steps of a bid vector, M = 2L.
    pub fn steps(&self) -> usize {
        2 * self.ticks as usize
    }
    /// The price p_tick. Ticks beyond the grid count as the highest.
    pub fn price_mct_per_kwh(&self, tick: u32) -> i64 {
        // At most the highest price, which was checked.
        let above_mct = u64::from(tick.min(self.ticks - 1)) * self.tick_mct_per_kwh;
        self.price_min_mct_per_kwh.saturating_add_unsigned(above_mct)
    }
    /// The grid in words, for error messages.
    pub fn describe(&self) -> String {
        format!(
            "{} to {} ct/kWh in ticks of {} ct/kWh",
            format_ct_per_kwh(self.price_min_mct_per_kwh),
            format_ct_per_kwh(self.price_max_mct_per_kwh()),
            format_ct_per_kwh(self.tick_mct_per_kwh)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_refuses() {
        for ticks in [0, 1, 3, 48, 8192, u32::MAX] {
            assert_eq!(Grid::new(0, 2, ticks), Err(GridError::Ticks { ticks }));
        }
        for tick_mct_per_kwh in [0, 1, 1001] {
            assert_eq!(Grid::new(0, tick_mct_per_kwh, 4), Err(GridError::OddTick { tick_mct_per_kwh }));
        }
        assert!(Grid::new(MAX_PRICE_MCT_PER_KWH - 2, 2, 2).is_ok());
        assert!(matches!(Grid::new(MAX_PRICE_MCT_PER_KWH - 1, 2, 2), Err(GridError::TopPrice { .. })));
        assert!(matches!(Grid::new(i64::MAX, 2, 2), Err(GridError::TopPrice { .. })));
        assert!(matches!(Grid::new(0, u64::MAX - 1, 4096), Err(GridError::TopPrice { .. })));
        assert!(matches!(Grid::new(-1, u64::MAX - 1, 2), Err(GridError::TopPrice { .. })));
        assert!(Grid::new(-MAX_PRICE_MCT_PER_KWH, 2 << 40, 2).is_ok());
        for price_min_mct_per_kwh in [-MAX_PRICE_MCT_PER_KWH - 1, i64::MIN] {
            let error = Grid::new(price_min_mct_per_kwh, 2, 2).unwrap_err();
            assert_eq!(error, GridError::BottomPrice { price_min_mct_per_kwh });
        }
    }

    #[test]
    fn prices_and_words() {
        let grid = Grid::new(5_000, 250, 64).unwrap();
        assert_eq!((grid.steps(), grid.price_max_mct_per_kwh()), (128, 20_750));
        assert_eq!(grid.price_mct_per_kwh(3), 5_750);
        assert_eq!(grid.describe(), "5.00 to 20.75 ct/kWh in ticks of 0.25 ct/kWh");
    }

    #[test]
    fn prices_below_zero() {
        let grid = Grid::new(-16_000, 1_000, 64).unwrap();
        assert_eq!((grid.price_min_mct_per_kwh(), grid.price_max_mct_per_kwh()), (-16_000, 47_000));
        assert_eq!([15, 16, 17].map(|tick| grid.price_mct_per_kwh(tick)), [-1_000, 0, 1_000]);
        assert_eq!(grid.describe(), "-16.00 to 47.00 ct/kWh in ticks of 1.00 ct/kWh");
        let text = serde_json::to_string(&grid).unwrap();
        assert_eq!(serde_json::from_str::<Grid>(&text).unwrap(), grid);
        let all_below = Grid::new(-9_000, 250, 4).unwrap();
        assert_eq!(all_below.describe(), "-9.00 to -8.25 ct/kWh in ticks of 0.25 ct/kWh");
    }

    #[test]
    fn serde_checks_on_the_way_in() {
        let grid = Grid::new(0, 1_000, 64).unwrap();
        let text = serde_json::to_string(&grid).unwrap();
        assert_eq!(serde_json::from_str::<Grid>(&text).unwrap(), grid);
        assert!(serde_json::from_str::<Grid>(&text.replace("64", "63")).is_err());
    }
}
