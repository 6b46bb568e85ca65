//! Founding a network: from everybody's public keys and a plan to block 0.
//!
//! Everybody makes their own keys (`veilgrid keys new`) and hands out the public part only; whoever assembles the genesis
//! learns no secret, and everybody compares the hash of block 0.

pub mod calendar;
pub mod genesis;
pub mod plan;
pub mod public;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;
use thiserror::Error;
use veilgrid_ledger::capacity::CapacityError;
use veilgrid_ledger::genesis::GenesisError;
use veilgrid_market::GridError;
use veilgrid_store::files::FileError;

pub use calendar::{Dates, check_times, date_of};
pub use genesis::assemble;
pub use plan::{FoundingPlan, MarketPlan, MoneyPlan, TimingPlan};
pub use public::PublicPart;

/// Why a network was not founded. One variant per rule.
#[derive(Debug, Error)]
#[allow(missing_docs)] // The fields are what the messages say.
pub enum FoundingError {
    /// A file that was named.
    #[error(transparent)]
    File(#[from] FileError),
    /// "The plan is TOML with the keys of a plan."
    #[error("plan {}: {reason}", path.display())]
    Plan { path: PathBuf, reason: String },
    /// "A public part is the JSON that `veilgrid keys` printed."
    #[error("public part {}: {reason}; name a file with the output of `veilgrid keys new` or `veilgrid keys show`", path.display())]
    Public { path: PathBuf, reason: String },
    /// "A network has one aggregator."
    #[error("{found} public parts of aggregators: a network has exactly one")]
    Aggregators { found: usize },
    /// "A network has one registrar."
    #[error(
        "{found} public parts of registrars: a network has exactly one; make its key with \
         `veilgrid keys new --kind registrar`"
    )]
    Registrars { found: usize },
    /// "A market with money has one treasury."
    #[error(
        "{found} public parts of treasuries, and the plan has [market.money]: a market with money has exactly one; make its \
         key with `veilgrid keys new --kind treasury`"
    )]
    Treasuries { found: usize },
    /// "A market without money has none."
    #[error(
        "a treasury's public part, and the plan has no [market.money]: add that to the plan, or leave the treasury out"
    )]
    TreasuryWithoutMoney,
    /// "Whoever asks for proofs has no part in a genesis."
    #[error("the public part of an asker ({key}): a genesis names nobody who asks for proofs; leave it out")]
    Asker { key: String },
    /// "Account keys are those of the network's key epoch."
    #[error(
        "the account key {account} is of key epoch {found}, the plan says {expected}: print it again with \
         `veilgrid keys show FILE --key-epoch {expected}`"
    )]
    KeyEpoch { account: String, found: u64, expected: u64 },
    /// "No member is listed twice."
    #[error("the account key {account} is listed twice; leave one of the two files out")]
    Repeated { account: String },
    /// "The price grid is one."
    #[error("price grid of the plan: {0}")]
    Grid(#[from] GridError),
    /// "The capacity classes are sound."
    #[error("capacity_classes_wh of the plan: {0}")]
    Capacities(#[from] CapacityError),
    /// "The genesis keeps all rules of the ledger."
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
}
