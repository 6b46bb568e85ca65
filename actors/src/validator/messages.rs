//! What a validator is told and what it answers.

use super::journal::JournalError;
use actix::{Message, Recipient};
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::keygen::{DealerPackage, DealtShares, KeyGenContext};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::validator::ValidatorError;

/// Asks a candidate for its public signing key.
#[derive(Message)]
#[rtype(result = "Result<PointBytes, ValidatorFault>")]
pub struct Identify;

/// Asks a candidate to deal: shares go to the peers, the package comes back.
#[derive(Message)]
#[rtype(result = "Result<DealerPackage, ValidatorFault>")]
pub struct Deal {
    /// The session.
    pub context: KeyGenContext,
    /// Validator i (from 1) at i − 1; the dealer's own place is not used.
    pub peers: Vec<Recipient<TakeShares>>,
}

/// A dealer's shares for this validator. Between processes they travel in an envelope; here they stay in memory.
#[derive(Message)]
#[rtype(result = "Result<(), ValidatorFault>")]
pub struct TakeShares(pub DealtShares);

/// Asks a candidate to check what it was dealt, to store block 0 and to become a validator of this ledger.
#[derive(Message)]
#[rtype(result = "Result<Acknowledgement, ValidatorFault>")]
pub struct Join {
    /// Block 0.
    pub genesis: Arc<Block>,
}

/// The next block. The answer means: executed and flushed.
#[derive(Message, Clone)]
#[rtype(result = "Result<Acknowledgement, ValidatorFault>")]
pub struct DeliverBlock(pub Arc<Block>);

/// The validator's last block is final. The answer: the shares that the validator owes now.
#[derive(Message, Clone, Copy)]
#[rtype(result = "Result<Vec<Transaction>, ValidatorFault>")]
pub struct BlockFinal {
    /// The final block's height.
    pub height: u64,
    /// Its hash.
    pub block_hash: Hash,
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
    /// Its core refuses: a false share in key generation, or a block that breaks a rule.
    #[error("{0}")]
    Refused(Arc<ValidatorError>),
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
    /// The message belongs to another part of its life.
    #[error("validator {validator}: {why}")]
    WrongTime {
        /// Who.
        validator: u16,
        /// What it can't do now.
        why: &'static str,
    },
    /// The block that is said to be final is not its last one: no share is released.
    #[error("validator {validator}: block {announced} is said to be final, but its last block is {last}")]
    NotItsTip {
        /// Who.
        validator: u16,
        /// Height that was announced.
        announced: u64,
        /// Height of its last block.
        last: u64,
    },
    /// A peer did not take the shares that were dealt to it.
    #[error("validator {validator}: validator {peer} does not take its shares: {why}")]
    Peer {
        /// Who.
        validator: u16,
        /// The peer.
        peer: usize,
        /// Why.
        why: String,
    },
}

impl From<ValidatorError> for ValidatorFault {
    fn from(error: ValidatorError) -> Self {
        Self::Refused(Arc::new(error))
    }
}
