//! What a process is told: a TOML file, over it the environment, over it the flags of the command line.
//!
//! `http.listen` of a validator, for example, is `listen` in the table `[http]` of its file, or
//! `VEILGRID_VALIDATOR__HTTP__LISTEN` in the environment. A key that nobody knows is an error: a misspelt limit must
//! not silently stay at its default. Nor is one taken that would do nothing in this kind of process. Relative paths of a
//! file start at the file's folder, those of the environment and the command line at the current one. No secret is ever
//! part of a configuration, only paths to files that hold one.

mod kinds;
mod load;
pub mod orders;
#[cfg(test)]
mod tests;
mod values;

use crate::config::values::ValueError;
use std::path::{Path, PathBuf};
use thiserror::Error;

pub use kinds::{AggregatorConfig, ParticipantConfig, ValidatorConfig};
pub use load::{Flags, load, load_from};
pub use values::{
    ChecksConfig, Hex32, HttpConfig, LimitsConfig, P2pConfig, PeerAddress, PeerConfig, RelayLimitsConfig,
    RetentionConfig, TlsFiles,
};

/// A process's configuration.
pub trait NodeConfig: serde::de::DeserializeOwned + serde::Serialize {
    /// What the environment's variables start with; a key `a.b` is `PREFIX__A__B`.
    const ENVIRONMENT: &'static str;
    /// Every key, dotted. Those of a list of tables end in `[].name`.
    const KEYS: &'static [&'static str];
    /// Keys of paths.
    const PATHS: &'static [&'static str];
    /// Keys of lists of plain values; the environment separates their entries by commas.
    const LISTS: &'static [&'static str];

    /// The rules that no single value shows.
    ///
    /// # Errors
    /// The key that breaks one.
    fn check(&self) -> Result<(), Fault>;

    /// The effective values as TOML. They hold no secret.
    ///
    /// # Errors
    /// A value that TOML has no form for, which no loaded configuration has.
    fn print(&self) -> Result<String, ConfigError> {
        toml::to_string_pretty(self).map_err(|error| ConfigError::Print { reason: error.to_string() })
    }
}

/// A value that can't be used: the key, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The dotted key.
    pub key: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Fault {
    /// A fault of a key.
    pub(crate) fn new(key: &str, reason: impl Into<String>) -> Self {
        Self { key: key.to_owned(), reason: reason.into() }
    }
}

/// Why a configuration was refused. One variant per rule; each names the file or variable, the key and a way out.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// "The file can be read."
    #[error("configuration {}: {reason}; give the path of a TOML file that this user may read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: std::io::Error,
    },
    /// "The file is small." No honest configuration is larger.
    #[error("configuration {}: {bytes} bytes, at most {bound} are read; is this the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The bound.
        bound: u64,
    },
    /// "The file is TOML."
    #[error("configuration {}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Place and reason.
        reason: String,
    },
    /// "Every key of the file is known."
    #[error("configuration {}: the key {key} is unknown; remove it or correct its name (known here: {known})", path.display())]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The dotted key.
        key: String,
        /// The keys of its table.
        known: String,
    },
    /// "Every variable with the prefix names a key."
    #[error(
        "the environment variable {variable} names the key {key}, which is unknown; unset it or correct its name"
    )]
    UnknownVariable {
        /// The variable.
        variable: String,
        /// The key that it names.
        key: String,
    },
    /// "Every value has its type and every key without a default is there."
    #[error("configuration {}: {reason}; set it there, as {variables} in the environment or by its flag", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong, with the key.
        reason: String,
        /// The form of the variables.
        variables: String,
    },
    /// "The values fit together."
    #[error("configuration {}: {key}: {reason}", path.display())]
    Fault {
        /// The file.
        path: PathBuf,
        /// The dotted key.
        key: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// "A value is of its form." For values from the command line.
    #[error(transparent)]
    Form(#[from] ValueError),
    /// A configuration without a TOML form.
    #[error("the configuration can't be printed: {reason}")]
    Print {
        /// The reason.
        reason: String,
    },
}

/// Checks that a path of a configuration names a file.
///
/// # Errors
/// The key, the path, and what to do.
pub(crate) fn require_file(key: &str, path: &Path, what: &str) -> Result<(), Fault> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(Fault::new(key, format!("{} is no file; name {what}", path.display()))),
        Err(error) => Err(Fault::new(key, format!("{}: {error}; name {what}", path.display()))),
    }
}
