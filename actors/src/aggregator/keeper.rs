//! Where admitted bids go before their receipts leave.

use super::messages::BidRefusal;
use crate::sequencer::Order;
use actix::{Message, Recipient};
use std::collections::BTreeMap;
use thiserror::Error;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_roles::intake::Admitted;

/// Makes admitted bids and their receipts durable and hands the bids on, to the validators or the pool. `Ok` means
/// that both are done for all of them: the receipts leave next. An error means that none of the receipts leaves.
#[derive(Message)]
#[rtype(result = "Result<(), KeepError>")]
pub struct Keep(pub Vec<Admitted>);

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
}

/// Who keeps admitted bids.
#[derive(Clone)]
pub enum Keeper {
    /// The demo's sequencer: its block is flushed by every validator before it answers, so it is the journal.
    Sequencer(Recipient<Order>),
    /// A node's journal.
    Journal(Recipient<Keep>),
}

impl From<Recipient<Order>> for Keeper {
    fn from(sequencer: Recipient<Order>) -> Self {
        Self::Sequencer(sequencer)
    }
}

impl From<Recipient<Keep>> for Keeper {
    fn from(journal: Recipient<Keep>) -> Self {
        Self::Journal(journal)
    }
}

impl Keeper {
    /// Returns when the bids and their receipts are durable and handed on.
    pub(super) async fn keep(&self, admitted: Vec<Admitted>) -> Result<(), BidRefusal> {
        if admitted.is_empty() {
            return Ok(());
        }
        match self {
            Self::Sequencer(sequencer) => {
                let transactions = orders(admitted);
                if !transactions.is_empty() {
                    sequencer.send(Order(transactions)).await.map_err(|_| BidRefusal::Gone)??;
                }
            }
            Self::Journal(journal) => journal.send(Keep(admitted)).await.map_err(|_| BidRefusal::Gone)??,
        }
        Ok(())
    }
}

/// What was admitted and is not on the ledger yet, one transaction a round.
fn orders(admitted: Vec<Admitted>) -> Vec<Transaction> {
    let mut rounds: BTreeMap<u64, Vec<SealedBid>> = BTreeMap::new();
    for one in admitted.into_iter().filter(|one| !one.on_ledger) {
        rounds.entry(one.bid.round_id).or_default().push(one.bid);
    }
    rounds.into_iter().map(|(round_id, bids)| Transaction::Bids { round_id, bids }).collect()
}
