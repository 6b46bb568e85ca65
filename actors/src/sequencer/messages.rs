//! What the sequencer is told and what it answers.

use crate::validator::ValidatorFault;
use actix::{Message, Recipient};
use std::sync::Arc;
use thiserror::Error;
use veilgrid_ledger::audit::Violation;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::proposer::{ProposerError, ShareRefusal};

/// Puts transactions into the next block. The answer comes when every validator has flushed it.
#[derive(Message)]
#[rtype(result = "Result<Arc<BlockEffects>, OrderError>")]
pub struct Order(pub Vec<Transaction>);

/// Makes the next block of a closed round: shares and a value, or the outcome, or the settlement, or the voiding.
#[derive(Message)]
#[rtype(result = "Result<Arc<BlockEffects>, OrderError>")]
pub struct Advance {
    /// The round.
    pub round_id: u64,
}

/// Makes no further blocks. The answer comes after the block that is under way and after all followers have it.
#[derive(Message)]
#[rtype(result = "LedgerTip")]
pub struct Halt;

/// Adds a follower. Blocks that are final already are not sent again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Follow {
    /// Who.
    pub follower: Recipient<FollowBlock>,
    /// How closely.
    pub pace: Pace,
}

/// How a follower gets its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The block's order is answered after the follower has it. Its refusal ends the day.
    InStep,
    /// As fast as it can, within a backlog. Its refusal is its own matter.
    Behind,
}

/// A final block for somebody who follows the ledger.
#[derive(Message, Clone)]
#[rtype(result = "Result<(), FollowFault>")]
pub struct FollowBlock(pub Arc<Block>);

/// Why a follower does not take a block.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FollowFault {
    /// The aggregator's state refuses it.
    #[error("the aggregator refuses a block: {0}")]
    Aggregator(#[from] BlockError),
    /// The auditor finds a violation.
    #[error("the auditor finds a violation: {0}")]
    Auditor(#[from] Violation),
    /// The auditor has ended, by its report or by an earlier violation.
    #[error("the audit has ended")]
    Ended,
}

/// The end of a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerTip {
    /// Height of the last block.
    pub height: u64,
    /// Its hash.
    pub block_hash: Hash,
    /// The state root after it.
    pub state_root: Hash,
    /// Opening shares that were refused as false, with the validators' numbers.
    pub false_shares: Vec<ShareRefusal>,
}

/// Why there is no next block.
#[derive(Debug, Clone, Error)]
pub enum OrderError {
    /// A transaction breaks a rule. Nothing was ordered and the ledger goes on.
    #[error("not ordered: {0}")]
    Refused(#[from] BlockError),
    /// A validator does not acknowledge. Nothing further is ordered.
    #[error("the ledger stops at block {height}: {source}")]
    NotAcknowledged {
        /// The block.
        height: u64,
        /// Who and why.
        source: ValidatorFault,
    },
    /// A validator does not answer. Nothing further is ordered.
    #[error("the ledger stops at block {height}: validator {validator} does not answer ({why})")]
    NoAnswer {
        /// The block.
        height: u64,
        /// Who.
        validator: u16,
        /// Gone, or too late.
        why: String,
    },
    /// A validator comes to another state with the same block. Nothing further is ordered.
    #[error(
        "validator {validator} has another state after block {height}: run the audit on its ledger and another's"
    )]
    Disagreement {
        /// The block.
        height: u64,
        /// Who.
        validator: u16,
    },
    /// A follower in step refuses the block.
    #[error("the ledger stops after block {height}: {why}")]
    Follower {
        /// The block.
        height: u64,
        /// Why.
        why: String,
    },
    /// The proposer can't go on.
    #[error("{0}")]
    Proposer(Arc<ProposerError>),
    /// Fewer validators than the threshold sent true shares.
    #[error("round {round_id} waits for shares that do not come; false ones: {false_shares:?}")]
    Stalled {
        /// The round.
        round_id: u64,
        /// The culprits.
        false_shares: Vec<ShareRefusal>,
    },
    /// The sequencer was told to make no further blocks.
    #[error("no further blocks are made: the day has ended")]
    Halted,
}
