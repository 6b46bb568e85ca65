//! Verdicts that aggregator and sequencer share, so that one process verifies a bid once.

use std::sync::{Arc, Mutex, PoisonError};
use veilgrid_crypto::bid::{BidFault, BidParams, RoundContext, SealedBid, VerifiedBid};
use veilgrid_ledger::verdicts::{BidVerdicts, VerdictCache};

/// A [`VerdictCache`] behind a lock. Aggregator and sequencer are one operator's process and neither is trusted;
/// validators and the auditor never look into it and verify on their own.
#[derive(Clone)]
pub struct SharedVerdicts(Arc<Mutex<VerdictCache>>);

impl SharedVerdicts {
    /// An empty cache for at most `capacity` bids.
    pub fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(VerdictCache::new(capacity))))
    }

    /// Forgets the bids of all rounds up to and with `round_id`, when a round is finished.
    pub fn forget_up_to(&self, round_id: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).forget_up_to(round_id);
    }
}

impl BidVerdicts for SharedVerdicts {
    fn verify(
        &mut self,
        params: &BidParams,
        round: &RoundContext,
        bids: &[SealedBid],
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        // A panic elsewhere leaves at worst fewer verdicts in the map, never a wrong one.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).verify(params, round, bids)
    }
}
