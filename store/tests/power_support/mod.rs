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

/// The dice of one of many parts.
pub fn dice(of: u64) -> Dice {
    Dice(number("VEILGRID_CUTS_SEED", 1).wrapping_mul(1 << 32).wrapping_add(of))
}
