//! Where admitted bids go before their receipts leave.

use super::messages::BidRefusal;
use actix::{Message, Recipient};
use thiserror::Error;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_roles::intake::Admitted;

/// Makes admitted bids and their receipts durable and begins to hand the bids on, to the validators or the pool. `Ok`
/// means that all are durable; which of the receipts may leave, [`Confirm`] asks. An error means that none of them is:
/// none may ever leave.
#[derive(Message)]
#[rtype(result = "Result<(), KeepError>")]
pub struct Keep(pub Vec<Admitted>);

/// Asks whether the receipt of a durable bid may leave: the bid is on the ledger, or handed on to as many as the node
/// promises. The answer comes when that is known. A receipt that may not leave yet stays durable and may be asked for
/// again.
#[derive(Message)]
#[rtype(result = "Result<(), KeepError>")]
pub struct Confirm(pub Receipt);

/// Why bids were not kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeepError {
    /// The journal can't be written.
    #[error("the journal does not take them: {why}")]
    NotDurable {
        /// The system's reason.
        why: String,
    },
    /// They go onto the ledger before their receipts leave, and no block takes them.
    #[error("no block takes them: {why}")]
    NotOrdered {
        /// Why.
        why: String,
    },
    /// There is no room for more.
    #[error("{why}")]
    NoRoom {
        /// What is full.
        why: String,
    },
    /// The round took no more bids before this one was handed on. Nobody was promised anything.
    #[error("the round has closed before enough nodes had the bid: it does not count and has no receipt")]
    TooLate,
}

/// Who keeps admitted bids.
#[derive(Clone)]
pub struct Keeper {
    keep: Recipient<Keep>,
    confirm: Option<Recipient<Confirm>>,
}

impl Keeper {
    /// A node's journal: it makes durable, and says whether receipts may leave.
    pub fn journal(keep: Recipient<Keep>, confirm: Recipient<Confirm>) -> Self {
        Self { keep, confirm: Some(confirm) }
    }

    /// Somebody who has the bids on the ledger before it answers: the blocks are the journal, and a receipt may leave at
    /// once.
    pub fn ledger(keep: Recipient<Keep>) -> Self {
        Self { keep, confirm: None }
    }

    /// Returns when the bids and their receipts are durable.
    pub(super) async fn keep(&self, admitted: Vec<Admitted>) -> Result<(), BidRefusal> {
        if admitted.is_empty() {
            return Ok(());
        }
        Ok(self.keep.send(Keep(admitted)).await.map_err(|_| BidRefusal::Gone)??)
    }

    /// Returns when the receipt may leave.
    pub(super) async fn confirm(&self, receipt: Receipt) -> Result<(), BidRefusal> {
        match &self.confirm {
            None => Ok(()),
            Some(confirm) => Ok(confirm.send(Confirm(receipt)).await.map_err(|_| BidRefusal::Gone)??),
        }
    }
}
