//! The utility's public order against clearing by definition: one order more each way, served after the members.

use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use veilgrid_market::*;

const TICK: i64 = 100;

/// A market with a utility: grid, tariffs' ticks, limits, members' orders.
#[derive(Debug, Clone)]
struct Market {
    grid: Grid,
    feed_in: u32,
    retail: u32,
    import_wh: u64,
    export_wh: u64,
    orders: Vec<Order>,
}

impl Market {
    fn utility(&self) -> Utility {
        let price = |tick| self.grid.price_mct_per_kwh(tick);
        Utility::new(&self.grid, price(self.retail), price(self.feed_in), self.import_wh, self.export_wh)
            .unwrap()
    }

    /// Totals per step with the utility's orders among them.
    fn all_totals(&self) -> Vec<u64> {
        let mut totals = totals_of(&self.grid, &self.orders);
        totals[2 * self.retail as usize] += self.import_wh;
        totals[2 * self.feed_in as usize + 1] += self.export_wh;
        totals
    }

    fn cleared(&self, open_volume: bool) -> ClearedWithUtility {
        clear_plain_with_utility(
            &self.grid,
            &self.utility(),
            open_volume,
            &totals_of(&self.grid, &self.orders),
        )
        .unwrap()
    }
}

fn market() -> impl Strategy<Value = Market> {
    (1u32..=6, -70i64..70).prop_flat_map(|(exponent, below)| {
        let grid = Grid::new(below * TICK, 100, 1 << exponent).unwrap();
        let ticks = grid.ticks();
        let tariffs = (0..ticks - 1).prop_flat_map(move |feed_in| (Just(feed_in), feed_in + 1..ticks));
        let limit = prop_oneof![Just(0u64), 1u64..=4, 1u64..=300, Just(1 << 40)];
        let energy = prop_oneof![Just(0u64), 1u64..=4, 1u64..=300];
        let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
        let order = (side, 0..i64::from(ticks), energy)
            .prop_map(move |(side, tick, wh)| order(side, (below + tick) * TICK, wh));
        (Just(grid), tariffs, limit.clone(), limit, vec(order, 0..16)).prop_map(
            |(grid, (feed_in, retail), import_wh, export_wh, orders)| Market {
                grid,
                feed_in,
                retail,
                import_wh,
                export_wh,
                orders,
            },
        )
    })
}

/// One side by definition: orders by price, at one price the members before the utility, until the volume is served.
/// Members of a tick that is served in part share it pro rata, rounded down. Returns every member's fill and the utility's.
fn serve(market: &Market, side: Side, volume_wh: u64) -> (Vec<u128>, u64) {
    let (tick_of_utility, limit_wh) = match side {
        Side::Buy => (market.feed_in, market.export_wh),
        Side::Sell => (market.retail, market.import_wh),
    };
    let tick_of = |order: &Order| step_of(&market.grid, order).unwrap() as u32 / 2;
    let mut ticks: Vec<u32> = (0..market.grid.ticks()).collect();
    if side == Side::Buy {
        ticks.reverse();
    }
    let (mut left_wh, mut fills, mut utility_wh) = (volume_wh, vec![0; market.orders.len()], 0);
    for tick in ticks {
        let here = |order: &Order| order.side == side && tick_of(order) == tick;
        let members_wh: u64 =
            market.orders.iter().filter(|order| here(order)).map(|order| order.energy_wh).sum();
        let served_wh = left_wh.min(members_wh);
        if members_wh > 0 {
            let fraction = u128::from(served_wh) * ONE / u128::from(members_wh);
            for (fill, order) in fills.iter_mut().zip(&market.orders).filter(|(_, order)| here(order)) {
                *fill = u128::from(order.energy_wh) * fraction;
            }
        }
        left_wh -= served_wh;
        if tick == tick_of_utility {
            utility_wh = left_wh.min(limit_wh);
            left_wh -= utility_wh;
        }
    }
    (fills, utility_wh)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_utility_is_one_more_order_that_comes_last(market in market()) {
        let curves = Curves::new(&market.all_totals());
        let result = market.cleared(true);
        let outcome = result.outcome;
        prop_assert_eq!(outcome.check_on(&market.grid), Ok(()));
        let volume_wh = curves.max_volume();
        prop_assert_eq!(outcome.volume_wh, Some(volume_wh));
        let (buys, utility_bought_wh) = serve(&market, Side::Buy, volume_wh);
        let (sells, utility_sold_wh) = serve(&market, Side::Sell, volume_wh);
        prop_assert_eq!(result.utility, UtilityFill { sold_wh: utility_sold_wh, bought_wh: utility_bought_wh });
        prop_assert!(utility_sold_wh == 0 || utility_bought_wh == 0, "it trades with itself");
        for ((order, buy), sell) in market.orders.iter().zip(&buys).zip(&sells) {
            let expected = if order.side == Side::Buy { buy } else { sell };
            prop_assert_eq!(fill_q16(&market.grid, &outcome, order), *expected, "{:?}", order);
        }
        if let Some(trade) = outcome.trade {
            let (low, high) = curves.equilibrium();
            let price = |tick: usize| market.grid.price_mct_per_kwh(tick as u32);
            prop_assert_eq!(2 * trade.buy_price_mct_per_kwh, price(low) + price(high));
            // No better price for the utility than its tariffs, and none that a member would not rather have from it.
            let retail = market.grid.price_mct_per_kwh(market.retail);
            let feed_in = market.grid.price_mct_per_kwh(market.feed_in);
            let price = trade.buy_price_mct_per_kwh;
            prop_assert!(utility_sold_wh == 0 || price >= retail);
            prop_assert!(utility_bought_wh == 0 || price <= feed_in);
            prop_assert!(price <= retail || utility_sold_wh == market.import_wh, "members pay more than retail");
            prop_assert!(price >= feed_in || utility_bought_wh == market.export_wh, "they get less than feed-in");
        }
    }

    /// Energy and money to the last unit: members, utility, and the rest of rounding.
    #[test]
    fn rounds_with_a_utility_add_up(market in market()) {
        let result = market.cleared(true);
        let of = |side| -> u128 {
            let orders = market.orders.iter().filter(|order| order.side == side);
            orders.map(|order| fill_q16(&market.grid, &result.outcome, order)).sum()
        };
        let (bought, sold) = (of(Side::Buy), of(Side::Sell));
        let flows = round_flows_with_utility(&result.outcome, &result.utility, bought, sold).unwrap();
        let price = result.outcome.trade.map_or(0, |trade| i128::from(trade.buy_price_mct_per_kwh));
        let rest = result.outcome.trade.map_or(0, |trade| match trade.rationed {
            Rationed::Demand => i128::from(trade.rest_q16),
            Rationed::Supply => -i128::from(trade.rest_q16),
            Rationed::None => 0,
        });
        let (sold_to, bought_from) = (result.utility.sold_q16() as i128, result.utility.bought_q16() as i128);
        prop_assert_eq!(bought as i128 + bought_from + rest, sold as i128 + sold_to);
        prop_assert_eq!(flows.paid_q16 - flows.received_q16 + price * (rest + bought_from - sold_to), 0);
        // One unit more or less anywhere is found.
        if bought > 0 {
            prop_assert!(round_flows_with_utility(&result.outcome, &result.utility, bought - 1, sold).is_err());
        }
        let more = UtilityFill { sold_wh: result.utility.sold_wh + 1, ..result.utility };
        prop_assert!(round_flows_with_utility(&result.outcome, &more, bought, sold).is_err());
        let more = UtilityFill { bought_wh: result.utility.bought_wh + 1, ..result.utility };
        prop_assert!(round_flows_with_utility(&result.outcome, &more, bought, sold).is_err());
    }

    /// A utility that trades nothing changes nothing, and asks for the same sums.
    #[test]
    fn without_limits_it_is_not_there(market in market(), open_volume: bool) {
        let market = Market { import_wh: 0, export_wh: 0, ..market };
        let with = market.cleared(open_volume);
        let totals = totals_of(&market.grid, &market.orders);
        let without = clear_plain(&market.grid, Rule::Uniform, open_volume, &totals).unwrap();
        prop_assert_eq!((with.outcome, with.opened), (without.outcome, without.opened));
        prop_assert_eq!(with.utility, UtilityFill::default());
    }

    /// No more is opened than without it: the utility's part of every sum is public.
    #[test]
    fn as_few_sums_are_opened(market in market()) {
        let log2 = market.grid.ticks().ilog2() as usize;
        let result = market.cleared(true);
        let most = if result.outcome.marginal_tick().is_some() { log2 + 3 } else { 2 * log2 + 1 };
        prop_assert!(result.opened.len() <= most, "{:?}", result.opened);
        // Each value is a sum over the members' bids alone.
        let totals = totals_of(&market.grid, &market.orders);
        for (request, value_wh) in &result.opened {
            let weights = request.weights(&market.grid);
            let sum: i64 = weights.iter().zip(&totals).map(|(weight, wh)| weight * *wh as i64).sum();
            prop_assert_eq!(sum, *value_wh);
        }
        let closed = market.cleared(false);
        prop_assert_eq!((closed.outcome.trade, closed.utility), (result.outcome.trade, result.utility));
    }

    /// Whatever is opened, the search asks on, decides or names what is wrong.
    #[test]
    fn any_values_are_handled(market in market(), values in vec(prop_oneof![-6i64..=6, any::<i64>()], 30)) {
        let (utility, mut asked) = (market.utility(), 0);
        let end = loop {
            match next_step_with_utility(&market.grid, &utility, true, &values[..asked]) {
                Ok(NextWithUtility::Open(_)) if asked < values.len() => asked += 1,
                other => break other,
            }
        };
        match end {
            Ok(NextWithUtility::Done(outcome, fill)) => {
                prop_assert_eq!(outcome.check_on(&market.grid), Ok(()));
                prop_assert!(fill.sold_wh <= market.import_wh && fill.bought_wh <= market.export_wh);
            }
            Ok(NextWithUtility::Open(_)) => prop_assert!(false, "it asks for ever"),
            Err(error) => {
                let known = matches!(error, ClearingError::Impossible { .. });
                prop_assert!(known, "{}", error);
            }
        }
    }
}

/// By hand: at its own tick the utility gets what the members leave, on either side.
#[test]
fn members_are_served_before_the_utility_at_one_price() {
    let grid = Grid::new(8_000, 8_000, 4).unwrap(); // 8, 16, 24, 32 ct/kWh
    let cleared = |orders: &[Order], import_wh, export_wh| {
        let utility = Utility::new(&grid, 32_000, 8_000, import_wh, export_wh).unwrap();
        let totals = totals_of(&grid, orders);
        clear_plain_with_utility(&grid, &utility, true, &totals).unwrap()
    };
    let fill = |result: &ClearedWithUtility, order: &Order| fill_q16(&grid, &result.outcome, order);
    // 100 Wh wanted at retail or less, 30 Wh of a member at that very price: the utility sells the other 70.
    let (load, roof) = (order(Side::Buy, 32_000, 100), order(Side::Sell, 32_000, 30));
    let night = cleared(&[load, roof], 1_000, 1_000);
    assert_eq!(night.utility, UtilityFill { sold_wh: 70, bought_wh: 0 });
    assert_eq!((fill(&night, &load), fill(&night, &roof)), (100 * ONE, 30 * ONE));
    assert_eq!(night.outcome.trade.unwrap().buy_price_mct_per_kwh, 32_000);
    // The import limit binds: demand is long and rationed at the price that buyers offered.
    let bound = cleared(&[load, roof], 20, 1_000);
    assert_eq!(bound.utility, UtilityFill { sold_wh: 20, bought_wh: 0 });
    assert_eq!(fill(&bound, &load), 32_768 * 100, "50 of 100 Wh");
    // Surplus at noon: a member that buys at feed-in gets its 40 Wh first.
    let (sun, heat) = (order(Side::Sell, 8_000, 90), order(Side::Buy, 8_000, 40));
    let noon = cleared(&[sun, heat], 1_000, 1_000);
    assert_eq!(noon.utility, UtilityFill { sold_wh: 0, bought_wh: 50 });
    assert_eq!((fill(&noon, &sun), fill(&noon, &heat)), (90 * ONE, 40 * ONE));
    // The export limit binds: supply is long, and what nobody takes stays.
    let curtailed = cleared(&[sun, heat], 1_000, 5);
    assert_eq!(curtailed.utility.bought_wh, 5);
    assert_eq!(fill(&curtailed, &sun), 90 * (45 * ONE / 90));
}
