//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

#[path = "../common/mod.rs"]
mod common;

mod auditor;
mod day;
mod failing;
mod validator;
