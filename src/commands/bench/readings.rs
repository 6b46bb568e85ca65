//! `bench readings`: days of readings beside as many bids of the market, in one run.

use super::BenchSize;
use super::audit::median;
use super::report::arithmetic_in_use;
use super::world::World;
use crate::failure::Failure;
use crate::output;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::scalar::Scalar;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use serde::Serialize;
use std::time::Instant;
use veilgrid_crypto::bid::{SealedBid, verify_all_bids};
use veilgrid_crypto::keyring::{Keyring, KeyringSeed};
use veilgrid_crypto::reading::{
    DayContext, DayHeader, DayParams, DaySource, DayStatement, Direction, Grade, ReadingKey, SealedDay,
    seal_day, verify_days,
};

/// Runs of each batch; the median counts.
const RUNS: usize = 9;
/// Slots of the longest day of a calendar, and of most days: quarter-hours.
const KEYS: usize = 100;
const SLOTS: u16 = 96;

/// What a run measured. Times are medians of runs in turn.
#[derive(Debug, Serialize)]
struct ReadingsReport {
    /// Which run.
    bench: &'static str,
    /// Days, and bids beside them.
    days: usize,
    slots: u16,
    ticks: u32,
    bits: u32,
    threads: usize,
    arithmetic: &'static str,
    day_bytes: usize,
    bid_bytes: usize,
    /// Sealing a day, wall-clock time of all over their number, ms.
    seal_ms: f64,
    /// Checking the batch of days and that of bids, seconds.
    days_s: f64,
    bids_s: f64,
    /// days / bids.
    ratio: f64,
    /// Checking a slot of a day, µs.
    per_slot_us: f64,
}

/// Runs the measurement.
///
/// # Errors
/// Sizes that no market can have.
pub(super) fn run(size: &BenchSize) -> Result<(), Failure> {
    let world = World::new(size)?;
    let bids: Vec<SealedBid> =
        world.prove(size.bids, size.json)?.into_iter().map(|known| known.bid).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let keys = (0..KEYS).map(|_| &Scalar::random(&mut rng) * RISTRETTO_BASEPOINT_TABLE).collect();
    let params = DayParams::new(size.bits, keys).map_err(Failure::input)?;
    let context = DayContext {
        ledger_id: [1; 32],
        key_epoch: 1,
        market: [2; 32],
        authority: [3; 32],
        day_start_unix_s: 1_793_142_000,
        slots: SLOTS,
        slot_seconds: 900,
    };
    // The first one builds the tables of the keys, which a source does once per market.
    seal(&params, &context, 0)?;
    let bar = output::progress(size.bids as u64, "sealing days", size.json);
    let start = Instant::now();
    let days: Vec<SealedDay> = (0..size.bids as u64)
        .into_par_iter()
        .map(|seed| seal(&params, &context, seed).inspect(|_| bar.inc(1)))
        .collect::<Result<_, Failure>>()?;
    let seal_ms = start.elapsed().as_secs_f64() * 1e3 / size.bids as f64;
    bar.finish_and_clear();
    let [days_s, bids_s] = measure(&world, &bids, &params, &context, &days)?;
    let slots = size.bids as f64 * f64::from(SLOTS);
    let report = ReadingsReport {
        bench: "readings",
        days: days.len(),
        slots: SLOTS,
        ticks: size.ticks,
        bits: size.bits,
        threads: rayon::current_num_threads(),
        arithmetic: arithmetic_in_use(),
        day_bytes: days[0].to_bytes().len(),
        bid_bytes: bids[0].to_bytes().len(),
        seal_ms,
        days_s,
        bids_s,
        ratio: days_s / bids_s,
        per_slot_us: days_s * 1e6 / slots,
    };
    if size.json { output::json(&report) } else { print(&report) }
}

/// A day of an account of its own, with readings of any size.
fn seal(params: &DayParams, context: &DayContext, seed: u64) -> Result<SealedDay, Failure> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let keyring = Keyring::from_seed(&KeyringSeed::generate(&mut rng));
    let account = keyring.account_key(1).verifying_key().to_bytes();
    let header = DayHeader::first(account, Direction::Consumption, vec![Grade::Measured; usize::from(SLOTS)]);
    let mask = u64::MAX >> (64 - params.bits());
    let readings_wh: Vec<u64> = (0..SLOTS).map(|_| rng.next_u64() & mask).collect();
    let source = DaySource::from_bytes([7; 32]);
    let wallet = ReadingKey::of(&keyring, 1).public();
    seal_day(params, context, header, &source, &wallet, &readings_wh, &mut rng).map_err(Failure::input)
}

/// Checks both batches in turn; the medians.
fn measure(
    world: &World,
    bids: &[SealedBid],
    params: &DayParams,
    context: &DayContext,
    days: &[SealedDay],
) -> Result<[f64; 2], Failure> {
    let statements: Vec<DayStatement<'_>> = days.iter().map(|day| DayStatement { context, day }).collect();
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..RUNS {
        let start = Instant::now();
        let all = verify_days(params, &statements).iter().all(Result::is_ok);
        times[0].push(start.elapsed().as_secs_f64());
        let start = Instant::now();
        let both = verify_all_bids(&world.params, &world.round, bids).is_some() && all;
        times[1].push(start.elapsed().as_secs_f64());
        if !both {
            return Err(Failure::Audit("an honest batch was refused".to_owned()));
        }
    }
    Ok(times.map(median))
}

fn print(report: &ReadingsReport) -> Result<(), Failure> {
    let mut table = output::table(&["measured", "value"]);
    for (name, value) in [
        ("days, and bids beside them", report.days.to_string()),
        ("slots of a day", report.slots.to_string()),
        ("bid", format!("{} ticks a side, {} bits", report.ticks, report.bits)),
        ("threads", report.threads.to_string()),
        ("arithmetic of public points", report.arithmetic.to_owned()),
        ("day, bytes", report.day_bytes.to_string()),
        ("bid, bytes", report.bid_bytes.to_string()),
        ("sealing a day, ms", format!("{:.2}", report.seal_ms)),
        ("checking the days, s", format!("{:.4}", report.days_s)),
        ("checking the bids, s", format!("{:.4}", report.bids_s)),
        ("days / bids", format!("{:.3}", report.ratio)),
        ("checking a slot, µs", format!("{:.2}", report.per_slot_us)),
    ] {
        table.add_row([name.to_owned(), value]);
    }
    output::line(table);
    Ok(())
}
