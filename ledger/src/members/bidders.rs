//! Who may bid in a round: a snapshot of the members, taken when the round opens.

use super::certificate::PointId;
use super::order::AccountNumber;
use crate::hash::{Hash, hash};
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::labels;
use veilgrid_crypto::wire::Writer;

/// A member as a round knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bidder {
    /// Its account number.
    pub number: AccountNumber,
    /// Its connection point.
    pub point: PointId,
    /// Its zone.
    pub zone: u16,
    /// What it may take from the grid, in Wh per slot; 0 without the right to buy.
    pub import_wh: u64,
    /// What it may give to the grid, in Wh per slot; 0 without the right to sell.
    pub export_wh: u64,
}

/// The accounts that may bid in a round. It never changes: whoever joins, leaves or is suspended while the round lasts
/// does so for the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BidderSet {
    bidders: BTreeMap<PointBytes, Bidder>,
    digest: Hash,
}

impl BidderSet {
    /// The set of these accounts.
    pub(crate) fn new(bidders: BTreeMap<PointBytes, Bidder>) -> Self {
        let mut w = Writer::new();
        w.length(bidders.len());
        for (account, bidder) in &bidders {
            w.bytes(account).u32(bidder.number).bytes(&bidder.point).u16(bidder.zone);
            w.u64(bidder.import_wh).u64(bidder.export_wh);
        }
        let digest = hash(labels::LEDGER_BIDDERS, &[&w.finish()]);
        Self { bidders, digest }
    }

    /// What the round knows of an account; none when it may not bid.
    pub fn get(&self, account: &PointBytes) -> Option<&Bidder> {
        self.bidders.get(account)
    }

    /// How many may bid.
    pub fn len(&self) -> usize {
        self.bidders.len()
    }

    /// Whether nobody may bid.
    pub fn is_empty(&self) -> bool {
        self.bidders.is_empty()
    }

    /// All accounts in rising order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&PointBytes, &Bidder)> {
        self.bidders.iter()
    }

    /// Digest of the set, which the state root covers.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// How many different connection points these accounts have: what a market's minimum of bidders counts, so that
    /// nobody fills a round by bidding under several names.
    pub fn points<'a>(&self, accounts: impl Iterator<Item = &'a PointBytes>) -> usize {
        let points = accounts.filter_map(|account| self.get(account).map(|bidder| bidder.point));
        points.collect::<BTreeSet<PointId>>().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bidder(number: AccountNumber, point: u8) -> Bidder {
        Bidder { number, point: [point; 32], zone: 0, import_wh: 5, export_wh: 0 }
    }

    #[test]
    fn two_accounts_at_one_point_count_once() {
        let set = BidderSet::new(
            [([1; 32], bidder(1, 7)), ([2; 32], bidder(2, 7)), ([3; 32], bidder(3, 8))].into(),
        );
        assert_eq!(set.points([[1; 32], [2; 32]].iter()), 1);
        assert_eq!(set.points([[1; 32], [2; 32], [3; 32]].iter()), 2);
        assert_eq!(set.points([[9; 32]].iter()), 0, "a stranger has no point");
    }

    #[test]
    fn the_digest_depends_on_everything() {
        let of = |change: fn(&mut Bidder)| {
            let mut changed = bidder(1, 7);
            change(&mut changed);
            BidderSet::new([([1; 32], changed)].into()).digest()
        };
        let digests = BTreeSet::from([
            BidderSet::new(BTreeMap::new()).digest(),
            of(|_| {}),
            of(|b| b.number = 2),
            of(|b| b.point = [8; 32]),
            of(|b| b.zone = 1),
            of(|b| b.import_wh = 6),
            of(|b| b.export_wh = 1),
        ]);
        assert_eq!(digests.len(), 7);
    }
}
