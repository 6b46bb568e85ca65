//! The models' orders in the market crate's own clearing: they fit its bid vector, trade, and nobody loses.

use super::*;
use veilgrid_market::{Outcome, Rule, clear_plain, fill_q16, step_quantities, step_totals};

fn grid() -> Grid {
    Grid::new(6_000, 500, 64).unwrap()
}

/// One member's result of a slot.
fn trade_of(outcome: &Outcome, plan: &Plan) -> SlotTrade {
    let filled = |side| {
        let orders = plan.orders.iter().filter(|order| order.side == side);
        orders.map(|order| fill_q16(&grid(), outcome, order)).sum()
    };
    let prices = outcome.trade.map_or((0, 0), |t| (t.buy_price_mct_per_kwh, t.sell_price_mct_per_kwh));
    SlotTrade {
        bought_wh_q16: filled(Side::Buy),
        buy_price_mct_per_kwh: prices.0,
        sold_wh_q16: filled(Side::Sell),
        sell_price_mct_per_kwh: prices.1,
    }
}

/// Runs 60 members over 16 slots; returns the traded slots and what each role gained.
fn run_day(rule: Rule, seed: u64) -> (usize, Vec<RoleSummary>) {
    let community = community();
    let selection = select_community(&community, 60, 16, seed).unwrap();
    let terms = terms(16);
    let day = Day { slot_seconds: 900, market_slots: selection.slots.clone() };
    let members: Vec<&Participant> = selection.members(&community).collect();
    let mut bidders: Vec<_> =
        members.iter().map(|member| bidder_for(member, &terms, &day, seed).unwrap()).collect();
    let (mut gains, mut traded) = (Gains::new(), 0);
    for &slot in &selection.slots {
        let plans: Vec<Plan> = bidders
            .iter_mut()
            .zip(&members)
            .map(|(bidder, member)| bidder.plan(slot, member.energy[slot]).unwrap())
            .collect();
        for plan in &plans {
            step_quantities(&grid(), &plan.orders, 16).unwrap();
        }
        let book: Vec<Order> = plans.iter().flat_map(|plan| plan.orders.clone()).collect();
        let totals = step_totals(&grid(), &book).unwrap();
        let outcome = clear_plain(&grid(), rule, true, &totals).unwrap().outcome;
        traded += usize::from(outcome.traded());
        for ((bidder, plan), member) in bidders.iter_mut().zip(&plans).zip(&members) {
            let trade = trade_of(&outcome, plan);
            bidder.settle(slot, trade.bought_wh_q16, trade.sold_wh_q16).unwrap();
            assert!(bidder.account().is_balanced(), "{} {slot}", member.id);
            gains.record(&member.id, member.role, terms.tariffs(), trade).unwrap();
        }
    }
    for member in &members {
        assert!(gains.member_gain_mct(&member.id).unwrap() >= 0, "{} lost", member.id);
    }
    (traded, gains.summary())
}

#[test]
fn the_day_trades_and_every_role_gains() {
    for seed in 0..4 {
        let (traded, summary) = run_day(Rule::Uniform, seed);
        assert_eq!(traded, 16);
        let roles: Vec<(Role, usize)> = summary.iter().map(|line| (line.role, line.members)).collect();
        assert_eq!(roles, [(Role::Prosumer, 13), (Role::Consumer, 45), (Role::ChargingStation, 2)]);
        for line in &summary {
            assert!(line.gain_mct > 0 && line.bought_wh + line.sold_wh > 0, "{line:?}");
        }
    }
}

#[test]
fn trade_reduction_fills_settle_as_well() {
    let (traded, summary) = run_day(Rule::TradeReduction, 1);
    assert!(traded > 0 && summary.iter().any(|line| line.gain_mct > 0), "{traded} {summary:?}");
}

#[test]
fn charging_stations_trade_in_full_days() {
    let community = community();
    let day = Day { slot_seconds: 900, market_slots: every_slot() };
    let station = community.participants.iter().find(|member| member.id == "LV3.101-B008-CS").unwrap();
    let mut bidder = bidder_for(station, &terms(16), &day, 1).unwrap();
    let mut bought = 0;
    for slot in every_slot() {
        let plan = bidder.plan(slot, station.energy[slot]).unwrap();
        let buys = plan.orders.iter().filter(|order| order.side == Side::Buy);
        let filled: u64 =
            buys.filter(|order| order.limit_mct_per_kwh > 18_000).map(|order| order.energy_wh).sum();
        bought += wh(filled);
        bidder.settle(slot, wh(filled), 0).unwrap();
    }
    // Everything in the data (whole Wh a slot) was bought in time: nothing from the grid.
    assert_eq!(bidder.account().demand_wh_q16, wh(4301));
    assert_eq!((bidder.account().bought_wh_q16, bidder.account().from_grid_wh_q16), (bought, 0));
    assert_eq!(bought, wh(4301));
}
