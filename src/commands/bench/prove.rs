//! `bench prove`: sealing a bid beside the crate's range prover for as many values of the same width.

use super::BenchSize;
use super::report::Report;
use super::verify::CrateProof;
use super::world::World;
use crate::failure::Failure;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::time::Instant;
use veilgrid_crypto::bid::seal_bid;
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};

/// Bids that are timed, at most.
const MOST_BIDS: usize = 16;

/// Runs the bench on one thread, the two provers in turn; medians.
///
/// # Errors
/// As the world.
pub fn run(size: &BenchSize) -> Result<Report, Failure> {
    let world = World::new(size)?;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut rng));
    let quantities_wh = world.quantities(&mut rng);
    let seal = |rng: &mut ChaCha20Rng| -> Result<f64, Failure> {
        let start = Instant::now();
        let bid =
            seal_bid(&world.params, &world.round, &keyring, &quantities_wh, rng).map_err(Failure::input)?;
        std::hint::black_box(bid);
        Ok(start.elapsed().as_secs_f64())
    };
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(Failure::input)?;
    // The first bid builds the tables of the step keys, which a member does once per market.
    one_thread.install(|| seal(&mut rng))?;
    let crate_prover = CrateProof::new(&world);
    let count = size.bids.min(MOST_BIDS);
    let (mut own, mut other) = (Vec::new(), Vec::new());
    let start = Instant::now();
    for _ in 0..count {
        own.push(one_thread.install(|| seal(&mut rng))?);
        other.push(crate_prover.prove_s());
    }
    let wall_s = start.elapsed().as_secs_f64();
    own.sort_by(f64::total_cmp);
    other.sort_by(f64::total_cmp);
    let (own_ms, other_ms) = (own[count / 2] * 1e3, other[count / 2] * 1e3);
    let shape = world.params.shape();
    Ok(Report {
        bench: "prove",
        bids: count,
        distinct: 1,
        ticks: size.ticks,
        bits: size.bits,
        wall_s,
        per_bid_ms_single: Some(other_ms),
        per_bid_ms_batch: Some(own_ms),
        ratio: Some(other_ms / own_ms),
        proof_bytes: shape.proof_bytes(),
        bid_bytes: shape.bid_bytes(),
        ..Report::default()
    })
}
