//! Fuzz targets for every decoder of bytes from outside (`tests/`): true encodings, changed by a fuzzer.
//!
//! A decoder must not panic, must not allocate more than the bytes that are there justify, and whatever it accepts
//! must encode to the very same bytes.
//!
//! `cargo test` runs every target for a bounded number of cases. Longer, with new random cases each time:
//!
//! ```sh
//! BOLERO_RANDOM_ITERATIONS=1000000 cargo test --release -p veilgrid-fuzz
//! ```
//!
//! A failure prints the changes and a seed; `BOLERO_RANDOM_SEED=<seed>` runs that case again. With `cargo-bolero`
//! installed, `cargo bolero test -p veilgrid-fuzz <target>` lets libFuzzer choose the cases by coverage.

#[path = "../../ledger/tests/common/mod.rs"]
mod common;
pub mod edits;
pub mod network;
pub mod property;
pub mod samples;
#[path = "../../ledger/tests/common/network.rs"]
mod world;
