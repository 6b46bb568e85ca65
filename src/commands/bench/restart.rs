//! `bench restart`: what a node does with its stored ledger before it can take part, as every process does it: the store is opened
//! and checked, and its blocks are executed again.

use super::audit::{median, seconds};
use super::ledger::{LedgerSize, certified_of, pool};
use super::report::{arithmetic_in_use, peak_rss_mib};
use crate::failure::Failure;
use crate::output;
use clap::Args;
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use veilgrid_ledger::state::State;
use veilgrid_ledger::transaction::Transaction;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_store::Store;

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
    /// A restart, seconds.
    wall_s: f64,
    /// Opening the store: every block read, every hash checked.
    open_s: f64,
    /// Executing the stored blocks again.
    replay_s: f64,
    peak_rss_mib: Option<f64>,
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
    let mut store = Store::open(folder).map_err(Failure::input)?;
    for (block, certificate) in &blocks {
        store.append(block, certificate.as_deref()).map_err(Failure::input)?;
    }
    drop(store);
    let count = |transaction: &Transaction| match transaction {
        Transaction::Bids { bids, .. } => bids.len(),
        _ => 0,
    };
    let bids = blocks.iter().flat_map(|(block, _)| &block.transactions).map(count).sum();
    let (mut wall, mut open, mut replay) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (open_s, replay_s) = pool.install(|| restart(folder))?;
        open.push(open_s);
        replay.push(replay_s);
        wall.push(open_s + replay_s);
    }
    let figures = Figures {
        bench: "restart",
        bids,
        blocks: blocks.len(),
        threads: pool.current_num_threads(),
        arithmetic: arithmetic_in_use(),
        wall_s: median(wall),
        open_s: median(open),
        replay_s: median(replay),
        peak_rss_mib: peak_rss_mib(),
    };
    if args.size.json { output::json(&figures) } else { figures.print() }
}

/// Opens the store and executes its blocks; the seconds of both.
fn restart(folder: &Path) -> Result<(f64, f64), Failure> {
    let mut store = None;
    let open_s = seconds(|| {
        store = Some(Store::open(folder).map_err(Failure::input)?);
        Ok(())
    })?;
    let store = store.ok_or_else(|| Failure::input("the store did not open"))?;
    let mut state: Option<State> = None;
    let replay_s = seconds(|| {
        let replayed = store.replay(&mut VerifyAll, &mut |_| ControlFlow::Continue(()));
        state = replayed.map_err(Failure::input)?;
        Ok(())
    })?;
    let reached = state.map(|state| state.block_hash());
    if reached != store.tip().map(|tip| tip.hash) {
        return Err(Failure::Audit("the replay did not come to the last stored block".to_owned()));
    }
    Ok((open_s, replay_s))
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
        row("opening the store, s", format!("{:.3}", self.open_s));
        row("executing its blocks, s", format!("{:.3}", self.replay_s));
        if let Some(mib) = self.peak_rss_mib {
            row("peak memory, MiB", format!("{mib:.0}"));
        }
        output::line(table);
        Ok(())
    }
}
