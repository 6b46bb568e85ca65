//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

#[path = "../support/mod.rs"]
mod support;

mod bid_batch;
mod bid_money;
mod bid_note;
mod bid_signature;
mod bid_tamper;
mod bid_vectors;
mod bulletproofs_crate;
mod envelope;
mod keygen;
mod keyring;
mod labels;
mod money;
mod opening;
mod opening_vectors;
mod reading;
mod receipt;
mod recovery;
mod relay;
