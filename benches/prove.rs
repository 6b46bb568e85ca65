//! Sealing one bid: vector, proof, note and signature.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod support;

use criterion::{Criterion, criterion_group, criterion_main};
use support::Market;
use veilgrid_crypto::bid::seal_bid;

fn seal(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal_bid");
    group.sample_size(10);
    for (bits, steps) in [(16, 16), (16, 64), (16, 128), (32, 64)] {
        let mut market = Market::new(bits, steps);
        let (keyring, quantities) = (market.keyring(), market.quantities());
        // The first bid builds the tables of the step keys.
        market.bid(0);
        group.bench_function(format!("bits_{bits}_steps_{steps}"), |b| {
            b.iter(|| {
                seal_bid(&market.params, &market.round, &keyring, &quantities, &mut market.rng)
                    .expect("sealable")
            });
        });
    }
    group.finish();
}

criterion_group!(benches, seal);
criterion_main!(benches);
