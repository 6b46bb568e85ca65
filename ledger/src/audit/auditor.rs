//! The audit, one record after another.

use super::certificates::Coverage;
use super::finality::FinalReceipts;
use super::report::{AuditReport, RefusedTransaction, ranges};
use super::violation::{ConservationError, Violation, ViolationRule};
use super::{AuditRequest, Progress, Record, conservation};
use crate::block::Block;
use crate::hash::Hash;
use crate::pruned::{PrunedBlock, PrunedTransaction};
use crate::state::State;
use crate::state::checkpoint::{Checkpoint, Skeleton, SkeletonFault, Step};
use crate::state::effects::Effect;
use crate::state::round::OpenedSum;
use crate::transaction::{Transaction, TransactionKind};
use crate::verdicts::VerifyAll;
use std::collections::{BTreeMap, BTreeSet};
use veilgrid_crypto::bid::SealedBid;
use veilgrid_market::Grid;

/// An audit in progress.
pub struct Auditor {
    trusted_genesis: Option<Hash>,
    receipts: FinalReceipts,
    coverage: Coverage,
    report: AuditReport,
    /// Opened sums of rounds that are not cleared yet.
    opened: BTreeMap<u64, Vec<OpenedSum>>,
    replay: Replay,
    /// Rounds of pruned blocks that were not recomputed.
    lost: BTreeSet<u64>,
    /// A checkpoint of a block that follows. Blocks are replayed in full until one is pruned.
    pending: Option<Checkpoint>,
    /// Height of the last checkpoint: the block after it has to be final, because it confirms the state.
    checkpoint: Option<u64>,
}

/// How far the replay has come, and whether it has a whole state.
enum Replay {
    /// No block yet, or a violation has ended it.
    Nothing,
    /// The state after the last block.
    Whole(Box<State>),
    /// In blocks of which some are pruned.
    Skeleton(Box<Skeleton>),
}

impl Auditor {
    /// An audit that has seen nothing yet.
    pub fn new(request: AuditRequest) -> Self {
        Self {
            trusted_genesis: request.trusted_genesis,
            receipts: FinalReceipts::new(request.receipts),
            coverage: Coverage::new(request.certificates),
            report: AuditReport::default(),
            opened: BTreeMap::new(),
            replay: Replay::Nothing,
            lost: BTreeSet::new(),
            pending: None,
            checkpoint: None,
        }
    }

    /// The state after the last block that passed; none in pruned blocks.
    pub fn state(&self) -> Option<&State> {
        match &self.replay {
            Replay::Whole(state) => Some(state),
            Replay::Skeleton(_) | Replay::Nothing => None,
        }
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let report = &self.report;
        let rounds = report.rounds_cleared + report.rounds_void;
        Progress { blocks: report.blocks, bids: report.bids, rounds }
    }

    /// Replays the next block, which comes without a certificate.
    ///
    /// # Errors
    /// The first rule that it breaks. The audit is over then.
    pub fn block(&mut self, block: &Block) -> Result<(), Violation> {
        self.whole_block(block, None)
    }

    /// Replays the next record.
    ///
    /// # Errors
    /// The first rule that it breaks. The audit is over then.
    pub fn record(&mut self, record: &Record) -> Result<(), Violation> {
        match record {
            Record::Block(block, certificate) => self.whole_block(block, certificate.as_deref()),
            Record::Pruned(block, certificate) => self.pruned_block(block, certificate.as_deref()),
            Record::Checkpoint(checkpoint) => self.take_checkpoint(checkpoint),
        }
    }

    fn whole_block(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), Violation> {
        match core::mem::replace(&mut self.replay, Replay::Nothing) {
            Replay::Nothing => self.genesis(block, certificate),
            Replay::Whole(state) => self.replayed(*state, block, certificate),
            Replay::Skeleton(mut skeleton) => {
                let step = skeleton
                    .full(block, &mut VerifyAll)
                    .map_err(|fault| Violation::of_height(block.header.height, fault.into()))?;
                // Of a round that is not recomputed the bids that are left count by their digests too.
                for (transaction, effect) in block.transactions.iter().zip(&step.effects) {
                    if let (Transaction::Bids { round_id, bids }, None) = (transaction, effect) {
                        let digests: Vec<_> = bids.iter().map(SealedBid::digest).collect();
                        self.receipts.observe_digests(*round_id, &digests);
                    }
                }
                let kinds: Vec<_> = block.transactions.iter().map(|tx| (tx.kind(), tx.round_id())).collect();
                self.stepped(*skeleton, &kinds, &step, certificate)
            }
        }
    }

    fn replayed(
        &mut self,
        mut state: State,
        block: &Block,
        certificate: Option<&[u8]>,
    ) -> Result<(), Violation> {
        let height = block.header.height;
        if self.checkpoint == Some(state.height()) {
            let (found, expected) = (state.root(), block.header.prior_state_root);
            if found != expected {
                return Err(Violation::of_height(height, ViolationRule::CheckpointRoot { found, expected }));
            }
        }
        let effects =
            state.apply_block(block, &mut VerifyAll).map_err(|error| Violation::of_block(block, error))?;
        self.report.blocks += 1;
        let kinds: Vec<_> = block.transactions.iter().map(|tx| (tx.kind(), tx.round_id())).collect();
        self.effects(&state, &kinds, &effects.outset, effects.effects.iter().map(Some))?;
        self.covered(&state, certificate)?;
        if let Some(pending) = self.pending.take_if(|pending| pending.height == height) {
            // Nothing below it is pruned, so that it is known what it has to be.
            if state.checkpoint().is_none_or(|found| found != pending) {
                let what = "is not the state that the whole blocks before it lead to";
                return Err(Violation::of_height(height, ViolationRule::CheckpointPlace { height, what }));
            }
            self.report.pruned.checkpoints += 1;
        }
        self.replay = Replay::Whole(Box::new(state));
        Ok(())
    }

    fn pruned_block(&mut self, block: &PrunedBlock, certificate: Option<&[u8]>) -> Result<(), Violation> {
        let height = block.header.height;
        let fault = |fault: SkeletonFault| Violation::of_height(height, fault.into());
        let mut skeleton = match core::mem::replace(&mut self.replay, Replay::Nothing) {
            Replay::Nothing => return Err(Violation::of_ledger(ViolationRule::Empty)),
            Replay::Skeleton(skeleton) => skeleton,
            Replay::Whole(state) => {
                let pending = self.pending.take();
                if pending.is_none() {
                    self.report.pruned.roots_unknown_from = Some(height);
                }
                Box::new(Skeleton::new(*state, pending).map_err(fault)?)
            }
        };
        let step = skeleton.pruned(block, &mut VerifyAll).map_err(fault)?;
        self.report.pruned.blocks += 1;
        let mut kinds = Vec::with_capacity(block.transactions.len());
        for transaction in &block.transactions {
            kinds.push(match transaction {
                PrunedTransaction::Full(full) => (full.kind(), full.round_id()),
                PrunedTransaction::Bids { round_id, bid_digests } => {
                    self.report.pruned.bid_digests += bid_digests.len() as u64;
                    self.receipts.observe_digests(*round_id, bid_digests);
                    (TransactionKind::Bids, Some(*round_id))
                }
            });
        }
        self.stepped(*skeleton, &kinds, &step, certificate)
    }

    /// What a skeleton can tell about the block that it was brought to.
    fn stepped(
        &mut self,
        skeleton: Skeleton,
        kinds: &[(TransactionKind, Option<u64>)],
        step: &Step,
        certificate: Option<&[u8]>,
    ) -> Result<(), Violation> {
        let state = skeleton.partial();
        self.report.blocks += 1;
        self.effects(state, kinds, &step.outset, step.effects.iter().map(Option::as_ref))?;
        self.receipts.observe_lost(skeleton.lost_rounds());
        self.covered(state, certificate)?;
        self.replay = match skeleton.complete() {
            Ok((state, lost)) => {
                self.checkpoint = Some(state.height());
                self.report.pruned.checkpoints += 1;
                self.receipts.observe_finished(&lost);
                self.lost.extend(lost);
                Replay::Whole(Box::new(state))
            }
            Err(skeleton) => Replay::Skeleton(skeleton),
        };
        Ok(())
    }

    fn take_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), Violation> {
        let height = checkpoint.height;
        let misplaced = |what| Violation::of_ledger(ViolationRule::CheckpointPlace { height, what });
        match &self.replay {
            Replay::Nothing => Err(misplaced("stands before the genesis block")),
            Replay::Skeleton(_) => Err(misplaced("stands among pruned blocks, it has to stand before them")),
            Replay::Whole(_) if self.pending.is_some() => Err(misplaced("follows another one")),
            Replay::Whole(state) if height <= state.height() => {
                let fault = SkeletonFault::Height { found: height, height: state.height() };
                Err(Violation::of_ledger(fault.into()))
            }
            Replay::Whole(_) => {
                self.pending = Some(checkpoint.clone());
                Ok(())
            }
        }
    }

    fn genesis(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), Violation> {
        let (found, height) = (block.hash(), block.header.height);
        // Compared first: a foreign genesis needs no further check.
        if let Some(trusted) = self.trusted_genesis.filter(|trusted| *trusted != found) {
            return Err(Violation::of_height(height, ViolationRule::UntrustedGenesis { found, trusted }));
        }
        let state = State::from_genesis_block(block).map_err(|error| Violation::of_block(block, error))?;
        if certificate.is_some() {
            return Err(Violation::of_height(height, ViolationRule::StrayCertificate));
        }
        self.report.begin(state.community(), found, self.trusted_genesis.is_some());
        self.count(TransactionKind::Genesis);
        self.receipts.settle(&state);
        self.replay = Replay::Whole(Box::new(state));
        Ok(())
    }

    fn covered(&mut self, state: &State, certificate: Option<&[u8]>) -> Result<(), Violation> {
        self.report.suspensions(state);
        let covered = self.coverage.block(state, certificate);
        covered.map_err(|rule| Violation::of_height(state.height(), rule))?;
        // What one process orders is final as soon as it is there.
        if state.roster().is_none() || self.coverage.covers(state.height()) {
            self.receipts.settle(state);
        }
        Ok(())
    }

    fn count(&mut self, kind: TransactionKind) {
        *self.report.transactions.entry(kind).or_insert(0) += 1;
    }

    /// Counts what a block did, the last one of a state; of transactions about rounds that are not recomputed the kind
    /// alone is known.
    fn effects<'a>(
        &mut self,
        state: &State,
        kinds: &[(TransactionKind, Option<u64>)],
        outset: &[Effect],
        effects: impl Iterator<Item = Option<&'a Effect>>,
    ) -> Result<(), Violation> {
        let (height, grid) = (state.height(), state.community().params().grid);
        outset.iter().for_each(|effect| self.report.count(effect));
        for (index, (effect, (kind, round))) in effects.zip(kinds.iter().copied()).enumerate() {
            self.count(kind);
            let term = matches!(kind, TransactionKind::OpenRound | TransactionKind::CloseRound);
            if let Some(round_id) = round.filter(|_| term && !matches!(effect, Some(Effect::Refused(_)))) {
                self.receipts.observe_term(round_id, state);
            }
            let Some(effect) = effect else { continue };
            if let Effect::Refused(refusal) = effect {
                let reason = refusal.to_string();
                self.report.refuse(RefusedTransaction { height, index, kind, reason });
            }
            self.receipts.observe(effect);
            let place = |rule| Violation { height: Some(height), transaction: Some(index), round, rule };
            self.effect(&grid, effect).map_err(place)?;
        }
        Ok(())
    }

    fn effect(&mut self, grid: &Grid, effect: &Effect) -> Result<(), ViolationRule> {
        self.report.count(effect);
        match effect {
            Effect::ValueOpened { round_id, request, value_wh, .. } => {
                let sum = OpenedSum { request: *request, value_wh: *value_wh };
                self.opened.entry(*round_id).or_default().push(sum);
            }
            Effect::Cleared { round_id, outcome } => {
                let opened = self.opened.remove(round_id).unwrap_or_default();
                match conservation::check(grid, outcome, &opened) {
                    Ok(()) => self.report.conservation_checks += 1,
                    // The outcome itself was recomputed; this second look at it needs sums that were not opened.
                    Err(ConservationError::Undetermined) => self.report.conservation_undetermined += 1,
                    Err(error) => return Err(ViolationRule::Conservation(Box::new(error))),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends the audit.
    ///
    /// # Errors
    /// [`ViolationRule::Empty`] for a ledger without blocks, [`ViolationRule::NotFinal`] for one that is not certified,
    /// [`ViolationRule::CheckpointPlace`] for one that ends before its checkpoint is confirmed.
    pub fn finish(mut self) -> Result<AuditReport, Violation> {
        self.report.certificates = self.coverage.finish().map_err(Violation::of_ledger)?;
        if let Some(height) = self.checkpoint.filter(|height| !self.coverage.covers(height + 1)) {
            let what = "is confirmed by no final block: its state root stands in the next block's header";
            return Err(Violation::of_ledger(ViolationRule::CheckpointPlace { height, what }));
        }
        if let Some(Checkpoint { height, .. }) = self.pending {
            let what = "is of a block that the ledger does not reach";
            return Err(Violation::of_ledger(ViolationRule::CheckpointPlace { height, what }));
        }
        let replay = core::mem::replace(&mut self.replay, Replay::Nothing);
        let state = match replay {
            Replay::Nothing => return Err(Violation::of_ledger(ViolationRule::Empty)),
            Replay::Whole(state) => *state,
            Replay::Skeleton(skeleton) => {
                if let Some(height) = skeleton.awaits() {
                    let what = "is of a block that the ledger does not reach";
                    return Err(Violation::of_ledger(ViolationRule::CheckpointPlace { height, what }));
                }
                self.lost.extend(skeleton.lost_rounds());
                skeleton.partial().clone()
            }
        };
        self.report.pruned.rounds_by_digest = ranges(&self.lost);
        self.report.end(&state);
        self.report.receipts = self.receipts.findings();
        Ok(self.report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use veilgrid_market::{Rule, clear_plain};

    /// The state machine refuses such an outcome before; this is what the second look is there for.
    #[test]
    fn an_outcome_that_creates_energy_is_a_violation() {
        let grid = Grid::new(1_000, 10, 4).expect("grid");
        let book = clear_plain(&grid, Rule::Uniform, true, &[3, 0, 4, 2, 0, 4, 0, 0]).expect("book");
        let check = |rest_more: u64| {
            let mut auditor = Auditor::new(AuditRequest::default());
            for (opening_index, &(request, value_wh)) in (0..).zip(&book.opened) {
                let opened = Effect::ValueOpened { round_id: 1, opening_index, request, value_wh };
                auditor.effect(&grid, &opened).expect("counted");
            }
            let mut outcome = book.outcome;
            outcome.trade.as_mut().expect("trade").rest_q16 += rest_more;
            auditor.effect(&grid, &Effect::Cleared { round_id: 1, outcome })
        };
        assert_eq!(check(0), Ok(()));
        assert!(matches!(check(1), Err(ViolationRule::Conservation(_))));
    }
}
