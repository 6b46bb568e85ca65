//! What the aggregator is told and what it answers.

use crate::pool::PoolError;
use crate::sequencer::OrderError;
use actix::Message;
use std::time::Duration;
use thiserror::Error;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_roles::intake::IntakeError;

/// A bid in its envelope. The same bytes get the same receipt.
#[derive(Message)]
#[rtype(result = "Result<Receipt, BidRefusal>")]
pub struct SubmitEnvelope(pub Vec<u8>);

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
    #[error("the bid is valid but not on the ledger: {0}")]
    NotOrdered(#[from] OrderError),
    /// Its proof was not verified.
    #[error("the bid was not verified: {0}")]
    NotVerified(#[from] PoolError),
    /// Too many wait.
    #[error("{waiting} bids wait already: send the same bytes again later")]
    Overloaded {
        /// How many wait.
        waiting: usize,
    },
    /// It came too late.
    #[error("the round ended before the bid was looked at")]
    RoundOver,
    /// The aggregator has ended.
    #[error("the aggregator or the sequencer is gone")]
    Gone,
}
