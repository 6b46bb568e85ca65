//! A validator's secrets over the life of a ledger: key sessions, openings, restarts, false and silent validators.

#[path = "../common/mod.rs"]
mod common;
mod openings;
mod proposer;
mod restarts;
mod sessions;
mod world;
