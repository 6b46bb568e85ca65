//! What the orderer is told and what it answers.

use actix::{Message, Recipient};
use std::sync::Arc;
use thiserror::Error;
use veilgrid_actors::follow::FollowBlock;
use veilgrid_actors::member::Observe;
use veilgrid_actors::validator::ValidatorFault;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::BlockEffects;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::committee::{FalseShare, named};
use veilgrid_roles::replica::OfferRefusal;

/// Waits for the next block: simulated time goes on as far as that takes.
#[derive(Message)]
#[rtype(result = "Result<Arc<Decided>, OrderError>")]
pub struct NextBlock;

/// Asks why no further blocks are made; none as long as they are.
#[derive(Message)]
#[rtype(result = "Option<OrderError>")]
pub struct Ended;

/// Makes no further blocks. The answer comes after the block that is under way and after all followers have it.
#[derive(Message)]
#[rtype(result = "LedgerTip")]
pub struct Halt;

/// Hands a transaction from outside to the validators; a later block has it.
#[derive(Message)]
#[rtype(result = "Result<(), OrderError>")]
pub struct Submit(pub Transaction);

/// Adds a follower. Blocks that are final already are not sent again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Follow {
    /// Who.
    pub follower: Recipient<FollowBlock>,
    /// How closely.
    pub pace: Pace,
}

/// Adds members. They are told what each further block did, before its order is answered.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Attend(pub Vec<Recipient<Observe>>);

/// How a follower gets its blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The block's order is answered after the follower has it. Its refusal ends the day.
    InStep,
    /// As fast as it can, within a backlog. Its refusal is its own matter.
    Behind,
}

/// A block that is final.
#[derive(Clone)]
pub struct Decided {
    /// The block.
    pub block: Arc<Block>,
    /// Its certificate.
    pub certificate: Arc<Vec<u8>>,
    /// What it did.
    pub effects: Arc<BlockEffects>,
    /// The state after it.
    pub state: State,
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
    pub false_shares: Vec<FalseShare>,
    /// Validators (from 1) that the ledger has left behind, and why.
    pub left_behind: Vec<(u16, String)>,
}

/// Why there is no next block.
#[derive(Debug, Clone, Error)]
pub enum OrderError {
    /// The validators refuse a bid that the aggregator has admitted. The ledger goes on.
    #[error("not ordered: {0}")]
    Refused(#[from] OfferRefusal),
    /// Too few validators voted for a block. Nothing further is ordered.
    #[error("the ledger stops at block {height}: {votes} of {validators} validators vote for it: {}", why(.faults))]
    NotFinal {
        /// The block.
        height: u64,
        /// Votes that hold.
        votes: usize,
        /// Validators of the epoch.
        validators: usize,
        /// Why the others did not.
        faults: Vec<ValidatorFault>,
    },
    /// Too few validators are left to order anything.
    #[error("the ledger stops after block {height}: too few validators are left: {}", left(.left_behind))]
    TooFew {
        /// The last final block.
        height: u64,
        /// Who is not, and why.
        left_behind: Vec<(u16, String)>,
    },
    /// A follower in step refuses the block.
    #[error("the ledger stops after block {height}: {why}")]
    Follower {
        /// The block.
        height: u64,
        /// Why.
        why: String,
    },
    /// Block 0, or the consensus keys in it, are not sound.
    #[error("the ledger can't be followed: {0}")]
    Ledger(String),
    /// Fewer validators than the threshold sent true shares.
    #[error("round {round_id} waits for shares that do not come; false ones: {}", named(.false_shares))]
    Stalled {
        /// The round.
        round_id: u64,
        /// The culprits.
        false_shares: Vec<FalseShare>,
    },
    /// The orderer was told to make no further blocks.
    #[error("no further blocks are made: the day has ended")]
    Halted,
}

fn why(faults: &[ValidatorFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn left(left_behind: &[(u16, String)]) -> String {
    left_behind.iter().map(|(_, why)| why.clone()).collect::<Vec<_>>().join("; ")
}
