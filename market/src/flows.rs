//! Whether a round adds up: what members buy, what they sell and the rounding rest between the two.

use crate::clearing::Rule;
use crate::grid::Grid;
use crate::order::Side;
use crate::outcome::{Outcome, Rationed};
use crate::units::Q16;
use crate::utility::UtilityFill;
use thiserror::Error;

/// What the members buy, sell, pay and receive in a round, in total.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundFlows {
    /// Bought by members, in Wh/2^16.
    pub bought_q16: u128,
    /// Sold by members, in Wh/2^16.
    pub sold_q16: u128,
    /// Paid by the buyers, in mct/kWh times Wh/2^16; below zero, what they get.
    pub paid_q16: i128,
    /// Received by the sellers, in mct/kWh times Wh/2^16; below zero, what they pay.
    pub received_q16: i128,
}

/// Why a round does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FlowError {
    /// Not one total per step.
    #[error("{given} step totals for a grid of {steps} steps")]
    Totals {
        /// Totals given.
        given: usize,
        /// Steps of the grid.
        steps: usize,
    },
    /// Bought and sold don't differ by the rest, on the side that it belongs to.
    #[error(
        "members buy {bought_q16} and sell {sold_q16} Wh/2^16; with {rationed:?} rationed they should differ by the rest \
         {rest_q16}"
    )]
    Rest {
        /// Bought by members.
        bought_q16: u128,
        /// Sold by members.
        sold_q16: u128,
        /// The side that is rationed.
        rationed: Rationed,
        /// The rest in the outcome.
        rest_q16: u64,
    },
    /// The side that is not rationed does not trade the volume.
    #[error("the filled side trades {filled_q16} Wh/2^16, but the volume is {volume_wh} Wh")]
    Volume {
        /// What the filled side trades.
        filled_q16: u128,
        /// The volume in the outcome.
        volume_wh: u64,
    },
    /// Sellers get more than buyers and the public account's purchase of the rest pay.
    #[error("sellers get {received_q16} but only {available_q16} mct/kWh·Wh/2^16 is paid, the rest included")]
    Deficit {
        /// What the sellers get.
        received_q16: i128,
        /// What buyers and the public account pay.
        available_q16: i128,
    },
    /// A sum does not fit in 128 bits.
    #[error("a total of the round does not fit in 128 bits")]
    Overflow,
}

/// Checks a round from the totals of the book per step, in Wh.
///
/// # Errors
/// As [`round_flows_q16`], and [`FlowError::Totals`] when there is not one total per step.
pub fn round_flows(grid: &Grid, outcome: &Outcome, totals_wh: &[u64]) -> Result<RoundFlows, FlowError> {
    if totals_wh.len() != grid.steps() {
        return Err(FlowError::Totals { given: totals_wh.len(), steps: grid.steps() });
    }
    let side_total = |side: Side, first: usize| {
        (0..grid.ticks()).zip(totals_wh.iter().skip(first).step_by(2)).try_fold(
            0u128,
            |sum, (tick, total_wh)| {
                // 64 + 17 bits
                sum.checked_add(u128::from(*total_wh) * u128::from(outcome.fraction_q16(side, tick)))
            },
        )
    };
    let bought_q16 = side_total(Side::Buy, 1).ok_or(FlowError::Overflow)?;
    let sold_q16 = side_total(Side::Sell, 0).ok_or(FlowError::Overflow)?;
    round_flows_q16(outcome, bought_q16, sold_q16)
}

/// Checks a round in which the utility has an order, from what the members bought and sold in all, in Wh/2^16, and returns
/// the members' flows: its part counts like a member's, and what members pay beyond what they get is what it gets.
///
/// # Errors
/// As [`round_flows_q16`].
pub fn round_flows_with_utility(
    outcome: &Outcome,
    utility: &UtilityFill,
    bought_q16: u128,
    sold_q16: u128,
) -> Result<RoundFlows, FlowError> {
    let all = |members: u128, utility: u128| members.checked_add(utility).ok_or(FlowError::Overflow);
    let flows =
        round_flows_q16(outcome, all(bought_q16, utility.bought_q16())?, all(sold_q16, utility.sold_q16())?)?;
    let price = outcome.trade.map_or(0, |trade| i128::from(trade.buy_price_mct_per_kwh));
    let part = |q16: u128| i128::try_from(q16).ok().and_then(|q16| q16.checked_mul(price));
    let paid_q16 = part(utility.bought_q16()).and_then(|part| flows.paid_q16.checked_sub(part));
    let received_q16 = part(utility.sold_q16()).and_then(|part| flows.received_q16.checked_sub(part));
    let (paid_q16, received_q16) = paid_q16.zip(received_q16).ok_or(FlowError::Overflow)?;
    Ok(RoundFlows { bought_q16, sold_q16, paid_q16, received_q16 })
}

/// What a round's members pay beyond what they get, in mct/kWh times Wh/2^16: the community's public account takes it, and
/// buys or sells the rounding rest for it. Below zero the account pays. It follows from the outcome alone.
pub fn community_flow_q16(outcome: &Outcome) -> i128 {
    let Some(trade) = outcome.trade else { return 0 };
    let surplus_q16 = i128::try_from(outcome.surplus_q16()).unwrap_or(i128::MAX);
    let rest_q16 = i128::from(trade.rest_q16);
    // Prices have 40 bits and rests 64, so that nothing here saturates.
    match trade.rationed {
        Rationed::None => surplus_q16,
        Rationed::Demand => {
            surplus_q16.saturating_sub(rest_q16.saturating_mul(trade.buy_price_mct_per_kwh.into()))
        }
        Rationed::Supply => {
            surplus_q16.saturating_add(rest_q16.saturating_mul(trade.sell_price_mct_per_kwh.into()))
        }
    }
}

/// Checks a round from what the members bought and sold in all, in Wh/2^16.
///
/// Demand long: sold − bought is the rest, which the public account buys. Supply long: bought − sold is the rest, which
/// it sells. The money of the members and of the rest never falls short: the difference is the trade reduction's
/// surplus, zero under the uniform rule. Below zero the money goes the other way, and the same holds.
///
/// # Errors
/// One [`FlowError`] per rule.
pub fn round_flows_q16(outcome: &Outcome, bought_q16: u128, sold_q16: u128) -> Result<RoundFlows, FlowError> {
    let (rationed, rest_q16) = outcome.trade.map_or((Rationed::None, 0), |t| (t.rationed, t.rest_q16));
    let (filled_q16, short_q16) = match rationed {
        Rationed::Supply => (bought_q16, sold_q16),
        Rationed::Demand | Rationed::None => (sold_q16, bought_q16),
    };
    if short_q16.checked_add(u128::from(rest_q16)) != Some(filled_q16) {
        return Err(FlowError::Rest { bought_q16, sold_q16, rationed, rest_q16 });
    }
    if let Some(volume_wh) = outcome.volume_wh
        && filled_q16 != u128::from(volume_wh) * u128::from(Q16)
    {
        return Err(FlowError::Volume { filled_q16, volume_wh });
    }
    let (buy_price, sell_price) =
        outcome.trade.map_or((0, 0), |t| (t.buy_price_mct_per_kwh, t.sell_price_mct_per_kwh));
    let money = |energy_q16: u128, price: i64| {
        let energy_q16 = i128::try_from(energy_q16).map_err(|_| FlowError::Overflow)?;
        energy_q16.checked_mul(i128::from(price)).ok_or(FlowError::Overflow)
    };
    let (paid_q16, received_q16) = (money(bought_q16, buy_price)?, money(sold_q16, sell_price)?);
    // Whoever takes the rest pays or gets the price of the side it stands in for, so that both sides trade `filled`.
    let (available_q16, owed_q16) = (money(filled_q16, buy_price)?, money(filled_q16, sell_price)?);
    let surplus_q16 = if outcome.rule == Rule::TradeReduction { outcome.surplus_q16() } else { 0 };
    let surplus_q16 = i128::try_from(surplus_q16).map_err(|_| FlowError::Overflow)?;
    if available_q16.checked_sub(owed_q16) != Some(surplus_q16) {
        return Err(FlowError::Deficit { received_q16: owed_q16, available_q16 });
    }
    Ok(RoundFlows { bought_q16, sold_q16, paid_q16, received_q16 })
}
