//! Verdicts on sealed bids: computed at once, or remembered from intake so that a block verifies nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::bid::{
    BidFault, BidParams, RoundContext, SealedBid, VerifiedBid, verify_all_bids, verify_bids,
};

/// Where the state machine gets its verdicts from. An implementation must answer exactly what
/// [`veilgrid_crypto::bid::verify_bids`] answers; it may only answer faster.
pub trait BidVerdicts {
    /// One verdict a bid, in order.
    fn verify(
        &mut self,
        params: &BidParams,
        round: &RoundContext,
        bids: &[SealedBid],
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>>;

    /// Whether all of these bids hold, without the search for those that do not: what false bids cost is one batch.
    fn all_hold(&mut self, params: &BidParams, round: &RoundContext, bids: &[SealedBid]) -> bool {
        self.verify(params, round, bids).iter().all(Result::is_ok)
    }
}

/// Verifies every bid when it is asked. The auditor's choice: nothing is taken on trust.
#[derive(Debug, Default, Clone, Copy)]
pub struct VerifyAll;

impl BidVerdicts for VerifyAll {
    fn verify(
        &mut self,
        params: &BidParams,
        round: &RoundContext,
        bids: &[SealedBid],
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        verify_bids(params, round, bids).into_iter().map(|verdict| verdict.map(Arc::new)).collect()
    }

    fn all_hold(&mut self, params: &BidParams, round: &RoundContext, bids: &[SealedBid]) -> bool {
        verify_all_bids(params, round, bids).is_some()
    }
}

/// Everything that a verdict depends on: round context, parameters and every byte of the bid.
pub(crate) type Key = (RoundContext, [u8; 32], [u8; 32]);

/// Remembers valid bids up to a bound.
///
/// Faults are not remembered: a flood of invalid bids would push out the valid ones. When the cache is full, a bid is
/// verified again in its block, which costs time and changes no verdict.
pub struct VerdictCache {
    valid: BTreeMap<Key, Arc<VerifiedBid>>,
    capacity: usize,
}

impl VerdictCache {
    /// An empty cache for at most `capacity` bids.
    pub fn new(capacity: usize) -> Self {
        Self { valid: BTreeMap::new(), capacity }
    }

    /// Number of bids that are remembered.
    pub fn len(&self) -> usize {
        self.valid.len()
    }

    /// True when nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.valid.is_empty()
    }

    /// Forgets the bids of all rounds up to and with `round_id`, when a round is finished.
    pub fn forget_up_to(&mut self, round_id: u64) {
        self.valid.retain(|(round, _, _), _| round.round_id > round_id);
    }
}

impl BidVerdicts for VerdictCache {
    fn verify(
        &mut self,
        params: &BidParams,
        round: &RoundContext,
        bids: &[SealedBid],
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        let keys: Vec<Key> = bids.iter().map(|bid| (*round, params.digest(), bid.digest())).collect();
        let mut verdicts: Vec<_> = keys.iter().map(|key| self.valid.get(key).cloned().map(Ok)).collect();
        let unknown: Vec<usize> = (0..bids.len()).filter(|i| verdicts[*i].is_none()).collect();
        let unknown_bids: Vec<SealedBid> = unknown.iter().map(|i| bids[*i].clone()).collect();
        for (i, verdict) in unknown.into_iter().zip(VerifyAll.verify(params, round, &unknown_bids)) {
            if let Ok(bid) = &verdict
                && self.valid.len() < self.capacity
            {
                self.valid.insert(keys[i], Arc::clone(bid));
            }
            verdicts[i] = Some(verdict);
        }
        verdicts.into_iter().flatten().collect()
    }
}
