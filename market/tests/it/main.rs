//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

#[path = "../common/mod.rs"]
mod common;

mod csv_books;
mod outcome_bytes;
mod properties;
mod public_books;
mod replay;
mod sharing;
mod utility;
mod vectors;
