//! Why a process of a network does not start, or ends before it is asked to.

use crate::checks::CheckError;
use crate::config::ConfigError;
use crate::config::orders::OrdersError;
use crate::http::HttpError;
use crate::keyfile::KeyFileError;
use crate::passphrase::PassphraseError;
use std::fmt::Display;
use thiserror::Error;
use veilgrid_client::genesis::GenesisFileError;

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
    Genesis(#[from] GenesisFileError),
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
    /// The process refuses what it was given: keys, a store or a ledger of something else, a store that was set back. The
    /// same again ends the same way.
    #[error("{what} is refused: {reason}")]
    Refused {
        /// The part, with its path.
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

    /// Something that a restart does not mend.
    pub fn refused(what: impl Display, reason: impl Display) -> Self {
        Self::Refused { what: what.to_string(), reason: reason.to_string() }
    }

    /// Whether the same start again can only end the same way, until somebody changes something: what the operating system
    /// gives back by itself (a port, space, a clock that is set, a network) is not of that kind.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Config(_)
            | Self::KeyFile(_)
            | Self::Passphrase(_)
            | Self::Genesis(_)
            | Self::Orders(_)
            | Self::Refused { .. }
            | Self::Check(CheckError::OpenFiles { .. }) => true,
            Self::Check(_) | Self::Start { .. } | Self::Stopped { .. } => false,
        }
    }

    /// A server that does not start: files for TLS that can't be used are the configuration's, a port comes free.
    pub fn server(what: impl Display, error: &HttpError) -> Self {
        match error {
            HttpError::Tls { .. } => Self::refused(what, error),
            HttpError::Listen { .. } | HttpError::Thread(_) => Self::start(what, error),
        }
    }

    /// A part that can't go on.
    pub fn stopped(what: impl Display, reason: impl Display) -> Self {
        Self::Stopped { what: what.to_string(), reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::CheckError;

    #[test]
    fn only_what_a_restart_can_mend_is_tried_again() {
        let space = CheckError::Space { path: "d".into(), free_mib: 1, needed_mib: 2 };
        let listen = "127.0.0.1:1".parse().expect("an address");
        let taken = HttpError::Listen { listen, source: std::io::Error::from_raw_os_error(98) };
        let tls = HttpError::Tls { path: "c".into(), why: "no PEM".to_owned() };
        let need = crate::open_files::Need { connections: 10, engine: None };
        for (error, is_final) in [
            (NodeError::Check(space), false),
            (NodeError::Check(CheckError::OpenFiles { limit: 9, need }), true),
            (NodeError::start("a", "b"), false),
            (NodeError::stopped("a", "b"), false),
            (NodeError::server("a", &taken), false),
            (NodeError::server("a", &tls), true),
            (NodeError::refused("a", "b"), true),
        ] {
            assert_eq!(error.is_final(), is_final, "{error}");
        }
    }
}
