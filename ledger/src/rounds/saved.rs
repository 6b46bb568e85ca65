//! An active round in a saved state ([`crate::state::saved`]).
//!
//! Bids are not written: they are read from the blocks that brought them, one digest each says which. Their proofs are not looked
//! at again, because the digests are in the state root. Everything that follows from bids and opened values is computed as the
//! ledger computed it, and shares are verified.

use super::round::{OpenedSum, Round, Slot, Stage};
use crate::hash::Hash;
use crate::members::bidders::{Bidder, BidderSet};
use crate::money::snapshot::Snapshot;
use crate::params::{read_flag, read_option, write_option};
use crate::state::State;
use crate::state::saved::{Blocks, SavedFault};
use crate::transaction::Transaction;
use std::collections::BTreeMap;
use std::sync::Arc;
use veilgrid_crypto::bid::{SealedBid, VerifiedBid};
use veilgrid_crypto::opening::OpeningShare;
use veilgrid_crypto::wire::{Reader, WireError, Writer};

/// A bidder's bytes.
const BIDDER_BYTES: usize = 32 + 4 + 32 + 2 + 8 + 8;
/// More than any opening share has.
const MAX_SHARE_BYTES: usize = 1024;

impl Round {
    /// `before` is the round that was written before it: most have the same bidders.
    pub(crate) fn save(&self, before: Option<&Self>, w: &mut Writer) {
        let Self {
            round_id,
            slot,
            tally,
            bids,
            bid_heights,
            bidders,
            snapshot,
            // These two follow from the bids.
            accounts: _,
            handles: _,
            opened,
            stage,
            grace_from,
            progress_ms,
        } = self;
        w.u64(*round_id).i64(slot.start_unix_s).u32(slot.seconds);
        write_option(w, grace_from.map(u64::to_le_bytes));
        w.u64(*progress_ms);
        let same = before.is_some_and(|before| before.bidders == *bidders);
        w.u8(u8::from(same));
        if !same {
            save_bidders(bidders, w);
        }
        w.u8(u8::from(snapshot.is_some()));
        if let Some(snapshot) = snapshot {
            snapshot.save(w);
        }
        w.bytes(&tally.bid_set()).length(bid_heights.len());
        bid_heights.iter().for_each(|height| {
            w.u64(*height);
        });
        w.length(bids.len());
        bids.iter().for_each(|bid| {
            w.bytes(&bid.digest());
        });
        w.length(opened.len());
        opened.iter().for_each(|sum| {
            w.i64(sum.value_wh);
        });
        // What is opened next, or the outcome, follows from the values.
        let (tag, shares) = match stage {
            Stage::Bidding => (0, None),
            Stage::TooFewBids => (1, None),
            Stage::Opening(opening) => (2, Some(&opening.shares)),
            Stage::Clearing(_) => (3, None),
            Stage::Settling(_) => (4, None),
        };
        w.u8(tag).length(shares.map_or(0, Vec::len));
        for (share, _) in shares.into_iter().flatten() {
            w.blob(&share.to_bytes());
        }
    }
}

fn save_bidders(bidders: &BidderSet, w: &mut Writer) {
    w.length(bidders.len());
    for (account, bidder) in bidders.iter() {
        let Bidder { number, point, zone, import_wh, export_wh } = bidder;
        w.bytes(account).u32(*number).bytes(point).u16(*zone).u64(*import_wh).u64(*export_wh);
    }
}

fn read_bidders(r: &mut Reader<'_>) -> Result<BidderSet, WireError> {
    let count = r.length("bidders", usize::MAX, BIDDER_BYTES)?;
    let mut bidders = BTreeMap::new();
    for _ in 0..count {
        let account = r.array("account")?;
        let (number, point) = (r.u32("account number")?, r.array("connection point")?);
        let (zone, import_wh, export_wh) = (r.u16("zone")?, r.u64("import")?, r.u64("export")?);
        bidders.insert(account, Bidder { number, point, zone, import_wh, export_wh });
    }
    Ok(BidderSet::new(bidders))
}

impl State {
    pub(crate) fn restored_round(
        &self,
        before: Option<&Arc<Round>>,
        r: &mut Reader<'_>,
        blocks: &mut Blocks<'_>,
    ) -> Result<Round, SavedFault> {
        let round_id = r.u64("round")?;
        let slot = Slot { start_unix_s: r.i64("slot")?, seconds: r.u32("slot length")? };
        let grace_from = read_option(r, "grace")?.map(u64::from_le_bytes);
        let progress_ms = r.u64("time of the last step")?;
        let bidders = match (read_flag(r, "same bidders")?, before) {
            (true, Some(before)) => Arc::clone(&before.bidders),
            (true, None) => return Err(SavedFault::Misfit { what: "bidders" }),
            (false, _) => Arc::new(read_bidders(r)?),
        };
        let snapshot = read_flag(r, "snapshot")?.then(|| Snapshot::restore(r).map(Arc::new)).transpose()?;
        let mut round = Round::new(round_id, slot, self.community.params().steps(), bidders, snapshot);
        (round.grace_from, round.progress_ms) = (grace_from, progress_ms);
        self.restore_bids(&mut round, r, blocks)?;
        self.restore_stage(&mut round, r)?;
        Ok(round)
    }

    fn restore_bids(
        &self,
        round: &mut Round,
        r: &mut Reader<'_>,
        blocks: &mut Blocks<'_>,
    ) -> Result<(), SavedFault> {
        let round_id = round.round_id;
        let bid_set: Hash = r.array("digest of the bids")?;
        let count = r.length("heights of bids", usize::MAX, 8)?;
        let heights = (0..count).map(|_| r.u64("height of bids")).collect::<Result<Vec<_>, _>>()?;
        let count = r.length("digests of bids", usize::MAX, 32)?;
        let (digests, _) = r.bytes("digests of bids", count.saturating_mul(32))?.as_chunks::<32>();
        let mut missing = digests;
        for height in heights {
            let block = blocks(height).ok_or(SavedFault::Block { height })?;
            for transaction in &block.transactions {
                let Transaction::Bids { round_id: of, bids } = transaction else { continue };
                // Those of a transaction that was refused are not named.
                let named = missing.split_at_checked(bids.len()).filter(|(named, _)| {
                    let found = bids.iter().map(SealedBid::digest);
                    *of == round_id && !bids.is_empty() && found.eq(named.iter().copied())
                });
                let Some((_, later)) = named else { continue };
                missing = later;
                for bid in VerifiedBid::remembered(bids)? {
                    if bid.steps() != self.community.params().steps() {
                        return Err(SavedFault::Bids { round: round_id });
                    }
                    round.take_bid(Arc::new(bid), height);
                }
            }
        }
        match missing.is_empty() && round.tally.bid_set() == bid_set {
            true => Ok(()),
            false => Err(SavedFault::Bids { round: round_id }),
        }
    }

    fn restore_stage(&self, round: &mut Round, r: &mut Reader<'_>) -> Result<(), SavedFault> {
        let misfit = SavedFault::Opened { round: round.round_id };
        let next = |round: &Round| {
            self.stage_after(round, &round.opened_wh())
                .map_err(|_| SavedFault::Opened { round: round.round_id })
        };
        for _ in 0..r.length("opened values", usize::MAX, 8)? {
            let Stage::Opening(opening) = next(round)? else { return Err(misfit) };
            let value_wh = r.i64("opened value")?;
            round.opened.push(OpenedSum { request: opening.request, value_wh });
        }
        let tag = r.u8("stage")?;
        round.stage = match tag {
            0 => Stage::Bidding,
            1 => Stage::TooFewBids,
            _ => match (tag, next(round)?) {
                (2, stage @ Stage::Opening(_)) | (3, stage @ Stage::Clearing(_)) => stage,
                (4, Stage::Clearing(outcome)) => Stage::Settling(outcome),
                _ => return Err(misfit),
            },
        };
        for _ in 0..r.length("shares", usize::MAX, 1)? {
            let share = OpeningShare::from_bytes(r.blob("share", MAX_SHARE_BYTES)?)?;
            let Stage::Opening(opening) = &round.stage else { return Err(misfit) };
            let verified = self.verified_share(round, opening, &share).map_err(|_| misfit.clone())?;
            if let Stage::Opening(opening) = &mut round.stage {
                opening.shares.push((share, verified));
            }
        }
        Ok(())
    }
}
