//! Verdicts on sealed bids: computed at once, or remembered from intake so that a block verifies nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::bid::{
    AccountTerms, BidFault, BidParams, RoundContext, SealedBid, Statement, VerifiedBid,
    verify_all_statements, verify_statements,
};

/// Bids of one round, and what each of them has to hold against.
#[derive(Debug, Clone, Copy)]
pub struct BidsAsked<'a> {
    /// The round.
    pub round: &'a RoundContext,
    /// The bids.
    pub bids: &'a [SealedBid],
    /// With money, what each bid's account has available and may trade, bid by bid.
    pub terms: Option<&'a [AccountTerms]>,
}

impl<'a> BidsAsked<'a> {
    /// Bids of a market without money.
    pub fn without_money(round: &'a RoundContext, bids: &'a [SealedBid]) -> Self {
        Self { round, bids, terms: None }
    }

    /// What is to be verified, bid by bid. With fewer terms than bids the last ones have none, and don't hold.
    pub fn statements(&self) -> impl Iterator<Item = Statement<'a>> + use<'a> {
        let (round, terms) = (self.round, self.terms);
        let of = move |(at, bid)| Statement { round, bid, terms: terms.and_then(|terms| terms.get(at)) };
        self.bids.iter().enumerate().map(of)
    }

    /// Everything that the verdicts depend on, bid by bid.
    pub fn keys(&self, params: &BidParams) -> Vec<VerdictKey> {
        self.statements().map(|statement| VerdictKey::of(params, &statement)).collect()
    }
}

/// Where the state machine gets its verdicts from. An implementation must answer exactly what
/// [`verify_statements`] answers; it may only answer faster.
pub trait BidVerdicts {
    /// One verdict a bid, in order.
    fn verify(&mut self, params: &BidParams, asked: BidsAsked<'_>)
    -> Vec<Result<Arc<VerifiedBid>, BidFault>>;

    /// Whether all of these bids hold, without the search for those that do not: what false bids cost is one batch.
    fn all_hold(&mut self, params: &BidParams, asked: BidsAsked<'_>) -> bool {
        self.verify(params, asked).iter().all(Result::is_ok)
    }
}

/// Verifies every bid when it is asked. The auditor's choice: nothing is taken on trust.
#[derive(Debug, Default, Clone, Copy)]
pub struct VerifyAll;

impl BidVerdicts for VerifyAll {
    fn verify(
        &mut self,
        params: &BidParams,
        asked: BidsAsked<'_>,
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        let statements: Vec<Statement<'_>> = asked.statements().collect();
        let verdicts = verify_statements(params, &statements).into_iter();
        verdicts.map(|verdict| verdict.map(Arc::new)).collect()
    }

    fn all_hold(&mut self, params: &BidParams, asked: BidsAsked<'_>) -> bool {
        let statements: Vec<Statement<'_>> = asked.statements().collect();
        verify_all_statements(params, &statements).is_some()
    }
}

/// Takes every bid for true: for blocks that this process has verified before.
///
/// # Security
/// Nothing is verified here. Whoever uses it compares the state root after each block with the one that the next block names, and
/// executes the block again with true verdicts when they differ: a bid that was refused changes the root.
#[derive(Debug, Default, Clone, Copy)]
pub struct VerifiedBefore;

impl BidVerdicts for VerifiedBefore {
    fn verify(
        &mut self,
        params: &BidParams,
        asked: BidsAsked<'_>,
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        match VerifiedBid::remembered(asked.bids) {
            Ok(bids) => bids.into_iter().map(|bid| Ok(Arc::new(bid))).collect(),
            // With a point that no verified bid has.
            Err(_) => VerifyAll.verify(params, asked),
        }
    }
}

/// Everything that a verdict depends on: round context, parameters, every byte of the bid, and its account's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VerdictKey {
    /// The round.
    pub round: RoundContext,
    params: [u8; 32],
    bid: [u8; 32],
    terms: Option<[u8; 32]>,
}

impl VerdictKey {
    /// The key of a statement's verdict.
    pub fn of(params: &BidParams, statement: &Statement<'_>) -> Self {
        let (round, bid) = (*statement.round, statement.bid.digest());
        Self { round, params: params.digest(), bid, terms: statement.terms.map(AccountTerms::digest) }
    }
}

/// Remembers valid bids up to a bound.
///
/// Faults are not remembered: a flood of invalid bids would push out the valid ones. When the cache is full, a bid is
/// verified again in its block, which costs time and changes no verdict.
pub struct VerdictCache {
    valid: BTreeMap<VerdictKey, Arc<VerifiedBid>>,
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
        self.valid.retain(|key, _| key.round.round_id > round_id);
    }
}

impl BidVerdicts for VerdictCache {
    fn verify(
        &mut self,
        params: &BidParams,
        asked: BidsAsked<'_>,
    ) -> Vec<Result<Arc<VerifiedBid>, BidFault>> {
        let keys = asked.keys(params);
        let mut verdicts: Vec<_> = keys.iter().map(|key| self.valid.get(key).cloned().map(Ok)).collect();
        let unknown: Vec<usize> = (0..keys.len()).filter(|i| verdicts[*i].is_none()).collect();
        let statements: Vec<Statement<'_>> = asked.statements().collect();
        let asked_for: Vec<Statement<'_>> = unknown.iter().map(|i| statements[*i]).collect();
        for (i, verdict) in unknown.into_iter().zip(verify_statements(params, &asked_for)) {
            let verdict = verdict.map(Arc::new);
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
