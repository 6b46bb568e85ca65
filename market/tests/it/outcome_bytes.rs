//! The canonical bytes of an outcome: both ways, and what is refused.

use crate::common::*;
use proptest::collection::vec;
use proptest::prelude::*;
use veilgrid_market::*;

/// Outcomes of every form on grids above zero, across it and below it.
fn outcomes() -> Vec<(Grid, Outcome)> {
    [1_000, -150, -1_000].into_iter().flat_map(outcomes_from).collect()
}

fn outcomes_from(price_min_mct_per_kwh: i64) -> Vec<(Grid, Outcome)> {
    let grid = Grid::new(price_min_mct_per_kwh, 100, 4).unwrap();
    // Demand long, supply long, balanced, no trade.
    let books: [[u64; 8]; 4] = [
        [3, 0, 4, 5, 0, 6, 0, 0],
        [3, 0, 9, 5, 0, 2, 0, 0],
        [3, 0, 0, 0, 0, 3, 0, 0],
        [0, 3, 0, 0, 0, 0, 2, 0],
    ];
    let mut all = Vec::new();
    for (rule, totals) in RULES.into_iter().flat_map(|rule| books.map(|totals| (rule, totals))) {
        for open_volume in [true, false] {
            all.push((grid, clear_plain(&grid, rule, open_volume, &totals).unwrap().outcome));
        }
    }
    all
}

#[test]
fn bytes_round_trip() {
    let all = outcomes();
    for kind in [Rationed::None, Rationed::Demand, Rationed::Supply] {
        assert!(all.iter().any(|(_, outcome)| outcome.trade.is_some_and(|trade| trade.rationed == kind)));
    }
    for (grid, outcome) in all {
        let bytes = outcome.to_bytes();
        assert_eq!(Outcome::from_bytes(&bytes), Ok(outcome));
        assert_eq!(outcome.check_on(&grid), Ok(()));
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
    }
}

/// A price below zero is two's complement, like every other signed number of the protocol.
#[test]
fn bytes_of_prices_below_zero_are_pinned() {
    let grid = Grid::new(-2, 2, 2).unwrap();
    let outcome = clear_plain(&grid, Rule::Uniform, true, &[3, 2, 0, 0]).unwrap().outcome;
    assert_eq!(outcome.trade.unwrap().buy_price_mct_per_kwh, -2);
    let bytes = outcome.to_bytes();
    for price in bytes[10..42].chunks(8) {
        assert_eq!(price, [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
    assert_eq!(Outcome::from_bytes(&bytes), Ok(outcome));
}

/// The form is fixed: an approved change of it changes these bytes.
#[test]
fn bytes_are_pinned() {
    let trade = Trade {
        buy_price_mct_per_kwh: 0x0102,
        sell_price_mct_per_kwh: 0x0102,
        price_low_mct_per_kwh: 0x0102,
        price_high_mct_per_kwh: 0x0102,
        lowest_buy_tick: 7,
        highest_sell_tick: 7,
        rationed: Rationed::Supply,
        fraction_q16: 0x8001,
        rest_q16: 0x0304,
    };
    let bytes = Outcome { rule: Rule::Uniform, trade: Some(trade), volume_wh: Some(0x0506) }.to_bytes();
    let mut expected = vec![0, 3, 6, 5, 0, 0, 0, 0, 0, 0];
    for _ in 0..4 {
        expected.extend([2, 1, 0, 0, 0, 0, 0, 0]);
    }
    expected.extend([7, 0, 0, 0, 7, 0, 0, 0, 2, 1, 0x80, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0]);
    assert_eq!(bytes, expected);
    let none = Outcome { rule: Rule::TradeReduction, trade: None, volume_wh: Some(0) };
    assert_eq!(none.to_bytes(), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn wrong_lengths_are_refused() {
    for (_, outcome) in outcomes() {
        let bytes = outcome.to_bytes();
        for length in 0..bytes.len() {
            assert!(matches!(Outcome::from_bytes(&bytes[..length]), Err(OutcomeError::Length { .. })));
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(Outcome::from_bytes(&longer), Err(OutcomeError::Length { .. })));
    }
}

/// A changed byte is refused, or it is another outcome with exactly these bytes: never the same one.
#[test]
fn no_second_encoding_of_an_outcome() {
    for (grid, outcome) in outcomes() {
        let bytes = outcome.to_bytes();
        for (at, bit) in (0..bytes.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            if let Ok(other) = Outcome::from_bytes(&changed) {
                assert_ne!(other, outcome);
                assert_eq!(other.to_bytes(), changed);
                // Prices and ticks hold each other on a known grid.
                let touched = other
                    .trade
                    .map(|trade| (trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh))
                    != outcome.trade.map(|trade| (trade.price_low_mct_per_kwh, trade.price_high_mct_per_kwh));
                assert!(!touched || other.check_on(&grid).is_err());
            }
        }
    }
}

#[test]
fn terms_that_no_clearing_produces_are_refused() {
    let all = outcomes();
    let uniform = all.iter().find(|(_, outcome)| outcome.trade.is_some_and(|t| t.rationed != Rationed::None));
    let reduced = all.iter().find(|(_, outcome)| outcome.excluded_ticks().is_some());
    let field = |outcome: Outcome| match Outcome::from_bytes(&outcome.to_bytes()) {
        Err(OutcomeError::Field { field, .. }) => field,
        other => panic!("accepted: {other:?}"),
    };
    let changed = |outcome: Outcome, change: fn(&mut Trade)| {
        let mut trade = outcome.trade.unwrap();
        change(&mut trade);
        field(Outcome { trade: Some(trade), ..outcome })
    };
    let (_, uniform) = *uniform.unwrap();
    assert_eq!(changed(uniform, |t| t.fraction_q16 = 65_536), "fraction");
    assert_eq!(changed(uniform, |t| t.rationed = Rationed::None), "fraction");
    assert_eq!(
        changed(uniform, |t| (t.rationed, t.fraction_q16, t.rest_q16) = (Rationed::None, 65_536, 1)),
        "rest"
    );
    assert_eq!(changed(uniform, |t| t.rest_q16 = u64::MAX), "rest");
    assert_eq!(changed(uniform, |t| t.buy_price_mct_per_kwh += 1), "price");
    assert_eq!(changed(uniform, |t| t.price_low_mct_per_kwh = i64::MAX), "price interval");
    assert_eq!(changed(uniform, |t| t.price_low_mct_per_kwh = -MAX_PRICE_MCT_PER_KWH - 1), "price interval");
    assert_eq!(changed(uniform, |t| t.price_low_mct_per_kwh = i64::MIN), "price interval");
    assert_eq!(changed(uniform, |t| t.lowest_buy_tick += 1), "ticks");
    assert_eq!(changed(uniform, |t| t.lowest_buy_tick = 4_096), "ticks");
    assert_eq!(field(Outcome { volume_wh: Some(0), ..uniform }), "volume");
    assert_eq!(field(Outcome { volume_wh: Some(u64::MAX), ..uniform }), "volume");
    assert_eq!(field(Outcome { trade: None, ..uniform }), "volume");
    assert_eq!(field(Outcome { trade: None, volume_wh: None, ..uniform }), "volume");
    let (grid, reduced) = *reduced.unwrap();
    assert_eq!(field(Outcome { volume_wh: None, ..reduced }), "volume");
    assert_eq!(changed(reduced, |t| t.sell_price_mct_per_kwh += 1), "price");
    assert_eq!(changed(reduced, |t| t.lowest_buy_tick = t.highest_sell_tick + 1), "ticks");
    let coarser = Grid::new(1_000, 200, 4).unwrap();
    assert!(reduced.check_on(&grid).is_ok() && reduced.check_on(&coarser).is_err());
    // A tick above the grid, with the top price that a tick beyond it would be given.
    let (_, balanced) = *all.iter().find(|(_, o)| o.traded() && o.marginal_tick().is_none()).unwrap();
    let mut trade = balanced.trade.unwrap();
    (trade.lowest_buy_tick, trade.price_high_mct_per_kwh) = (grid.ticks(), grid.price_max_mct_per_kwh());
    trade.buy_price_mct_per_kwh = trade.price_low_mct_per_kwh.midpoint(trade.price_high_mct_per_kwh);
    trade.sell_price_mct_per_kwh = trade.buy_price_mct_per_kwh;
    let above = Outcome { trade: Some(trade), ..balanced };
    assert_eq!(above.check(), Ok(()));
    assert!(matches!(above.check_on(&grid), Err(OutcomeError::Field { field: "ticks", .. })));
    assert!(matches!(Outcome::from_bytes(&[2, 1]), Err(OutcomeError::Code { field: "rule", .. })));
    assert!(matches!(Outcome::from_bytes(&[0, 4]), Err(OutcomeError::Code { field: "flags", .. })));
}

proptest! {
    #[test]
    fn decoding_is_canonical(bytes in vec(any::<u8>(), 0..80), rule in 0u8..3, flags in 0u8..5) {
        let framed = [&[rule, flags], &bytes[..]].concat();
        for input in [bytes, framed] {
            if let Ok(outcome) = Outcome::from_bytes(&input) {
                prop_assert_eq!(outcome.to_bytes(), input);
            }
        }
    }
}
