//! The small market of these tests, and a book that trades on it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use veilgrid_ledger::capacity::CapacityClasses;
use veilgrid_ledger::params::MarketParams;
use veilgrid_ledger::timing::RoundTiming;
use veilgrid_market::{Grid, Rule};

/// Length of a slot.
pub const SLOT_SECONDS: u32 = 900;

/// Sells at the ticks 0 and 1, buys at 2 and 1 (step 2j sells at tick j, step 2j + 1 buys): tick 1 is marginal.
pub const BOOK: [[u64; 8]; 4] = [
    [40, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 30, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 50, 0, 0],
    [0, 0, 0, 7, 0, 0, 0, 0],
];

/// Four prices from 10 ct/kWh on, one price for everybody, rounds of these times.
pub fn params(timing: RoundTiming, threshold: u16) -> MarketParams {
    MarketParams {
        grid: Grid::new(10_000, 1_000, 4).expect("grid"),
        bits: 8,
        rule: Rule::Uniform,
        open_volume: true,
        min_bidders: 2,
        max_members: 16,
        slot_seconds: SLOT_SECONDS,
        threshold,
        timing,
        capacity_classes: CapacityClasses::of_connections(SLOT_SECONDS),
        money: None,
    }
}
