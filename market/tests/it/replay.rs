//! The replay: impossible values, edge grids, what is asked for and in which order.

use crate::common::*;
use veilgrid_market::*;

fn next(ticks: u32, rule: Rule, opened: &[i64]) -> Result<Next, ClearingError> {
    next_step(&Grid::new(0, 1_000, ticks).unwrap(), rule, true, opened)
}

fn asked(ticks: u32, rule: Rule, opened: &[i64]) -> (SumKind, i32, Purpose) {
    match next(ticks, rule, opened) {
        Ok(Next::Open(request)) => (request.kind, request.tick, request.purpose),
        other => panic!("expected a request, got {other:?}"),
    }
}

fn why(ticks: u32, rule: Rule, opened: &[i64]) -> (usize, Impossible) {
    match next(ticks, rule, opened) {
        Err(ClearingError::Impossible { index, why, .. }) => (index, why),
        other => panic!("expected an impossible value, got {other:?}"),
    }
}

fn outcome(ticks: u32, rule: Rule, opened: &[i64]) -> Outcome {
    match next(ticks, rule, opened) {
        Ok(Next::Done(outcome)) => outcome,
        other => panic!("expected an outcome, got {other:?}"),
    }
}

use Purpose::{Path, Volume};
use Rule::{TradeReduction, Uniform};
use SumKind::{D, S, W, Z};

#[test]
fn the_smallest_grids_run_through_every_case() {
    // L = 2: W_0 alone decides the tick.
    assert_eq!(asked(2, Uniform, &[]), (W, 0, Path));
    assert_eq!(asked(2, Uniform, &[-5]), (Z, 0, Path));
    assert_eq!(asked(2, Uniform, &[5]), (Z, 1, Path));
    // Tick 0, supply long: W_{-1} = D_0 is the volume, which therefore is not opened again.
    assert_eq!(asked(2, Uniform, &[-5, -2]), (W, -1, Path));
    let supply_long = outcome(2, Uniform, &[-5, -2, 3]);
    assert_eq!((supply_long.volume_wh, supply_long.marginal_tick()), (Some(3), Some(0)));
    assert_eq!(supply_long.trade.unwrap().fraction_q16, 65_536 * 3 / 5);
    assert_eq!(outcome(2, Uniform, &[-5, -5, 0]).trade, None);
    // Tick 0, demand long: W_0 is known, the volume S_0 is not.
    assert_eq!(asked(2, Uniform, &[-5, 1]), (S, 0, Volume));
    assert_eq!(outcome(2, Uniform, &[-5, 1, 7]).volume_wh, Some(7));
    // Top tick, demand long.
    assert_eq!(asked(2, Uniform, &[5, 2]), (W, 1, Path));
    assert_eq!(outcome(2, Uniform, &[5, 2, -4]).volume_wh, Some(4));
    assert_eq!(outcome(2, Uniform, &[5, 5, 0]).trade, None);
    // Balanced: the volume is part of the path.
    assert_eq!(asked(2, Uniform, &[0]), (S, 0, Path));
    assert_eq!(outcome(2, Uniform, &[0, 0]).trade, None);
    let balanced = outcome(2, Uniform, &[0, 9]).trade.unwrap();
    assert_eq!(
        (balanced.highest_sell_tick, balanced.lowest_buy_tick, balanced.buy_price_mct_per_kwh),
        (0, 1, 500)
    );
}

#[test]
fn trade_reduction_on_small_grids() {
    // On an outermost tick nothing is left beyond one edge, and nothing more is opened.
    assert_eq!(
        outcome(2, TradeReduction, &[-5]),
        Outcome { rule: TradeReduction, trade: None, volume_wh: Some(0) }
    );
    assert_eq!(outcome(2, TradeReduction, &[5]).trade, None);
    // Balanced on L = 2: above kb = 1 is nothing.
    assert_eq!(outcome(2, TradeReduction, &[0, 9]).trade, None);
    // L = 4, marginal tick 1, supply long: D_1 is the volume, S_0 = D_1 − W_0, D_2 is W_1 + S_1.
    assert_eq!(asked(4, TradeReduction, &[-3]), (W, 0, Path));
    assert_eq!(asked(4, TradeReduction, &[-3, 4]), (Z, 1, Path));
    assert_eq!(asked(4, TradeReduction, &[-3, 4, -2]), (D, 1, Path));
    let trade = outcome(4, TradeReduction, &[-3, 4, -2, 10]).trade.unwrap();
    // S_1 = 12, D_2 = 9, S_0 = 6: six of nine.
    assert_eq!((trade.rationed, trade.fraction_q16, trade.rest_q16), (Rationed::Demand, 65_536 * 6 / 9, 6));
    // No bids at the marginal tick: kb is higher, D_3 is asked for.
    assert_eq!(asked(4, TradeReduction, &[-3, 4, -3, 10]), (D, 3, Path));
    assert_eq!(
        outcome(4, TradeReduction, &[-3, 4, -3, 10, 2]).excluded_ticks(),
        Some((2, 1)),
        "two buy above tick 2, six sell below tick 1"
    );
}

#[test]
fn the_volume_does_not_depend_on_the_flag_under_trade_reduction() {
    let grid = Grid::new(0, 1_000, 4).unwrap();
    let opened = [-3, 4, -2, 10];
    assert_eq!(
        next_step(&grid, TradeReduction, false, &opened).unwrap(),
        next_step(&grid, TradeReduction, true, &opened).unwrap()
    );
}

#[test]
fn impossible_values_are_refused_with_their_place() {
    for rule in RULES {
        // W_15 = 1 after W_31 = 2: demand can't grow with the price.
        assert!(matches!(why(64, rule, &[2, 3]), (1, Impossible::NotMonotone { .. })));
        assert!(matches!(why(64, rule, &[-2, -3]), (1, Impossible::NotMonotone { .. })));
        assert!(matches!(why(64, rule, &[i64::MAX]), (0, Impossible::OutOfRange { .. })));
        assert!(matches!(why(64, rule, &[MAX_OPENED_WH + 1]), (0, Impossible::OutOfRange { .. })));
        // Balanced with a negative volume.
        assert!(matches!(why(64, rule, &[0, -1]), (1, Impossible::Negative { .. })));
        // b_k = Z_k − W_k would be negative.
        assert!(matches!(why(4, rule, &[-3, 4, -4]), (2, Impossible::NotMonotone { .. })));
        // s_k = W_{k-1} − Z_k would be negative.
        assert!(matches!(why(4, rule, &[-3, 4, 5]), (2, Impossible::NotMonotone { .. })));
        // Demand long, volume S_1 below the wanted 3: D_2 would be negative.
        assert!(matches!(why(4, rule, &[-3, 4, 2, 2]), (3, Impossible::Negative { .. })));
        // Supply long, volume D_1 below the W_0 that is wanted: S_0 would be negative.
        let (kind, values): (SumKind, &[i64]) = (D, &[-3, 4, -2, 3]);
        assert_eq!(asked(4, rule, &values[..3]).0, kind);
        assert!(matches!(why(4, rule, values), (3, Impossible::Negative { .. })));
    }
    // The ends: D_0 = W_{-1} below zero, S_{L-1} = −W_{L-1} below zero.
    assert!(matches!(why(2, Uniform, &[-5, -2, -1]), (2, Impossible::Negative { .. })));
    assert!(matches!(why(2, Uniform, &[5, 2, 1]), (2, Impossible::Negative { .. })));
    // Beyond the edge: D_3 above D_2.
    assert!(matches!(why(4, TradeReduction, &[-3, 4, -3, 10, 11]), (4, Impossible::NotMonotone { .. })));
    let message = next(64, Uniform, &[2, 3]).unwrap_err().to_string();
    assert!(message.contains("opening 1 (W_47)") && message.contains("3 Wh"), "{message}");
}

#[test]
fn nothing_is_opened_beyond_the_path() {
    assert_eq!(next(2, Uniform, &[0, 0, 0]), Err(ClearingError::TooMany { given: 3, used: 2 }));
    assert_eq!(next(2, TradeReduction, &[-5, 1]), Err(ClearingError::TooMany { given: 2, used: 1 }));
}

#[test]
fn books_in_the_clear_are_bounded() {
    let grid = Grid::new(0, 1_000, 2).unwrap();
    let clear = |totals: &[u64]| clear_plain(&grid, Uniform, true, totals);
    assert_eq!(clear(&[0; 3]), Err(ClearingError::Totals { given: 3, steps: 4 }));
    let most = MAX_OPENED_WH as u64;
    assert_eq!(clear(&[most, 0, 0, most]).unwrap().outcome.volume_wh, Some(most));
    assert_eq!(clear(&[most, 0, 1, most]), Err(ClearingError::BookTooLarge));
    assert_eq!(clear(&[0, u64::MAX, 0, u64::MAX]), Err(ClearingError::BookTooLarge));
}

#[test]
fn a_false_rest_volume_or_price_does_not_add_up() {
    let grid = Grid::new(0, 1_000, 4).unwrap();
    let totals = [3, 0, 4, 2, 0, 4, 0, 0];
    for rule in RULES {
        let outcome = clear_plain(&grid, rule, true, &totals).unwrap().outcome;
        assert!(round_flows(&grid, &outcome, &totals).is_ok());
        let with = |change: fn(&mut Outcome, &mut Trade)| {
            let (mut changed, mut trade) = (outcome, outcome.trade.unwrap());
            change(&mut changed, &mut trade);
            changed.trade = Some(trade);
            round_flows(&grid, &changed, &totals)
        };
        assert!(matches!(with(|_, trade| trade.rest_q16 += 1), Err(FlowError::Rest { .. })));
        assert!(matches!(with(|_, trade| trade.fraction_q16 -= 1), Err(FlowError::Rest { .. })));
        let volume = with(|outcome, _| outcome.volume_wh = outcome.volume_wh.map(|wh| wh + 1));
        assert!(matches!(volume, Err(FlowError::Volume { .. })));
        if rule == Uniform {
            let price = with(|_, trade| trade.sell_price_mct_per_kwh += 1);
            assert!(matches!(price, Err(FlowError::Deficit { .. })));
        }
        assert!(matches!(round_flows(&grid, &outcome, &totals[1..]), Err(FlowError::Totals { .. })));
    }
}
