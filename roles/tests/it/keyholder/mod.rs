//! A validator's secrets over the life of a ledger: key sessions, openings, restarts, false and silent validators.

mod openings;
mod proposer;
mod restarts;
mod sessions;
mod world;
