//! What bounds a member's limits: the tariffs outside of the market and the price grid.

use serde::Serialize;
use veilgrid_market::{Grid, GridError};

/// Why terms make no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Feed-in above retail: members would trade with themselves through the grid (protocol section 8).
    #[error("feed-in {feed_in} mct/kWh is above retail {retail} mct/kWh: set feed-in to at most retail")]
    FeedInAboveRetail {
        /// Feed-in tariff, mct/kWh.
        feed_in: i64,
        /// Retail tariff, mct/kWh.
        retail: i64,
    },
    /// No price of the grid lies between the tariffs on either side.
    #[error(
        "the price grid {grid_low} to {grid_high} mct/kWh lies outside of the tariffs {feed_in} to {retail} mct/kWh: \
         choose a grid that overlaps them"
    )]
    GridOutsideTariffs {
        /// Lowest price of the grid, mct/kWh.
        grid_low: i64,
        /// Highest price of the grid, mct/kWh.
        grid_high: i64,
        /// Feed-in tariff, mct/kWh.
        feed_in: i64,
        /// Retail tariff, mct/kWh.
        retail: i64,
    },
    /// A step holds 8, 16 or 32 bits (protocol section 3).
    #[error("{bits} bits a step: use 8, 16 or 32")]
    Bits {
        /// What was given.
        bits: u32,
    },
}

/// What a member pays and gets without the market, mct/kWh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Tariffs {
    retail_mct_per_kwh: i64,
    feed_in_mct_per_kwh: i64,
}

impl Tariffs {
    /// # Errors
    /// A feed-in tariff above retail.
    pub fn new(retail_mct_per_kwh: i64, feed_in_mct_per_kwh: i64) -> Result<Self, TermsError> {
        if feed_in_mct_per_kwh > retail_mct_per_kwh {
            let (feed_in, retail) = (feed_in_mct_per_kwh, retail_mct_per_kwh);
            return Err(TermsError::FeedInAboveRetail { feed_in, retail });
        }
        Ok(Self { retail_mct_per_kwh, feed_in_mct_per_kwh })
    }

    /// Price of energy from the grid.
    pub fn retail_mct_per_kwh(&self) -> i64 {
        self.retail_mct_per_kwh
    }

    /// Price of energy fed into the grid.
    pub fn feed_in_mct_per_kwh(&self) -> i64 {
        self.feed_in_mct_per_kwh
    }

    /// A price grid of `ticks` prices from feed-in to retail: nobody has a reason to trade outside of it.
    ///
    /// # Errors
    /// A number of ticks, or tariffs, that no grid has.
    pub fn grid(&self, ticks: u32) -> Result<Grid, GridError> {
        let span = self.retail_mct_per_kwh.abs_diff(self.feed_in_mct_per_kwh);
        let tick = span.div_ceil(u64::from(ticks.max(2) - 1)).max(2).next_multiple_of(2);
        Grid::new(self.feed_in_mct_per_kwh, tick, ticks)
    }
}

/// Grid, step size and tariffs of a market.
#[derive(Clone, Debug)]
pub struct MarketTerms {
    tariffs: Tariffs,
    price_min_mct_per_kwh: i64,
    tick_mct_per_kwh: u64,
    /// Lowest and highest price that is on the grid's range and between the tariffs.
    low_mct_per_kwh: i64,
    high_mct_per_kwh: i64,
    max_step_wh: u64,
}

impl MarketTerms {
    /// # Errors
    /// A grid that lies wholly outside of the tariffs, or another number of bits than 8, 16 or 32.
    pub fn new(grid: &Grid, bits: u32, tariffs: Tariffs) -> Result<Self, TermsError> {
        if ![8, 16, 32].contains(&bits) {
            return Err(TermsError::Bits { bits });
        }
        let (grid_low, grid_high) = (grid.price_min_mct_per_kwh(), grid.price_max_mct_per_kwh());
        let (feed_in, retail) = (tariffs.feed_in_mct_per_kwh, tariffs.retail_mct_per_kwh);
        let (low, high) = (feed_in.max(grid_low), retail.min(grid_high));
        if low > high {
            return Err(TermsError::GridOutsideTariffs { grid_low, grid_high, feed_in, retail });
        }
        Ok(Self {
            tariffs,
            price_min_mct_per_kwh: grid_low,
            tick_mct_per_kwh: grid.tick_mct_per_kwh(),
            low_mct_per_kwh: low,
            high_mct_per_kwh: high,
            max_step_wh: (1 << bits) - 1,
        })
    }

    /// The tariffs.
    pub fn tariffs(&self) -> Tariffs {
        self.tariffs
    }

    /// Distance of two prices of the grid, mct/kWh.
    pub fn tick_mct_per_kwh(&self) -> u64 {
        self.tick_mct_per_kwh
    }

    /// The most that a step of a bid holds, Wh.
    pub fn max_step_wh(&self) -> u64 {
        self.max_step_wh
    }

    /// The price that lies `permille` thousandths of the way from the lowest to the highest sensible price, mct/kWh.
    pub fn price_at(&self, permille: u64) -> i64 {
        let span = u128::from(self.high_mct_per_kwh.abs_diff(self.low_mct_per_kwh));
        let above = span * u128::from(permille.min(1000)) / 1000;
        // At most the span, which is a u64.
        self.low_mct_per_kwh.saturating_add_unsigned(above as u64)
    }

    /// The grid price of a bid of at most `price`: rounded down, at most retail, and at least feed-in if any grid price
    /// between the tariffs is.
    pub fn buy_limit(&self, price_mct_per_kwh: i64) -> i64 {
        let (lowest, highest) = self.sensible_ticks();
        let tick = self.above_bottom(price_mct_per_kwh) / self.tick_mct_per_kwh;
        self.price_of(tick.max(lowest).min(highest))
    }

    /// The grid price of an offer from `price`: rounded up, at least feed-in, and at most retail if any grid price
    /// between the tariffs is.
    pub fn sell_limit(&self, price_mct_per_kwh: i64) -> i64 {
        let (lowest, highest) = self.sensible_ticks();
        let tick = self.above_bottom(price_mct_per_kwh).div_ceil(self.tick_mct_per_kwh);
        self.price_of(tick.min(highest).max(lowest))
    }

    /// First tick at or above the lowest and last at or below the highest sensible price; if no tick lies between them
    /// the first is one above the last, and a buy takes the last, a sell the first.
    fn sensible_ticks(&self) -> (u64, u64) {
        let lowest = self.above_bottom(self.low_mct_per_kwh).div_ceil(self.tick_mct_per_kwh);
        (lowest, self.above_bottom(self.high_mct_per_kwh) / self.tick_mct_per_kwh)
    }

    /// How far a price is above the grid's lowest, mct/kWh; zero below it.
    fn above_bottom(&self, price_mct_per_kwh: i64) -> u64 {
        price_mct_per_kwh.max(self.price_min_mct_per_kwh).abs_diff(self.price_min_mct_per_kwh)
    }

    /// Ticks are at most one above the grid's last, so that this is no overflow.
    fn price_of(&self, tick: u64) -> i64 {
        self.price_min_mct_per_kwh.saturating_add_unsigned(tick * self.tick_mct_per_kwh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(
        price_min: i64,
        tick: u64,
        ticks: u32,
        retail: i64,
        feed_in: i64,
    ) -> Result<MarketTerms, TermsError> {
        MarketTerms::new(&Grid::new(price_min, tick, ticks).unwrap(), 16, Tariffs::new(retail, feed_in)?)
    }

    #[test]
    fn limits_are_on_the_grid_and_between_the_tariffs() {
        let terms = terms(0, 1000, 64, 30_500, 8_200).unwrap();
        assert_eq!((terms.price_at(0), terms.price_at(500), terms.price_at(1000)), (8_200, 19_350, 30_500));
        assert_eq!(terms.buy_limit(19_350), 19_000);
        assert_eq!(terms.sell_limit(19_350), 20_000);
        assert_eq!((terms.buy_limit(0), terms.buy_limit(i64::MAX)), (9_000, 30_000));
        assert_eq!((terms.sell_limit(0), terms.sell_limit(i64::MAX)), (9_000, 30_000));
    }

    #[test]
    fn a_grid_narrower_than_the_tariffs_clamps() {
        let terms = terms(10_000, 500, 8, 30_000, 8_000).unwrap();
        assert_eq!((terms.price_at(0), terms.price_at(1000)), (10_000, 13_500));
        assert_eq!((terms.buy_limit(0), terms.sell_limit(i64::MAX)), (10_000, 13_500));
    }

    /// A feed-in tariff that follows the exchange costs the seller something at noon.
    #[test]
    fn tariffs_and_limits_may_be_below_zero() {
        let terms = terms(-16_000, 1000, 64, 25_500, -4_200).unwrap();
        assert_eq!((terms.price_at(0), terms.price_at(500), terms.price_at(1000)), (-4_200, 10_650, 25_500));
        assert_eq!((terms.buy_limit(-1), terms.sell_limit(-1_001)), (-1_000, -1_000));
        assert_eq!((terms.buy_limit(i64::MIN), terms.sell_limit(i64::MIN)), (-4_000, -4_000));
        assert_eq!(terms.buy_limit(i64::MAX), 25_000);
        assert_eq!(Tariffs::new(-3, -2), Err(TermsError::FeedInAboveRetail { feed_in: -2, retail: -3 }));
    }

    #[test]
    fn without_a_tick_between_the_tariffs_nobody_is_worse_off() {
        let terms = terms(0, 1000, 64, 10_900, 10_100).unwrap();
        assert_eq!((terms.buy_limit(10_500), terms.sell_limit(10_500)), (10_000, 11_000));
    }

    #[test]
    fn a_grid_of_the_tariffs_reaches_from_one_to_the_other() {
        let ends = |retail, feed_in, ticks| {
            let grid = Tariffs::new(retail, feed_in).unwrap().grid(ticks).unwrap();
            (grid.price_min_mct_per_kwh(), grid.price_max_mct_per_kwh(), grid.tick_mct_per_kwh())
        };
        assert_eq!(ends(32_000, 8_000, 64), (8_000, 32_066, 382));
        assert_eq!(ends(-1_000, -12_500, 16), (-12_500, -980, 768));
        assert_eq!(ends(5, 5, 2), (5, 7, 2));
        assert!(Tariffs::new(1, 0).unwrap().grid(3).is_err());
    }

    #[test]
    fn senseless_terms_are_refused() {
        assert_eq!(Tariffs::new(1, 2), Err(TermsError::FeedInAboveRetail { feed_in: 2, retail: 1 }));
        assert!(Tariffs::new(2, 2).is_ok());
        let outside = |price_min: i64| terms(price_min, 1000, 8, 30_000, 8_000).unwrap_err();
        assert!(matches!(outside(30_001), TermsError::GridOutsideTariffs { grid_high: 37_001, .. }));
        assert!(matches!(outside(0), TermsError::GridOutsideTariffs { grid_low: 0, grid_high: 7_000, .. }));
        assert!(terms(30_000, 1000, 8, 30_000, 8_000).is_ok());
        assert!(terms(1_000, 1000, 8, 30_000, 8_000).is_ok());
        let (grid, tariffs) = (Grid::new(0, 1000, 64).unwrap(), Tariffs::new(30_000, 8_000).unwrap());
        assert_eq!(MarketTerms::new(&grid, 33, tariffs).unwrap_err(), TermsError::Bits { bits: 33 });
        assert_eq!(MarketTerms::new(&grid, 32, tariffs).unwrap().max_step_wh(), u64::from(u32::MAX));
    }
}
