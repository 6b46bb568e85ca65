//! Adding a verified bid to the running sums, the weighted sum of an opening, and a member's settlement point.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

#[path = "../tests/support/mod.rs"]
mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::Market;
use veilgrid_crypto::bid::verify_bids;
use veilgrid_crypto::tally::{Tally, settlement_point};

fn tally(c: &mut Criterion) {
    for steps in [64, 128] {
        let mut market = Market::new(16, steps);
        let bid = market.bid();
        let verified = verify_bids(&market.params, &market.round, &[bid]).remove(0).expect("valid");
        let mut tally = Tally::new(steps);
        // Three values, as in a clearing with one rationed step: filled sells, filled buys, one fraction.
        let mut weights: Vec<i64> = (0..steps).map(|k| if k % 2 == 0 { -65536 } else { 65536 }).collect();
        weights[steps / 2] = 23_456;
        let mut group = c.benchmark_group(format!("tally/steps_{steps}"));
        group.bench_function("add", |b| b.iter(|| tally.add(&verified)));
        group.bench_function("weighted_sum", |b| b.iter(|| tally.weighted_sum(&weights)));
        group.bench_function("settlement_point", |b| b.iter(|| settlement_point(&verified, &weights)));
        group.finish();
    }
}

criterion_group!(benches, tally);
criterion_main!(benches);
