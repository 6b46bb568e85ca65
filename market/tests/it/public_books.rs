//! The public order books: the Python reference's results, number by number, and independent equilibria.

use crate::common::*;
use serde_json::Value;
use std::fs::File;
use std::path::Path;
use veilgrid_market::*;

fn cleared(expected: &Value, rule: Rule, open_volume: bool) -> (Grid, Vec<BookOrder>, ClearedBook) {
    let grid = grid_of(expected);
    let book = public_book(expected["book"].as_str().unwrap());
    let orders: Vec<Order> = book.iter().map(|row| row.order).collect();
    let totals = totals_of(&grid, &orders);
    let result = clear_plain(&grid, rule, open_volume, &totals).unwrap();
    round_flows(&grid, &result.outcome, &totals).unwrap();
    result.outcome.check_on(&grid).unwrap();
    (grid, book, result)
}

fn check_fills(expected: &Value, grid: &Grid, book: &[BookOrder], outcome: &Outcome) {
    let fills = expected["fills"].as_object().unwrap();
    assert_eq!(fills.len(), book.len());
    for row in book {
        let fill = fill_q16(grid, outcome, &row.order);
        assert_eq!(fill, u128::from(fills[&row.id].as_u64().unwrap()), "{} of {}", row.id, expected["book"]);
    }
}

fn rationed_name(trade: &Trade) -> &'static str {
    match trade.rationed {
        Rationed::None => "none",
        Rationed::Demand => "buy",
        Rationed::Supply => "sell",
    }
}

#[test]
fn uniform_price_equals_the_reference() {
    let results = json("expected.json");
    assert_eq!(results.len(), 21 + 16);
    let below_zero = results.iter().filter(|expected| expected["price_x2"].as_i64().is_some_and(|x2| x2 < 0));
    assert_eq!(below_zero.count(), 12, "the books with prices below zero");
    for expected in &results {
        let (grid, book, result) = cleared(expected, Rule::Uniform, true);
        let outcome = result.outcome;
        assert_eq!(Value::from(path(&result.opened)), expected["openings"], "{}", expected["book"]);
        assert_eq!(outcome.traded(), expected["traded"].as_bool().unwrap());
        assert_eq!(outcome.volume_wh, expected["volume_wh"].as_u64());
        assert_eq!(outcome.marginal_tick().map(u64::from), expected["marginal_tick"].as_u64());
        assert_eq!(result.uniform_volume_wh, expected["volume_wh"].as_u64().unwrap());
        check_fills(expected, &grid, &book, &outcome);
        let Some(trade) = outcome.trade else { continue };
        let number = |key: &str| expected[key].as_u64().unwrap();
        let price = |key: &str| expected[key].as_i64().unwrap();
        assert_eq!(trade.buy_price_mct_per_kwh, price("price_x2") * 5);
        assert_eq!(trade.sell_price_mct_per_kwh, trade.buy_price_mct_per_kwh);
        assert_eq!(trade.price_low_mct_per_kwh, price("price_lo") * 10);
        assert_eq!(trade.price_high_mct_per_kwh, price("price_hi") * 10);
        assert_eq!(u64::from(trade.fraction_q16), number("fraction"));
        assert_eq!(trade.rest_q16, number("rest"));
        assert_eq!(rationed_name(&trade), expected["rationed"]);
    }
}

#[test]
fn closed_volume_changes_nothing_but_the_volume() {
    for expected in json("expected.json") {
        let (grid, _, open) = cleared(&expected, Rule::Uniform, true);
        let (_, _, closed) = cleared(&expected, Rule::Uniform, false);
        assert_eq!(Value::from(path(&closed.opened)), expected["openings"]);
        assert_eq!(closed.opened.len(), expected["n_openings"].as_u64().unwrap() as usize);
        assert_eq!(closed.outcome.trade, open.outcome.trade);
        // Balanced and empty books show their volume by their path, and so do those whose long side is rationed at an end of
        // the grid; the others keep it closed.
        let at_an_end =
            closed.outcome.marginal_tick().zip(closed.outcome.trade).is_some_and(|(tick, trade)| {
                (tick, trade.rationed) == (0, Rationed::Supply)
                    || (tick, trade.rationed) == (grid.ticks() - 1, Rationed::Demand)
            });
        let follows = closed.outcome.marginal_tick().is_none() || at_an_end;
        assert_eq!(closed.outcome.volume_wh, open.outcome.volume_wh.filter(|_| follows));
    }
}

#[test]
fn trade_reduction_equals_the_reference() {
    let results = json("expected_reduction.json");
    assert_eq!(results.iter().filter(|expected| expected["L"] == 64).count(), 21 + 8);
    let mut trades = 0;
    for expected in &results {
        let (grid, book, result) = cleared(expected, Rule::TradeReduction, true);
        let outcome = result.outcome;
        assert_eq!(Value::from(path(&result.opened)), expected["openings"], "{}", expected["book"]);
        assert_eq!(outcome.volume_wh, expected["volume_wh"].as_u64());
        assert_eq!(result.uniform_volume_wh, expected["uniform_volume_wh"].as_u64().unwrap());
        // The reference's surplus is in 0.01 ct/kWh times Wh.
        assert_eq!(outcome.surplus_q16(), u128::from(expected["surplus"].as_u64().unwrap()) * 10 * ONE);
        check_fills(expected, &grid, &book, &outcome);
        assert_eq!(outcome.traded(), expected["traded"].as_bool().unwrap());
        let Some(trade) = outcome.trade else { continue };
        trades += 1;
        let number = |key: &str| expected[key].as_u64().unwrap();
        let price = |key: &str| expected[key].as_i64().unwrap();
        assert_eq!(trade.buy_price_mct_per_kwh, price("price_buy") * 10);
        assert_eq!(trade.sell_price_mct_per_kwh, price("price_sell") * 10);
        assert_eq!(outcome.excluded_ticks(), Some((number("kb") as u32, number("ks") as u32)));
        assert_eq!(u64::from(trade.fraction_q16), number("fraction"));
        assert_eq!(trade.rest_q16, number("rest"));
        assert_eq!(rationed_name(&trade), expected["rationed"]);
    }
    assert!(trades > 10, "the books exercise the rule");
}

/// A random book of the reference, with its prices in mct/kWh.
#[derive(serde::Deserialize)]
struct RandomBook {
    number: u64,
    p_min: i64,
    tick: u64,
    #[serde(rename = "L")]
    ticks: u32,
    orders: Vec<(Side, i64, u64)>,
    uniform: Value,
    reduction: Value,
}

#[test]
fn random_books_around_a_price_of_zero_equal_the_reference() {
    let books: Vec<RandomBook> =
        serde_json::from_reader(File::open(data("expected_random.json")).unwrap()).unwrap();
    assert_eq!(books.len(), 300);
    let (mut below_zero, mut apart) = (0, 0);
    for book in books {
        let grid = Grid::new(book.p_min, book.tick, book.ticks).unwrap();
        let orders: Vec<Order> =
            book.orders.iter().map(|&(side, limit, wh)| order(side, limit, wh)).collect();
        let totals = totals_of(&grid, &orders);
        for (rule, expected) in RULES.into_iter().zip([&book.uniform, &book.reduction]) {
            let result = clear_plain(&grid, rule, true, &totals).unwrap();
            let (outcome, at) = (result.outcome, format!("book {} under {rule:?}", book.number));
            round_flows(&grid, &outcome, &totals).unwrap();
            assert_eq!(Value::from(path(&result.opened)), expected["openings"], "{at}");
            assert_eq!(outcome.volume_wh, expected["volume_wh"].as_u64(), "{at}");
            let fills: Vec<u128> = orders.iter().map(|order| fill_q16(&grid, &outcome, order)).collect();
            let expected_fills = expected["fills"].as_array().unwrap();
            assert_eq!(fills.len(), expected_fills.len());
            for (fill, expected) in fills.iter().zip(expected_fills) {
                assert_eq!(*fill, u128::from(expected.as_u64().unwrap()), "{at}");
            }
            assert_eq!(outcome.traded(), expected["traded"].as_bool().unwrap(), "{at}");
            let Some(trade) = outcome.trade else { continue };
            let prices = (trade.buy_price_mct_per_kwh, trade.sell_price_mct_per_kwh);
            let price = |key: &str| expected[key].as_i64().unwrap();
            if rule == Rule::Uniform {
                assert_eq!(prices, (price("price_x2") / 2, price("price_x2") / 2), "{at}");
                below_zero += usize::from(prices.0 < 0);
            } else {
                assert_eq!(prices, (price("price_buy"), price("price_sell")), "{at}");
                apart += usize::from(prices.1 < 0 && 0 < prices.0);
            }
            assert_eq!(trade.rest_q16, expected["rest"].as_u64().unwrap(), "{at}");
            assert_eq!(rationed_name(&trade), expected["rationed"], "{at}");
        }
    }
    // Both sides pay where the reduction's prices lie on either side of zero.
    assert!(below_zero > 100 && apart > 2, "{below_zero} below zero, {apart} on either side of it");
}

/// A number of the reference file in thousandths of its unit.
fn thousandths<N: TryFrom<i128>>(value: &Value) -> Option<N> {
    let number = parse_decimal_scaled(&value.as_number()?.to_string(), 3).unwrap();
    assert!(number.exact);
    N::try_from(number.floor).ok()
}

#[test]
fn volume_and_price_agree_with_independent_equilibria() {
    let reference = json("reference.json");
    assert_eq!(reference.len(), 21);
    for book in &reference {
        let grid = Grid::new(0, 1_000, 64).unwrap();
        let orders: Vec<Order> =
            public_book(book["book"].as_str().unwrap()).iter().map(|row| row.order).collect();
        let buys = orders.iter().filter(|order| order.side == Side::Buy).count();
        assert_eq!(buys as u64, book["n_buy"].as_u64().unwrap());
        let result = clear_plain(&grid, Rule::Uniform, true, &totals_of(&grid, &orders)).unwrap();
        assert_eq!(result.outcome.volume_wh, thousandths(&book["max_volume_kwh"]), "{}", book["book"]);
        assert_eq!(result.outcome.traded(), book.get("price_lo").is_some());
        if let Some(trade) = result.outcome.trade {
            let (low, high) =
                (thousandths(&book["price_lo"]).unwrap(), thousandths(&book["price_hi"]).unwrap());
            assert_eq!((trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh), (low, high));
            assert!((low..=high).contains(&trade.buy_price_mct_per_kwh));
        }
    }
}

#[test]
fn limits_of_a_published_market_clear() {
    // EUR/MWh of table 1: consumers bid their highest price, the producer asks its lowest, 1 kWh each.
    let table = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/setm_table1.csv");
    let mut rows = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(File::open(table).unwrap());
    let orders: Vec<Order> = rows
        .records()
        .map(|row| {
            let row = row.unwrap();
            let (side, text) =
                if &row[2] == "consumer" { (Side::Buy, &row[5]) } else { (Side::Sell, &row[4]) };
            // 1 EUR/MWh is 0.1 ct/kWh, 100 mct/kWh.
            let limit = parse_decimal_scaled(text, 2).unwrap();
            order(side, i64::try_from(limit.floor).unwrap(), 1_000)
        })
        .collect();
    assert_eq!(orders.len(), 7);
    let grid = Grid::new(3_200, 20, 128).unwrap();
    let outcome = clear_plain(&grid, Rule::Uniform, true, &totals_of(&grid, &orders)).unwrap().outcome;
    // One producer, six consumers: the highest bid (50 EUR/MWh) buys all, the next ones bid 48.
    let trade = outcome.trade.unwrap();
    assert_eq!(outcome.volume_wh, Some(1_000));
    assert_eq!((trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh), (4_800, 5_000));
}
