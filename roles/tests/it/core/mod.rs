//! Validators with their journals over the life of a ledger: keys, rounds, renewals, changes, kills.

#[path = "../../../../node/tests/http_support/false_bid.rs"]
mod false_bid;
mod flood;
mod journal;
mod life;
mod net;
