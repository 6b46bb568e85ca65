//! The audit, one record after another.

use super::certificates::Coverage;
use super::finality::FinalReceipts;
use super::money::PublicTotals;
use super::pin::Pin;
use super::report::AuditReport;
use super::tally::Tally;
use super::violation::{Violation, ViolationRule};
use super::{AuditRequest, Progress, Record};
use crate::block::{Block, BlockHeader};
use crate::foresight::{Foreseen, Foresight};
use crate::hash::Hash;
use crate::state::State;
use crate::state::checkpoint::{Checkpoint, Skeleton, SkeletonFault};
use crate::state::round::OpenedSum;
use crate::transaction::TransactionKind;
use crate::verdicts::VerifyAll;
use std::collections::BTreeMap;

/// An audit in progress.
pub struct Auditor {
    trusted_genesis: Option<Hash>,
    pin: Option<Pin>,
    pub(super) receipts: FinalReceipts,
    coverage: Coverage,
    pub(super) tally: Tally,
    /// Public totals of money by the effects alone; none without money, and in pruned blocks.
    pub(super) totals: Option<PublicTotals>,
    /// Opened sums of rounds that are not cleared yet.
    pub(super) opened: BTreeMap<u64, Vec<OpenedSum>>,
    pub(super) replay: Replay,
    /// A checkpoint of a block that follows. Blocks are replayed in full until one is pruned.
    pub(super) pending: Option<Checkpoint>,
    /// Height of the last checkpoint: the block after it has to be final, because it confirms the state.
    pub(super) checkpoint: Option<u64>,
}

/// How far the replay has come, and whether it has a whole state.
pub(super) enum Replay {
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
            pin: request.pin,
            receipts: FinalReceipts::new(request.receipts),
            coverage: Coverage::new(request.certificates),
            tally: Tally::default(),
            totals: None,
            opened: BTreeMap::new(),
            replay: Replay::Nothing,
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
        let (blocks, bids, rounds) = self.tally.so_far();
        Progress { blocks, bids, rounds }
    }

    /// Replays the next block, which comes without a certificate.
    ///
    /// # Errors
    /// The first rule that it breaks. The audit is over then.
    pub fn block(&mut self, block: &Block) -> Result<(), Violation> {
        self.whole_block(block, None, &mut Foresight::default().before(&mut VerifyAll))
    }

    /// Replays the next record.
    ///
    /// # Errors
    /// The first rule that it breaks. The audit is over then.
    pub fn record(&mut self, record: &Record) -> Result<(), Violation> {
        self.record_with(record, &mut Foresight::default().before(&mut VerifyAll))
    }

    /// The same with what was found before: verdicts on bids, certificates that hold.
    ///
    /// # Errors
    /// As [`Auditor::record`].
    pub fn record_with(&mut self, record: &Record, ahead: &mut Foreseen<'_>) -> Result<(), Violation> {
        match record {
            Record::Block(block, certificate) => self.whole_block(block, certificate.as_deref(), ahead),
            Record::Pruned(block, certificate) => self.pruned_block(block, certificate.as_deref(), ahead),
            Record::Checkpoint(checkpoint) => self.take_checkpoint(checkpoint),
        }
    }

    /// The state by which bids of later blocks are foreseen; in pruned blocks what there is of one.
    pub(super) fn state_ahead(&self) -> Option<&State> {
        match &self.replay {
            Replay::Whole(state) => Some(state),
            Replay::Skeleton(skeleton) => Some(skeleton.partial()),
            Replay::Nothing => None,
        }
    }

    fn whole_block(
        &mut self,
        block: &Block,
        certificate: Option<&[u8]>,
        ahead: &mut Foreseen<'_>,
    ) -> Result<(), Violation> {
        self.pinned(&block.header)?;
        match core::mem::replace(&mut self.replay, Replay::Nothing) {
            Replay::Nothing => self.genesis(block, certificate),
            Replay::Whole(state) => self.replayed(*state, block, certificate, ahead),
            Replay::Skeleton(skeleton) => self.whole_block_of_skeleton(*skeleton, block, certificate, ahead),
        }
    }

    /// Compared before anything else of the block: another block needs no further check.
    pub(super) fn pinned(&self, header: &BlockHeader) -> Result<(), Violation> {
        self.pin.map_or(Ok(()), |pin| pin.compare(header))
    }

    /// The state that a checkpoint has led to is confirmed by the next header.
    pub(super) fn confirm_checkpoint(&self, state: &State, next: &BlockHeader) -> Result<(), Violation> {
        if self.checkpoint != Some(state.height()) {
            return Ok(());
        }
        let (found, expected) = (state.root(), next.prior_state_root);
        if found != expected {
            return Err(Violation::of_height(next.height, ViolationRule::CheckpointRoot { found, expected }));
        }
        Ok(())
    }

    fn replayed(
        &mut self,
        mut state: State,
        block: &Block,
        certificate: Option<&[u8]>,
        ahead: &mut Foreseen<'_>,
    ) -> Result<(), Violation> {
        let height = block.header.height;
        self.confirm_checkpoint(&state, &block.header)?;
        let before = state.height();
        let effects = state.apply_block(block, ahead).map_err(|error| Violation::of_block(block, error))?;
        self.tally.know_root(before, block.header.prior_state_root);
        self.tally.block().blocks += 1;
        let kinds: Vec<_> = block.transactions.iter().map(|tx| (tx.kind(), tx.round_id())).collect();
        self.effects(&state, &kinds, &effects.at_start, effects.effects.iter().map(Some))?;
        if let (Some(totals), Some(accounts)) = (&self.totals, state.accounts()) {
            let rule = |error| ViolationRule::Conservation(Box::new(error));
            totals.compare(accounts).map_err(|error| Violation::of_height(height, rule(error)))?;
        }
        if let Some(pending) = self.pending.take_if(|pending| pending.height == height) {
            // Nothing below it is pruned, so that it is known what it has to be.
            if state.checkpoint() != pending {
                let what = "is not the state that the whole blocks before it lead to";
                return Err(Violation::of_height(height, ViolationRule::CheckpointPlace { height, what }));
            }
            self.tally.block().pruned.checkpoints += 1;
        }
        self.covered(&state, certificate, ahead)?;
        self.replay = Replay::Whole(Box::new(state));
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
        self.totals = state.accounts().map(PublicTotals::of);
        self.count(TransactionKind::Genesis);
        self.tally.begin(&state, found, self.trusted_genesis.is_some());
        self.receipts.settle(&state);
        self.replay = Replay::Whole(Box::new(state));
        Ok(())
    }

    /// Ends a block: `state` is the one after it.
    pub(super) fn covered(
        &mut self,
        state: &State,
        certificate: Option<&[u8]>,
        ahead: &Foreseen<'_>,
    ) -> Result<(), Violation> {
        self.tally.block().suspensions(state);
        self.tally.end_block(state);
        let covered = self.coverage.block(state, certificate, ahead);
        covered.map_err(|rule| Violation::of_height(state.height(), rule))?;
        if self.coverage.covers(state.height()) {
            self.tally.cover(state);
            self.receipts.settle(state);
        }
        Ok(())
    }

    /// Ends the audit.
    ///
    /// # Errors
    /// [`ViolationRule::Empty`] for a ledger without blocks, [`ViolationRule::NotFinal`] for one that is not certified,
    /// [`ViolationRule::CheckpointPlace`] for one that ends before its checkpoint is confirmed,
    /// [`ViolationRule::PinNotReached`] and [`ViolationRule::PinNotCovered`] for one that lacks the pinned block.
    pub fn finish(self) -> Result<AuditReport, Violation> {
        self.finish_with_root().map(|(report, _)| report)
    }

    /// The same with the state root after the last block, covered or not, where it is known.
    pub(super) fn finish_with_root(self) -> Result<(AuditReport, Option<Hash>), Violation> {
        let certificates = self.coverage.finish().map_err(Violation::of_ledger)?;
        if let Some(height) = self.checkpoint.filter(|height| !self.coverage.covers(height + 1)) {
            let what = "is confirmed by no final block: its state root stands in the next block's header";
            return Err(Violation::of_ledger(ViolationRule::CheckpointPlace { height, what }));
        }
        let awaited = match &self.replay {
            Replay::Nothing => return Err(Violation::of_ledger(ViolationRule::Empty)),
            Replay::Whole(_) => None,
            Replay::Skeleton(skeleton) => skeleton.awaits(),
        };
        if let Some(height) = awaited.or(self.pending.as_ref().map(|pending| pending.height)) {
            let what = "is of a block that the ledger does not reach";
            return Err(Violation::of_ledger(ViolationRule::CheckpointPlace { height, what }));
        }
        if let Some(pin) = self.pin {
            pin.reached(self.tally.last_height(), self.tally.covered_height())?;
        }
        let root = self.state().map(State::root);
        let mut report = self.tally.finish(root);
        report.pinned = self.pin;
        report.certificates = certificates;
        report.receipts = self.receipts.findings();
        Ok((report, root))
    }
}
