//! The validator as a process.
//!
//! ```text
//!                      HTTP -- intake actor -- keeper actor --+
//!                       |                        journal      | bids, key events
//!                  ledger view                                v
//!                       ^                   one mutex: [`application::NodeApplication`]
//!                       |                     replica, key holder, block store, secrets
//!                       +---- follow task <---  wake            ^
//!                                                               | propose, check, finalise, gossip
//!                                                            engine (its own thread)
//! ```
//!
//! The engine calls the application under one mutex; what is final is on disk before the call returns. Everything
//! else only reads the ledger view. The process ends when it is asked to, or when engine or application can't go on:
//! whoever runs it starts it again, and what it acknowledged is on disk.

mod application;
mod journal;
mod keeper;
mod ledger;
mod retention;
mod run;
mod submit;

pub use ledger::{LedgerError, state_of};
pub use run::run;
