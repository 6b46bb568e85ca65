//! What stands behind the server.

use crate::ledger_view::LedgerView;
use crate::participant::Counts;
use actix::{Message, Recipient};
use serde::Serialize;
use std::sync::Arc;
use thiserror::Error;
use veilgrid_actors::aggregator::{SubmitBids, SubmitEnvelope};
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

/// What a node says about itself beside the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StatusReport {
    /// "validator", "aggregator" or "participant".
    pub role: &'static str,
    /// A validator's number, from 1.
    pub index: Option<u16>,
    /// Whether a validator holds shares of the keys in force; absent before there are keys, and for others.
    pub holds_shares: Option<bool>,
    /// Bids that wait for a block.
    pub pool_bids: u64,
    /// Other transactions that wait for a block.
    pub pool_transactions: u64,
    /// What a validator is doing: `validating`, `candidate`, `catching-up`; absent for others.
    pub mode: Option<&'static str>,
    /// Last height with a certificate of its own.
    pub certified_height: Option<u64>,
    /// Seconds since a validator last voted, or since its engine began when it has not; absent without an engine.
    pub last_vote_age_s: Option<u64>,
    /// Whether a validator has voted for none of the blocks of the last half minute.
    pub votes_for_nothing: bool,
    /// Votes in certificates under a validator's key that its process has not given.
    pub unknown_votes: u64,
    /// A validator's clock against the others', when it is off by more than is allowed: ahead, or behind (negative), ms.
    pub clock_off_ms: Option<i64>,
    /// Validators that hold shares of the keys in force, as far as is known here; absent before there are keys.
    pub holders: Option<u16>,
    /// Rounds whose opening has stood still for too long.
    pub suspended_rounds: u64,
    /// Since the time of the last final block, seconds.
    pub last_block_age_s: Option<u64>,
    /// Validators whose engines are connected to this one's; of other processes: validators that answered when they were
    /// last asked.
    pub peers_connected: Option<u64>,
    /// Free bytes on the disk of `data_dir`.
    pub disk_free_bytes: Option<u64>,
    /// This machine's clock against those of f + 1 validators at least, as far as is certain: ahead, or behind (negative), ms.
    pub clock_skew_ms: Option<i64>,
    /// When the certificate of the API expires, seconds since 1970 UTC.
    pub certificate_expires_unix_s: Option<i64>,
    /// What wants a look although the node does its work.
    pub warnings: Vec<String>,
    /// Why the node does not do its work; absent when it does.
    pub trouble: Option<String>,
    /// Of a participant: what has happened to its bids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<Counts>,
    /// Why the node takes neither bids nor transactions now, although it has an intake; nothing of it is shown.
    #[serde(skip)]
    pub closed: Option<&'static str>,
}
