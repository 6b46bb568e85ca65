//! What ends a command early, with its exit code: 1 for a failed audit, 3 for a process of a network that the same start
//! again can't bring up, 130 for an interruption, 2 for everything else.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use thiserror::Error;

/// The exit code of a process that a restart does not mend.
pub const FINAL: u8 = 3;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// Wrong usage, unusable input, or an environment that does not allow to finish (a full disk, say).
    #[error("{0}")]
    Input(String),
    /// The ledger does not pass the audit.
    #[error("audit failed: {0}")]
    Audit(String),
    /// A process of a network was given what it can't run with: configuration, key, store, ledger. A service manager starts
    /// it no further time by itself.
    #[error("{0}")]
    Final(String),
    /// Interrupted by the user; what was written until then is sound.
    #[error("interrupted: {0}")]
    Interrupted(String),
}

impl Failure {
    /// The process's exit code.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Audit(_) => ExitCode::from(1),
            Self::Input(_) => ExitCode::from(2),
            Self::Final(_) => ExitCode::from(FINAL),
            Self::Interrupted(_) => ExitCode::from(130),
        }
    }

    /// What a configuration or a usage that can't work ends a process of a network with.
    pub fn last(error: impl Display) -> Self {
        Self::Final(error.to_string())
    }

    /// An input failure from any error.
    pub fn input(error: impl Display) -> Self {
        Self::Input(error.to_string())
    }

    /// A failure about a file, with its path first.
    pub fn file(path: &Path, error: impl Display) -> Self {
        Self::Input(format!("{}: {error}", path.display()))
    }
}
