//! The audit: a whole ledger replayed from its genesis with no secret, everything counted, the first violation named.
//!
//! What is checked is what the state machine checks, and nothing is taken on trust: every proof of the key
//! sessions, every bid, share, opened value, outcome and settlement point, every hash and state root. On top come
//! the conservation of energy and money ([`conservation`]), the public totals of accounts, receipts ([`receipts`]), the certificates
//! ([`certificates`]) and, for a file, its trailer. Of pruned blocks everything is checked that is left of them.
//!
//! # Security
//! A ledger is as good as the hash of its genesis: without a trusted hash the audit shows that *some* community traded
//! by the rules, not which one. What is only left out, a fork or a missing end, shows against another copy's hashes
//! ([`compare`]), a hash that is known ([`Pin`]) and receipts, not inside of one file.

mod auditor;
pub mod certificates;
pub mod compare;
pub mod conservation;
mod effects;
mod finality;
mod listed;
mod money;
mod past_pruned;
mod pin;
pub mod receipts;
pub mod report;
mod tally;
mod violation;

pub use auditor::Auditor;
pub use certificates::{CertificateCheck, CertificateCounts, QuorumCertificates};
pub use pin::Pin;
pub use receipts::{ReceiptFinding, ReceiptVerdict};
pub use report::{AuditReport, KeySessionOutcome, RefusedTransaction};
pub use violation::{AuditError, ConservationError, Violation, ViolationRule};

use crate::block::{Block, BlockHeader};
use crate::export::{Exported, LedgerReader, ReadError};
use crate::foresight::{Ended, Execution, Foreseen, Replayable, Window, in_windows};
use crate::hash::Hash;
use crate::pruned::PrunedBlock;
use crate::state::State;
use crate::state::checkpoint::Checkpoint;
use crate::verdicts::VerifyAll;
use std::io::Read;
use std::sync::Arc;
use veilgrid_crypto::receipt::Receipt;

/// What an audit is given besides the blocks.
#[derive(Debug, Clone)]
pub struct AuditRequest {
    /// Hash of block 0 that the auditor trusts; without one the report says so.
    pub trusted_genesis: Option<Hash>,
    /// A later block that the auditor knows: the ledger has to have it, covered by a certificate.
    pub pin: Option<Pin>,
    /// Receipts to look up.
    pub receipts: Vec<Receipt>,
    /// What certificates are checked with: [`QuorumCertificates`], or a second verifier in tests.
    pub certificates: Arc<dyn CertificateCheck>,
    /// How far the proofs of bids are verified ahead, which shows in the time alone.
    pub window: Window,
}

impl Default for AuditRequest {
    fn default() -> Self {
        let certificates = Arc::new(QuorumCertificates);
        Self { trusted_genesis: None, pin: None, receipts: Vec::new(), certificates, window: Window::Full }
    }
}

/// What a ledger hands an auditor, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A whole block, with its certificate when there is one.
    Block(Box<Block>, Option<Vec<u8>>),
    /// A block without its bids.
    Pruned(Box<PrunedBlock>, Option<Vec<u8>>),
    /// Stands before blocks of which some are pruned, and completes the state after them.
    Checkpoint(Box<Checkpoint>),
}

impl From<Block> for Record {
    fn from(block: Block) -> Self {
        Self::Block(Box::new(block), None)
    }
}

impl From<Exported> for Record {
    fn from(exported: Exported) -> Self {
        match exported {
            Exported::Block(block, certificate) => Self::Block(Box::new(block), certificate),
            Exported::Pruned(block, certificate) => Self::Pruned(Box::new(block), certificate),
            Exported::Checkpoint(checkpoint) => Self::Checkpoint(Box::new(checkpoint)),
        }
    }
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
pub fn audit<R: Into<Record>, E>(
    records: impl IntoIterator<Item = Result<R, E>>,
    request: AuditRequest,
    on_progress: impl FnMut(&Progress),
) -> Result<AuditReport, AuditError<E>> {
    replay(records, request, on_progress).map(|(report, _)| report)
}

/// The report with the state root after the last block, covered or not, where it is known.
fn replay<R: Into<Record>, E>(
    records: impl IntoIterator<Item = Result<R, E>>,
    request: AuditRequest,
    on_progress: impl FnMut(&Progress),
) -> Result<(AuditReport, Option<Hash>), AuditError<E>> {
    let window = request.window;
    let certificates = Arc::clone(&request.certificates);
    let mut running = Running { auditor: Auditor::new(request), certificates, on_progress };
    let records = records.into_iter().map(|record| record.map(Into::into));
    let ended = in_windows(records, &mut running, window, &mut VerifyAll);
    let auditor = running.auditor;
    match ended {
        Ok(()) => auditor.finish_with_root().map_err(AuditError::Violation),
        Err(Ended::Source(source)) => {
            Err(AuditError::Read { after_blocks: auditor.progress().blocks, source })
        }
        Err(Ended::Execution(violation)) => Err(AuditError::Violation(violation)),
    }
}

impl Replayable for Record {
    fn whole_block(&self) -> Option<&Block> {
        match self {
            Self::Block(block, _) => Some(block),
            Self::Pruned(..) | Self::Checkpoint(_) => None,
        }
    }

    fn certified(&self) -> Option<(&BlockHeader, &[u8])> {
        match self {
            Self::Block(block, certificate) => Some((&block.header, certificate.as_deref()?)),
            Self::Pruned(block, certificate) => Some((&block.header, certificate.as_deref()?)),
            Self::Checkpoint(_) => None,
        }
    }
}

/// An audit of records that are read ahead.
struct Running<P> {
    auditor: Auditor,
    certificates: Arc<dyn CertificateCheck>,
    on_progress: P,
}

impl<P: FnMut(&Progress)> Execution for Running<P> {
    type Item = Record;
    type End = Violation;

    fn state(&self) -> Option<&State> {
        self.auditor.state_ahead()
    }

    fn certificates(&self) -> Option<&Arc<dyn CertificateCheck>> {
        Some(&self.certificates)
    }

    fn execute(&mut self, record: Record, ahead: &mut Foreseen<'_>) -> Result<(), Violation> {
        self.auditor.record_with(&record, ahead)?;
        (self.on_progress)(&self.auditor.progress());
        Ok(())
    }
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
    let (report, root) = replay(reader.exported(), request, on_progress)?;
    let Some(trailer) = reader.trailer() else {
        return Err(AuditError::Violation(Violation::of_ledger(ViolationRule::Empty)));
    };
    // The trailer names the state after the last block, also where no certificate covers that one.
    if let Some(expected) = root.filter(|root| trailer.state_root != *root) {
        let rule = ViolationRule::TrailerStateRoot { found: trailer.state_root, expected };
        return Err(AuditError::Violation(Violation::of_ledger(rule)));
    }
    Ok(report)
}

/// The hashes of an exported ledger's blocks, from block 0 on, for [`compare::Relation::of`].
pub fn block_hashes<R: Read>(reader: &mut LedgerReader<R>) -> impl Iterator<Item = Result<Hash, ReadError>> {
    reader.exported().filter_map(|record| match record {
        Ok(Exported::Block(block, _)) => Some(Ok(block.hash())),
        Ok(Exported::Pruned(block, _)) => Some(Ok(block.hash())),
        Ok(Exported::Checkpoint(_)) => None,
        Err(error) => Some(Err(error)),
    })
}
