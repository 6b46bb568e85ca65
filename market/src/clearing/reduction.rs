//! Trade reduction (clearing rule, "Trade reduction").
//!
//! V is the volume of the uniform price, kb the highest tick with D_kb >= V, ks the lowest with S_ks >= V. Nobody at kb
//! or ks trades; buys above kb pay p_kb, sells below ks get p_ks, Q = min(D_{kb+1}, S_{ks-1}), the long side pro rata.
//!
//! The openings are those of the uniform path to the crossing, then V, then the two edges. On an outermost tick nothing
//! is left beyond one of the edges, so nothing more is opened. In the balanced case the zeros of W are not searched,
//! since they fix the uniform price alone. `reference_clearing.py` beside the public order books is the same rule.

use super::search::{Crossing, Search, Stop, no_trade};
use super::uniform::pro_rata;
use crate::outcome::{Outcome, Rationed, Trade};
use crate::rule::Rule;
use crate::sums::SumKind;
use std::cmp::Ordering;

pub(super) fn decide(search: &mut Search<'_>) -> Result<Outcome, Stop> {
    let none = Ok(no_trade(Rule::TradeReduction));
    let (volume_wh, demand_start, supply_start) = match search.cross()? {
        Crossing::Balanced { at, .. } => (search.path(SumKind::S, at)?, at + 1, at),
        Crossing::Marginal { tick } if tick == 0 || tick == search.ticks() - 1 => return none,
        Crossing::Marginal { tick } => {
            let kind = if search.path(SumKind::Z, tick)? < 0 { SumKind::D } else { SumKind::S };
            (search.path(kind, tick)?, tick, tick)
        }
    };
    if volume_wh == 0 {
        return none;
    }
    let (buy_edge, demand_wh) = search.edge(SumKind::D, demand_start, volume_wh)?;
    if demand_wh == 0 {
        return none;
    }
    let (sell_edge, supply_wh) = search.edge(SumKind::S, supply_start, volume_wh)?;
    if supply_wh == 0 {
        return none;
    }
    Ok(outcome(search, (buy_edge, demand_wh), (sell_edge, supply_wh)))
}

fn outcome(
    search: &Search<'_>,
    (buy_edge, demand_wh): (i64, i64),
    (sell_edge, supply_wh): (i64, i64),
) -> Outcome {
    let (traded_wh, available_wh) = (demand_wh.min(supply_wh), demand_wh.max(supply_wh));
    let (fraction_q16, rest_q16) = pro_rata(traded_wh, available_wh);
    // Both edges are inside of the grid, and the curves beyond them above zero, so the neighbours are too.
    let buy_price = search.grid.price_mct_per_kwh(buy_edge as u32);
    let sell_price = search.grid.price_mct_per_kwh(sell_edge as u32);
    let trade = Trade {
        buy_price_mct_per_kwh: buy_price,
        sell_price_mct_per_kwh: sell_price,
        price_low_mct_per_kwh: sell_price,
        price_high_mct_per_kwh: buy_price,
        lowest_buy_tick: (buy_edge + 1) as u32,
        highest_sell_tick: (sell_edge - 1) as u32,
        rationed: match demand_wh.cmp(&supply_wh) {
            Ordering::Greater => Rationed::Demand,
            Ordering::Less => Rationed::Supply,
            Ordering::Equal => Rationed::None,
        },
        fraction_q16,
        rest_q16,
    };
    Outcome { rule: Rule::TradeReduction, trade: Some(trade), volume_wh: Some(traded_wh.unsigned_abs()) }
}
