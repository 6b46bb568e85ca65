//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

#[path = "../common/mod.rs"]
mod common;

mod core;
mod intake;
mod intake_network;
mod keyholder;
mod local;
mod money;
mod replica;
