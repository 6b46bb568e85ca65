//! The audit: a whole ledger replayed from its genesis with no secret, everything counted, the first violation named.
//!
//! What is checked is what the state machine checks, and nothing is taken on trust: every proof of the key
//! generation, every bid, share, opened value, outcome and settlement point, every hash and state root. On top come
//! the conservation of energy and money ([`conservation`]), receipts ([`receipts`]) and, for a file, its trailer.
//!
//! # Security
//! A ledger is as good as the hash of its genesis: without a trusted hash the audit shows that *some* community traded
//! by the rules, not which one. What is only left out, a fork or a missing end, shows against another copy's hashes
//! and against receipts, not inside of one file.

pub mod conservation;
pub mod receipts;
pub mod report;
mod violation;

pub use receipts::{ReceiptFinding, ReceiptVerdict};
pub use report::AuditReport;
pub use violation::{AuditError, ConservationError, Violation, ViolationRule};

use crate::block::Block;
use crate::export::{LedgerReader, ReadError};
use crate::hash::Hash;
use crate::state::State;
use crate::state::effects::Effect;
use crate::state::round::OpenedSum;
use crate::transaction::Transaction;
use crate::verdicts::VerifyAll;
use receipts::ReceiptCheck;
use std::collections::BTreeMap;
use std::io::Read;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_market::Grid;

/// What an audit is given besides the blocks.
#[derive(Debug, Default, Clone)]
pub struct AuditRequest {
    /// Hash of block 0 that the auditor trusts; without one the report says so.
    pub trusted_genesis: Option<Hash>,
    /// Receipts to look up.
    pub receipts: Vec<Receipt>,
}

/// How far an audit has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Blocks that were replayed.
    pub blocks: u64,
    /// Bids that were verified.
    pub bids: u64,
    /// Rounds that were cleared or voided.
    pub rounds: u64,
}

/// Replays a ledger.
///
/// # Errors
/// [`AuditError::Read`] when the blocks end in an error, [`AuditError::Violation`] with the first rule that is broken.
pub fn audit<E>(
    blocks: impl IntoIterator<Item = Result<Block, E>>,
    request: AuditRequest,
    mut on_progress: impl FnMut(&Progress),
) -> Result<AuditReport, AuditError<E>> {
    let mut auditor = Auditor::new(request);
    for block in blocks {
        let block =
            block.map_err(|source| AuditError::Read { after_blocks: auditor.progress().blocks, source })?;
        auditor.block(&block).map_err(AuditError::Violation)?;
        on_progress(&auditor.progress());
    }
    auditor.finish().map_err(AuditError::Violation)
}

/// Replays an exported ledger, its trailer included.
///
/// # Errors
/// As [`audit`]; [`ViolationRule::TrailerStateRoot`] when the trailer names another final state.
pub fn audit_export<R: Read>(
    mut reader: LedgerReader<R>,
    request: AuditRequest,
    on_progress: impl FnMut(&Progress),
) -> Result<AuditReport, AuditError<ReadError>> {
    let report = audit(reader.by_ref(), request, on_progress)?;
    let Some(trailer) = reader.trailer() else {
        return Err(AuditError::Violation(Violation::of_ledger(ViolationRule::Empty)));
    };
    if trailer.state_root != report.state_root {
        let (found, expected) = (trailer.state_root, report.state_root);
        let rule = ViolationRule::TrailerStateRoot { found, expected };
        return Err(AuditError::Violation(Violation::of_ledger(rule)));
    }
    Ok(report)
}

/// The audit, one block after another.
pub struct Auditor {
    trusted_genesis: Option<Hash>,
    receipts: ReceiptCheck,
    report: AuditReport,
    /// Opened sums of rounds that are not cleared yet.
    opened: BTreeMap<u64, Vec<OpenedSum>>,
    state: Option<State>,
}

impl Auditor {
    /// An audit that has seen nothing yet.
    pub fn new(request: AuditRequest) -> Self {
        Self {
            trusted_genesis: request.trusted_genesis,
            receipts: ReceiptCheck::new(request.receipts),
            report: AuditReport::default(),
            opened: BTreeMap::new(),
            state: None,
        }
    }

    /// The state after the last block that passed.
    pub fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// How far it has come.
    pub fn progress(&self) -> Progress {
        let report = &self.report;
        let rounds = report.rounds_cleared + report.rounds_void;
        Progress { blocks: report.blocks, bids: report.bids, rounds }
    }

    /// Replays the next block.
    ///
    /// # Errors
    /// The first rule that it breaks. The audit is over then.
    pub fn block(&mut self, block: &Block) -> Result<(), Violation> {
        let Some(mut state) = self.state.take() else {
            return self.genesis(block);
        };
        let effects =
            state.apply_block(block, &mut VerifyAll).map_err(|error| Violation::of_block(block, error))?;
        self.report.blocks += 1;
        self.count(&block.transactions);
        let grid = state.community().params().grid;
        for (index, effect) in effects.effects.iter().enumerate() {
            self.receipts.observe(effect);
            self.effect(&grid, effect).map_err(|rule| Violation {
                height: Some(effects.height),
                transaction: Some(index),
                round: block.transactions[index].round_id(),
                rule,
            })?;
        }
        self.state = Some(state);
        Ok(())
    }

    fn genesis(&mut self, block: &Block) -> Result<(), Violation> {
        let found = block.hash();
        // Compared first: a foreign genesis needs no further check.
        if let Some(trusted) = self.trusted_genesis.filter(|trusted| *trusted != found) {
            let rule = ViolationRule::UntrustedGenesis { found, trusted };
            return Err(Violation {
                height: Some(block.header.height),
                transaction: None,
                round: None,
                rule,
            });
        }
        let state = State::from_genesis_block(block).map_err(|error| Violation::of_block(block, error))?;
        self.report.begin(state.community(), found, self.trusted_genesis.is_some());
        self.count(&block.transactions);
        self.state = Some(state);
        Ok(())
    }

    fn count(&mut self, transactions: &[Transaction]) {
        for transaction in transactions {
            *self.report.transactions.entry(transaction.kind()).or_insert(0) += 1;
        }
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
    /// [`ViolationRule::Empty`] for a ledger without blocks.
    pub fn finish(self) -> Result<AuditReport, Violation> {
        let Some(state) = &self.state else {
            return Err(Violation::of_ledger(ViolationRule::Empty));
        };
        let mut report = self.report;
        report.end(state);
        report.receipts = self.receipts.findings(state);
        Ok(report)
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
