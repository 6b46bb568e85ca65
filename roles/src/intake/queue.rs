//! Bids that wait for their verdict, how many false proofs each account has sent, and who shares a batch with whom.
//!
//! A false proof costs everybody in its batch time: the batch fails and is searched. So accounts whose proofs have been
//! true go first and among themselves, accounts without a history after them in batches that shrink when one fails, and
//! accounts that have sent a false proof last. A member can spoil the first group's batches once, and has to send a
//! true proof in two rounds before it can do so again.

use super::error::IntakeError;
use super::quota::{MAX_FAILED_PROOFS, MAX_WAITING_PER_ACCOUNT};
use std::collections::BTreeMap;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;

/// Bids of accounts without a history that share a batch at first, and at most and at least later on: twice as many
/// after a full batch of true proofs, half as many after one with a false proof.
const CAREFUL_BATCH: usize = 32;
const LARGEST_CAREFUL_BATCH: usize = 256;
const SMALLEST_CAREFUL_BATCH: usize = 8;

/// How an account's proofs have turned out at this node; in the order in which their bids are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// The last proof was true.
    Proven,
    /// No proof was seen, or the first true one after a false one.
    Unknown,
    /// The last proof was false.
    Suspect,
}

/// Only bids whose account has signed them enter. So its length is bounded by members, rounds and the quota.
pub(super) struct Queue {
    /// In the order of arrival: an order by digest could be gamed.
    bids: BTreeMap<u64, SealedBid>,
    arrivals: BTreeMap<[u8; 32], u64>,
    last_arrival: u64,
    failures: BTreeMap<(u64, PointBytes), usize>,
    /// Of accounts that are not unknown; outlasts rounds, and is bounded by the members.
    standings: BTreeMap<PointBytes, Standing>,
    careful_batch: usize,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            bids: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            last_arrival: 0,
            failures: BTreeMap::new(),
            standings: BTreeMap::new(),
            careful_batch: CAREFUL_BATCH,
        }
    }
}

impl Queue {
    pub(super) fn contains(&self, digest: &[u8; 32]) -> bool {
        self.arrivals.contains_key(digest)
    }

    /// Whether one more bid of the account may wait. The waiting ones count as if they were false: otherwise an
    /// account could fail more often than its quota allows.
    pub(super) fn check_quota(&self, round_id: u64, account: PointBytes) -> Result<(), IntakeError> {
        let failed = self.failed(round_id, account);
        if failed >= MAX_FAILED_PROOFS {
            return Err(IntakeError::QuotaExhausted { account, round_id });
        }
        let mine = |bid: &&SealedBid| bid.account == account && bid.round_id == round_id;
        let waiting = self.bids.values().filter(mine).count();
        if waiting >= MAX_WAITING_PER_ACCOUNT || failed + waiting >= MAX_FAILED_PROOFS {
            return Err(IntakeError::TooManyWaiting { account });
        }
        Ok(())
    }

    pub(super) fn push(&mut self, bid: SealedBid, digest: [u8; 32]) {
        self.last_arrival += 1;
        self.arrivals.insert(digest, self.last_arrival);
        self.bids.insert(self.last_arrival, bid);
    }

    pub(super) fn remove(&mut self, digest: &[u8; 32]) {
        if let Some(arrival) = self.arrivals.remove(digest) {
            self.bids.remove(&arrival);
        }
    }

    pub(super) fn count_failure(&mut self, round_id: u64, account: PointBytes) {
        let failed = self.failures.entry((round_id, account)).or_default();
        *failed = failed.saturating_add(1);
        self.standings.insert(account, Standing::Suspect);
    }

    pub(super) fn count_success(&mut self, account: PointBytes) {
        match self.standing(&account) {
            Standing::Suspect => drop(self.standings.remove(&account)),
            Standing::Unknown | Standing::Proven => drop(self.standings.insert(account, Standing::Proven)),
        }
    }

    /// Sizes the next batch of accounts without a history by how this one, of these accounts, has turned out. To be
    /// called before the outcome changes anybody's standing.
    pub(super) fn learn_from_batch(&mut self, accounts: &[PointBytes], failed: bool) {
        let standing = accounts.iter().map(|account| self.standing(account)).max();
        if standing.is_none_or(|standing| standing == Standing::Proven) {
            return;
        }
        let next = match failed {
            true => self.careful_batch / 2,
            false if accounts.len() >= self.careful_batch => self.careful_batch.saturating_mul(2),
            false => self.careful_batch,
        };
        self.careful_batch = next.clamp(SMALLEST_CAREFUL_BATCH, LARGEST_CAREFUL_BATCH);
    }

    pub(super) fn batch(&self, most: usize) -> Vec<SealedBid> {
        let rank = |bid: &SealedBid| match self.failed(bid.round_id, bid.account) {
            0 => self.standing(&bid.account),
            _ => Standing::Suspect,
        };
        let ranked: Vec<(Standing, &SealedBid)> = self.bids.values().map(|bid| (rank(bid), bid)).collect();
        let Some(first) = ranked.iter().map(|(rank, _)| *rank).min() else { return Vec::new() };
        let most = if first == Standing::Proven { most } else { most.min(self.careful_batch) };
        let of_first = ranked.into_iter().filter(|(rank, _)| *rank == first).take(most);
        of_first.map(|(_, bid)| bid.clone()).collect()
    }

    pub(super) fn retain_rounds(&mut self, goes_on: impl Fn(u64) -> bool) {
        let Self { bids, arrivals, failures, .. } = self;
        bids.retain(|_, bid| goes_on(bid.round_id));
        arrivals.retain(|_, arrival| bids.contains_key(arrival));
        failures.retain(|(round_id, _), _| goes_on(*round_id));
    }

    fn standing(&self, account: &PointBytes) -> Standing {
        self.standings.get(account).copied().unwrap_or(Standing::Unknown)
    }

    fn failed(&self, round_id: u64, account: PointBytes) -> usize {
        self.failures.get(&(round_id, account)).copied().unwrap_or(0)
    }
}
