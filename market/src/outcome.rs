//! What a round decided, and what it means for one order or one bid.

use crate::grid::Grid;
use crate::order::{Order, Side, step_of};
use crate::rule::Rule;
use crate::units::Q16;
use serde::{Deserialize, Serialize};

/// The side that is filled only in part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rationed {
    /// Nobody.
    None,
    /// Demand is long: buys get the fraction, the public account buys the rest.
    Demand,
    /// Supply is long: sells get the fraction, the public account sells the rest.
    Supply,
}

/// The terms of a round in which energy is traded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// What buys pay; below zero, what they get. Equal to the sell price under the uniform rule.
    pub buy_price_mct_per_kwh: i64,
    /// What sells get; below zero, what they pay.
    pub sell_price_mct_per_kwh: i64,
    /// Uniform rule: lowest equilibrium price on the grid. Trade reduction: the sell price.
    pub price_low_mct_per_kwh: i64,
    /// Uniform rule: highest equilibrium price on the grid. Trade reduction: the buy price.
    pub price_high_mct_per_kwh: i64,
    /// Buys at this tick and above are filled. Under the uniform rule with rationed demand those at this very tick get
    /// the fraction; under the trade reduction it is kb + 1 and the fraction is for all of them.
    pub lowest_buy_tick: u32,
    /// Sells at this tick and below are filled; mirrored (ks − 1 under the trade reduction).
    pub highest_sell_tick: u32,
    /// The side that is filled in part.
    pub rationed: Rationed,
    /// The part, 0 to 2^16; 2^16 when nobody is rationed.
    pub fraction_q16: u32,
    /// What flooring the fraction leaves, in Wh/2^16: the public account buys it when demand is long and sells it when
    /// supply is long. Zero when nobody is rationed.
    pub rest_q16: u64,
}

/// The outcome of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The rule that decided.
    pub rule: Rule,
    /// The terms, or none when nothing is traded.
    pub trade: Option<Trade>,
    /// The traded volume, or none when the market does not publish it and it does not follow from the path either.
    pub volume_wh: Option<u64>,
}

impl Outcome {
    /// Whether anything is traded.
    pub fn traded(&self) -> bool {
        self.trade.is_some()
    }

    /// The uniform rule's marginal tick: its orders decide the price. None in a balanced book and under the trade
    /// reduction.
    pub fn marginal_tick(&self) -> Option<u32> {
        let trade = self.trade.filter(|_| self.rule == Rule::Uniform)?;
        (trade.lowest_buy_tick == trade.highest_sell_tick).then_some(trade.lowest_buy_tick)
    }

    /// The trade reduction's excluded ticks (kb, ks), whose orders set the prices and don't trade.
    pub fn excluded_ticks(&self) -> Option<(u32, u32)> {
        let trade = self.trade.filter(|_| self.rule == Rule::TradeReduction)?;
        Some((trade.lowest_buy_tick.saturating_sub(1), trade.highest_sell_tick.saturating_add(1)))
    }

    /// What the trade reduction leaves for the community: Q·(buy price − sell price), in mct/kWh times Wh/2^16, when the
    /// public account takes the rest. Zero under the uniform rule. The rest is not the community's to pay: it costs
    /// [`Trade::rest_q16`] times the price of the rationed side, which the public account pays or gets.
    pub fn surplus_q16(&self) -> u128 {
        match (self.rule, self.trade, self.volume_wh) {
            (Rule::TradeReduction, Some(trade), Some(volume_wh)) => {
                let above = trade.buy_price_mct_per_kwh > trade.sell_price_mct_per_kwh;
                let distance = trade.buy_price_mct_per_kwh.abs_diff(trade.sell_price_mct_per_kwh);
                let spread = if above { distance } else { 0 };
                // 64 + 64 bits; the fraction bits fit because every price is at most 2^40 mct from zero.
                (u128::from(volume_wh) * u128::from(spread)).saturating_mul(u128::from(Q16))
            }
            _ => 0,
        }
    }

    /// The part of an order at `tick` that is filled, 0 to 2^16.
    pub fn fraction_q16(&self, side: Side, tick: u32) -> u32 {
        let Some(trade) = self.trade else { return 0 };
        let (filled, rationed_side, edge) = match side {
            Side::Buy => (tick >= trade.lowest_buy_tick, Rationed::Demand, trade.lowest_buy_tick),
            Side::Sell => (tick <= trade.highest_sell_tick, Rationed::Supply, trade.highest_sell_tick),
        };
        if !filled {
            return 0;
        }
        let whole_side = self.rule == Rule::TradeReduction;
        if trade.rationed == rationed_side && (whole_side || tick == edge) { trade.fraction_q16 } else { Q16 }
    }
}

/// The public weight of every step of a bid: the filled part in Wh/2^16 a Wh, positive for buys, negative for sells.
///
/// A member's net fill is the sum of weight times quantity over the steps of its bid (protocol, section 7).
pub fn fill_weights(grid: &Grid, outcome: &Outcome) -> Vec<i64> {
    (0..grid.ticks())
        .flat_map(|tick| {
            let fraction = |side| i64::from(outcome.fraction_q16(side, tick));
            [-fraction(Side::Sell), fraction(Side::Buy)]
        })
        .collect()
}

/// What one order trades, in Wh/2^16; zero for an order off the grid.
pub fn fill_q16(grid: &Grid, outcome: &Outcome, order: &Order) -> u128 {
    let Ok(step) = step_of(grid, order) else { return 0 };
    // A grid has at most MAX_TICKS ticks.
    let fraction_q16 = outcome.fraction_q16(order.side, step as u32 / 2);
    u128::from(order.energy_wh) * u128::from(fraction_q16)
}
