//! An archive that ends with its process: for simulations and tests.

use super::delivery::Target;
use super::ports::{ArchiveFailure, BidArchive, BrokenPromise};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::receipt::Receipt;

/// Rounds whose bids and receipts are kept: one may take bids while the one before is cleared.
const KEPT_ROUNDS: usize = 2;

/// Bids and receipts of the last rounds, in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryArchive(Arc<Mutex<BTreeMap<u64, Kept>>>);

#[derive(Debug)]
struct Kept {
    bid: SealedBid,
    receipts: BTreeMap<Target, Receipt>,
}

impl MemoryArchive {
    /// An empty archive.
    pub fn new() -> Self {
        Self::default()
    }

    fn rounds(&self) -> MutexGuard<'_, BTreeMap<u64, Kept>> {
        // Every change of it is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BidArchive for MemoryArchive {
    fn bid(&self, round_id: u64, shape: BidShape) -> Result<Option<SealedBid>, ArchiveFailure> {
        Ok(self.past_bid(round_id, shape))
    }

    fn keep_bid(&self, bid: SealedBid, _: BidShape) -> Result<SealedBid, ArchiveFailure> {
        let mut rounds = self.rounds();
        let kept = rounds.entry(bid.round_id).or_insert_with(|| Kept { bid, receipts: BTreeMap::new() });
        let bid = kept.bid.clone();
        while rounds.len() > KEPT_ROUNDS {
            rounds.pop_first();
        }
        Ok(bid)
    }

    fn past_bid(&self, round_id: u64, _: BidShape) -> Option<SealedBid> {
        self.rounds().get(&round_id).map(|kept| kept.bid.clone())
    }

    fn has_bid(&self, round_id: u64) -> bool {
        self.rounds().contains_key(&round_id)
    }

    fn receipts(&self, round_id: u64, _: u16) -> BTreeMap<Target, Receipt> {
        self.rounds().get(&round_id).map(|kept| kept.receipts.clone()).unwrap_or_default()
    }

    fn keep_receipt(&self, from: Target, receipt: &Receipt) -> Result<(), ArchiveFailure> {
        if let Some(kept) = self.rounds().get_mut(&receipt.round_id) {
            kept.receipts.insert(from, receipt.clone());
        }
        Ok(())
    }

    fn keep_evidence(&self, broken: &BrokenPromise<'_>) -> Result<String, ArchiveFailure> {
        Ok(format!("the receipts of round {}", broken.round_id))
    }
}
