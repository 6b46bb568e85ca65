//! Receipts against a ledger: a signed promise whose bid is missing from its closed round is evidence of censorship.

use crate::hash::{Hash, serialize_hex};
use crate::state::State;
use crate::state::effects::Effect;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_crypto::schnorr::VerifyingKey;

/// What a ledger says about a receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptVerdict {
    /// The bid is on the ledger.
    Included,
    /// The digest of the bid is in a pruned block of its round. Whether the rules accepted it can't be recomputed.
    IncludedByDigest,
    /// The round takes bids still: the bid may come.
    RoundOpen,
    /// The ledger does not have the round yet.
    RoundUnknown,
    /// The round is closed without any bid of the account, or it was left out and a later one opened. With the bid
    /// itself, valid at the close, this proves censorship.
    Missing,
    /// The round holds another bid of the account: no censorship of the account, but a receipt that was not kept.
    OtherBid,
    /// The receipt is for another ledger, or signed neither by this ledger's aggregator nor by a validator: it proves
    /// nothing.
    Worthless,
}

/// A receipt with its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReceiptFinding {
    /// The round that the receipt names.
    pub round_id: u64,
    /// The account that the receipt names.
    #[serde(serialize_with = "serialize_hex")]
    pub account: PointBytes,
    /// Digest of the bid that the receipt names.
    #[serde(serialize_with = "serialize_hex")]
    pub bid_digest: Hash,
    /// The receipt's running number.
    pub sequence: u64,
    /// What the ledger says.
    pub verdict: ReceiptVerdict,
}

/// Collects what a replay says about some receipts; memory grows with the receipts, not with the ledger.
pub(super) struct ReceiptCheck {
    receipts: Vec<Receipt>,
    /// (round, account) of the receipts → digest of the bid on the ledger.
    bids: BTreeMap<(u64, PointBytes), Option<Hash>>,
    /// Rounds of the receipts.
    rounds: BTreeSet<u64>,
    opened: BTreeSet<u64>,
    closed: BTreeSet<u64>,
    /// Bid digests of the receipts, by round; set when the digest was in a pruned block.
    pruned: BTreeMap<(u64, Hash), bool>,
}

impl ReceiptCheck {
    pub(super) fn new(receipts: Vec<Receipt>) -> Self {
        let bids = receipts.iter().map(|receipt| ((receipt.round_id, receipt.account), None)).collect();
        let rounds = receipts.iter().map(|receipt| receipt.round_id).collect();
        let pruned = receipts.iter().map(|receipt| ((receipt.round_id, receipt.bid_digest), false)).collect();
        Self { receipts, bids, rounds, opened: BTreeSet::new(), closed: BTreeSet::new(), pruned }
    }

    pub(super) fn observe(&mut self, effect: &Effect) {
        match effect {
            Effect::RoundOpened { round_id, .. } if self.rounds.contains(round_id) => {
                self.opened.insert(*round_id);
            }
            Effect::RoundClosed { round_id, .. } if self.rounds.contains(round_id) => {
                self.closed.insert(*round_id);
            }
            Effect::BidsAccepted { round_id, bids } if self.rounds.contains(round_id) => {
                for bid in bids {
                    if let Some(digest) = self.bids.get_mut(&(*round_id, bid.account)) {
                        *digest = Some(bid.bid_digest);
                    }
                }
            }
            _ => {}
        }
    }

    /// Bids of which a pruned block has the digests.
    pub(super) fn observe_digests(&mut self, round_id: u64, digests: &[Hash]) {
        if self.rounds.contains(&round_id) {
            for digest in digests {
                self.pruned.entry((round_id, *digest)).and_modify(|found| *found = true);
            }
        }
    }

    /// Rounds that were not recomputed are finished: their receipts can't be kept any more.
    pub(super) fn observe_lost(&mut self, rounds: &BTreeSet<u64>) {
        self.closed.extend(self.rounds.intersection(rounds));
    }

    /// What a ledger that ends in `state` says about the receipts.
    pub(super) fn findings(&self, state: &State) -> Vec<ReceiptFinding> {
        self.receipts
            .iter()
            .map(|receipt| ReceiptFinding {
                round_id: receipt.round_id,
                account: receipt.account,
                bid_digest: receipt.bid_digest,
                sequence: receipt.sequence,
                verdict: self.verdict(state, receipt),
            })
            .collect()
    }

    fn verdict(&self, state: &State, receipt: &Receipt) -> ReceiptVerdict {
        let community = state.community();
        let ours = receipt.ledger_id == community.ledger_id();
        let by_aggregator = || receipt.verify(community.receipt_key()).is_ok();
        if !ours || !(by_aggregator() || signed_by_a_validator(state, receipt)) {
            return ReceiptVerdict::Worthless;
        }
        let by_digest = self.pruned.get(&(receipt.round_id, receipt.bid_digest)) == Some(&true);
        match self.bids.get(&(receipt.round_id, receipt.account)).copied().flatten() {
            Some(digest) if digest == receipt.bid_digest => ReceiptVerdict::Included,
            Some(_) => ReceiptVerdict::OtherBid,
            None if by_digest => ReceiptVerdict::IncludedByDigest,
            None if self.closed.contains(&receipt.round_id) => ReceiptVerdict::Missing,
            None if self.opened.contains(&receipt.round_id) => ReceiptVerdict::RoundOpen,
            // Round ids rise strictly: a round that was passed over never comes.
            None if state.last_round_id().is_some_and(|last| receipt.round_id < last) => {
                ReceiptVerdict::Missing
            }
            None => ReceiptVerdict::RoundUnknown,
        }
    }
}

/// Validators of a network take bids too, and sign receipts with their signing keys.
fn signed_by_a_validator(state: &State, receipt: &Receipt) -> bool {
    state.rosters().flat_map(|roster| &roster.validators).any(|entry| {
        VerifyingKey::from_bytes(&entry.signing_key).is_ok_and(|key| receipt.verify(&key).is_ok())
    })
}
