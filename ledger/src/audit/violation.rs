//! The first rule that a ledger breaks, and where.

use super::certificates::MAX_UNCERTIFIED_TAIL;
use crate::block::Block;
use crate::hash::Hash;
use crate::refusal::{BlockError, BlockFault};
use crate::state::checkpoint::SkeletonFault;
use crate::transaction::Transaction;
use core::fmt;
use thiserror::Error;
use veilgrid_market::FlowError;

/// How an audit ends when it does not pass.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuditError<E> {
    /// The blocks could not be read: nothing is said about those that follow.
    #[error("after {after_blocks} blocks: {source}")]
    Read {
        /// Blocks that passed before.
        after_blocks: u64,
        /// Why reading failed.
        source: E,
    },
    /// A rule is broken.
    #[error("{0}")]
    Violation(Violation),
}

/// A broken rule with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The block; none when the ledger as a whole is at fault.
    pub height: Option<u64>,
    /// Position of the transaction in the block, from 0.
    pub transaction: Option<usize>,
    /// The round.
    pub round: Option<u64>,
    /// The rule.
    pub rule: ViolationRule,
}

/// A rule that a ledger can break.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ViolationRule {
    /// "The first block is the one that the auditor trusts."
    #[error("the genesis block is {}, trusted is {}: this is another ledger", hex::encode(.found), hex::encode(.trusted))]
    UntrustedGenesis {
        /// Hash of block 0.
        found: Hash,
        /// The trusted hash.
        trusted: Hash,
    },
    /// "The state machine accepts every block."
    #[error("{0}")]
    Block(BlockFault),
    /// "What members buy, what they sell and the rest add up."
    #[error("conservation: {0}")]
    Conservation(Box<ConservationError>),
    /// "A ledger begins with a genesis block."
    #[error("the ledger holds no block")]
    Empty,
    /// "Every certificate holds": it is of the validators of the block's epoch and over this block.
    #[error("its certificate does not hold for the validators of epoch {epoch}: {why}")]
    Certificate {
        /// The block's epoch.
        epoch: u64,
        /// What is wrong.
        why: String,
    },
    /// "The genesis block has no certificate": it is trusted by its hash.
    #[error(
        "it comes with a certificate, and nobody could have given one: the first validators begin after it"
    )]
    StrayCertificate,
    /// "The last block before other validators begin is certified by those who were there."
    #[error("other validators begin after block {height}, and those of epoch {epoch} have not certified it")]
    EpochNotCertified {
        /// The epoch of the validators who leave.
        epoch: u64,
        /// Their last block.
        height: u64,
    },
    /// "All blocks but the last few are final."
    #[error(
        "the {blocks} blocks from {from} on are in no certificate, at most {MAX_UNCERTIFIED_TAIL} may wait for \
         one: they were never final, or their certificates were left out"
    )]
    NotFinal {
        /// The first of them.
        from: u64,
        /// How many they are.
        blocks: u64,
    },
    /// "Pruned blocks hold as far as they go."
    #[error("{0}")]
    Pruned(Box<SkeletonFault>),
    /// "A checkpoint stands before whole blocks, and its block is there."
    #[error("a checkpoint of height {height} {what}")]
    CheckpointPlace {
        /// The checkpoint's height.
        height: u64,
        /// What is wrong with its place.
        what: &'static str,
    },
    /// "A checkpoint leads to the state that the next block's header carries."
    #[error("the checkpoint before it leads to the state root {}, the header carries {}", hex::encode(.found), hex::encode(.expected))]
    CheckpointRoot {
        /// The root of the state that the checkpoint completes.
        found: Hash,
        /// The header's.
        expected: Hash,
    },
    /// "The pinned block is this ledger's at its height."
    #[error(
        "the block is {}, pinned is {}: this ledger is another one from here on, or from an earlier block on",
        hex::encode(.found), hex::encode(.pinned)
    )]
    PinnedBlock {
        /// The ledger's block.
        found: Hash,
        /// The pinned one.
        pinned: Hash,
    },
    /// "The ledger reaches the pinned block."
    #[error("a block is pinned at height {pinned}, and the ledger ends at height {last}")]
    PinNotReached {
        /// Height of the pinned block.
        pinned: u64,
        /// Height of the last one.
        last: u64,
    },
    /// "A certificate covers the pinned block."
    #[error(
        "the pinned block of height {pinned} is there, and no certificate covers it: in this file the last block that is          final is {covered}"
    )]
    PinNotCovered {
        /// Height of the pinned block.
        pinned: u64,
        /// Height of the last block that a certificate covers.
        covered: u64,
    },
    /// "The trailer names the state after the last block."
    #[error("the trailer's state root is {}, replay gives {}", hex::encode(.found), hex::encode(.expected))]
    TrailerStateRoot {
        /// The trailer's.
        found: Hash,
        /// The replay's.
        expected: Hash,
    },
}

impl From<SkeletonFault> for ViolationRule {
    fn from(fault: SkeletonFault) -> Self {
        Self::Pruned(Box::new(fault))
    }
}

/// Why a cleared round does not add up.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConservationError {
    /// The opened sums do not determine what was bought and sold.
    #[error("the opened sums do not determine what was bought and sold")]
    Undetermined,
    /// Bought and sold differ by something else than the rest.
    #[error("members buy {net_q16} Wh/2^16 more than they sell, the outcome's rest makes it {rest_q16}")]
    Rest {
        /// Bought minus sold, from the opened sums.
        net_q16: i128,
        /// What the outcome says it is.
        rest_q16: i128,
    },
    /// The public totals of money are not those of the transactions.
    #[error(
        "{} ct deposited, {} ct withdrawn and {community_units} units on the community's account; the transactions add up to {} ct, \
         {} ct and {expected_units} units", .found[0], .found[1], .expected[0], .expected[1]
    )]
    Accounts {
        /// Deposits and withdrawals of the state, in ct.
        found: [u128; 2],
        /// Those of the transactions.
        expected: [u128; 2],
        /// The community's account of the state, in units.
        community_units: i128,
        /// That of the transactions.
        expected_units: i128,
    },
    /// Energy or money of the round does not add up.
    #[error("{0}")]
    Flows(#[from] FlowError),
}

impl Violation {
    /// A violation by the ledger as a whole.
    pub(crate) fn of_ledger(rule: ViolationRule) -> Self {
        Self { height: None, transaction: None, round: None, rule }
    }

    /// A violation by a block as such.
    pub(crate) fn of_height(height: u64, rule: ViolationRule) -> Self {
        Self { height: Some(height), transaction: None, round: None, rule }
    }

    /// A violation that the state machine has found in `block`.
    pub(crate) fn of_block(block: &Block, error: BlockError) -> Self {
        let transaction = error.transaction.and_then(|index| block.transactions.get(index));
        Self {
            height: Some(error.height),
            transaction: error.transaction,
            round: transaction.and_then(Transaction::round_id),
            rule: ViolationRule::Block(error.fault),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.height {
            Some(height) => write!(f, "block {height}")?,
            None => f.write_str("ledger")?,
        }
        if let Some(transaction) = self.transaction {
            write!(f, ", transaction {transaction}")?;
        }
        write!(f, ": {}", self.rule)
    }
}

impl std::error::Error for Violation {}
