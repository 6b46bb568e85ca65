//! Bids that wait for their verdict, and how many false proofs each account has sent.

use super::error::IntakeError;
use std::collections::BTreeMap;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;

/// False proofs of an account in a round after which no further bid of it is looked at. An honest wallet sends none;
/// what is left for mistakes bounds the work of a node: members times this, a round.
pub const MAX_FAILED_PROOFS: usize = 3;

/// Different bids of one account that may wait for their verdict at once: the bid, and one more from a wallet that was
/// restored meanwhile.
pub const MAX_WAITING_PER_ACCOUNT: usize = 2;

/// Only bids whose account has signed them enter. So its length is bounded by members, rounds and the quota.
#[derive(Default)]
pub(super) struct Queue {
    /// In the order of arrival: an order by digest could be bid for.
    bids: BTreeMap<u64, SealedBid>,
    arrivals: BTreeMap<[u8; 32], u64>,
    last_arrival: u64,
    failures: BTreeMap<(u64, PointBytes), usize>,
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
    }

    pub(super) fn batch(&self, most: usize) -> Vec<SealedBid> {
        let of = |suspect: bool| {
            let wanted = move |bid: &&SealedBid| (self.failed(bid.round_id, bid.account) > 0) == suspect;
            self.bids.values().filter(wanted).take(most).cloned().collect::<Vec<_>>()
        };
        let first = of(false);
        if first.is_empty() { of(true) } else { first }
    }

    pub(super) fn retain_rounds(&mut self, goes_on: impl Fn(u64) -> bool) {
        let Self { bids, arrivals, failures, .. } = self;
        bids.retain(|_, bid| goes_on(bid.round_id));
        arrivals.retain(|_, arrival| bids.contains_key(arrival));
        failures.retain(|(round_id, _), _| goes_on(*round_id));
    }

    fn failed(&self, round_id: u64, account: PointBytes) -> usize {
        self.failures.get(&(round_id, account)).copied().unwrap_or(0)
    }
}
