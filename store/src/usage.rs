//! How many bytes a ledger has.

use crate::record::Stored;
use veilgrid_ledger::transaction::Transaction;

/// Bytes of a stored ledger, by what they are. The database's own overhead is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LedgerBytes {
    /// Number of blocks.
    pub blocks: u64,
    /// Number of blocks that are stored in their pruned form.
    pub pruned_blocks: u64,
    /// Bytes of all encoded blocks as they are stored.
    pub block_bytes: u64,
    /// Bytes of encoded bids in them: what pruning gives back, but for the digests.
    pub bid_bytes: u64,
    /// Number of certificates.
    pub certificates: u64,
    /// Bytes of them.
    pub certificate_bytes: u64,
}

impl LedgerBytes {
    pub(crate) fn add_block(&mut self, stored: &Stored, bytes: usize) {
        self.blocks += 1;
        self.block_bytes += bytes as u64;
        self.bid_bytes += bid_bytes(stored);
        self.pruned_blocks += u64::from(matches!(stored, Stored::Pruned(_)));
    }

    /// A block was replaced by its pruned form.
    pub(crate) fn prune_block(&mut self, full: &Stored, full_bytes: usize, pruned_bytes: usize) {
        self.pruned_blocks += 1;
        self.bid_bytes = self.bid_bytes.saturating_sub(bid_bytes(full));
        self.block_bytes =
            self.block_bytes.saturating_sub(full_bytes as u64).saturating_add(pruned_bytes as u64);
    }

    pub(crate) fn add_certificate(&mut self, bytes: usize) {
        self.certificates += 1;
        self.certificate_bytes += bytes as u64;
    }
}

fn bid_bytes(stored: &Stored) -> u64 {
    let Stored::Full(block) = stored else { return 0 };
    let bids = block.transactions.iter().filter_map(|transaction| match transaction {
        Transaction::Bids { bids, .. } => Some(bids),
        _ => None,
    });
    bids.flatten().map(|bid| bid.to_bytes().len() as u64).sum()
}
