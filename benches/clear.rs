//! Reading a book, a whole clearing in the clear (every opening replayed), and the settlement points of its bids.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::fmt::Write;
use std::hint::black_box;
use support::Market;
use veilgrid_crypto::tally::{settlement_point, settlement_point_holds};
use veilgrid_market::{Grid, Rule, clear_plain, fill_weights, parse_book};

/// Bids of the round whose settlement is timed.
const BIDS: usize = 16;

/// Totals that fall with the price on the buying and rise on the selling side, without randomness.
fn totals(ticks: u32) -> Vec<u64> {
    (0..u64::from(ticks)).flat_map(|tick| [1 + tick * 7919 % 997, 1 + tick * 104_729 % 991]).collect()
}

fn clear(c: &mut Criterion) {
    let mut group = c.benchmark_group("clear_plain");
    for ticks in [64, 256, 4096] {
        let (grid, totals) = (Grid::new(0, 10, ticks).expect("grid"), totals(ticks));
        for (rule, name) in [(Rule::Uniform, "uniform"), (Rule::TradeReduction, "trade_reduction")] {
            group.bench_with_input(BenchmarkId::new(name, ticks), &ticks, |b, _| {
                b.iter(|| clear_plain(&grid, rule, true, black_box(&totals)).expect("cleared"));
            });
        }
    }
    group.finish();
}

fn parse(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse_book");
    for orders in [100, 10_000] {
        let mut text = "id,side,price_ct_per_kwh,quantity_kwh\n".to_owned();
        for id in 0..orders {
            let side = if id % 2 == 0 { "buy" } else { "sell" };
            writeln!(text, "o{id},{side},{}.25,1.{:03}", id % 40, id % 1000).expect("a string grows");
        }
        group.bench_with_input(BenchmarkId::from_parameter(orders), &text, |b, text| {
            b.iter(|| parse_book(black_box(text.as_bytes())).expect("book"));
        });
    }
    group.finish();
}

/// What a round's settlement costs: everybody's point, by whoever executes the block, and one owner's check.
fn settle(c: &mut Criterion) {
    let mut group = c.benchmark_group("settlement_points");
    group.sample_size(10);
    for ticks in [32u32, 64] {
        let grid = Grid::new(0, 10, ticks).expect("grid");
        let outcome = clear_plain(&grid, Rule::Uniform, true, &totals(ticks)).expect("cleared").outcome;
        let weights = fill_weights(&grid, &outcome);
        let market = Market::new(16, grid.steps());
        let (bids, steps) = (market.verified(BIDS), grid.steps());
        group.throughput(Throughput::Elements(BIDS as u64));
        group.bench_function(format!("steps_{steps}_bids_{BIDS}"), |b| {
            b.iter(|| bids.iter().map(|bid| settlement_point(bid, &weights)).collect::<Vec<_>>());
        });
        let view = market.keyring_of(0).round_view_key(market.round.key_epoch, market.round.round_id);
        let (r, point) = (view.randomness(&market.bid(0).salt), settlement_point(&bids[0], &weights));
        group.throughput(Throughput::Elements(1));
        group.bench_function(format!("steps_{steps}_owners_check"), |b| {
            b.iter(|| settlement_point_holds(&market.params, &r, &weights, 0, &point));
        });
        // Member 0 bids zero everywhere, and bids do not depend on the random source but in their proofs.
        assert!(settlement_point_holds(&market.params, &r, &weights, 0, &point), "the check is a true one");
    }
    group.finish();
}

criterion_group!(benches, parse, clear, settle);
criterion_main!(benches);
