//! What ends a command early, with its exit code: 1 for a failed audit, 2 for everything else.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
pub enum Failure {
    /// Wrong usage, unusable input, or an environment that does not allow to finish (a full disk, say).
    #[error("{0}")]
    Input(String),
    /// The ledger does not pass the audit.
    #[error("audit failed: {0}")]
    Audit(String),
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
            Self::Interrupted(_) => ExitCode::from(130),
        }
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
