//! What ends a follower.

use super::evidence::ForkEvidence;
use crate::genesis::GenesisFileError;
use crate::ledger::OpenError;
use thiserror::Error;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_store::{ReplayError, StoreError};

/// Why a follower stops or does not start.
#[derive(Debug, Error)]
pub enum FollowerError {
    /// The genesis file can't be read, or is none of a network.
    #[error(transparent)]
    GenesisFile(#[from] GenesisFileError),
    /// The store is one of another ledger, or can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The stored blocks don't replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// No source.
    #[error("no validator to ask: configure at least one")]
    NoSources,
    /// Two certified chains.
    #[error(
        "FORK: certified block {} and a certified chain up to block {} exclude each other. More than f validators have \
         signed both: stop trading and ask the operators. Nothing after this is followed",
        .0.ours.height, .0.theirs.last().map_or(0, |header| header.height)
    )]
    Fork(Box<ForkEvidence>),
    /// A certified block breaks a rule of this program.
    #[error(
        "block {height} is certified and refused: {error}. Either this program is older than the validators', or more \
         than f of them are faulty: compare versions, then run the audit"
    )]
    CertifiedButRefused {
        /// The block.
        height: u64,
        /// The rule.
        error: Box<BlockError>,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A thread ended by a panic.
    #[error("executing blocks ended in a panic: this is a bug, please report it")]
    Panicked,
}
