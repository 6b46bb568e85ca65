//! What a member is told and what it answers.

use crate::aggregator::BidRefusal;
use crate::pool::PoolError;
use actix::Message;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_crypto::bid::SealError;
use veilgrid_crypto::receipt::{Receipt, ReceiptInvalid};
use veilgrid_ledger::state::effects::SettledRound;
use veilgrid_ledger::state::round::Slot;
use veilgrid_roles::member::{Fill, MemberError};

/// The round is open: bid for the slot. The answer is the aggregator's receipt, checked: the bid is on the ledger.
#[derive(Message, Clone)]
#[rtype(result = "Result<Receipt, PlacingError>")]
pub struct PlaceBid {
    /// The slot: what the bid is bound to.
    pub slot: Slot,
    /// The round.
    pub round_id: u64,
    /// Called when the bid is sealed, before it is sent.
    pub on_sealed: Arc<dyn Fn() + Send + Sync>,
}

/// The round is settled. The answer: what the member traded, after it has checked its settlement point.
#[derive(Message, Clone)]
#[rtype(result = "Result<Fill, MemberError>")]
pub struct RoundSettled(pub Arc<SettledRound>);

/// The round is void.
#[derive(Message, Clone, Copy)]
#[rtype(result = "Result<(), MemberError>")]
pub struct RoundVoided {
    /// The round.
    pub round_id: u64,
}

/// Why a member has no bid on the ledger.
#[derive(Debug, Error)]
pub enum PlacingError {
    /// The owner or the grid refuses.
    #[error(transparent)]
    Member(#[from] MemberError),
    /// The quantities can't be sealed.
    #[error("sealing the bid: {0}")]
    Seal(#[from] SealError),
    /// There is nothing to seal for.
    #[error("the community has no threshold keys yet")]
    NoKeys,
    /// The bid was not sealed.
    #[error("{0}")]
    Pool(#[from] PoolError),
    /// The aggregator refuses.
    #[error("{0}")]
    Refused(#[from] BidRefusal),
    /// The receipt is not the aggregator's, or for another bid.
    #[error("{0}")]
    Receipt(#[from] ReceiptInvalid),
    /// The receipt names another bid.
    #[error("the receipt is for another bid than the one sent")]
    WrongReceipt,
    /// The member has ended, by a panic.
    #[error("the member is gone: this is a mistake of the program, please report it")]
    MemberGone,
    /// The aggregator has ended.
    #[error("the aggregator is gone")]
    Gone,
}

impl PlacingError {
    /// Whether the bid is missing because the day was cancelled, which is nobody's fault.
    pub fn is_cancellation(&self) -> bool {
        matches!(
            self,
            Self::Pool(PoolError::Cancelled) | Self::Refused(BidRefusal::NotVerified(PoolError::Cancelled))
        )
    }
}
