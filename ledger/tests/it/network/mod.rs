//! Rounds of a network's ledger: by block time and blocks, with refusals that are recorded.

mod openings;
mod passed;
mod times;
mod whole;
