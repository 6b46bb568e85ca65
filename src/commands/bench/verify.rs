//! `bench verify`: our batch beside the crate's `verify_multiple` one by one, over the same number of values.

use super::BenchSize;
use super::prepared;
use super::report::Report;
use super::units;
use super::world::World;
use crate::failure::Failure;
use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::time::Instant;
use veilgrid_crypto::bid::{SealedBid, verify_bids};
use veilgrid_crypto::group::{blinding_base, value_base};

/// Runs of the batch; the median counts.
const RUNS: usize = 5;
/// Largest aggregation that the crate is timed for; beyond it one proof takes minutes.
const CRATE_STEPS: usize = 1024;

/// Runs the bench.
///
/// # Errors
/// As the world and the prepared bids.
pub fn run(size: &BenchSize) -> Result<Report, Failure> {
    let world = World::new(size)?;
    let known = prepared::bids(&world, size)?;
    let distinct = known.len().min(size.bids);
    let bids: Vec<SealedBid> = (0..size.bids).map(|i| known[i % distinct].bid.clone()).collect();
    let mut times = Vec::with_capacity(RUNS);
    let mut crate_times = Vec::with_capacity(RUNS);
    let crate_verifier = (world.params.steps() <= CRATE_STEPS).then(|| CrateProof::new(&world));
    // In turn, so that both see the same machine.
    for _ in 0..RUNS {
        let start = Instant::now();
        let verdicts = verify_bids(&world.params, &world.round, &bids);
        times.push(start.elapsed().as_secs_f64());
        if let Some(fault) = verdicts.into_iter().find_map(Result::err) {
            return Err(Failure::Input(format!("a prepared bid does not verify: {fault}")));
        }
        crate_times.extend(crate_verifier.as_ref().map(CrateProof::verify_s));
    }
    let batch_s = middle(&mut times);
    let invalid_ratio =
        (size.invalid > 0).then(|| with_invalid_s(&world, bids.clone(), size.invalid) / batch_s);
    let per_bid_ms_batch = batch_s * 1e3 / bids.len() as f64;
    let per_bid_ms_single = crate_verifier.map(|_| middle(&mut crate_times) * 1e3);
    let shape = world.params.shape();
    let own = (10 + 2 * shape.pairs() + shape.steps) as f64;
    let shared = (3 + shape.steps + 2 * shape.steps * shape.bits as usize) as f64 / bids.len() as f64;
    let (units, lanes) = units::measure((own as usize) * bids.len().min(256));
    let threads = rayon::current_num_threads() as f64;
    let floor_ms = units.floor_ms(own, shared) / threads;
    let lanes_floor_ms = lanes.map(|lanes| lanes.floor_ms(own, shared) / threads);
    Ok(Report {
        bench: "verify",
        bids: bids.len(),
        distinct,
        ticks: size.ticks,
        bits: size.bits,
        wall_s: batch_s,
        per_bid_ms_single,
        per_bid_ms_batch: Some(per_bid_ms_batch),
        ratio: per_bid_ms_single.map(|single| single / per_bid_ms_batch),
        points_per_bid: Some(own + shared),
        floor_ms_per_bid: Some(floor_ms),
        floor_ratio: Some(per_bid_ms_batch / floor_ms),
        invalid_ratio,
        lanes_floor_ms_per_bid: lanes_floor_ms,
        lanes_floor_ratio: lanes_floor_ms.map(|floor_ms| per_bid_ms_batch / floor_ms),
        lanes_decompress_us: lanes.map(|lanes| lanes.decompress_us),
        lanes_multiply_us: lanes.map(|lanes| lanes.multiply_us),
        decompress_us: Some(units.decompress_us),
        multiply_us: Some(units.multiply_us),
        proof_bytes: shape.proof_bytes(),
        bid_bytes: shape.bid_bytes(),
        ..Report::default()
    })
}

/// Seconds of a batch in which some bids, evenly spread, have two steps swapped. All culprits have to be found.
fn with_invalid_s(world: &World, mut bids: Vec<SealedBid>, invalid: usize) -> f64 {
    let (count, invalid) = (bids.len(), invalid.min(bids.len()));
    for culprit in 0..invalid {
        bids[(culprit * count + count / 2) / invalid % count].c.swap(0, 1);
    }
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let verdicts = verify_bids(&world.params, &world.round, &bids);
            let elapsed = start.elapsed().as_secs_f64();
            assert_eq!(verdicts.iter().filter(|verdict| verdict.is_err()).count(), invalid, "all culprits");
            elapsed
        })
        .collect();
    middle(&mut times)
}

fn middle(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A proof of the plain crate over as many values of the same width, and what its verifier needs.
pub struct CrateProof {
    generators: BulletproofGens,
    bases: PedersenGens,
    values: Vec<u64>,
    blindings: Vec<Scalar>,
    bits: usize,
    proof: RangeProof,
    commitments: Vec<CompressedRistretto>,
}

impl CrateProof {
    /// Proves once.
    pub fn new(world: &World) -> Self {
        let (steps, bits) = (world.params.steps(), world.params.bits() as usize);
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let generators = BulletproofGens::new(bits, steps);
        let bases = PedersenGens { B: value_base(), B_blinding: blinding_base() };
        let values = world.quantities(&mut rng);
        let blindings: Vec<Scalar> = (0..steps).map(|_| Scalar::random(&mut rng)).collect();
        let (proof, commitments) = prove(&generators, &bases, &values, &blindings, bits);
        Self { generators, bases, values, blindings, bits, proof, commitments }
    }

    /// Seconds of one verification on this thread.
    pub fn verify_s(&self) -> f64 {
        let start = Instant::now();
        let mut transcript = Transcript::new(b"bench");
        let verdict = self.proof.verify_multiple(
            &self.generators,
            &self.bases,
            &mut transcript,
            &self.commitments,
            self.bits,
        );
        let elapsed = start.elapsed().as_secs_f64();
        assert!(verdict.is_ok(), "the crate accepts its own proof");
        elapsed
    }

    /// Seconds of one proof on this thread.
    pub fn prove_s(&self) -> f64 {
        let start = Instant::now();
        std::hint::black_box(prove(&self.generators, &self.bases, &self.values, &self.blindings, self.bits));
        start.elapsed().as_secs_f64()
    }
}

fn prove(
    generators: &BulletproofGens,
    bases: &PedersenGens,
    values: &[u64],
    blindings: &[Scalar],
    bits: usize,
) -> (RangeProof, Vec<CompressedRistretto>) {
    let mut transcript = Transcript::new(b"bench");
    RangeProof::prove_multiple(generators, bases, &mut transcript, values, blindings, bits)
        .expect("the values fit their bits")
}
