//! What the intake's actor is told and what it answers.

use super::keeper::KeepError;
use crate::pool::PoolError;
use actix::Message;
use std::time::Duration;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::state::State;
use veilgrid_roles::intake::IntakeError;

/// A bid in its envelope. The same bytes get the same receipt.
#[derive(Message)]
#[rtype(result = "Result<Receipt, BidRefusal>")]
pub struct SubmitEnvelope(pub Vec<u8>);

/// Bids without envelopes, as the aggregator sends them on. One answer each, in order; it comes when all are decided.
#[derive(Message)]
#[rtype(result = "Vec<Result<Receipt, BidRefusal>>")]
pub struct SubmitBids(pub Vec<SealedBid>);

/// The state after a block that the node has executed elsewhere. Instead of `FollowBlock`, so that no block is
/// executed twice; an older state than the last one is ignored.
#[derive(Message)]
#[rtype(result = "()")]
pub struct Advance(pub State);

/// Asks how long the verification of bids has taken so far, on the wall clock.
#[derive(Message)]
#[rtype(result = "Duration")]
pub struct VerificationTime;

/// Why a bid gets no receipt.
#[derive(Debug, Clone, Error)]
pub enum BidRefusal {
    /// The intake refuses it.
    #[error("{0}")]
    Intake(#[from] IntakeError),
    /// It is valid, and its block was not made.
    #[error("the bid is valid but not on the ledger: {why}")]
    NotOrdered {
        /// Why.
        why: String,
    },
    /// It is valid, and it was not made durable.
    #[error("the bid is valid but not kept: {0}; send the same bytes again or to another node")]
    NotKept(KeepError),
    /// Its proof was not verified.
    #[error("the bid was not verified: {0}")]
    NotVerified(#[from] PoolError),
    /// Too many wait for the receipt of the same bid.
    #[error("{waiting} senders wait for the receipt of this bid already: send the same bytes again later")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// It came too late.
    #[error("the round ended before the bid was looked at")]
    RoundOver,
    /// The node is ending.
    #[error("the intake is gone: send the same bytes again or to another node")]
    Gone,
}

impl From<KeepError> for BidRefusal {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::NotOrdered { why } => Self::NotOrdered { why },
            error => Self::NotKept(error),
        }
    }
}
