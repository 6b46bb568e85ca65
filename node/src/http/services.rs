//! What stands behind the server.

use actix::{Message, Recipient};
use std::sync::Arc;
use thiserror::Error;
use veilgrid_actors::aggregator::{SubmitBids, SubmitEnvelope};
use veilgrid_api::StatusReport;
use veilgrid_client::ledger_view::LedgerView;
use veilgrid_ledger::transaction::Transaction;

/// What answers requests. What is absent is answered with 404.
#[derive(Clone)]
pub struct Services {
    /// Takes envelopes: the node's `AggregatorActor`.
    pub intake: Option<Recipient<SubmitEnvelope>>,
    /// Takes bids that the aggregator sends on: a validator's `AggregatorActor`.
    pub relay: Option<Recipient<SubmitBids>>,
    /// Takes transactions from outside: a validator's.
    pub submit: Option<Recipient<SubmitTransaction>>,
    /// The final ledger.
    pub ledger: LedgerView,
    /// What the node says about itself.
    pub status: Arc<dyn Fn() -> StatusReport + Send + Sync>,
}

/// A key event or a change of validators for the pool. Its signatures are the receiver's to check.
#[derive(Message)]
#[rtype(result = "Result<(), SubmitError>")]
pub struct SubmitTransaction(pub Transaction);

/// Why a transaction does not enter the pool.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubmitError {
    /// It breaks a rule.
    #[error("{0}")]
    Refused(String),
    /// It is there already, in the pool or on the ledger.
    #[error("the transaction is known already")]
    Known,
    /// The pool is full.
    #[error("the pool is full: send it again later")]
    Full,
}
