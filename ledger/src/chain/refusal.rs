//! Why a transaction or a block is refused. Each domain has its own rules: [`RoundRefusal`], [`KeyRefusal`],
//! [`RosterError`], [`MembersRefusal`], [`MoneyRefusal`].
//!
//! Three layers, as in the checks: *structural* rules look at the transaction and the parameters, *semantic* rules at
//! proofs, *contextual* rules at the state. The rule stands above each variant in quotation marks.

use crate::genesis::GenesisError;
use crate::hash::Hash;
use crate::keys::refusal::KeyRefusal;
use crate::members::refusal::MembersRefusal;
use crate::money::refusal::MoneyRefusal;
use crate::roster::RosterError;
use crate::rounds::refusal::RoundRefusal;
use core::fmt;
use thiserror::Error;

pub use crate::rounds::refusal::{Account, Waits};

/// A rule that a transaction breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Structural: "A genesis is the first transaction of block 0 and of no other."
    #[error("a genesis can only be the first transaction of a ledger")]
    GenesisRepeated,
    /// A rule about rounds.
    #[error(transparent)]
    Rounds(#[from] RoundRefusal),
    /// A rule about key sessions.
    #[error(transparent)]
    Keys(#[from] KeyRefusal),
    /// Contextual: "A change of the validators is sound and signed by t of them."
    #[error("change of the validators: {0}")]
    Roster(RosterError),
    /// A rule about members, and about the keys of registrar and aggregator.
    #[error(transparent)]
    Members(#[from] MembersRefusal),
    /// A rule about accounts and what moves money between them.
    #[error(transparent)]
    Money(#[from] MoneyRefusal),
}

/// A rule that a block as such breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BlockFault {
    /// "Heights follow each other."
    #[error("height {found}, but {expected} is next")]
    Height {
        /// The stated height.
        found: u64,
        /// The next height.
        expected: u64,
    },
    /// "A block names its parent."
    #[error("the parent hash is {}, but the parent is {}", hex::encode(.found), hex::encode(.expected))]
    Parent {
        /// The stated hash.
        found: Hash,
        /// The parent's hash.
        expected: Hash,
    },
    /// "Block time does not run backwards."
    #[error("block time {found_ms} ms is before the parent's {parent_ms} ms")]
    Time {
        /// The stated time, Unix milliseconds.
        found_ms: u64,
        /// The parent's.
        parent_ms: u64,
    },
    /// "A block carries the state root after its parent."
    #[error("the prior state root is {}, replay gives {}", hex::encode(.found), hex::encode(.expected))]
    PriorStateRoot {
        /// The stated root.
        found: Hash,
        /// The root of the replay.
        expected: Hash,
    },
    /// "The body hash names the transactions."
    #[error("the body hash does not name the block's transactions")]
    Body,
    /// "Block 0 holds one genesis and nothing else."
    #[error("block 0 has to hold one genesis and nothing else")]
    NotAGenesis,
    /// "The genesis is sound."
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// "No transaction of a proposed block is refused": by those who propose it and vote for it. In a final block a refusal
    /// is recorded.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// "A block fits the bound."
    #[error("the block has {bytes} bytes, {bound} are allowed: split its transactions")]
    TooLarge {
        /// Encoded length.
        bytes: usize,
        /// The bound.
        bound: usize,
    },
}

impl From<Refusal> for BlockFault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// Why a block is refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockError {
    /// Height of the refused block.
    pub height: u64,
    /// Position of the offending transaction in the block, from 0; none when the block as such is at fault.
    pub transaction: Option<usize>,
    /// The rule that is broken.
    pub fault: BlockFault,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "block {}", self.height)?;
        if let Some(index) = self.transaction {
            write!(f, ", transaction {index}")?;
        }
        write!(f, ": {}", self.fault)
    }
}

impl std::error::Error for BlockError {}
