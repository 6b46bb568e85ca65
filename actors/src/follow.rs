//! Final blocks on their way to whoever follows a ledger inside of its own process.

use actix::Message;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_ledger::audit::Violation;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::refusal::BlockError;

/// A final block for somebody who follows the ledger.
#[derive(Message, Clone)]
#[rtype(result = "Result<(), FollowFault>")]
pub struct FollowBlock {
    /// The block.
    pub block: Arc<Block>,
    /// Its certificate, when it has one.
    pub certificate: Option<Arc<Vec<u8>>>,
}

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
