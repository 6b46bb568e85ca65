//! An active round: its bids, its tally and the stage that it is in.

use crate::hash::Hash;
use crate::members::bidders::BidderSet;
use crate::money::snapshot::Snapshot;
use crate::params::write_option;
use crate::refusal::Waits;
use crate::rounds::encoding::{write_outcome, write_request};
use curve25519_dalek::ristretto::RistrettoPoint;
use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::bid::VerifiedBid;
use veilgrid_crypto::group::PointBytes;
use veilgrid_crypto::opening::{OpeningShare, VerifiedShare};
use veilgrid_crypto::tally::Tally;
use veilgrid_crypto::wire::Writer;
use veilgrid_market::{Outcome, SumRequest};

/// A delivery slot: a stretch of UTC time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Slot {
    /// Start, seconds since 1970 UTC.
    pub start_unix_s: i64,
    /// Length in seconds.
    pub seconds: u32,
}

impl Slot {
    /// End of the slot, Unix seconds; none when it is no instant. Slots in a round have one.
    pub fn end_unix_s(&self) -> Option<i64> {
        self.start_unix_s.checked_add(i64::from(self.seconds))
    }

    /// True when the two have an instant in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        let ends_after = |a: &Self, b: &Self| a.end_unix_s().is_none_or(|end| end > b.start_unix_s);
        ends_after(self, other) && ends_after(other, self)
    }
}

/// A sum of the whole round that was opened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OpenedSum {
    /// Which sum.
    pub request: SumRequest,
    /// Its value in Wh.
    pub value_wh: i64,
}

/// The opening that a round waits for.
#[derive(Clone)]
pub(crate) struct Opening {
    pub(crate) index: u32,
    pub(crate) request: SumRequest,
    pub(crate) weights: Vec<i64>,
    pub(crate) c_sum: RistrettoPoint,
    /// Valid shares in the order in which they came, t at most, each with its wire form for the state root.
    pub(crate) shares: Vec<(OpeningShare, VerifiedShare)>,
}

#[derive(Clone)]
pub(crate) enum Stage {
    Bidding,
    TooFewBids,
    Opening(Box<Opening>),
    Clearing(Outcome),
    Settling(Outcome),
}

/// A round between its opening and its settlement.
#[derive(Clone)]
pub struct Round {
    pub(crate) round_id: u64,
    pub(crate) slot: Slot,
    pub(crate) tally: Tally,
    /// In ledger order, the order of the settlement points.
    pub(crate) bids: Vec<Arc<VerifiedBid>>,
    /// Blocks that brought them, in rising order. No rule asks for it.
    pub(crate) bid_heights: Vec<u64>,
    /// Who may bid, from its opening on.
    pub(crate) bidders: Arc<BidderSet>,
    /// What each of them had available then, with money.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// Account → digest of its bid.
    pub(crate) accounts: BTreeMap<PointBytes, Hash>,
    /// R → account, so that no R occurs twice.
    pub(crate) handles: BTreeMap<PointBytes, PointBytes>,
    pub(crate) opened: Vec<OpenedSum>,
    pub(crate) stage: Stage,
    /// The first block at or after the close.
    pub(crate) grace_from: Option<u64>,
    /// Block time of the last step towards its end. It only tells how fast blocks should come.
    pub(crate) progress_ms: u64,
}

impl Round {
    pub(crate) fn new(
        round_id: u64,
        slot: Slot,
        steps: usize,
        bidders: Arc<BidderSet>,
        snapshot: Option<Arc<Snapshot>>,
    ) -> Self {
        Self {
            bidders,
            snapshot,
            round_id,
            slot,
            tally: Tally::new(steps),
            bids: Vec::new(),
            bid_heights: Vec::new(),
            accounts: BTreeMap::new(),
            handles: BTreeMap::new(),
            opened: Vec::new(),
            stage: Stage::Bidding,
            grace_from: None,
            progress_ms: 0,
        }
    }

    /// The round's id.
    pub fn round_id(&self) -> u64 {
        self.round_id
    }
    /// The slot that is traded.
    pub fn slot(&self) -> Slot {
        self.slot
    }
    /// The running sums.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }
    /// The bids in ledger order.
    pub fn bids(&self) -> impl ExactSizeIterator<Item = &VerifiedBid> {
        self.bids.iter().map(Arc::as_ref)
    }
    /// Who may bid in it, as it was when it opened.
    pub fn bidders(&self) -> &BidderSet {
        &self.bidders
    }
    /// What each account had available when it opened; none without money.
    pub fn snapshot(&self) -> Option<&Snapshot> {
        self.snapshot.as_deref()
    }
    /// Digest of an account's bid, when it has bid.
    pub fn bid_of(&self, account: &PointBytes) -> Option<Hash> {
        self.accounts.get(account).copied()
    }
    /// The account whose bid has this R.
    pub fn owner_of(&self, r: &PointBytes) -> Option<PointBytes> {
        self.handles.get(r).copied()
    }
    /// The sums that were opened so far.
    pub fn opened(&self) -> &[OpenedSum] {
        &self.opened
    }
    /// Whether it takes bids, its grace included.
    pub fn takes_bids(&self) -> bool {
        matches!(self.stage, Stage::Bidding)
    }
    /// The block in which its grace began: its close has passed.
    pub fn grace_from(&self) -> Option<u64> {
        self.grace_from
    }
    /// The outcome, once it is on the ledger.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.stage {
            Stage::Settling(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Takes a bid of the block of this height.
    pub(crate) fn take_bid(&mut self, bid: Arc<VerifiedBid>, height: u64) {
        self.tally.add(&bid);
        self.accounts.insert(bid.account(), bid.digest());
        self.handles.insert(bid.r_bytes(), bid.account());
        if self.bid_heights.last() != Some(&height) {
            self.bid_heights.push(height);
        }
        self.bids.push(bid);
    }

    /// The values opened so far, as the search wants them.
    pub(crate) fn opened_wh(&self) -> Vec<i64> {
        self.opened.iter().map(|sum| sum.value_wh).collect()
    }

    /// What the round waits for when t = `threshold` shares open a sum.
    pub(crate) fn waits(&self, threshold: u16) -> Waits {
        match &self.stage {
            Stage::Bidding => Waits::Bids,
            Stage::TooFewBids => Waits::Void,
            Stage::Opening(opening) if opening.shares.len() < usize::from(threshold) => Waits::Shares,
            Stage::Opening(_) => Waits::Value,
            Stage::Clearing(_) => Waits::Clear,
            Stage::Settling(_) => Waits::Settle,
        }
    }

    /// The whole round in bytes, for the state root and the digest of finished rounds.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.round_id).i64(self.slot.start_unix_s).u32(self.slot.seconds);
        write_option(w, self.grace_from.map(u64::to_le_bytes));
        w.bytes(&self.bidders.digest());
        if let Some(snapshot) = self.snapshot() {
            w.bytes(&snapshot.digest());
        }
        w.blob(self.tally.to_canonical_bytes()).length(self.bids.len());
        for bid in &self.bids {
            w.bytes(&bid.account()).bytes(&bid.r_bytes()).bytes(&bid.digest());
        }
        w.length(self.opened.len());
        for sum in &self.opened {
            write_request(w, &sum.request);
            w.i64(sum.value_wh);
        }
        match &self.stage {
            Stage::Bidding => {
                w.u8(0);
            }
            Stage::TooFewBids => {
                w.u8(1);
            }
            Stage::Opening(opening) => {
                w.u8(2).u32(opening.index);
                write_request(w, &opening.request);
                w.length(opening.shares.len());
                for (share, _) in &opening.shares {
                    w.blob(&share.to_bytes());
                }
            }
            Stage::Clearing(outcome) => write_outcome(w.u8(3), outcome),
            Stage::Settling(outcome) => write_outcome(w.u8(4), outcome),
        }
    }
}
