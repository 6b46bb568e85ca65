//! Verdicts on bids, shared between a replica and the threads that verify for it.
//!
//! A replica is called under one lock, and the proofs of a full gossip message take tens of milliseconds. So they can
//! be verified beforehand and elsewhere ([`BidJob`]); the replica then finds the verdicts. Nothing depends on it: what
//! is not found is verified on the spot.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_crypto::bid::{
    AccountTerms, BidFault, BidParams, RoundContext, SealedBid, Statement, VerifiedBid,
    verify_all_statements, verify_statements,
};
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::{BidVerdicts, BidsAsked, VerdictKey};

/// Remembered valid bids, up to a bound. Clones share what they remember. The lock is never held while proofs are
/// verified.
///
/// As in [`VerdictCache`](veilgrid_ledger::verdicts::VerdictCache) faults are not remembered: a flood of invalid bids
/// would push out the valid ones. Only this module puts something in, and only what `verify_statements` or
/// `verify_all_statements` has found valid.
#[derive(Clone)]
pub struct SharedVerdicts {
    valid: Arc<Mutex<BTreeMap<VerdictKey, Arc<VerifiedBid>>>>,
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
        self.lock().retain(|key, _| key.round.round_id > round_id);
    }

    fn known(&self, keys: &[VerdictKey]) -> Vec<Option<Arc<VerifiedBid>>> {
        let valid = self.lock();
        keys.iter().map(|key| valid.get(key).cloned()).collect()
    }

    fn remember(&self, key: VerdictKey, bid: &Arc<VerifiedBid>) {
        let mut valid = self.lock();
        if valid.len() < self.capacity {
            valid.insert(key, Arc::clone(bid));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<VerdictKey, Arc<VerifiedBid>>> {
        // A panic elsewhere leaves at worst fewer verdicts in the map, never a wrong one.
        self.valid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is known of some bids, and those that are not known with their places.
type Split<'a> = (Vec<Option<Arc<VerifiedBid>>>, Vec<(usize, Statement<'a>)>);

impl SharedVerdicts {
    /// What is known of these bids, and those that are not known with their places.
    fn split<'a>(&self, keys: &[VerdictKey], asked: BidsAsked<'a>) -> Split<'a> {
        let known = self.known(keys);
        let unknown = asked.statements().enumerate().filter(|(at, _)| known[*at].is_none()).collect();
        (known, unknown)
    }
}

impl BidVerdicts for SharedVerdicts {
    fn verify(
        &mut self,
        params: &BidParams,
        asked: BidsAsked<'_>,
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        let keys = asked.keys(params);
        let (known, unknown) = self.split(&keys, asked);
        let (places, statements): (Vec<usize>, Vec<Statement<'_>>) = unknown.into_iter().unzip();
        let mut verdicts: Vec<_> = known.into_iter().map(|known| known.map(Ok)).collect();
        for (at, verdict) in places.into_iter().zip(verify_statements(params, &statements)) {
            let verdict = verdict.map(Arc::new);
            if let Ok(bid) = &verdict {
                self.remember(keys[at], bid);
            }
            verdicts[at] = Some(verdict);
        }
        verdicts.into_iter().flatten().collect()
    }

    fn all_hold(&mut self, params: &BidParams, asked: BidsAsked<'_>) -> bool {
        let keys = asked.keys(params);
        let (_, unknown) = self.split(&keys, asked);
        let (places, statements): (Vec<usize>, Vec<Statement<'_>>) = unknown.into_iter().unzip();
        let Some(fresh) = verify_all_statements(params, &statements) else { return false };
        for (at, bid) in places.into_iter().zip(fresh) {
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
    /// With money, the terms of their accounts, bid by bid.
    pub(super) terms: Option<Vec<AccountTerms>>,
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
        let asked = BidsAsked { round: &self.context, bids: &self.bids, terms: self.terms.as_deref() };
        let verdicts = self.verdicts.verify(params, asked);
        verdicts.into_iter().map(|verdict| verdict.map(|_| ())).collect()
    }
}
