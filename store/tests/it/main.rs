//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

#[path = "../common/mod.rs"]
mod common;

mod damage;
mod intake;
mod prune;
mod saved;
mod store;
mod verified;
