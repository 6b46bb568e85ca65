//! One verdict a bid: batch first, bisection when a batch fails, the clear verifier's equations to name the reason.

use crate::bid::batch::all_valid;
use crate::bid::equations;
use crate::bid::fault::BidFault;
use crate::bid::money::AccountTerms;
use crate::bid::params::{BidParams, RoundContext};
use crate::bid::prepared::{Prepared, index};
use crate::bid::sealed::SealedBid;
use crate::fast::Points;
use crate::group::PointBytes;
use crate::wire::WireError;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// A bid, and what it is checked for.
#[derive(Debug, Clone, Copy)]
pub struct Statement<'a> {
    /// The round.
    pub round: &'a RoundContext,
    /// The bid.
    pub bid: &'a SealedBid,
    /// The terms of its account; none in a market without money.
    pub terms: Option<&'a AccountTerms>,
}

/// A bid whose proof and signature hold in its round. Only [`verify_statements`] and [`verify_all_bids`] make one, and
/// [`VerifiedBid::remembered`] one that they have made before. Holds the decompressed points, so that the tally and the settlement points need no second decompression.
#[derive(Clone)]
pub struct VerifiedBid {
    account: PointBytes,
    round_id: u64,
    digest: [u8; 32],
    r_bytes: PointBytes,
    vector: Points,
}

impl core::fmt::Debug for VerifiedBid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VerifiedBid").field("round_id", &self.round_id).finish_non_exhaustive()
    }
}

impl VerifiedBid {
    /// Bids that were verified before, in order, without their proofs: what a process kept of its own state knows them by their
    /// digests.
    ///
    /// # Security
    /// Nothing is verified here. Whoever calls this compares the digest of every bid with one that it knows to be of a verified
    /// bid: the ledger does so with those of a saved state, of which the root is in a certified block.
    ///
    /// # Errors
    /// [`WireError`] for a vector with a point that no verified bid has.
    pub fn remembered(bids: &[SealedBid]) -> Result<Vec<Self>, WireError> {
        let one = |bid: &SealedBid| {
            let encodings: Vec<PointBytes> = std::iter::once(&bid.r).chain(&bid.c).copied().collect();
            let vector = Points::decode("a point of the sealed vector", &encodings)?;
            let (account, round_id, digest) = (bid.account, bid.round_id, bid.digest());
            Ok(Self { account, round_id, digest, r_bytes: bid.r, vector })
        };
        bids.par_iter().map(one).collect()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.vector.len().saturating_sub(1)
    }

    /// The bidder's account key.
    pub fn account(&self) -> PointBytes {
        self.account
    }
    /// The round it was verified for.
    pub fn round_id(&self) -> u64 {
        self.round_id
    }
    /// The digest of its bytes.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
    /// R as encoded.
    pub fn r_bytes(&self) -> PointBytes {
        self.r_bytes
    }
    /// R, C_1..C_M, decompressed.
    pub(crate) fn vector(&self) -> &Points {
        &self.vector
    }
}

/// Verifies bids of one round: one verdict each, in order. Deterministic: no random source is needed, the batch's
/// weights come from a transcript over all of its bytes.
///
/// The verdicts are those of checking each bid alone with [`equations::check`]; the batch is only faster. All cores of
/// the current rayon pool are used.
pub fn verify_bids(
    params: &BidParams,
    round: &RoundContext,
    bids: &[SealedBid],
) -> Vec<Result<VerifiedBid, BidFault>> {
    verify_statements(params, &statements(round, bids))
}

/// As [`verify_bids`] in a market with money; `terms` are those of the bids' accounts, bid by bid.
///
/// # Panics
/// When there are not as many terms as bids.
pub fn verify_bids_with_money(
    params: &BidParams,
    round: &RoundContext,
    bids: &[SealedBid],
    terms: &[AccountTerms],
) -> Vec<Result<VerifiedBid, BidFault>> {
    verify_statements(params, &statements_with_money(round, bids, terms))
}

/// As [`verify_bids`] for bids of any rounds of a market: what all bids share costs a batch once, however small the rounds
/// are. Every bid's weights depend on its own context.
pub fn verify_statements(
    params: &BidParams,
    statements: &[Statement<'_>],
) -> Vec<Result<VerifiedBid, BidFault>> {
    let judged = judge(params, prepare(params, statements));
    let each = judged.into_par_iter().zip(statements);
    each.map(|(prepared, statement)| prepared.map(|prepared| verified(statement.bid, prepared))).collect()
}

/// Leaves those of a batch that hold, and names the fault of each that does not.
pub(crate) fn judge(
    params: &BidParams,
    prepared: Vec<Result<Prepared, BidFault>>,
) -> Vec<Result<Prepared, BidFault>> {
    let sound: Vec<(usize, &Prepared)> =
        prepared.iter().enumerate().filter_map(|(i, p)| p.as_ref().ok().map(|p| (i, p))).collect();
    let culprits = if holds(params, &sound) { BTreeMap::new() } else { culprits(params, &sound) };
    let judged = prepared.into_iter().enumerate().map(|(i, prepared)| match culprits.get(&i) {
        Some(fault) => Err(BidFault::clone(fault)),
        None => prepared,
    });
    judged.collect()
}

fn statements<'a>(round: &'a RoundContext, bids: &'a [SealedBid]) -> Vec<Statement<'a>> {
    bids.iter().map(|bid| Statement { round, bid, terms: None }).collect()
}

fn statements_with_money<'a>(
    round: &'a RoundContext,
    bids: &'a [SealedBid],
    terms: &'a [AccountTerms],
) -> Vec<Statement<'a>> {
    assert_eq!(terms.len(), bids.len(), "one account a bid");
    bids.iter().zip(terms).map(|(bid, terms)| Statement { round, bid, terms: Some(terms) }).collect()
}

/// Verifies bids of one round that are all or nothing: none when one of them is false. One batch whatever is wrong, so that
/// it costs whoever has to look at others' bids no more than true ones would; [`verify_bids`] says which ones are false.
pub fn verify_all_bids(
    params: &BidParams,
    round: &RoundContext,
    bids: &[SealedBid],
) -> Option<Vec<VerifiedBid>> {
    all_or_none(params, &statements(round, bids))
}

/// As [`verify_all_bids`] in a market with money; `terms` are those of the bids' accounts, bid by bid.
///
/// # Panics
/// When there are not as many terms as bids.
pub fn verify_all_bids_with_money(
    params: &BidParams,
    round: &RoundContext,
    bids: &[SealedBid],
    terms: &[AccountTerms],
) -> Option<Vec<VerifiedBid>> {
    all_or_none(params, &statements_with_money(round, bids, terms))
}

/// As [`verify_all_bids`] for bids of any rounds of a market, with the terms of their accounts where it has money.
pub fn verify_all_statements(params: &BidParams, statements: &[Statement<'_>]) -> Option<Vec<VerifiedBid>> {
    all_or_none(params, statements)
}

fn all_or_none(params: &BidParams, statements: &[Statement<'_>]) -> Option<Vec<VerifiedBid>> {
    let prepared = prepare(params, statements);
    let prepared: Vec<Prepared> = prepared.into_iter().collect::<Result<_, _>>().ok()?;
    if !all_valid(params, &prepared.iter().collect::<Vec<_>>()) {
        return None;
    }
    let each = prepared.into_par_iter().zip(statements);
    Some(each.map(|(prepared, statement)| verified(statement.bid, prepared)).collect())
}

/// Replays and decodes all bids, eight at a time, on all cores.
fn prepare(params: &BidParams, statements: &[Statement<'_>]) -> Vec<Result<Prepared, BidFault>> {
    let eights: Vec<_> = statements.par_chunks(8).map(|eight| Prepared::eight(params, eight)).collect();
    eights.into_iter().flatten().collect()
}

/// Among so few bids each is checked by itself. A check of one costs mostly what all bids share, so with one culprit this
/// is no more than halving further, and with many it is several times less.
const FEW: usize = 8;

fn holds(params: &BidParams, bids: &[(usize, &Prepared)]) -> bool {
    all_valid(params, &bids.iter().map(|(_, prepared)| *prepared).collect::<Vec<_>>())
}

/// The culprits of a batch that is known to fail, by their place. When the left half holds, the right one must fail, so
/// it is not checked as a whole again: one culprit among n costs about one further pass over the batch.
fn culprits(params: &BidParams, failing: &[(usize, &Prepared)]) -> BTreeMap<usize, BidFault> {
    let name = |(place, bid): &(usize, &Prepared)| (*place, equations::fault(params, bid));
    if let [culprit] = failing {
        return BTreeMap::from([name(culprit)]);
    }
    if failing.len() <= FEW {
        // One after another: a check uses all cores by itself, and several at once would hold their tables at once.
        return failing.iter().filter(|bid| !holds(params, &[**bid])).map(name).collect();
    }
    let (left, right) = failing.split_at(failing.len() / 2);
    if holds(params, left) {
        return culprits(params, right);
    }
    let of_right = || if holds(params, right) { BTreeMap::new() } else { culprits(params, right) };
    let (mut found, mut of_right) = rayon::join(|| culprits(params, left), of_right);
    found.append(&mut of_right);
    found
}

fn verified(bid: &SealedBid, mut prepared: Prepared) -> VerifiedBid {
    VerifiedBid {
        account: bid.account,
        round_id: bid.round_id,
        digest: bid.digest(),
        r_bytes: bid.r,
        vector: prepared.points.split_off(index::r(&prepared.replay)),
    }
}
