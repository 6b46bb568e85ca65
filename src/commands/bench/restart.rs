//! `bench restart`: what a node does with its stored ledger before it can take part, as its processes do it: the store is opened, the
//! saved state is read, and what has come since is checked and executed. Beside it the start with `--verify-all`, in which every
//! block is.

use super::audit::{median, seconds};
use super::ledger::{Certified, LedgerSize, certified_of, pool};
use super::report::{arithmetic_in_use, peak_rss_mib};
use crate::failure::Failure;
use crate::output;
use clap::Args;
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_store::{Checks, SavedKey, Store, Unsaved};

/// Restarts; the median counts.
const RUNS: usize = 5;

/// Arguments of `bench restart`.
#[derive(Debug, Args)]
pub struct RestartBenchArgs {
    /// The size of the ledger that is made
    #[command(flatten)]
    pub size: LedgerSize,
    /// Store this ledger file instead, `-` for standard input (`bench audit --keep` makes one)
    #[arg(long, value_name = "FILE")]
    pub ledger: Option<PathBuf>,
    /// A new folder for the store, on the disk that is to be measured (default: a temporary one, removed afterwards)
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Figures {
    bench: &'static str,
    bids: usize,
    blocks: usize,
    threads: usize,
    arithmetic: &'static str,
    /// A restart from the saved state, seconds.
    wall_s: f64,
    /// Opening the store: what has come since the state was saved is read.
    open_s: f64,
    /// Reading the saved state, and executing the blocks since.
    resume_s: f64,
    /// Blocks that are executed.
    executed_blocks: u64,
    /// Encoding the state and writing it to the disk, as a running node does now and then.
    save_s: f64,
    /// Its bytes.
    saved_bytes: usize,
    verify_all: VerifyAllFigures,
    peak_rss_mib: Option<f64>,
}

/// A start that checks and executes everything.
#[derive(Debug, Serialize)]
struct VerifyAllFigures {
    /// All of it, seconds.
    wall_s: f64,
    /// Opening the store: every block read, every hash checked.
    open_s: f64,
    /// Executing the stored blocks again, with every proof.
    replay_s: f64,
}

/// Runs the bench.
///
/// # Errors
/// Sizes that no market can have, a ledger that can't be read, a folder that can't be written.
pub fn run(args: &RestartBenchArgs) -> Result<(), Failure> {
    let pool = pool(&args.size)?;
    let blocks = match &args.ledger {
        Some(path) => certified_of(path)?,
        None => pool.install(|| args.size.make())?.blocks,
    };
    let temporary = Temporary::new()?;
    let folder = args.dir.as_deref().unwrap_or(&temporary.0);
    if args.dir.is_some() && folder.exists() {
        return Err(Failure::file(folder, "exists already; name a new folder, nothing is overwritten"));
    }
    store_all(folder, &blocks, args.size.json)?;
    let count = |transaction: &Transaction| match transaction {
        Transaction::Bids { bids, .. } => bids.len(),
        _ => 0,
    };
    let bids = blocks.iter().flat_map(|(block, _)| &block.transactions).map(count).sum();
    // A key that protects nothing, of a bench.
    let key = SavedKey::derive(&Secret::new([0; 32]));
    let (verify_all, saved_bytes, save_s) = pool.install(|| verify_all_and_save(folder, &key))?;
    let (mut wall, mut open, mut resume) = (Vec::new(), Vec::new(), Vec::new());
    let mut executed_blocks = 0;
    for _ in 0..RUNS {
        let (open_s, resume_s, executed) = pool.install(|| restart(folder, &key))?;
        open.push(open_s);
        resume.push(resume_s);
        wall.push(open_s + resume_s);
        executed_blocks = executed;
    }
    let figures = Figures {
        bench: "restart",
        bids,
        blocks: blocks.len(),
        threads: pool.current_num_threads(),
        arithmetic: arithmetic_in_use(),
        wall_s: median(wall),
        open_s: median(open),
        resume_s: median(resume),
        executed_blocks,
        save_s,
        saved_bytes,
        verify_all,
        peak_rss_mib: peak_rss_mib(),
    };
    if args.size.json { output::json(&figures) } else { figures.print() }
}

fn store_all(folder: &Path, blocks: &[Certified], quiet: bool) -> Result<(), Failure> {
    let mut store = Store::open(folder).map_err(Failure::input)?;
    let bar = output::progress(blocks.len() as u64, "storing the ledger (blocks)", quiet);
    for (block, certificate) in blocks {
        store.append(block, certificate.as_deref()).map_err(Failure::input)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A start that checks everything, and the saving of the state before the last block: its figures, bytes, seconds.
fn verify_all_and_save(folder: &Path, key: &SavedKey) -> Result<(VerifyAllFigures, usize, f64), Failure> {
    let mut store = None;
    let open_s = seconds(|| {
        store = Some(Store::open(folder).map_err(Failure::input)?);
        Ok(())
    })?;
    let mut store = store.ok_or_else(|| Failure::input("the store did not open"))?;
    let last = store.tip().map_or(0, |tip| tip.height);
    let (mut before_last, mut end) = (None, None);
    let replay_s = seconds(|| {
        let replayed = store.replay(&mut VerifyAll, &mut |block| {
            if block.height().saturating_add(1) == last {
                before_last = block.state().cloned();
            }
            ControlFlow::Continue(())
        });
        end = replayed.map_err(Failure::input)?;
        Ok(())
    })?;
    reached(end.as_ref(), &store)?;
    let state = before_last.ok_or_else(|| Failure::input("the ledger has no two blocks after block 0"))?;
    let mut bytes = None;
    let save_s = seconds(|| {
        bytes = store.save_state(key, Unsaved::new(&state, Vec::new())).map_err(Failure::input)?;
        Ok(())
    })?;
    let bytes =
        bytes.ok_or_else(|| Failure::input("the state is not saved: most blocks have no certificate"))?;
    Ok((VerifyAllFigures { wall_s: open_s + replay_s, open_s, replay_s }, bytes, save_s))
}

/// Opens the store with its saved state and goes on from there: the seconds of both, and the blocks that are executed.
fn restart(folder: &Path, key: &SavedKey) -> Result<(f64, f64, u64), Failure> {
    let mut store = None;
    let open_s = seconds(|| {
        store = Some(Store::open_checking(folder, Checks::SinceSaved(key)).map_err(Failure::input)?);
        Ok(())
    })?;
    let mut store = store.ok_or_else(|| Failure::input("the store did not open"))?;
    let (mut end, mut executed) = (None, 0);
    let resume_s = seconds(|| {
        let resumed = store.resume().map_err(Failure::input)?;
        let resumed = resumed
            .ok_or_else(|| Failure::Audit("the saved state does not lead to the ledger's".to_owned()))?;
        let replayed = store.replay_from(resumed.state, &mut VerifyAll, &mut |_| {
            executed += 1;
            ControlFlow::Continue(())
        });
        end = replayed.map_err(Failure::input)?;
        Ok(())
    })?;
    reached(end.as_ref(), &store)?;
    Ok((open_s, resume_s, executed))
}

/// Whether the state is that after the last block.
fn reached(state: Option<&State>, store: &Store) -> Result<(), Failure> {
    match state.map(State::block_hash) == store.tip().map(|tip| tip.hash) {
        true => Ok(()),
        false => Err(Failure::Audit("the replay did not come to the last stored block".to_owned())),
    }
}

/// A folder that is removed again.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("veilgrid-restart-{}", std::process::id()));
        if path.exists() {
            return Err(Failure::file(&path, "exists already, left behind by another run: remove it"));
        }
        Ok(Self(path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Not made when --dir was given; nothing can be done when it fails.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Figures {
    fn print(&self) -> Result<(), Failure> {
        let mut table = output::table(&["measured", "value"]);
        let mut row = |name: &str, value: String| {
            table.add_row([name.to_owned(), value]);
        };
        row("bids", self.bids.to_string());
        row("blocks", self.blocks.to_string());
        row("threads", self.threads.to_string());
        row("arithmetic", self.arithmetic.to_owned());
        row("restart, s", format!("{:.3}", self.wall_s));
        row("  opening the store, s", format!("{:.3}", self.open_s));
        row("  saved state and later blocks, s", format!("{:.3}", self.resume_s));
        row("  blocks that are executed", self.executed_blocks.to_string());
        row("saving the state, s", format!("{:.3}", self.save_s));
        row("  bytes", self.saved_bytes.to_string());
        row("start with --verify-all, s", format!("{:.3}", self.verify_all.wall_s));
        row("  opening the store, s", format!("{:.3}", self.verify_all.open_s));
        row("  executing its blocks, s", format!("{:.3}", self.verify_all.replay_s));
        if let Some(mib) = self.peak_rss_mib {
            row("peak memory, MiB", format!("{mib:.0}"));
        }
        output::line(table);
        Ok(())
    }
}
