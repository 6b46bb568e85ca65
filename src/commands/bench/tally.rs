//! `bench tally`: adding verified bids to the running sums.

use super::BenchSize;
use super::prepared;
use super::report::Report;
use super::world::World;
use crate::failure::Failure;
use std::time::Instant;
use veilgrid_crypto::bid::{SealedBid, verify_bids};
use veilgrid_crypto::tally::Tally;

/// Runs the bench.
///
/// # Errors
/// As the world and the prepared bids.
pub fn run(size: &BenchSize) -> Result<Report, Failure> {
    let world = World::new(size)?;
    let known = prepared::bids(&world, size)?;
    let distinct = known.len().min(size.bids);
    let bids: Vec<SealedBid> = known.iter().take(distinct).map(|known| known.bid.clone()).collect();
    let verified: Vec<_> = verify_bids(&world.params, &world.round, &bids)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(Failure::input)?;
    let mut tally = Tally::new(world.params.steps());
    let start = Instant::now();
    for i in 0..size.bids {
        tally.add(&verified[i % distinct]);
    }
    let wall_s = start.elapsed().as_secs_f64();
    std::hint::black_box(tally.bid_set());
    let shape = world.params.shape();
    Ok(Report {
        bench: "tally",
        bids: size.bids,
        distinct,
        ticks: size.ticks,
        bits: size.bits,
        wall_s,
        per_bid_ms_batch: Some(wall_s * 1e3 / size.bids as f64),
        proof_bytes: shape.proof_bytes(),
        bid_bytes: shape.bid_bytes(),
        ..Report::default()
    })
}
