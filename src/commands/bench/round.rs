//! `bench round`: from received bytes to the cleared result, in memory.
//!
//! Bids are verified and added as they arrive, in batches; at the close nothing is left to verify. Repeated bids are
//! decoded, verified and added like any other: nothing is remembered between them.

use super::BenchSize;
use super::prepared;
use super::report::Report;
use super::world::{KnownBid, THRESHOLD, World};
use crate::failure::Failure;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::time::Instant;
use veilgrid_crypto::bid::{SealedBid, verify_bids};
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_crypto::opening::{OpeningContext, check_value, combine, release_share, verify_share};
use veilgrid_crypto::tally::Tally;
use veilgrid_market::{Next, Outcome, Rule, clear_plain, next_step};

/// Bids that are verified together.
const BATCH: usize = 256;

/// Runs the bench.
///
/// # Errors
/// As the world and the prepared bids; a result that differs from the plaintext clearing.
pub fn run(size: &BenchSize) -> Result<Report, Failure> {
    let world = World::new(size)?;
    let known = prepared::bids(&world, size)?;
    let distinct = known.len().min(size.bids);
    let received: Vec<Vec<u8>> = known.iter().take(distinct).map(|known| known.bid.to_bytes()).collect();
    let shape = world.params.shape();
    let largest = u64::MAX >> (64 - size.bits);
    let bound = (size.bids as u64).saturating_mul(8).saturating_mul(largest);
    let log = SmallLog::for_fast_answers(bound);

    // Threads, allocator and tables are warm in a running aggregator.
    let warm: Vec<SealedBid> = known.iter().take(8).map(|known| known.bid.clone()).collect();
    verify_bids(&world.params, &world.round, &warm);

    let start = Instant::now();
    let mut tally = Tally::new(world.params.steps());
    for first in (0..size.bids).step_by(BATCH) {
        let batch = first..(first + BATCH).min(size.bids);
        let bids: Vec<SealedBid> = batch
            .map(|i| SealedBid::from_bytes(&received[i % distinct], shape))
            .collect::<Result<_, _>>()
            .map_err(Failure::input)?;
        for verdict in verify_bids(&world.params, &world.round, &bids) {
            tally.add(&verdict.map_err(Failure::input)?);
        }
    }
    let closed = Instant::now();
    let (outcome, openings) = clear(&world, &tally, &log)?;
    let (wall_s, close_s) = (start.elapsed().as_secs_f64(), closed.elapsed().as_secs_f64());
    compare(&world, &known[..distinct], size.bids, &outcome)?;
    Ok(Report {
        bench: "round",
        bids: size.bids,
        distinct,
        ticks: size.ticks,
        bits: size.bits,
        wall_s,
        per_bid_ms_batch: Some((wall_s - close_s) * 1e3 / size.bids as f64),
        close_to_cleared_ms: Some(close_s * 1e3),
        openings: Some(openings),
        proof_bytes: shape.proof_bytes(),
        bid_bytes: shape.bid_bytes(),
        ..Report::default()
    })
}

/// The openings one after another: shares of three validators, checked, combined, solved; then the outcome.
fn clear(world: &World, tally: &Tally, log: &SmallLog) -> Result<(Outcome, usize), Failure> {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let r_total = tally.r_total();
    let mut opened_wh = Vec::new();
    loop {
        let request = match next_step(&world.grid, Rule::Uniform, true, &opened_wh).map_err(Failure::input)? {
            Next::Open(request) => request,
            Next::Done(outcome) => return Ok((outcome, opened_wh.len())),
        };
        let weights = request.weights(&world.grid);
        let context = OpeningContext {
            ledger_id: world.round.ledger_id,
            round_id: world.round.round_id,
            opening_index: u32::try_from(opened_wh.len()).map_err(Failure::input)?,
            bid_set: tally.bid_set(),
        };
        let mut shares = Vec::with_capacity(THRESHOLD.into());
        for key_shares in world.shares.iter().take(THRESHOLD.into()) {
            let share = release_share(&context, &weights, key_shares, &world.keys, &r_total, &mut rng)
                .map_err(Failure::input)?;
            let checked = verify_share(&context, &weights, &world.keys, &r_total, &share);
            shares.push(checked.map_err(Failure::input)?);
        }
        let opened = combine(&world.keys, &shares, &tally.weighted_sum(&weights)).map_err(Failure::input)?;
        let value_wh = log.solve(&opened).ok_or_else(|| Failure::Input("a sum has no value".to_owned()))?;
        if !check_value(&opened, value_wh) {
            return Err(Failure::Input("a value does not match its point".to_owned()));
        }
        opened_wh.push(value_wh);
    }
}

/// The sealed result has to be the plaintext one.
fn compare(world: &World, known: &[KnownBid], bids: usize, outcome: &Outcome) -> Result<(), Failure> {
    let mut totals_wh = vec![0u64; world.grid.steps()];
    for i in 0..bids {
        for (total, quantity_wh) in totals_wh.iter_mut().zip(&known[i % known.len()].quantities_wh) {
            *total += quantity_wh;
        }
    }
    let plain = clear_plain(&world.grid, Rule::Uniform, true, &totals_wh).map_err(Failure::input)?;
    if plain.outcome == *outcome {
        Ok(())
    } else {
        Err(Failure::Audit("the sealed result differs from the plaintext clearing".to_owned()))
    }
}
