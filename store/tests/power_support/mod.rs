//! Power failures on recordings of processes.
#![allow(dead_code, reason = "each test file uses a part")]

pub mod dice;
pub mod disk;
pub mod trace;

use dice::Dice;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// How many disks of each recording are tried.
pub fn cuts() -> u64 {
    number("VEILGRID_CUTS", 50)
}

/// How many whole networks are started on worst disks.
pub fn restarts() -> u64 {
    number("VEILGRID_CUTS_RESTARTS", 1)
}

/// A folder for worst disks, in memory where there is some: none of them has to last, and whoever opens a store waits for the
/// disk a hundred times.
pub fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

/// The dice of one of many parts.
pub fn dice(of: u64) -> Dice {
    Dice(number("VEILGRID_CUTS_SEED", 1).wrapping_mul(1 << 32).wrapping_add(of))
}
