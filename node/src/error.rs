//! Why a process of a network does not start, or ends before it is asked to.

use crate::checks::CheckError;
use crate::config::ConfigError;
use crate::config::orders::OrdersError;
use crate::founding::FoundingError;
use crate::keyfile::KeyFileError;
use crate::passphrase::PassphraseError;
use std::fmt::Display;
use thiserror::Error;

/// Why a process ended with a failure. Every message says what, where and what to do.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key file.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The passphrase of a key file.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// The machine: disk, directory, clock.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The genesis of the network.
    #[error(transparent)]
    Founding(#[from] FoundingError),
    /// A participant's orders.
    #[error(transparent)]
    Orders(#[from] OrdersError),
    /// A part of the process can't start: an address in use, a store of another program.
    #[error("{what} does not start: {reason}")]
    Start {
        /// The part, with its address or path.
        what: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A part of the running process can't go on. What was acknowledged before is on disk.
    #[error("{what} stopped: {reason}")]
    Stopped {
        /// The part.
        what: String,
        /// Why, and what to do.
        reason: String,
    },
}

impl NodeError {
    /// A part that can't start.
    pub fn start(what: impl Display, reason: impl Display) -> Self {
        Self::Start { what: what.to_string(), reason: reason.to_string() }
    }

    /// A part that can't go on.
    pub fn stopped(what: impl Display, reason: impl Display) -> Self {
        Self::Stopped { what: what.to_string(), reason: reason.to_string() }
    }
}
