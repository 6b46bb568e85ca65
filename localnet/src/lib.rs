//! A whole network on one machine, one process each: for trials, demonstrations and tests.
//!
//! [`prepare`] writes the files of a new network ([`founding`]) or opens those of an earlier one,
//! [`run`] starts the processes, watches them over their HTTP API, and stops them. Children stop on SIGTERM, are killed
//! when they do not, and stop by themselves when this process is gone, however it went: their standard input closes.
//!
//! ```text
//! DIR/localnet.json     what the network is; written last
//! DIR/logs/NAME.log     what each process prints
//! ```
//!
//! [`load`] puts such a network under measured load. Production depends on nothing here.

mod agreement;
mod deposits;
mod description;
mod fleet;
pub mod founding;
pub mod load;
pub mod orders;
mod plan;
mod prepare;
mod run;
mod watch;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use thiserror::Error;
use veilgrid_client::ClientError;
use veilgrid_market::GridError;
use veilgrid_node::config::ConfigError;
use veilgrid_node::founding::FoundingError;
use veilgrid_node::keyfile::KeyFileError;
use veilgrid_node::passphrase::PassphraseError;
use veilgrid_scenario::behaviour::{BehaviourError, TermsError};
use veilgrid_scenario::community::{ImportError, SelectError};
use veilgrid_store::files::FileError;

pub use agreement::Agreement;
pub use description::Options;
pub use plan::{NetworkPlan, Ports};
use prepare::prepare_for_accounts;
pub use prepare::{Network, prepare};
pub use run::{Fallen, Goal, Summary, run, settled};
pub use watch::{ProcessState, ProcessView, Snapshot};

/// Why a local network does not start, or did not end well. One variant per rule.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum LocalnetError {
    /// "The folder is empty or holds a network of before."
    #[error(
        "{}: the folder is not empty and holds no local network; name a new folder (nothing is overwritten)",
        dir.display()
    )]
    Foreign { dir: PathBuf },
    /// "A network goes on as it was founded."
    #[error("{}: the network here has {what} {found}, not {asked}; leave that out, or name a new folder", dir.display())]
    Different { dir: PathBuf, what: &'static str, found: u64, asked: u64 },
    /// The same of what validators keep.
    #[error(
        "{}: validators here drop the bids of a round after so many rounds: {found}, not {asked}; change \
         retention.prune_after_rounds in their configurations, or name a new folder",
        dir.display()
    )]
    Pruning { dir: PathBuf, found: String, asked: u64 },
    /// The same of what members' balances begin with.
    #[error(
        "{}: members here begin with {}, not {asked} ct; leave that out, or name a new folder",
        dir.display(), found.map_or_else(|| "no money".to_owned(), |ct| format!("{ct} ct"))
    )]
    Money { dir: PathBuf, found: Option<u64>, asked: u64 },
    /// "One localnet runs a network at a time."
    #[error("{}: another `veilgrid localnet` runs this network; stop it first", dir.display())]
    InUse { dir: PathBuf },
    /// "Every process has a port of its own."
    #[error(
        "{address} can't be had: {reason}; the network needs the ports {base} to {last}: stop what listens there, or found it \
         with another --base-port"
    )]
    Port { address: SocketAddr, reason: std::io::Error, base: u16, last: u32 },
    /// A file or folder.
    #[error("{}: {reason}; check the folder, its permissions and the space on the disk", path.display())]
    File { path: PathBuf, reason: std::io::Error },
    /// The description of the network can't be read.
    #[error("{}: {reason}; found the network anew in another folder", path.display())]
    Description { path: PathBuf, reason: String },
    /// A file that is new.
    #[error(transparent)]
    New(#[from] FileError),
    /// "A network on one machine has 4 to 128 validators and ports for all."
    #[error("{reason}")]
    Local { reason: String },
    /// The built-in day.
    #[error("the built-in community's day: {0}")]
    Import(#[from] ImportError),
    /// The built-in day.
    #[error("the built-in community's day: {0}")]
    Select(#[from] SelectError),
    /// The models of members.
    #[error("orders of {id}: {source}")]
    Behaviour { id: String, source: BehaviourError },
    /// Grid and tariffs.
    #[error("orders: {0}")]
    Terms(#[from] TermsError),
    /// "The price grid is one."
    #[error("price grid of the plan: {0}")]
    Grid(#[from] GridError),
    /// "Key files can be written."
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// "Configurations can be written."
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Founding fails.
    #[error(transparent)]
    Founding(#[from] FoundingError),
    /// The passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A process can't be started.
    #[error("{name} can't be started: {reason}")]
    Spawn { name: String, reason: std::io::Error },
    /// Neither can the part that watches them.
    #[error("the processes can't be watched: {0}")]
    Watch(String),
    /// "A quorum of the validators runs."
    #[error("too few validators are left: {name} ended by itself ({status}); its last words are in {}", log.display())]
    Ended { name: String, status: String, log: PathBuf },
    /// "No process panics."
    #[error("{name} panicked: {line}; see {}", log.display())]
    Panicked { name: String, line: String, log: PathBuf },
    /// "The rounds are settled in time."
    #[error(
        "{settled} of {wanted} rounds were settled within {seconds} s, {others} ended without a result; see the logs in {}",
        logs.display()
    )]
    TooSlow { settled: usize, others: usize, wanted: usize, seconds: u64, logs: PathBuf },
    /// "All validators have the same block at the same height."
    #[error(
        "validator {validator} has the block {found} at height {height}, another one has {expected}: the ledger has forked"
    )]
    Forked { validator: u16, height: u64, found: String, expected: String },
    /// "Every validator shows its ledger at the end."
    #[error("validator {validator} does not show its block at height {height}: {reason}")]
    Silent { validator: u16, height: u64, reason: String },
    /// A validator can't be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl LocalnetError {
    fn file(path: &Path, reason: std::io::Error) -> Self {
        Self::File { path: path.to_owned(), reason }
    }
}
