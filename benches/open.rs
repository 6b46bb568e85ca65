//! What an opening costs: a validator's share, its check, the combination, and the small logarithm.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use criterion::{Criterion, criterion_group, criterion_main};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::hint::black_box;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::group::{scalar_from_i64, value_base};
use veilgrid_crypto::keygen::{
    DealerPackage, DealtShares, KeyGenContext, KeyShares, ThresholdKeys, deal, public_keys, receive,
};
use veilgrid_crypto::opening::{OpeningContext, combine, release_share, verify_share};
use veilgrid_crypto::schnorr::{SigningKey, VerifyingKey};

const CTX: OpeningContext =
    OpeningContext { ledger_id: [1; 32], round_id: 1, opening_index: 0, bid_set: [2; 32] };

struct Session {
    ctx: KeyGenContext,
    signers: Vec<SigningKey>,
    dealers: Vec<VerifyingKey>,
    packages: Vec<DealerPackage>,
    dealt: Vec<Vec<DealtShares>>,
}

impl Session {
    fn new(validators: u16, threshold: u16, keys: u32) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let ctx = KeyGenContext { ledger_id: [1; 32], session: 1, validators, threshold, keys };
        let signers: Vec<_> = (0..validators).map(|_| SigningKey::generate(&mut rng)).collect();
        let dealers = signers.iter().map(SigningKey::verifying_key).collect();
        let dealing = (1u16..).zip(&signers);
        let (packages, dealt) = dealing.map(|(d, key)| deal(&ctx, key, d, &mut rng).expect("dealt")).unzip();
        Self { ctx, signers, dealers, packages, dealt }
    }

    fn public(&self) -> ThresholdKeys {
        public_keys(&self.ctx, &self.packages, &self.dealers).expect("an honest session")
    }

    fn receive(&self, me: u16) -> KeyShares {
        let sent: Vec<_> = self.dealt.iter().map(|d| d[usize::from(me) - 1].clone()).collect();
        receive(&self.ctx, &self.packages, &sent, me).expect("honest shares")
    }
}

fn keygen(c: &mut Criterion) {
    let mut group = c.benchmark_group("keygen");
    group.sample_size(10);
    for (n, t, keys) in [(4u16, 3u16, 128u32), (16, 11, 128)] {
        let session = Session::new(n, t, keys);
        let name = format!("{keys} keys, {t} of {n}");
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        group.bench_function(format!("deal, {name}"), |b| {
            b.iter(|| deal(&session.ctx, &session.signers[0], 1, &mut rng));
        });
        group.bench_function(format!("public keys, {name}"), |b| b.iter(|| session.public()));
        group.bench_function(format!("receive, {name}"), |b| b.iter(|| session.receive(1)));
    }
    group.finish();
}

fn opening(c: &mut Criterion) {
    let mut group = c.benchmark_group("opening");
    for (n, t) in [(4u16, 3u16), (16, 11)] {
        for steps in [64u32, 128] {
            let session = Session::new(n, t, steps);
            let public = session.public();
            let shares: Vec<KeyShares> = (1..=t).map(|i| session.receive(i)).collect();
            let weights: Vec<i64> =
                (0..i64::from(steps)).map(|k| if k % 2 == 0 { 1 } else { -65_536 }).collect();
            let mut rng = ChaCha20Rng::seed_from_u64(3);
            let r_total = &Scalar::random(&mut rng) * RISTRETTO_BASEPOINT_TABLE;
            let released: Vec<_> = shares
                .iter()
                .map(|s| release_share(&CTX, &weights, s, &public, &r_total, &mut rng).expect("released"))
                .collect();
            let check = |share| verify_share(&CTX, &weights, &public, &r_total, share).expect("honest");
            let verified: Vec<_> = released.iter().map(check).collect();
            let c_sum = RistrettoPoint::random(&mut rng);
            let name = format!("{steps} steps, {t} of {n}");
            group.bench_function(format!("release_share, {name}"), |b| {
                b.iter(|| release_share(&CTX, &weights, &shares[0], &public, &r_total, &mut rng));
            });
            group.bench_function(format!("verify_share, {name}"), |b| b.iter(|| check(&released[0])));
            group.bench_function(format!("combine, {name}"), |b| {
                b.iter(|| combine(&public, &verified, &c_sum))
            });
        }
    }
    group.finish();
}

fn small_log(c: &mut Criterion) {
    let mut group = c.benchmark_group("small log");
    group.sample_size(10);
    for bits in [23u32, 32, 40] {
        let bound = 1u64 << bits;
        group.bench_function(format!("set up, bound 2^{bits}"), |b| {
            b.iter(|| SmallLog::new(black_box(bound)))
        });
        let log = SmallLog::new(bound);
        let half = scalar_from_i64(-(1 << (bits - 1))) * value_base();
        group.bench_function(format!("solve -2^{}, bound 2^{bits}", bits - 1), |b| {
            b.iter(|| log.solve(&half))
        });
    }
    group.finish();
}

criterion_group!(benches, keygen, opening, small_log);
criterion_main!(benches);
