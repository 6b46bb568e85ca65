//! Validators with their journals over the life of a ledger: keys, rounds, renewals, changes, kills.

mod journal;
mod life;
mod net;
