//! What each role of a market does, as pure code: values in, values out, random source and time passed in.
//!
//! The actors are a thin shell around this crate and the deterministic simulation runs the same code without them.
//! A role never talks to another one here; it takes what it received and returns what it would send.
//!
//! - [`member`]: a participant's wallet, bids and fills.
//! - [`committee`]: validators that agree in one process, with the votes and certificates of a network.
//! - [`core`]: one validator as the consensus engine sees it: replica, key holder and journal.
//! - [`intake`]: the aggregator.
//! - [`keyholder`]: a validator's secrets: key sessions over the ledger, opening shares.
//! - [`proposer`]: the transactions that can follow.
//! - [`replica`]: a validator of a network between consensus engine and ledger: proposals, votes, pool, gossip.
//! - [`own_votes`], [`clocks`]: whether votes under its key are its own, and whose clock is wrong.
//! - [`local`]: all of it in one thread, for one round from a file, for tests and for benches.
#![forbid(unsafe_code)]

mod bidder;
pub mod clocks;
pub mod committee;
pub mod core;
pub mod intake;
pub mod keyholder;
pub mod local;
pub mod member;
pub mod own_votes;
pub mod proposer;
pub mod replica;
