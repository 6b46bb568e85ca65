//! Validators with their journals over the life of a ledger: keys, rounds, renewals, changes, kills.

mod flood;
mod journal;
mod life;
mod net;
