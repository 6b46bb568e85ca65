//! What became of a round: its own bid among the others, promises, the fill.

use super::{Desk, DeskError};
use crate::member::bid::{FillFault, OwnBid};
use crate::member::delivery::Target;
use crate::member::ports::{BidArchive, BrokenPromise, ResultBook, RoundResult};
use veilgrid_ledger::state::effects::{AcceptedBid, SettledRound};
use veilgrid_ledger::state::round::Slot;

impl<A: BidArchive, R: ResultBook> Desk<A, R> {
    pub(super) fn look_for_own(&mut self, round_id: u64, bids: &[AcceptedBid]) {
        let Some(own) = bids.iter().find(|bid| bid.account == self.account) else { return };
        self.on_ledger.insert(round_id, own.bid_digest);
        self.counts.bids_on_ledger = self.counts.bids_on_ledger.saturating_add(1);
        let Some(active) = self.active.get_mut(&round_id) else { return };
        if active.digest == own.bid_digest {
            active.delivery.seen_on_ledger();
        } else {
            tracing::error!(
                round_id,
                "another bid of this account is on the ledger: is its key file used twice?"
            );
        }
    }

    /// At the close: what somebody has signed a receipt for has to be among the bids.
    pub(super) fn check_promises(&mut self, round_id: u64) -> Result<(), DeskError> {
        let shape = self.state.community().bid_shape();
        let group = self.state.roster().group();
        let Some(bid) = self.archive.past_bid(round_id, shape) else { return Ok(()) };
        let digest = bid.digest();
        if self.on_ledger.get(&round_id) == Some(&digest) {
            return Ok(());
        }
        let receipts = self.archive.receipts(round_id, group.validators);
        if receipts.is_empty() {
            tracing::warn!(
                round_id,
                "the round has closed without this member's bid; nobody had promised it a place"
            );
            return Ok(());
        }
        // One validator alone may be cut off; f+1 of them or the aggregator promise a place.
        let by_aggregator = receipts.contains_key(&Target::Aggregator);
        let by_validators = receipts.len().saturating_sub(usize::from(by_aggregator));
        let needed = usize::from(group.faults().saturating_add(1));
        let what = match (by_aggregator, by_validators >= needed) {
            (_, true) => "f+1 validators have signed receipts for this bid, and the round closed without it",
            (true, false) => {
                "the aggregator has signed a receipt for this bid, and the round closed without it"
            }
            (false, false) => {
                "too few validators for a promise have signed receipts, and the round closed without the bid"
            }
        };
        self.counts.broken_promises = self.counts.broken_promises.saturating_add(1);
        let evidence = self.archive.keep_evidence(&BrokenPromise {
            ledger_id: self.state.community().ledger_id(),
            round_id,
            height: self.state.height(),
            block_hash: self.state.block_hash(),
            what,
            bid: &bid,
            receipts: &receipts,
        })?;
        tracing::error!(round_id, evidence, "CENSORED: {what}");
        Ok(())
    }

    /// Writes down how a settled round ended for this member.
    pub(super) fn settle(&mut self, settled: &SettledRound) -> Result<(), DeskError> {
        let round_id = settled.round_id;
        let result = self.result_of(settled);
        self.results.write(round_id, settled.slot, result)?;
        self.finished(round_id);
        Ok(())
    }

    pub(super) fn result_of(&mut self, settled: &SettledRound) -> RoundResult {
        let round_id = settled.round_id;
        let state = self.state.clone();
        let community = state.community();
        let Some(bid) = self.archive.past_bid(round_id, community.bid_shape()) else {
            let own = settled.bids.iter().any(|bid| bid.account == self.account);
            // A file that is there and can't be read, or one that is gone.
            let unreadable = own || self.archive.has_bid(round_id);
            return if unreadable { RoundResult::Unreadable } else { RoundResult::NoBid };
        };
        let round = community.round_context(round_id, settled.slot);
        let Some(params) = community.bid_params() else { return RoundResult::Unreadable };
        let own = match OwnBid::open(&self.keyring, params, &round, &bid) {
            Ok(own) => own,
            Err(error) => {
                tracing::error!(round_id, %error, "the stored bid is not under this member's keys");
                return RoundResult::Unreadable;
            }
        };
        match own.fill(&self.keyring, self.key_epoch, community, settled) {
            Ok(fill) => {
                self.counts.settled = self.counts.settled.saturating_add(1);
                tracing::info!(round_id, "settled: the settlement point holds this member's fill");
                RoundResult::Settled(fill)
            }
            Err(fault @ (FillFault::Missing | FillFault::OtherBid | FillFault::NoKeys)) => {
                tracing::warn!(round_id, %fault, "no result for this member");
                RoundResult::Missing
            }
            Err(fault @ FillFault::WrongPoint) => {
                self.counts.wrong_settlements = self.counts.wrong_settlements.saturating_add(1);
                tracing::error!(round_id, %fault, "WRONG SETTLEMENT: keep the ledger and run the audit");
                RoundResult::Wrong
            }
        }
    }

    pub(super) fn voided(&mut self, round_id: u64, why: &str) -> Result<(), DeskError> {
        let shape = self.state.community().bid_shape();
        if self.archive.past_bid(round_id, shape).is_some() {
            tracing::info!(round_id, why, "the round is void: nothing is traded");
            self.counts.voided = self.counts.voided.saturating_add(1);
        }
        if let Some(slot) = self.slots.get(&round_id) {
            self.results.write(round_id, *slot, RoundResult::Void)?;
        }
        self.finished(round_id);
        Ok(())
    }

    /// Rounds in which nobody could bid have their lines too.
    pub(super) fn passed_over(&mut self, first: u64, last: u64) -> Result<(), DeskError> {
        let params = self.state.community().params();
        let (timing, seconds) = (params.timing, params.slot_seconds);
        let slot_of = |round_id| {
            let start_unix_s = timing.slot_start_unix_s(round_id, seconds)?;
            Some(Slot { start_unix_s, seconds })
        };
        Ok(self.results.write_not_opened(first..=last, &slot_of)?)
    }
}
