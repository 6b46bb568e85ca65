//! What a member needs from around it: its owner's orders, a place for what must not be lost, and one for what it traded.
//! A process implements them over files, the demo in memory.

use super::bid::Fill;
use super::delivery::Target;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use thiserror::Error;
use veilgrid_crypto::bid::{BidShape, SealedBid};
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::round::Slot;
use veilgrid_market::Order;

/// Where a member's orders come from: its owner's file or program, or a model in a simulation. Asked anew for every round.
pub trait OrderSource: Send + Sync + 'static {
    /// The orders for a slot; none at all is no error.
    ///
    /// # Errors
    /// Why they can't be read, in words. Nothing of the orders may be in it: it is logged.
    fn orders(&self, slot: Slot) -> Result<Vec<Order>, String>;
}

/// The archive can't read or keep something.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct ArchiveFailure {
    /// What, and why.
    pub why: String,
}

/// The results can't be kept.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{why}")]
pub struct ResultsFailure {
    /// Why.
    pub why: String,
}

/// What a member keeps beside the ledger: its sealed bids, its receipts, and what proves that a promise was broken.
/// Clones are handles of one archive.
///
/// A bid is kept before it is sent and never replaced: whoever sends two bids for one round reveals their difference.
pub trait BidArchive: Clone + Send + 'static {
    /// The sealed bid of a round; none when none was sealed.
    ///
    /// # Errors
    /// It can't be read.
    fn bid(&self, round_id: u64, shape: BidShape) -> Result<Option<SealedBid>, ArchiveFailure>;

    /// Keeps a sealed bid; it survives a crash when this returns. The first bid of a round stays: the answer is the bid to
    /// send, which is another one when there was one already.
    ///
    /// # Errors
    /// It is not kept, so it must not be sent.
    fn keep_bid(&self, bid: SealedBid, shape: BidShape) -> Result<SealedBid, ArchiveFailure>;

    /// The sealed bid of a round that takes no bids any more. One that can't be read counts as none.
    fn past_bid(&self, round_id: u64, shape: BidShape) -> Option<SealedBid>;

    /// Whether something is where the bid of a round belongs, readable or not.
    fn has_bid(&self, round_id: u64) -> bool;

    /// The receipts of a round, of the aggregator and of validators 1 to `validators`. One that can't be read counts as
    /// none: whoever has signed it signs it again for the same bid.
    fn receipts(&self, round_id: u64, validators: u16) -> BTreeMap<Target, Receipt>;

    /// Keeps a receipt whose signature was checked; it survives a crash when this returns.
    ///
    /// # Errors
    /// It is not kept.
    fn keep_receipt(&self, from: Target, receipt: &Receipt) -> Result<(), ArchiveFailure>;

    /// Keeps a broken promise and says where; one that is kept already stays.
    ///
    /// # Errors
    /// It is not kept.
    fn keep_evidence(&self, broken: &BrokenPromise<'_>) -> Result<String, ArchiveFailure>;
}

/// A promise that was not kept, with everything that proves it.
#[derive(Debug)]
pub struct BrokenPromise<'a> {
    /// The ledger.
    pub ledger_id: Hash,
    /// The round.
    pub round_id: u64,
    /// Height of the block that closed the round.
    pub height: u64,
    /// Hash of that block.
    pub block_hash: Hash,
    /// What happened, in words.
    pub what: &'static str,
    /// The bid: it was valid at the close, which anybody can check.
    pub bid: &'a SealedBid,
    /// Receipts by who has signed them.
    pub receipts: &'a BTreeMap<Target, Receipt>,
}

/// How a round ended for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoundResult {
    /// It was settled, and the settlement point holds this fill.
    Settled(Fill),
    /// It is void.
    Void,
    /// It was settled without this member's bid, which somebody had promised to take.
    Missing,
    /// Its settlement point does not hold the member's fill.
    Wrong,
    /// It was settled, and this member has no bid for it.
    NoBid,
    /// It was settled, and this member's bid is damaged, so nobody can tell what it traded.
    Unreadable,
    /// It is void because no block opened it in its time.
    NotOpened,
}

/// Where an owner reads what its member traded. Each round is in it once, also when the ledger is replayed.
pub trait ResultBook: 'static {
    /// Keeps a round's result unless there is one already; it survives a crash when this returns.
    ///
    /// # Errors
    /// It is not kept.
    fn write(&mut self, round_id: u64, slot: Slot, result: RoundResult) -> Result<(), ResultsFailure>;

    /// Keeps the results of rounds that were not opened.
    ///
    /// # Errors
    /// They are not kept.
    fn write_not_opened(
        &mut self,
        rounds: RangeInclusive<u64>,
        slot_of: &dyn Fn(u64) -> Option<Slot>,
    ) -> Result<(), ResultsFailure>;
}
