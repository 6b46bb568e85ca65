//! Verifying a batch of bids, with and without a culprit, on all cores and on one.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

mod support;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;
use support::Market;
use veilgrid_crypto::bid::{RoundContext, SealedBid, Statement, verify_bids, verify_statements};

fn verify(c: &mut Criterion) {
    for (bits, steps) in [(16, 64), (16, 128)] {
        let market = Market::new(bits, steps);
        let all = market.bids(256);
        let one_thread = ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
        let mut group = c.benchmark_group(format!("verify_bids/bits_{bits}_steps_{steps}"));
        group.sample_size(10);
        for count in [1, 16, 256] {
            group.throughput(Throughput::Elements(count as u64));
            let honest = &all[..count];
            group.bench_function(format!("bids_{count}"), |b| {
                b.iter(|| verify_bids(&market.params, &market.round, honest));
            });
            group.bench_function(format!("bids_{count}_one_thread"), |b| {
                b.iter(|| one_thread.install(|| verify_bids(&market.params, &market.round, honest)));
            });
            let mut with_culprit = honest.to_vec();
            with_culprit[count / 3].note[0] ^= 1;
            group.bench_function(format!("bids_{count}_one_culprit"), |b| {
                b.iter(|| verify_bids(&market.params, &market.round, &with_culprit));
            });
        }
        group.finish();
    }
}

/// Bids of many rounds, a few each: in one batch, as an audit verifies them, and round by round.
fn rounds(c: &mut Criterion) {
    const ROUNDS: u64 = 16;
    const BIDS: usize = 8;
    let mut market = Market::new(16, 128);
    let rounds: Vec<(RoundContext, Vec<SealedBid>)> = (1..=ROUNDS)
        .map(|round_id| {
            market.round.round_id = round_id;
            (market.round, market.bids(BIDS))
        })
        .collect();
    let statements: Vec<Statement> = rounds
        .iter()
        .flat_map(|(round, bids)| bids.iter().map(move |bid| Statement { round, bid, terms: None }))
        .collect();
    let mut group = c.benchmark_group("verify_bids_of_rounds/bits_16_steps_128");
    group.sample_size(10).throughput(Throughput::Elements(statements.len() as u64));
    group.bench_function("one_batch", |b| b.iter(|| verify_statements(&market.params, &statements)));
    group.bench_function("round_by_round", |b| {
        b.iter(|| -> usize {
            rounds.iter().map(|(round, bids)| verify_bids(&market.params, round, bids).len()).sum()
        });
    });
    group.finish();
}

criterion_group!(benches, verify, rounds);
criterion_main!(benches);
