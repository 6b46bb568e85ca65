//! Both rules against the definitions, on random books.

use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use veilgrid_market::*;

const TICK: i64 = 100;

fn grid_from(bottom: i64, exponent: u32) -> Grid {
    Grid::new(bottom, TICK.unsigned_abs(), 1 << exponent).unwrap()
}

/// The lowest price of a grid of 2^exponent ticks, so that all its prices are above zero, some below, or all.
fn bottom(exponent: u32) -> impl Strategy<Value = i64> {
    let span = TICK << exponent;
    prop_oneof![
        Just(1_000),
        -span..=0,
        Just(-span - 250),
        (-1i64..=1 << exponent).prop_map(|tick| -tick * TICK)
    ]
}

/// A grid of 2 to 64 ticks and orders around it, between its prices and beyond its ends.
fn book() -> impl Strategy<Value = (Grid, Vec<Order>)> {
    (1u32..=6)
        .prop_flat_map(|exponent| bottom(exponent).prop_map(move |bottom| (exponent, bottom)))
        .prop_flat_map(|(exponent, bottom)| {
            let grid = grid_from(bottom, exponent);
            let limit = prop_oneof![
                4 => (0..i64::from(grid.ticks())).prop_map(move |tick| bottom + tick * TICK),
                1 => bottom - 150..bottom + 150 + i64::from(grid.ticks()) * TICK,
            ];
            let energy = prop_oneof![Just(0), Just(1), 1u64..=4, 1u64..=100_000];
            let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
            let order = (side, limit, energy).prop_map(|(side, limit, energy)| order(side, limit, energy));
            (Just(grid), vec(order, 0..24))
        })
}

fn log2(grid: &Grid) -> usize {
    grid.ticks().ilog2() as usize
}

/// Sum of weight times quantity over a member's steps: its net fill by the public weights.
fn net_fill(grid: &Grid, outcome: &Outcome, orders: &[Order]) -> i128 {
    let quantities = step_quantities(grid, &on_grid(grid, orders), 32).unwrap();
    let weights = fill_weights(grid, outcome);
    assert_eq!(weights.len(), quantities.len());
    weights.iter().zip(quantities).map(|(weight, wh)| i128::from(*weight) * i128::from(wh)).sum()
}

fn fills(grid: &Grid, outcome: &Outcome, orders: &[Order], side: Side) -> u128 {
    orders.iter().filter(|order| order.side == side).map(|order| fill_q16(grid, outcome, order)).sum()
}

/// What holds for every order and every round under both rules.
fn check_round(grid: &Grid, orders: &[Order], rule: Rule) -> Result<ClearedBook, TestCaseError> {
    let totals = totals_of(grid, orders);
    let result = clear_plain(grid, rule, true, &totals).unwrap();
    let outcome = result.outcome;
    outcome.check_on(grid).unwrap();
    let flows = round_flows(grid, &outcome, &totals).unwrap();
    let (bought, sold) =
        (fills(grid, &outcome, orders, Side::Buy), fills(grid, &outcome, orders, Side::Sell));
    prop_assert_eq!((flows.bought_q16, flows.sold_q16), (bought, sold));
    prop_assert_eq!(net_fill(grid, &outcome, orders), bought as i128 - sold as i128);
    for order in orders {
        let fill = fill_q16(grid, &outcome, order);
        prop_assert!(fill <= u128::from(order.energy_wh) * ONE);
        let signed = net_fill(grid, &outcome, &[*order]);
        prop_assert_eq!(signed, if order.side == Side::Buy { fill as i128 } else { -(fill as i128) });
        if let Some(trade) = outcome.trade.filter(|_| fill > 0) {
            let inside = match order.side {
                Side::Buy => order.limit_mct_per_kwh >= trade.buy_price_mct_per_kwh,
                Side::Sell => order.limit_mct_per_kwh <= trade.sell_price_mct_per_kwh,
            };
            prop_assert!(inside, "{order:?} trades beyond its limit: {trade:?}");
        }
    }
    let rest =
        outcome.trade.map_or((0, Rationed::None), |trade| (i128::from(trade.rest_q16), trade.rationed));
    prop_assert_eq!(
        bought as i128 - sold as i128,
        if rest.1 == Rationed::Demand { -rest.0 } else { rest.0 },
        "the rest stands on the side of the rationed orders"
    );
    if let Some(trade) = outcome.trade {
        // Money by member, each at its own side's price, whatever its sign: it adds up to the totals of the round.
        let (buy, sell) = (i128::from(trade.buy_price_mct_per_kwh), i128::from(trade.sell_price_mct_per_kwh));
        prop_assert_eq!((flows.paid_q16, flows.received_q16), (buy * bought as i128, sell * sold as i128));
        if rule == Rule::Uniform {
            // What members pay and get differs by what the public account pays or gets for the rest.
            let rest_costs = if rest.1 == Rationed::Demand { rest.0 } else { -rest.0 } * buy;
            prop_assert_eq!(flows.paid_q16 - flows.received_q16 + rest_costs, 0);
        }
    }
    Ok(result)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn uniform_price_is_a_competitive_equilibrium((grid, orders) in book()) {
        let result = check_round(&grid, &orders, Rule::Uniform)?;
        let curves = Curves::new(&totals_of(&grid, &orders));
        prop_assert_eq!(result.outcome.volume_wh, Some(curves.max_volume()));
        prop_assert_eq!(result.uniform_volume_wh, curves.max_volume());
        prop_assert_eq!(result.outcome.traded(), curves.max_volume() > 0);
        let Some(trade) = result.outcome.trade else { return Ok(()) };
        let (low, high) = curves.equilibrium();
        prop_assert_eq!((trade.highest_sell_tick as usize, trade.lowest_buy_tick as usize), (low, high));
        let price = trade.buy_price_mct_per_kwh;
        prop_assert_eq!(2 * price, grid.price_mct_per_kwh(low as u32) + grid.price_mct_per_kwh(high as u32));
        let bound = if low == high { log2(&grid) + 3 } else { 2 * log2(&grid) };
        prop_assert!(result.opened.len() <= bound, "{} openings", result.opened.len());
    }

    #[test]
    fn trade_reduction_is_its_definition((grid, orders) in book()) {
        let result = check_round(&grid, &orders, Rule::TradeReduction)?;
        let curves = Curves::new(&totals_of(&grid, &orders));
        let expected = curves.reduced();
        let found = result.outcome.excluded_ticks().zip(result.outcome.volume_wh);
        prop_assert_eq!(found.map(|((buy, sell), volume)| (buy, sell, volume)), expected);
        prop_assert_eq!(result.uniform_volume_wh, curves.max_volume());
        prop_assert!(result.opened.len() <= 4 * log2(&grid) + 2, "{} openings", result.opened.len());
        // The budget: what buyers pay covers what sellers get, up to the rest that flooring leaves.
        let totals = totals_of(&grid, &orders);
        let flows = round_flows(&grid, &result.outcome, &totals).unwrap();
        let Some(trade) = result.outcome.trade else { return Ok(()) };
        let rest_costs = match trade.rationed {
            Rationed::Demand => i128::from(trade.rest_q16) * i128::from(trade.buy_price_mct_per_kwh),
            Rationed::Supply => -i128::from(trade.rest_q16) * i128::from(trade.sell_price_mct_per_kwh),
            Rationed::None => 0,
        };
        let members = flows.paid_q16 - flows.received_q16;
        prop_assert_eq!(members + rest_costs, result.outcome.surplus_q16() as i128);
    }

    #[test]
    fn a_closed_volume_follows_from_the_path_or_stays_closed((grid, orders) in book()) {
        let totals = totals_of(&grid, &orders);
        let open = clear_plain(&grid, Rule::Uniform, true, &totals).unwrap();
        let closed = clear_plain(&grid, Rule::Uniform, false, &totals).unwrap();
        prop_assert_eq!(closed.outcome.trade, open.outcome.trade);
        prop_assert!(closed.opened.iter().all(|(request, _)| request.purpose == Purpose::Path));
        match closed.outcome.volume_wh {
            Some(volume) => prop_assert!(open.outcome.volume_wh == Some(volume) && open.opened == closed.opened),
            None => {
                let (last, path) = open.opened.split_last().unwrap();
                prop_assert_eq!(last.0.purpose, Purpose::Volume);
                prop_assert_eq!(path, &closed.opened[..]);
            }
        }
    }

    /// Whatever is opened, a rule asks on, decides or names what is wrong; it never panics and never asks for ever.
    #[test]
    fn any_values_are_handled(
        exponent in 1u32..=12,
        small in vec(-6i64..=6, 40),
        wild in vec(any::<i64>(), 3),
        at in 0usize..40,
        open_volume: bool,
    ) {
        let grid = grid_from(-TICK, exponent);
        for (rule, replace) in RULES.into_iter().flat_map(|rule| [(rule, false), (rule, true)]) {
            let mut values = small.clone();
            if replace {
                values.splice(at..at, wild.iter().copied());
            }
            let mut asked = 0;
            let end = loop {
                match next_step(&grid, rule, open_volume, &values[..asked]) {
                    Ok(Next::Open(_)) if asked < values.len() => asked += 1,
                    other => break other,
                }
            };
            match end {
                Ok(Next::Done(outcome)) => prop_assert_eq!(outcome.check_on(&grid), Ok(())),
                Ok(Next::Open(_)) => prop_assert!(asked <= 4 * exponent as usize + 2),
                Err(error) => prop_assert!(matches!(error, ClearingError::Impossible { .. }), "{error}"),
            }
        }
    }
}

/// What a member gains at its true price, in price times Wh/2^16; positive is good.
fn utility(grid: &Grid, outcome: &Outcome, stated: &Order, true_price: i128) -> i128 {
    let fill = fill_q16(grid, outcome, stated) as i128;
    let Some(trade) = outcome.trade else { return 0 };
    match stated.side {
        Side::Buy => fill * (true_price - i128::from(trade.buy_price_mct_per_kwh)),
        Side::Sell => fill * (i128::from(trade.sell_price_mct_per_kwh) - true_price),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn misstating_a_price_gains_nothing_under_trade_reduction(
        raw in vec((any::<bool>(), 0i64..8, 1u64..=6), 3..10),
        lowest in prop_oneof![Just(1_000), Just(-3 * TICK), Just(-2_000)]
    ) {
        let grid = grid_from(lowest, 3);
        let truth: Vec<Order> = raw
            .iter()
            .map(|(buys, tick, wh)| order(if *buys { Side::Buy } else { Side::Sell }, lowest + tick * TICK, *wh))
            .collect();
        let clear = |orders: &[Order]| {
            clear_plain(&grid, Rule::TradeReduction, false, &totals_of(&grid, orders)).unwrap().outcome
        };
        let honest = clear(&truth);
        for member in 0..truth.len() {
            let true_price = i128::from(truth[member].limit_mct_per_kwh);
            let honest_utility = utility(&grid, &honest, &truth[member], true_price);
            prop_assert!(honest_utility >= 0);
            for tick in 0..i64::from(grid.ticks()) {
                let mut stated = truth.clone();
                stated[member].limit_mct_per_kwh = lowest + tick * TICK;
                let outcome = clear(&stated);
                let gained = utility(&grid, &outcome, &stated[member], true_price) - honest_utility;
                prop_assert!(gained <= 0, "member {member} gains {gained} by stating tick {tick}");
            }
        }
    }
}
