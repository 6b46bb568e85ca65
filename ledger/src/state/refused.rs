//! The record of refused transactions: their number, and a running digest over them.

use super::State;
use crate::hash::hash;
use crate::transaction::Transaction;
use std::sync::Arc;
use veilgrid_crypto::labels;

impl State {
    /// Number of transactions that were refused on this ledger.
    pub fn refused(&self) -> u64 {
        self.network.refused
    }

    /// Counts a refused transaction and carries the digest on.
    pub(crate) fn record_refusal(&mut self, transaction: &Transaction) {
        let network = Arc::make_mut(&mut self.network);
        network.refused = network.refused.saturating_add(1);
        let (before, refused) = (network.refused_digest, transaction.digest());
        network.refused_digest =
            hash(labels::LEDGER_REFUSED, &[&before, &refused, &self.height.to_le_bytes()]);
    }
}
