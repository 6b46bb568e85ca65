//! Rounds of a network's ledger: by block time and blocks, with refusals that are recorded.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/network.rs"]
mod world;

mod openings;
mod passed;
mod times;
mod whole;
