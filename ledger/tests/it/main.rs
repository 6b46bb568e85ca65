//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

#[path = "../common/mod.rs"]
mod common;
#[path = "../conformance/mod.rs"]
mod conformance;
#[path = "../common/money.rs"]
mod purses;
#[path = "../common/signed.rs"]
mod signed;
#[path = "../common/story.rs"]
mod story;
#[path = "../common/network.rs"]
mod world;

mod blocks;
mod bytes;
mod export;
mod foresight;
mod members;
mod money;
mod money_audit;
mod money_rounds;
mod network;
mod network_audit;
mod network_blocks;
mod network_covered;
mod network_keys;
mod network_pruned;
mod network_receipts;
mod public;
mod refusals;
mod rounds;
mod saved;
mod tampering;
mod vectors;
