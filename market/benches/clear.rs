//! Time of a whole clearing in the clear (every opening replayed) and of reading a book.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use std::fmt::Write;
use std::hint::black_box;
use veilgrid_market::{Grid, Rule, clear_plain, parse_book};

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

criterion_group!(benches, clear, parse);
criterion_main!(benches);
