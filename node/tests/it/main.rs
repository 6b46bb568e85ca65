//! What the crate does, seen from outside. One binary: many of them take longer to link than to run.

#[path = "../../../ledger/tests/common/mod.rs"]
mod common;
#[path = "../follower_support/mod.rs"]
mod follower_support;
#[path = "../http_support/mod.rs"]
mod http_support;
#[path = "../../../ledger/tests/common/network.rs"]
mod world;

mod accounts;
mod follower;
mod forwarder;
mod http;
mod participant;
mod validators;
