//! Verdicts on bids, shared between a replica and the threads that verify for it.
//!
//! A replica is called under one lock, and the proofs of a full gossip message take tens of milliseconds. So they can
//! be verified beforehand and elsewhere ([`BidJob`]); the replica then finds the verdicts. Nothing depends on it: what
//! is not found is verified on the spot.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_crypto::bid::{BidFault, BidParams, RoundContext, SealedBid, VerifiedBid, verify_all_bids};
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::{BidVerdicts, VerifyAll};

/// Everything that a verdict depends on: round context, parameters and every byte of the bid.
type Key = (RoundContext, [u8; 32], [u8; 32]);

/// Remembered valid bids, up to a bound. Clones share what they remember. The lock is never held while proofs are
/// verified.
///
/// As in [`VerdictCache`](veilgrid_ledger::verdicts::VerdictCache) faults are not remembered: a flood of invalid bids
/// would push out the valid ones. Only this module puts something in, and only what `verify_bids` or
/// `verify_all_bids` has found valid.
#[derive(Clone)]
pub struct SharedVerdicts {
    valid: Arc<Mutex<BTreeMap<Key, Arc<VerifiedBid>>>>,
    capacity: usize,
}

impl SharedVerdicts {
    /// No verdicts yet, and room for this many.
    pub fn new(capacity: usize) -> Self {
        Self { valid: Arc::default(), capacity }
    }

    /// Number of bids that are remembered.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Forgets the bids of all rounds up to and with `round_id`, when a round is finished.
    pub fn forget_up_to(&self, round_id: u64) {
        self.lock().retain(|(round, _, _), _| round.round_id > round_id);
    }

    fn known(&self, keys: &[Key]) -> Vec<Option<Arc<VerifiedBid>>> {
        let valid = self.lock();
        keys.iter().map(|key| valid.get(key).cloned()).collect()
    }

    fn remember(&self, key: Key, bid: &Arc<VerifiedBid>) {
        let mut valid = self.lock();
        if valid.len() < self.capacity {
            valid.insert(key, Arc::clone(bid));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<VerifiedBid>>> {
        // A panic elsewhere leaves at worst fewer verdicts in the map, never a wrong one.
        self.valid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BidVerdicts for SharedVerdicts {
    fn verify(
        &mut self,
        params: &BidParams,
        round: &RoundContext,
        bids: &[SealedBid],
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        let keys: Vec<Key> = bids.iter().map(|bid| (*round, params.digest(), bid.digest())).collect();
        let mut verdicts: Vec<_> = self.known(&keys).into_iter().map(|known| known.map(Ok)).collect();
        let unknown: Vec<usize> = (0..bids.len()).filter(|at| verdicts[*at].is_none()).collect();
        let unknown_bids: Vec<SealedBid> = unknown.iter().map(|at| bids[*at].clone()).collect();
        let fresh = VerifyAll.verify(params, round, &unknown_bids);
        for (at, verdict) in unknown.into_iter().zip(fresh) {
            if let Ok(bid) = &verdict {
                self.remember(keys[at], bid);
            }
            verdicts[at] = Some(verdict);
        }
        verdicts.into_iter().flatten().collect()
    }

    fn all_hold(&mut self, params: &BidParams, round: &RoundContext, bids: &[SealedBid]) -> bool {
        let keys: Vec<Key> = bids.iter().map(|bid| (*round, params.digest(), bid.digest())).collect();
        let known = self.known(&keys);
        let unknown: Vec<usize> = (0..bids.len()).filter(|at| known[*at].is_none()).collect();
        let unknown_bids: Vec<SealedBid> = unknown.iter().map(|at| bids[*at].clone()).collect();
        let Some(fresh) = verify_all_bids(params, round, &unknown_bids) else { return false };
        for (at, bid) in unknown.into_iter().zip(fresh) {
            self.remember(keys[at], &Arc::new(bid));
        }
        true
    }
}

/// Bids of one round whose proofs can be verified on any thread, before they are offered.
pub struct BidJob {
    pub(super) state: State,
    pub(super) context: RoundContext,
    pub(super) bids: Vec<SealedBid>,
    pub(super) verdicts: SharedVerdicts,
}

impl BidJob {
    /// The bids.
    pub fn bids(&self) -> &[SealedBid] {
        &self.bids
    }

    /// Verifies them; the replica remembers those that are valid. One answer per bid, in order.
    pub fn run(mut self) -> Vec<Result<(), BidFault>> {
        let Some(params) = self.state.community().bid_params() else { return Vec::new() };
        let verdicts = self.verdicts.verify(params, &self.context, &self.bids);
        verdicts.into_iter().map(|verdict| verdict.map(|_| ())).collect()
    }
}
