//! What the simulation itself knows and sums up: the book of a round, and everybody's gains.

use crate::DayConfig;
use crate::error::DayError;
use crate::members::MemberLink;
use crate::report::{MarketRow, RoleEnergy};
use veilgrid_market::{Grid, Side, step_totals};
use veilgrid_roles::member::Fill;
use veilgrid_scenario::behaviour::{EnergyAccount, Gains, Plan, SlotTrade};
use veilgrid_scenario::community::Role;

/// The book of a round from its members' plans.
pub(crate) fn market_row(grid: &Grid, plans: &[Plan]) -> Result<MarketRow, DayError> {
    let orders: Vec<_> = plans.iter().flat_map(|plan| plan.orders.iter().copied()).collect();
    let side = |side: Side| {
        let of_side = orders.iter().filter(|order| order.side == side);
        of_side.fold(0u64, |sum, order| sum.saturating_add(order.energy_wh))
    };
    let outside = |of: fn(&Plan) -> u64| plans.iter().map(of).fold(0u64, u64::saturating_add);
    // Plans come as their bids are sealed: the order says nothing, and differs from run to run.
    let mut moved: Vec<_> = plans.iter().flat_map(|plan| plan.moved.iter().copied()).collect();
    moved.sort_by_key(|one| (one.side, one.limit_mct_per_kwh, one.grid_price_mct_per_kwh));
    Ok(MarketRow {
        wanted_wh: side(Side::Buy),
        offered_wh: side(Side::Sell),
        step_totals_wh: step_totals(grid, &orders)?,
        bought_wh_q16: 0,
        sold_wh_q16: 0,
        outside_buy_wh: outside(|plan| plan.outside_buy_wh),
        outside_sell_wh: outside(|plan| plan.outside_sell_wh),
        offers: plans.iter().fold(0usize, |sum, plan| sum.saturating_add(plan.offers)),
        moved,
    })
}

/// Gains of all members, those that trade nothing included.
pub(crate) fn enrol(members: &[MemberLink]) -> Result<Gains, DayError> {
    let mut gains = Gains::new();
    for member in members {
        gains.enrol(&member.id, member.role)?;
    }
    Ok(gains)
}

/// Adds a member's fill to its gains and to the round.
pub(crate) fn record(
    config: &DayConfig,
    gains: &mut Gains,
    row: &mut MarketRow,
    member: &MemberLink,
    fill: &Fill,
) -> Result<(), DayError> {
    let (bought_wh_q16, sold_wh_q16) = (u128::from(fill.bought_wh_q16), u128::from(fill.sold_wh_q16));
    row.bought_wh_q16 += bought_wh_q16;
    row.sold_wh_q16 += sold_wh_q16;
    if let Some(trade) = fill.trade {
        let trade = SlotTrade {
            bought_wh_q16,
            buy_price_mct_per_kwh: trade.buy_price_mct_per_kwh,
            sold_wh_q16,
            sell_price_mct_per_kwh: trade.sell_price_mct_per_kwh,
        };
        gains.record(&member.id, member.role, config.tariffs, trade)?;
    }
    Ok(())
}

/// Sums the members' accounts by role.
pub(crate) fn by_role(accounts: &[(Role, EnergyAccount)]) -> Vec<RoleEnergy> {
    let sum = |role: Role| {
        let of_role = accounts.iter().filter(|(of, _)| *of == role);
        of_role.fold(EnergyAccount::default(), |sum, (_, account)| add(sum, account))
    };
    let present = Role::ALL.into_iter().filter(|role| accounts.iter().any(|(of, _)| of == role));
    present.map(|role| RoleEnergy { role, account: sum(role) }).collect()
}

/// Sums of a day's quantities, each bounded by the import, are far inside 128 bits.
fn add(a: EnergyAccount, b: &EnergyAccount) -> EnergyAccount {
    EnergyAccount {
        demand_wh_q16: a.demand_wh_q16 + b.demand_wh_q16,
        generation_wh_q16: a.generation_wh_q16 + b.generation_wh_q16,
        own_use_wh_q16: a.own_use_wh_q16 + b.own_use_wh_q16,
        bought_wh_q16: a.bought_wh_q16 + b.bought_wh_q16,
        from_grid_wh_q16: a.from_grid_wh_q16 + b.from_grid_wh_q16,
        sold_wh_q16: a.sold_wh_q16 + b.sold_wh_q16,
        lent_wh_q16: a.lent_wh_q16 + b.lent_wh_q16,
        fed_in_wh_q16: a.fed_in_wh_q16 + b.fed_in_wh_q16,
        stored_wh_q16: a.stored_wh_q16 + b.stored_wh_q16,
        waiting_wh_q16: a.waiting_wh_q16 + b.waiting_wh_q16,
    }
}
