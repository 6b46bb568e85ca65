//! A network under load: its real processes, and what a load generator needs around them.
//!
//! The caller holds the members' keys, so that thousands of them need no processes: [`LoadedNetwork`] founds the network
//! for their accounts and runs validators and aggregator, [`send`] hands envelopes in from many addresses at once,
//! [`Observer`] follows the ledger as any follower does and says when it saw what, [`usage`] reads what the processes
//! take from the machine.

mod hostile;
mod network;
mod observer;
mod sender;
pub mod usage;

use crate::LocalnetError;
use std::net::IpAddr;
use thiserror::Error;
use veilgrid_client::ClientError;
use veilgrid_client::follower::FollowerError;

pub use hostile::HostileValidator;
pub use network::{LoadPlan, LoadedNetwork, RunningNetwork};
pub use observer::{Observer, Seen};
pub use sender::{Answer, Batch, Outcome, send};

/// Why a load can't be put on, or the network does not bear it. One variant per rule.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum LoadError {
    /// Founding or running the processes.
    #[error(transparent)]
    Network(#[from] LocalnetError),
    /// Following the ledger.
    #[error("the ledger can't be followed: {0}")]
    Follower(#[from] FollowerError),
    /// A node can't be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// "The machine has threads and sockets for the load."
    #[error(
        "the load generator can't start: {0}; are there enough threads, memory and open files (ulimit -n)?"
    )]
    Start(String),
    /// "The load comes from addresses of this machine."
    #[error(
        "requests can't be sent from {address}: {reason}; Linux has all of 127.0.0.0/8, elsewhere give the loopback \
         interface that address first"
    )]
    Address { address: IpAddr, reason: String },
}

/// A runtime for this thread.
fn runtime() -> Result<tokio::runtime::Runtime, LoadError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| LoadError::Start(error.to_string()))
}
