//! One price for everybody (clearing rule, "Uniform price").

use super::search::{Crossing, Search, Stop, no_trade};
use crate::outcome::{Outcome, Rationed, Trade};
use crate::rule::Rule;
use crate::sums::{Purpose, SumKind};
use crate::units::Q16;
use crate::utility::UtilityFill;

/// The outcome, and what the utility trades in it.
pub(super) fn decide(search: &mut Search<'_>, open_volume: bool) -> Result<(Outcome, UtilityFill), Stop> {
    match search.cross()? {
        Crossing::Marginal { tick } => marginal(search, tick, open_volume),
        Crossing::Balanced { at, below, above } => {
            let outcome = balanced(search, at, below, above)?;
            let fill = search.utility().map(|utility| utility.fill(&outcome, Rationed::None, 0));
            Ok((outcome, fill.unwrap_or_default()))
        }
    }
}

/// Case M: the orders at one tick are rationed, or all of them filled.
fn marginal(search: &mut Search<'_>, tick: i64, open_volume: bool) -> Result<(Outcome, UtilityFill), Stop> {
    let excess_wh = search.path(SumKind::Z, tick)?;
    let (long, wanted_wh, available_wh) = match excess_wh {
        1.. => {
            let wanted_wh = -search.path(SumKind::W, tick)?;
            (Rationed::Demand, wanted_wh, excess_wh + wanted_wh)
        }
        0 => (Rationed::None, 1, 1),
        _ => {
            let wanted_wh = search.path(SumKind::W, tick - 1)?;
            (Rationed::Supply, wanted_wh, wanted_wh - excess_wh)
        }
    };
    if wanted_wh == 0 {
        // Only on the outermost ticks: the other side is empty.
        return Ok((no_trade(Rule::Uniform), UtilityFill::default()));
    }
    let volume_kind = if long == Rationed::Supply { SumKind::D } else { SumKind::S };
    let volume_wh = if open_volume {
        Some(search.ask(volume_kind, tick, Purpose::Volume)?)
    } else {
        search.follows(volume_kind, tick)
    };
    // Members first: the utility's part of the tick takes what theirs leaves, and where it takes anything they are not
    // rationed. Without a utility, less is wanted than they have.
    let members_wh = available_wh - search.utility().map_or(0, |utility| utility.at_tick_wh(long, tick));
    let beyond_wh = (wanted_wh - members_wh).max(0);
    let terms = if wanted_wh < members_wh {
        let (fraction_q16, rest_q16) = pro_rata(wanted_wh, members_wh);
        (long, fraction_q16, rest_q16)
    } else {
        (Rationed::None, Q16, 0)
    };
    let outcome = outcome(search, tick, tick, terms, volume_wh);
    let fill = search.utility().map(|utility| utility.fill(&outcome, long, beyond_wh));
    Ok((outcome, fill.unwrap_or_default()))
}

/// Case B: demand above and supply below a gap are equal; the price is the middle of the equilibrium interval.
fn balanced(search: &mut Search<'_>, at: i64, mut below: i64, mut above: i64) -> Result<Outcome, Stop> {
    let volume_wh = search.path(SumKind::S, at)?;
    if volume_wh == 0 {
        return Ok(no_trade(Rule::Uniform));
    }
    // A volume above zero means W_{-1} > 0 > W_{L-1}: the ends, which were never opened, are no zeros.
    let (mut first, mut last) = (at, at);
    while first - below > 1 {
        let tick = (below + first).div_euclid(2);
        let zero = search.path(SumKind::W, tick)? == 0;
        *(if zero { &mut first } else { &mut below }) = tick;
    }
    while above - last > 1 {
        let tick = (last + above).div_euclid(2);
        let zero = search.path(SumKind::W, tick)? == 0;
        *(if zero { &mut last } else { &mut above }) = tick;
    }
    Ok(outcome(search, first, last + 1, (Rationed::None, Q16, 0), Some(volume_wh)))
}

/// The fraction ⌊2^16·wanted/available⌋ and what it leaves, in Wh/2^16. `wanted` is at most `available`, both at most
/// 2^42, so that 64 bits hold everything and the fraction is at most 2^16.
pub(super) fn pro_rata(wanted_wh: i64, available_wh: i64) -> (u32, u64) {
    let scaled = wanted_wh.unsigned_abs() * u64::from(Q16);
    let available_wh = available_wh.unsigned_abs().max(1);
    ((scaled / available_wh) as u32, scaled % available_wh)
}

fn outcome(
    search: &Search<'_>,
    highest_sell_tick: i64,
    lowest_buy_tick: i64,
    (rationed, fraction_q16, rest_q16): (Rationed, u32, u64),
    volume_wh: Option<i64>,
) -> Outcome {
    // Ticks are inside of the grid and volumes not negative: `Known` refuses everything else.
    let (highest_sell_tick, lowest_buy_tick) = (highest_sell_tick as u32, lowest_buy_tick as u32);
    let price_low = search.grid.price_mct_per_kwh(highest_sell_tick);
    let price_high = search.grid.price_mct_per_kwh(lowest_buy_tick);
    // The tick is even, so the middle is a whole mct.
    let price = (price_low + price_high) / 2;
    let trade = Trade {
        buy_price_mct_per_kwh: price,
        sell_price_mct_per_kwh: price,
        price_low_mct_per_kwh: price_low,
        price_high_mct_per_kwh: price_high,
        lowest_buy_tick,
        highest_sell_tick,
        rationed,
        fraction_q16,
        rest_q16,
    };
    Outcome { rule: Rule::Uniform, trade: Some(trade), volume_wh: volume_wh.map(i64::unsigned_abs) }
}
