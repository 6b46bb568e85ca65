//! `bench audit`: a ledger audited as `veilgrid audit` does it, beside its parts: reading, the proofs in full batches, and
//! the execution with all proofs known.

use super::ledger::{LedgerSize, Made, pool};
use super::report::{arithmetic_in_use, peak_rss_mib};
use crate::commands::audit::read_failure;
use crate::failure::Failure;
use crate::output;
use clap::Args;
use serde::Serialize;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;
use veilgrid_ledger::audit::{AuditError, AuditReport, AuditRequest, Auditor, Record, audit_export};
use veilgrid_ledger::block::Block;
use veilgrid_ledger::export::{LedgerReader, LedgerWriter};
use veilgrid_ledger::foresight::{Foresight, Window};
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_store::{Existing, write_ledger};

/// Runs of each part; the median counts.
const RUNS: usize = 5;

/// Arguments of `bench audit`.
#[derive(Debug, Args)]
pub struct AuditBenchArgs {
    /// The size of the ledger that is made
    #[command(flatten)]
    pub size: LedgerSize,
    /// Audit this ledger file instead, `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// Keep the ledger that was made in this file; it must not exist
    #[arg(long, value_name = "FILE", conflicts_with = "ledger")]
    pub keep: Option<PathBuf>,
    /// Also audit it once with every bid verified when its block asks, as it was done before
    #[arg(long)]
    pub one_by_one: bool,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    bench: &'static str,
    bids: u64,
    rounds: u64,
    blocks: u64,
    ledger_bytes: usize,
    threads: usize,
    arithmetic: &'static str,
    /// The audit, seconds.
    wall_s: f64,
    per_bid_ms: f64,
    /// Reading and decoding the file, on one thread.
    read_s: f64,
    /// The proofs of all bids in one batch, on all threads: what `bench verify` measures.
    proofs_s: f64,
    /// Executing all blocks with all proofs of bids known, on one thread: shares, sums, state roots, settlements, certificates.
    execution_s: f64,
    /// wall / proofs.
    ratio_to_proofs: f64,
    /// The audit without reading ahead.
    one_by_one_s: Option<f64>,
    /// wall / that.
    ratio_to_one_by_one: Option<f64>,
    peak_rss_mib: Option<f64>,
}

/// Runs the bench.
///
/// # Errors
/// Sizes that no market can have, a ledger that can't be read or that does not pass.
pub fn run(args: &AuditBenchArgs) -> Result<(), Failure> {
    let pool = pool(&args.size)?;
    let bytes = match &args.ledger {
        Some(path) => {
            let mut bytes = Vec::new();
            let read = crate::input::open(path)?.read_to_end(&mut bytes);
            read.map_err(|error| Failure::file(path, error))?;
            bytes
        }
        None => {
            let made = pool.install(|| args.size.make())?;
            if let Some(path) = &args.keep {
                let written = write_ledger(path, &made.blocks, made.state_root, Existing::Keep);
                written.map_err(Failure::input)?;
            }
            file_of(&made)?
        }
    };
    let figures = pool.install(|| measure(&bytes, args.one_by_one))?;
    if args.size.json { output::json(&figures) } else { figures.print() }
}

fn measure(bytes: &[u8], one_by_one: bool) -> Result<Figures, Failure> {
    let report = audit(bytes, Window::Full)?;
    let (mut wall, mut read, mut proofs, mut execution) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // In turn, so that all see the same machine.
    for _ in 0..RUNS {
        wall.push(seconds(|| audit(bytes, Window::Full).map(drop))?);
        read.push(seconds(|| records(bytes).map(drop))?);
        let parts = parts(records(bytes)?)?;
        proofs.push(parts.proofs_s);
        execution.push(parts.execution_s);
    }
    let one_by_one_s = match one_by_one {
        true => Some(seconds(|| audit(bytes, Window::Bids(0)).map(drop))?),
        false => None,
    };
    let [wall_s, read_s, proofs_s, execution_s] = [wall, read, proofs, execution].map(median);
    Ok(Figures {
        bench: "audit",
        bids: report.bids,
        rounds: report.rounds_cleared.saturating_add(report.rounds_void),
        blocks: report.blocks,
        ledger_bytes: bytes.len(),
        threads: rayon::current_num_threads(),
        arithmetic: arithmetic_in_use(),
        wall_s,
        per_bid_ms: wall_s * 1e3 / report.bids.max(1) as f64,
        read_s,
        proofs_s,
        execution_s,
        ratio_to_proofs: wall_s / proofs_s,
        one_by_one_s,
        ratio_to_one_by_one: one_by_one_s.map(|alone_s| wall_s / alone_s),
        peak_rss_mib: peak_rss_mib(),
    })
}

struct Parts {
    proofs_s: f64,
    execution_s: f64,
}

/// The proofs alone, then everything else alone.
fn parts(records: Vec<Record>) -> Result<Parts, Failure> {
    let mut auditor = Auditor::new(AuditRequest::default());
    let mut records = records.into_iter();
    // Up to the block with which the keys come in force.
    while auditor.state().is_none_or(|state| state.community().bid_params().is_none()) {
        let record = records.next().ok_or_else(|| Failure::input("the ledger ends before it has keys"))?;
        auditor.record(&record).map_err(Failure::input)?;
    }
    let state = auditor.state().cloned().ok_or_else(|| Failure::input("the ledger has no state"))?;
    let records: Vec<Record> = records.collect();
    let blocks = records.iter().filter_map(|record| match record {
        Record::Block(block, _) => Some(Block::clone(block)),
        Record::Pruned(..) | Record::Checkpoint(_) => None,
    });
    let blocks: Vec<Block> = blocks.collect();
    let start = Instant::now();
    let known = Foresight::of(&state, &blocks);
    let proofs_s = start.elapsed().as_secs_f64();
    let mut otherwise = VerifyAll;
    let mut verdicts = known.before(&mut otherwise);
    let start = Instant::now();
    for record in &records {
        auditor.record_with(record, &mut verdicts).map_err(Failure::input)?;
    }
    auditor.finish().map_err(Failure::input)?;
    Ok(Parts { proofs_s, execution_s: start.elapsed().as_secs_f64() })
}

fn audit(bytes: &[u8], window: Window) -> Result<AuditReport, Failure> {
    let reader = LedgerReader::new(bytes).map_err(Failure::input)?;
    let request = AuditRequest { window, ..AuditRequest::default() };
    audit_export(reader, request, |_| {}).map_err(|error| match error {
        // As `audit` has it: a file of another kind or format says nothing about a ledger.
        AuditError::Read { source, .. } => read_failure(Path::new("the ledger"), source),
        violation => Failure::Audit(violation.to_string()),
    })
}

fn records(bytes: &[u8]) -> Result<Vec<Record>, Failure> {
    let mut reader = LedgerReader::new(bytes).map_err(Failure::input)?;
    reader.exported().map(|exported| exported.map(Record::from).map_err(Failure::input)).collect()
}

/// The ledger as a file, in memory.
fn file_of(made: &Made) -> Result<Vec<u8>, Failure> {
    let mut writer = LedgerWriter::new(Vec::new()).map_err(Failure::input)?;
    for (block, certificate) in &made.blocks {
        writer.block(block).map_err(Failure::input)?;
        if let Some(certificate) = certificate {
            writer.certificate(certificate).map_err(Failure::input)?;
        }
    }
    writer.finish(made.state_root).map_err(Failure::input)
}

/// Seconds of a piece of work.
pub(super) fn seconds(work: impl FnOnce() -> Result<(), Failure>) -> Result<f64, Failure> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

pub(super) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or_default()
}

impl Figures {
    fn print(&self) -> Result<(), Failure> {
        let mut table = output::table(&["measured", "value"]);
        let mut row = |name: &str, value: String| {
            table.add_row([name.to_owned(), value]);
        };
        row("bids", self.bids.to_string());
        row("rounds", self.rounds.to_string());
        row("blocks", self.blocks.to_string());
        row("ledger, bytes", self.ledger_bytes.to_string());
        row("threads", self.threads.to_string());
        row("arithmetic", self.arithmetic.to_owned());
        row("audit, s", format!("{:.3}", self.wall_s));
        row("audit, ms a bid", format!("{:.3}", self.per_bid_ms));
        row("reading alone (one thread), s", format!("{:.3}", self.read_s));
        row("proofs of all bids alone (all threads), s", format!("{:.3}", self.proofs_s));
        row("everything else alone (one thread), s", format!("{:.3}", self.execution_s));
        row("audit / proofs", format!("{:.2}", self.ratio_to_proofs));
        if let Some((alone_s, ratio)) = self.one_by_one_s.zip(self.ratio_to_one_by_one) {
            row("without reading ahead, s", format!("{alone_s:.3}"));
            row("audit / that", format!("{ratio:.3}"));
        }
        if let Some(mib) = self.peak_rss_mib {
            row("peak memory, MiB", format!("{mib:.0}"));
        }
        output::line(table);
        Ok(())
    }
}
