//! The part of an audit that goes past blocks whose bids are pruned.

use super::auditor::{Auditor, Replay};
use super::money::PublicTotals;
use super::violation::{Violation, ViolationRule};
use crate::block::Block;
use crate::foresight::Foreseen;
use crate::pruned::{PrunedBlock, PrunedTransaction};
use crate::refusal::BlockFault;
use crate::state::State;
use crate::state::checkpoint::{Skeleton, SkeletonFault, Step};
use crate::transaction::{Transaction, TransactionKind};
use veilgrid_crypto::bid::SealedBid;

impl Auditor {
    /// A whole block behind a pruned one.
    pub(super) fn whole_block_of_skeleton(
        &mut self,
        mut skeleton: Skeleton,
        block: &Block,
        certificate: Option<&[u8]>,
        ahead: &mut Foreseen<'_>,
    ) -> Result<(), Violation> {
        let height = block.header.height;
        let step = skeleton.full(block, ahead).map_err(|fault| Violation::of_height(height, fault.into()))?;
        // Of a round that is not recomputed the bids that are left count by their digests too.
        for (transaction, effect) in block.transactions.iter().zip(&step.effects) {
            if let (Transaction::Bids { round_id, bids }, None) = (transaction, effect) {
                let digests: Vec<_> = bids.iter().map(SealedBid::digest).collect();
                self.receipts.observe_digests(*round_id, &digests);
            }
        }
        let kinds: Vec<_> = block.transactions.iter().map(|tx| (tx.kind(), tx.round_id())).collect();
        self.tally.block().pruned.root_not_compared(height);
        self.stepped(skeleton, &kinds, step, certificate, ahead)
    }

    pub(super) fn pruned_block(
        &mut self,
        block: &PrunedBlock,
        certificate: Option<&[u8]>,
        ahead: &mut Foreseen<'_>,
    ) -> Result<(), Violation> {
        self.pinned(&block.header)?;
        let height = block.header.height;
        let fault = |fault: SkeletonFault| Violation::of_height(height, fault.into());
        let mut skeleton = match core::mem::replace(&mut self.replay, Replay::Nothing) {
            Replay::Nothing => return Err(Violation::of_ledger(ViolationRule::Empty)),
            Replay::Skeleton(skeleton) => {
                self.tally.block().pruned.root_not_compared(height);
                *skeleton
            }
            Replay::Whole(state) => self.first_pruned_block(*state, block)?,
        };
        let step = skeleton.pruned(block, ahead).map_err(fault)?;
        let counts = &mut self.tally.block().pruned;
        counts.blocks += 1;
        let mut kinds = Vec::with_capacity(block.transactions.len());
        for transaction in &block.transactions {
            kinds.push(match transaction {
                PrunedTransaction::Full(full) => (full.kind(), full.round_id()),
                PrunedTransaction::Bids { round_id, bid_digests } => {
                    counts.bid_digests += bid_digests.len() as u64;
                    self.receipts.observe_digests(*round_id, bid_digests);
                    (TransactionKind::Bids, Some(*round_id))
                }
            });
        }
        self.stepped(skeleton, &kinds, step, certificate, ahead)
    }

    /// From here on the replay has no whole state. The header's state root is still compared: it is that of the last whole
    /// one, and may be the only one that confirms a checkpoint.
    fn first_pruned_block(&mut self, state: State, block: &PrunedBlock) -> Result<Skeleton, Violation> {
        let height = block.header.height;
        let fault = |fault: SkeletonFault| Violation::of_height(height, fault.into());
        self.confirm_checkpoint(&state, &block.header)?;
        let (before, root) = (state.height(), state.root());
        let pending = self.pending.take();
        let without = pending.is_none();
        let skeleton = Skeleton::new(state, pending).map_err(fault)?;
        let found = block.header.prior_state_root;
        if found != root && block.header.height == before.saturating_add(1) {
            return Err(fault(BlockFault::PriorStateRoot { found, expected: root }.into()));
        }
        self.tally.know_root(before, root);
        self.totals = None;
        if without {
            self.tally.block().pruned.roots_unknown_from = Some(height);
        }
        Ok(skeleton)
    }

    /// What a skeleton can tell about the block that it was brought to.
    fn stepped(
        &mut self,
        skeleton: Skeleton,
        kinds: &[(TransactionKind, Option<u64>)],
        step: Step,
        certificate: Option<&[u8]>,
        ahead: &Foreseen<'_>,
    ) -> Result<(), Violation> {
        let state = skeleton.partial();
        self.tally.block().blocks += 1;
        self.effects(state, kinds, &step.at_start, step.effects.iter().map(Option::as_ref))?;
        self.receipts.observe_lost(&step.lost);
        self.tally.lose(step.lost);
        self.covered(state, certificate, ahead)?;
        self.replay = match skeleton.complete() {
            Ok((state, lost)) => {
                self.checkpoint = Some(state.height());
                self.totals = state.accounts().map(PublicTotals::of);
                // It counts with the next block, which confirms it.
                self.tally.block().pruned.checkpoints += 1;
                self.receipts.observe_finished(&lost);
                self.tally.lose(lost);
                Replay::Whole(Box::new(state))
            }
            Err(skeleton) => Replay::Skeleton(skeleton),
        };
        Ok(())
    }
}
