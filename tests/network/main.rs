//! A whole network of processes: the built program, real sockets, real files, real kills.
//!
//! The fast ones run with all other tests. The long ones are run by name:
//!
//! ```text
//! cargo test --release --features network --test network -- --ignored --nocapture chaos
//! cargo test --release --features network --test network -- --ignored --nocapture quorums
//! cargo test --release --features network --test network -- --ignored --nocapture pruned
//! VEILGRID_CUTS=1000 cargo test --release --features network --test network -- --nocapture power::
//! ```
//!
//! `VEILGRID_CHAOS_KILLS` (100), `VEILGRID_CHAOS_SEED` (of the time), `VEILGRID_CHAOS_VALIDATORS` (4) and
//! `VEILGRID_CHAOS_INTERVAL_S` (24) change the first one, `VEILGRID_QUORUMS` (`4,7,16`) the second one,
//! `VEILGRID_PRUNED_ROUNDS` (30), `VEILGRID_PRUNED_PARTICIPANTS` (20) and `VEILGRID_PRUNED_INTERVAL_S` (14) the third one.
#![allow(clippy::disallowed_types, reason = "tests of processes wait by the clock")]
#![cfg(unix)]

mod chaos;
mod checks;
mod delivery;
mod disk;
mod harness;
mod http;
mod kills;
mod lights;
mod membership;
mod money;
mod ports;
mod power;
mod pruned;
mod quorums;
mod registrar;
mod rounds;
mod stores;
mod strangers;
