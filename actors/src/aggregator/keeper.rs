//! Where admitted bids go before their receipts leave.

use super::messages::BidRefusal;
use crate::orderer::Order;
use actix::{Message, Recipient};
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
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
pub enum Keeper {
    /// The orderer of one process: the bids' blocks are final and flushed before it answers, so it is the journal.
    Orderer(Recipient<Order>),
    /// A node's journal.
    Journal {
        /// Makes durable.
        keep: Recipient<Keep>,
        /// Says whether receipts may leave.
        confirm: Recipient<Confirm>,
    },
}

impl From<Recipient<Order>> for Keeper {
    fn from(orderer: Recipient<Order>) -> Self {
        Self::Orderer(orderer)
    }
}

impl Keeper {
    /// Returns when the bids and their receipts are durable.
    pub(super) async fn keep(&self, admitted: Vec<Admitted>) -> Result<(), BidRefusal> {
        if admitted.is_empty() {
            return Ok(());
        }
        match self {
            Self::Orderer(orderer) => {
                for (round_id, bids) in by_round(admitted) {
                    orderer.send(Order { round_id, bids }).await.map_err(|_| BidRefusal::Gone)??;
                }
            }
            Self::Journal { keep, .. } => keep.send(Keep(admitted)).await.map_err(|_| BidRefusal::Gone)??,
        }
        Ok(())
    }

    /// Returns when the receipt may leave.
    pub(super) async fn confirm(&self, receipt: Receipt) -> Result<(), BidRefusal> {
        match self {
            // Its block is final.
            Self::Orderer(_) => Ok(()),
            Self::Journal { confirm, .. } => {
                Ok(confirm.send(Confirm(receipt)).await.map_err(|_| BidRefusal::Gone)??)
            }
        }
    }
}

/// What was admitted and is not on the ledger yet.
fn by_round(admitted: Vec<Admitted>) -> BTreeMap<u64, Vec<SealedBid>> {
    let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
    for one in admitted.into_iter().filter(|one| !one.on_ledger) {
        rounds.entry(one.bid.round_id).or_default().push(one.bid);
    }
    rounds
}
