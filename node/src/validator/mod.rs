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
//!
//! There is an engine while this node is one of the validators. Before, after, and when the others are an epoch ahead,
//! blocks come over HTTP instead:
//!
//! ```text
//!            none of the validators                       one of them, and near the end of the ledger
//!  start --> candidate, catching up ------------------------> validating
//!              follower over HTTP --finalise--> application <-- engine
//!              own key events --HTTP--> validators              |
//!                   ^                                           |
//!                   +---- retired; or cut off, and others are --+
//!                         in a later epoch
//! ```

mod application;
mod candidate;
mod hand_in;
mod intake;
mod journal;
mod keeper;
mod latest;
mod ledger;
mod parts;
mod retention;
mod run;
mod standing;
mod status;
mod submit;
mod validating;
mod votes;
mod watch;

pub use ledger::LedgerError;
pub use run::run;
