//! Bids whose proofs hold, by round and in the order in which they came.

use crate::replica::error::OfferRefusal;
use std::collections::BTreeMap;
use veilgrid_crypto::bid::SealedBid;
use veilgrid_crypto::group::PointBytes;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::Account;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::expected::Expected;

/// Most different bids of one account in a round. Only the first one on the ledger counts, and all are the account's
/// own doing, as they carry its signature.
pub(in crate::replica) const MAX_PER_ACCOUNT: usize = 2;

#[derive(Default)]
struct RoundBids {
    by_arrival: BTreeMap<u64, (Hash, SealedBid)>,
    arrivals: BTreeMap<Hash, u64>,
    per_account: BTreeMap<PointBytes, usize>,
    /// R → account and number of its bids here: the ledger takes one account's bids under an R.
    handles: BTreeMap<PointBytes, (PointBytes, usize)>,
    bytes: usize,
}

/// The bids.
pub(in crate::replica) struct BidPool {
    rounds: BTreeMap<u64, RoundBids>,
    arrived: u64,
    bytes: usize,
}

impl BidPool {
    pub(super) fn new() -> Self {
        Self { rounds: BTreeMap::new(), arrived: 0, bytes: 0 }
    }

    /// Number of bids.
    pub(in crate::replica) fn len(&self) -> usize {
        self.rounds.values().map(|round| round.by_arrival.len()).sum()
    }

    /// Their encoded length.
    pub(in crate::replica) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(in crate::replica) fn get(&self, round_id: u64, digest: &Hash) -> Option<&SealedBid> {
        let round = self.rounds.get(&round_id)?;
        let arrival = round.arrivals.get(digest)?;
        round.by_arrival.get(arrival).map(|(_, bid)| bid)
    }

    /// The bids of a round in the order in which they came, each with its digest.
    pub(in crate::replica) fn of_round(&self, round_id: u64) -> impl Iterator<Item = &(Hash, SealedBid)> {
        self.rounds.get(&round_id).into_iter().flat_map(|round| round.by_arrival.values())
    }

    /// The encoded length of a round's bids.
    pub(in crate::replica) fn bytes_of_round(&self, round_id: u64) -> usize {
        self.rounds.get(&round_id).map_or(0, |round| round.bytes)
    }

    /// The account whose bid of this round has this R.
    pub(in crate::replica) fn owner_of(&self, round_id: u64, r: &PointBytes) -> Option<PointBytes> {
        self.rounds.get(&round_id)?.handles.get(r).map(|(owner, _)| *owner)
    }

    /// Whether there is room for a bid of `bytes` by this account in a round that may have `bound` bytes. What waits of
    /// other rounds does not count: whoever fills them keeps nobody out of this one.
    pub(in crate::replica) fn room(
        &self,
        round_id: u64,
        account: &PointBytes,
        bytes: usize,
        bound: usize,
    ) -> Result<(), OfferRefusal> {
        let of_account = self.rounds.get(&round_id).and_then(|round| round.per_account.get(account));
        if of_account.is_some_and(|count| *count >= MAX_PER_ACCOUNT) {
            return Err(OfferRefusal::AccountFull { round_id, account: Account(*account) });
        }
        let waiting = self.bytes_of_round(round_id);
        if waiting.saturating_add(bytes) > bound {
            return Err(OfferRefusal::PoolFull { bytes: waiting, bound });
        }
        Ok(())
    }

    /// Takes a bid of `bytes` whose proof holds, after [`Self::room`].
    pub(in crate::replica) fn insert(&mut self, digest: Hash, bid: SealedBid, bytes: usize) {
        let round = self.rounds.entry(bid.round_id).or_default();
        if round.arrivals.contains_key(&digest) {
            return;
        }
        self.arrived = self.arrived.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        round.arrivals.insert(digest, self.arrived);
        *round.per_account.entry(bid.account).or_default() += 1;
        round.handles.entry(bid.r).or_insert((bid.account, 0)).1 += 1;
        round.bytes = round.bytes.saturating_add(bytes);
        round.by_arrival.insert(self.arrived, (digest, bid));
    }

    /// Drops one bid.
    pub(in crate::replica) fn remove(&mut self, round_id: u64, digest: &Hash) {
        let Some(round) = self.rounds.get_mut(&round_id) else { return };
        let Some((_, bid)) = round.arrivals.remove(digest).and_then(|at| round.by_arrival.remove(&at)) else {
            return;
        };
        let bytes = bid.to_bytes().len();
        self.bytes = self.bytes.saturating_sub(bytes);
        round.bytes = round.bytes.saturating_sub(bytes);
        if let Some((_, count)) = round.handles.get_mut(&bid.r) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                round.handles.remove(&bid.r);
            }
        }
        if let Some(count) = round.per_account.get_mut(&bid.account) {
            *count = count.saturating_sub(1);
        }
    }

    /// Drops the bids that are on the ledger, those whose account or R has another bid there, and all of rounds that
    /// take no bids any more.
    pub(super) fn follow(&mut self, state: &State) {
        let round_ids: Vec<u64> = self.rounds.keys().copied().collect();
        for round_id in round_ids {
            let gone: Vec<Hash> = match state.expected(round_id) {
                Ok(Expected::NotOpened) => continue,
                Ok(Expected::Bids { .. }) => self.taken(state, round_id),
                _ => self.of_round(round_id).map(|(digest, _)| *digest).collect(),
            };
            gone.iter().for_each(|digest| self.remove(round_id, digest));
        }
        self.rounds.retain(|_, round| !round.by_arrival.is_empty());
    }

    fn taken(&self, state: &State, round_id: u64) -> Vec<Hash> {
        let Some(round) = state.round(round_id) else { return Vec::new() };
        let mut gone = Vec::new();
        for (digest, bid) in self.of_round(round_id) {
            let account = Account(bid.account);
            match round.bid_of(&bid.account) {
                Some(on_ledger) if on_ledger == *digest => {}
                Some(_) => {
                    tracing::info!(round_id, %account, "a second bid is dropped: the first one is on the ledger");
                }
                None if round.owner_of(&bid.r).is_some() => {
                    tracing::info!(round_id, %account, "a bid is dropped: its R is on the ledger in another's bid");
                }
                None => continue,
            }
            gone.push(*digest);
        }
        gone
    }
}
