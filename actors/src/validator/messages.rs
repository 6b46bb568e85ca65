//! What a validator is told and what it answers.

use super::journal::JournalError;
use actix::Message;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::finality::{Ballot, ConsensusKeyBytes, Vote};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::roster::ValidatorEntry;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::committee::{FinaliseFault, VoteFault};
use veilgrid_roles::replica::{GossipFault, OfferRefusal, Offered, Proposal};

/// Asks for the validator's public keys. It opens its journal too, so that a folder that can't be used shows before a
/// ledger is founded.
#[derive(Message)]
#[rtype(result = "Result<ValidatorEntry, ValidatorFault>")]
pub struct Identify;

/// Tells a validator the ledger that it is to extend: it checks and stores block 0.
#[derive(Message)]
#[rtype(result = "Result<Acknowledgement, ValidatorFault>")]
pub struct Join {
    /// Block 0.
    pub genesis: Arc<Block>,
}

/// Offers bids of one round; one answer per bid, in order.
#[derive(Message, Clone)]
#[rtype(result = "Result<Vec<Result<Offered, OfferRefusal>>, ValidatorFault>")]
pub struct OfferBids {
    /// The round.
    pub round_id: u64,
    /// The bids.
    pub bids: Arc<Vec<SealedBid>>,
}

/// Offers a transaction that comes from outside and is no bid.
#[derive(Message, Clone)]
#[rtype(result = "Result<Result<Offered, OfferRefusal>, ValidatorFault>")]
pub struct OfferTransaction(pub Arc<Transaction>);

/// A message of a validator for all others, with its consensus key.
pub type GossipMessage = (ConsensusKeyBytes, Arc<Vec<u8>>);

/// Messages of other validators. The answer holds its own ones for them.
#[derive(Message, Clone, Default)]
#[rtype(result = "Result<Gossiped, ValidatorFault>")]
pub struct Gossip(pub Vec<GossipMessage>);

/// What a validator says, and what was false of what it heard.
#[derive(Debug, Default)]
pub struct Gossiped {
    /// Its messages for all others.
    pub messages: Vec<Vec<u8>>,
    /// Who has sent something false.
    pub faults: Vec<(ConsensusKeyBytes, GossipFault)>,
}

/// Asks the leader of a view for a block.
#[derive(Message, Clone, Copy)]
#[rtype(result = "Result<Proposal, ValidatorFault>")]
pub struct Propose {
    /// The last final block.
    pub parent: Hash,
    /// The time, Unix milliseconds.
    pub now_unix_ms: u64,
}

/// Asks for a vote on a block.
#[derive(Message, Clone)]
#[rtype(result = "Result<Vote, ValidatorFault>")]
pub struct CastVote {
    /// The block.
    pub block: Arc<Block>,
    /// What is to be signed.
    pub ballot: Ballot,
    /// The time, Unix milliseconds.
    pub now_unix_ms: u64,
}

/// The next final block with its certificate. The answer means: executed and flushed.
#[derive(Message, Clone)]
#[rtype(result = "Result<Acknowledgement, ValidatorFault>")]
pub struct Finalise {
    /// The block.
    pub block: Arc<Block>,
    /// Its certificate.
    pub certificate: Arc<Vec<u8>>,
}

/// Asks where the validator stands.
#[derive(Message)]
#[rtype(result = "Result<Acknowledgement, ValidatorFault>")]
pub struct Tip;

/// A validator has executed a block and its store has flushed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Who, from 1.
    pub validator: u16,
    /// The block's height.
    pub height: u64,
    /// Its hash.
    pub block_hash: Hash,
    /// The state root after it.
    pub state_root: Hash,
}

impl Acknowledgement {
    /// Of the last block of a state.
    pub fn of(validator: u16, state: &State) -> Self {
        let (height, block_hash) = (state.height(), state.block_hash());
        Self { validator, height, block_hash, state_root: state.root() }
    }
}

/// Why a validator does not do what it is told.
#[derive(Debug, Clone, Error)]
pub enum ValidatorFault {
    /// Block 0 breaks a rule.
    #[error("validator {validator} refuses block 0: {source}")]
    Genesis {
        /// Who.
        validator: u16,
        /// The rule.
        source: BlockError,
    },
    /// It gives no vote.
    #[error("validator {validator} does not vote: {source}")]
    NoVote {
        /// Who.
        validator: u16,
        /// Why.
        source: VoteFault,
    },
    /// What is handed to it as final has no certificate that holds.
    #[error("validator {validator}: {source}")]
    NotFinal {
        /// Who.
        validator: u16,
        /// What is wrong with the certificate.
        source: FinaliseFault,
    },
    /// It has stopped, and starts again from its store.
    #[error("validator {validator} stops: {why}; nothing of this block was acknowledged")]
    Stopped {
        /// Who.
        validator: u16,
        /// Why.
        why: String,
    },
    /// Its store fails. Nothing is acknowledged that is not on disk.
    #[error("validator {validator}: its store fails: {source}; nothing of this block was acknowledged")]
    Store {
        /// Who.
        validator: u16,
        /// Why.
        source: Arc<JournalError>,
    },
    /// It restarted and its store does not open.
    #[error("validator {validator} is down: {reason}")]
    Down {
        /// Who.
        validator: u16,
        /// Why.
        reason: String,
    },
    /// It does not answer: it is gone, or takes too long.
    #[error("validator {validator} does not answer ({why})")]
    Silent {
        /// Who.
        validator: u16,
        /// Gone, or too late.
        why: String,
    },
    /// The message belongs to another part of its life.
    #[error("validator {validator}: {why}")]
    WrongTime {
        /// Who.
        validator: u16,
        /// What it can't do now.
        why: &'static str,
    },
}
