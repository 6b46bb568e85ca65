//! Reads and replays ledger files.

use crate::failure::Failure;
use crate::{input, output};
use indicatif::ProgressBar;
use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;
use veilgrid_crypto::receipt::Receipt;
use veilgrid_ledger::audit::{AuditError, AuditReport, AuditRequest, Progress, audit_export};
use veilgrid_ledger::export::{LedgerReader, ReadError};

/// A ledger file that is read with a progress bar, or standard input.
pub(super) type Reader = LedgerReader<Counted<BufReader<Box<dyn Read>>>>;

/// Audits a ledger file.
///
/// # Errors
/// [`Failure::Audit`] for a violation, a damaged file or a receipt that was not kept.
pub fn audit_file(
    path: &Path,
    trusted_genesis: Option<[u8; 32]>,
    receipts: Vec<Receipt>,
    quiet: bool,
) -> Result<AuditReport, Failure> {
    let report =
        replay_file(path, AuditRequest { trusted_genesis, receipts, ..AuditRequest::default() }, quiet)?;
    broken_promise(&report).map_or(Ok(report), |violation| Err(Failure::Audit(violation)))
}

/// Opens a ledger file, or standard input for `-`.
///
/// # Errors
/// As [`read_failure`].
pub(super) fn open(path: &Path, what: &'static str, quiet: bool) -> Result<(Reader, ProgressBar), Failure> {
    // Of standard input, or a pipe that has a name, nobody knows the length.
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let bar = output::progress(length, what, quiet || length == 0);
    let inner = BufReader::new(input::open(path)?);
    let reader = LedgerReader::new(Counted { inner, bar: bar.clone() });
    Ok((reader.map_err(|error| read_failure(path, error))?, bar))
}

/// Replays a ledger file.
///
/// # Errors
/// [`Failure::Audit`] for a violation or a damaged file.
pub(super) fn replay_file(path: &Path, request: AuditRequest, quiet: bool) -> Result<AuditReport, Failure> {
    let (reader, bar) = open(path, "auditing (bytes)", quiet)?;
    let result = audit_export(reader, request, |progress| show(&bar, progress));
    bar.finish_and_clear();
    result.map_err(|error| match error {
        AuditError::Read { after_blocks, source } => match read_failure(path, source) {
            Failure::Audit(text) => Failure::Audit(format!("{text} (after {after_blocks} blocks)")),
            other => other,
        },
        AuditError::Violation(violation) => Failure::Audit(format!("{}: {violation}", path.display())),
    })
}

/// How many bids were verified so far, and how fast.
fn show(bar: &ProgressBar, progress: &Progress) {
    // Often enough for a reader.
    if progress.blocks.is_multiple_of(64) {
        let rate = progress.bids as f64 / bar.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{} bids, {rate:.0} a second; bytes", progress.bids));
    }
}

/// A failing disk or a file that is none says nothing about a ledger; everything else that can't be read is a damaged ledger.
pub(crate) fn read_failure(path: &Path, error: ReadError) -> Failure {
    match error {
        ReadError::Io { .. } => Failure::file(path, error),
        // Nor does a file of another kind, or one of an older or a newer program.
        ReadError::NotALedger | ReadError::Version { .. } | ReadError::LedgerFormat { .. } => {
            Failure::file(path, error)
        }
        damaged => Failure::Audit(format!("{}: {damaged}", path.display())),
    }
}

/// The first receipt of a promise that was not kept: by the aggregator, or by f + 1 validators.
pub(super) fn broken_promise(report: &AuditReport) -> Option<String> {
    let broken = report.receipts.iter().find(|finding| finding.verdict.is_broken_promise())?;
    Some(format!(
        "round {}: account {} has a receipt for bid {}, and the ledger does not hold that bid: it was left out \
         after its receipt",
        broken.round_id,
        hex::encode(&broken.account[..8]),
        hex::encode(&broken.bid_digest[..8]),
    ))
}

/// Moves a progress bar along with what is read.
pub(super) struct Counted<R> {
    inner: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}
