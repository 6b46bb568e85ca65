//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

mod aggregator;
mod member;
