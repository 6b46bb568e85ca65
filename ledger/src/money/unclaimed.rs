//! Fills of a settled round that are not claimed yet.

use crate::hash::{Hash, hash};
use crate::members::order::AccountNumber;
use crate::state::round::Slot;
use std::collections::BTreeMap;
use veilgrid_crypto::bid::BidParams;
use veilgrid_crypto::labels;
use veilgrid_crypto::money::claim::{ClaimRules, ClaimTarget, Fill};
use veilgrid_crypto::opening::{OpeningShare, VerifiedShare};
use veilgrid_crypto::tally::settlement_side_keys;
use veilgrid_crypto::wire::Writer;
use veilgrid_market::{Grid, Outcome, fill_weights};

/// A settled round whose claims are not all made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclaimed {
    pub(super) round_id: u64,
    pub(super) slot: Slot,
    pub(super) outcome: Outcome,
    /// Block time of the settlement, Unix milliseconds.
    pub(super) settled_ms: u64,
    /// Digest of the round's bids.
    pub(super) bid_set: Hash,
    /// Digest of all fills, claimed or not.
    pub(super) fills_digest: Hash,
    /// Shares of the claim that validators make for the lowest account number.
    pub(super) shares: Vec<(OpeningShare, VerifiedShare)>,
    pub(super) open: BTreeMap<AccountNumber, Fill>,
}

impl Unclaimed {
    pub(crate) fn new(
        round_id: u64,
        slot: Slot,
        outcome: Outcome,
        settled_ms: u64,
        bid_set: Hash,
        open: BTreeMap<AccountNumber, Fill>,
    ) -> Self {
        let mut w = Writer::new();
        w.bytes(&outcome_digest(&outcome)).length(open.len());
        for (number, fill) in &open {
            w.u32(*number).bytes(&fill.account).bytes(&fill.bid).bytes(&fill.r);
            w.bytes(fill.sides.as_flattened());
        }
        let fills_digest = hash(labels::LEDGER_UNCLAIMED, &[&w.finish()]);
        Self { round_id, slot, outcome, settled_ms, bid_set, fills_digest, shares: Vec::new(), open }
    }

    /// The round.
    pub fn round_id(&self) -> u64 {
        self.round_id
    }
    /// What was traded.
    pub fn slot(&self) -> Slot {
        self.slot
    }
    /// The outcome.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }
    /// Block time of the settlement, Unix milliseconds.
    pub fn settled_ms(&self) -> u64 {
        self.settled_ms
    }
    /// The fills that are not claimed, by account.
    pub fn open(&self) -> &BTreeMap<AccountNumber, Fill> {
        &self.open
    }

    /// Digest of the round's bids.
    pub fn bid_set(&self) -> Hash {
        self.bid_set
    }
    /// Shares of the claim that validators make for the lowest account number.
    pub fn shares(&self) -> &[(OpeningShare, VerifiedShare)] {
        &self.shares
    }

    /// What claims of this round prove.
    pub(crate) fn rules(&self, ledger_id: Hash, grid: &Grid, params: &BidParams) -> Option<ClaimRules> {
        let side_keys = settlement_side_keys(params, &fill_weights(grid, &self.outcome));
        let target = ClaimTarget { key: *params.account_key()?, weights: worth_of_a_wh(&self.outcome) };
        let outcome = outcome_digest(&self.outcome);
        Some(ClaimRules::new(ledger_id, self.round_id, outcome, side_keys, vec![target]))
    }

    pub(crate) fn take(&mut self, number: AccountNumber) {
        if self.open.first_key_value().is_some_and(|(first, _)| *first == number) {
            self.shares.clear();
        }
        self.open.remove(&number);
    }

    pub(crate) fn add_share(&mut self, share: (OpeningShare, VerifiedShare)) {
        self.shares.push(share);
    }

    /// Shares of another key session are there now.
    pub(crate) fn drop_shares(&mut self) {
        self.shares.clear();
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.round_id)
            .u64(self.settled_ms)
            .bytes(&self.bid_set)
            .bytes(&self.fills_digest)
            .length(self.open.len());
        for number in self.open.keys() {
            w.u32(*number);
        }
        w.length(self.shares.len());
        for (share, _) in &self.shares {
            w.blob(&share.to_bytes());
        }
    }
}

/// What a Wh bought and a Wh sold is worth to its member, in mct/kWh: bought energy costs.
pub fn worth_of_a_wh(outcome: &Outcome) -> [i128; 2] {
    outcome.trade.map_or([0, 0], |trade| {
        [-i128::from(trade.buy_price_mct_per_kwh), i128::from(trade.sell_price_mct_per_kwh)]
    })
}

/// The digest of an outcome that claims are bound to.
pub fn outcome_digest(outcome: &Outcome) -> Hash {
    hash(labels::LEDGER_OUTCOME, &[&outcome.to_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use veilgrid_market::{Rule, clear_plain};

    fn bytes(unclaimed: &Unclaimed) -> Vec<u8> {
        let mut w = Writer::new();
        unclaimed.write(&mut w);
        w.finish()
    }

    /// What a state root says of a round that is not claimed: when it was settled, of which bids, how, and what of it is open.
    #[test]
    fn every_part_of_what_is_not_claimed_is_in_the_state_root() {
        let grid = Grid::new(1_000, 10, 4).expect("grid");
        let outcome = |book: &[u64; 8]| clear_plain(&grid, Rule::Uniform, true, book).expect("book").outcome;
        let [one, other] = [outcome(&[3, 0, 4, 2, 0, 4, 0, 0]), outcome(&[3, 0, 4, 2, 0, 5, 0, 0])];
        let fill = Fill { account: [1; 32], bid: [2; 32], r: [3; 32], sides: [[4; 32], [5; 32]] };
        let slot = Slot { start_unix_s: 900, seconds: 900 };
        let of = |outcome, settled_ms, bid_set, second: &Fill| {
            let open = BTreeMap::from([(1, fill.clone()), (2, second.clone())]);
            Unclaimed::new(7, slot, outcome, settled_ms, [bid_set; 32], open)
        };
        let base = of(one, 5, 6, &fill);
        let mut claimed = [base.clone(), base.clone()];
        claimed[0].take(1);
        claimed[1].take(2);
        let mut all = vec![base, of(other, 5, 6, &fill), of(one, 6, 6, &fill), of(one, 5, 7, &fill)];
        all.extend(claimed);
        for second in [
            Fill { account: [9; 32], ..fill.clone() },
            Fill { bid: [9; 32], ..fill.clone() },
            Fill { r: [9; 32], ..fill.clone() },
            Fill { sides: [[9; 32], [5; 32]], ..fill.clone() },
            Fill { sides: [[4; 32], [9; 32]], ..fill.clone() },
        ] {
            all.push(of(one, 5, 6, &second));
        }
        let different: BTreeSet<Vec<u8>> = all.iter().map(bytes).collect();
        assert_eq!(different.len(), all.len());
    }
}
