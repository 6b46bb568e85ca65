//! Adding a verified bid to the running sums, and the weighted sum of an opening.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::Market;
use veilgrid_crypto::tally::Tally;

fn tally(c: &mut Criterion) {
    for steps in [64, 128] {
        let verified = Market::new(16, steps).verified(1).remove(0);
        let mut tally = Tally::new(steps);
        // Three values, as in a clearing with one rationed step: filled sells, filled buys, one fraction.
        let mut weights: Vec<i64> = (0..steps).map(|k| if k % 2 == 0 { -65536 } else { 65536 }).collect();
        weights[steps / 2] = 23_456;
        let mut group = c.benchmark_group(format!("tally/steps_{steps}"));
        group.bench_function("add", |b| b.iter(|| tally.add(&verified)));
        group.bench_function("weighted_sum", |b| b.iter(|| tally.weighted_sum(&weights)));
        group.finish();
    }
}

criterion_group!(benches, tally);
criterion_main!(benches);
