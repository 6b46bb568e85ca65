//! What lies around a member: the way to the nodes, and whoever watches it.

use std::future::Future;
use std::pin::Pin;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::member::{Answer, Desk, SealFailure, Target};

/// Why there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoReceipt {
    /// What it means for the delivery.
    pub answer: Answer,
    /// In words.
    pub why: String,
}

/// The answer to an envelope.
pub type Posted<'a> = Pin<Box<dyn Future<Output = Result<Receipt, NoReceipt>> + Send + 'a>>;

/// The answer to a transaction: why it was not taken, in words.
pub type Submitted<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// How envelopes get to nodes: by HTTP, or to actors of the same process.
pub trait Post: Send + Sync + 'static {
    /// Hands an envelope to a node and returns its receipt, unchecked.
    fn post(&self, to: Target, envelope: Vec<u8>) -> Posted<'_>;

    /// Hands a transaction to a node that hands it on. It is sent again until the ledger has it.
    fn submit(&self, transaction: Transaction) -> Submitted<'_>;
}

/// What happens to a member's bids.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// A round's bid is sealed and kept.
    Sealed,
    /// It could not be made yet.
    NotSealed(&'a SealFailure),
    /// A node has promised it a place; the receipt was checked and is kept.
    Promised(Target, &'a Receipt),
    /// A node has not.
    NotPromised(Target, &'a str),
}

/// Watches a member from its own process. Nothing that it hears is for any other role.
pub trait Watch<A, R>: Send + 'static {
    /// Something has happened to the bid of a round.
    fn hear(&mut self, _round_id: u64, _news: News<'_>) {}

    /// Something may have changed.
    fn look(&mut self, _desk: &Desk<A, R>) {}
}
