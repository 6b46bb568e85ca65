//! Arguments of `bench`.

#[cfg(feature = "network")]
use super::NetworkArgs;
use super::{ArithmeticArgs, AuditBenchArgs, RestartBenchArgs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What `bench --help` says after its options.
#[cfg(feature = "network")]
pub const HELP: &str = "\
Example:
  veilgrid bench verify
  veilgrid bench round --bids 5000
  veilgrid bench prepare bids.bin --bids 256 --ticks 64
  veilgrid bench round --bids 5000 --from bids.bin
  veilgrid bench audit --bids 1000
  veilgrid bench restart --bids 1000
  veilgrid bench network --bids 100 --flood 10";

/// The same of a program without networks.
#[cfg(not(feature = "network"))]
pub const HELP: &str = "\
Example:
  veilgrid bench verify
  veilgrid bench round --bids 5000
  veilgrid bench prepare bids.bin --bids 256 --ticks 64
  veilgrid bench round --bids 5000 --from bids.bin
  veilgrid bench audit --bids 1000
  veilgrid bench restart --bids 1000";

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure
    #[command(subcommand)]
    pub command: BenchCommand,
}

/// What `bench` measures.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Prove bids once and keep them in a new file for the others' --from
    #[command(after_help = "Example:\n  veilgrid bench prepare bids.bin --bids 256 --ticks 64")]
    Prepare {
        /// The file; it must not exist
        file: PathBuf,
        /// The size
        #[command(flatten)]
        size: BenchSize,
    },
    /// Verify a batch, beside the plain crate one by one and the machine's unit costs
    #[command(after_help = "Example:\n  veilgrid bench verify --threads 1")]
    Verify {
        /// The size
        #[command(flatten)]
        size: BenchSize,
    },
    /// Seal a bid, beside the plain crate's prover; one thread
    #[command(after_help = "Example:\n  veilgrid bench prove --ticks 64")]
    Prove {
        /// The size
        #[command(flatten)]
        size: BenchSize,
    },
    /// Add verified bids to the running sums
    #[command(after_help = "Example:\n  veilgrid bench tally --bids 1000")]
    Tally {
        /// The size
        #[command(flatten)]
        size: BenchSize,
    },
    /// What money adds to a bid: bytes, sealing, checking a batch, both claims of a round
    #[command(after_help = "Example:\n  veilgrid bench money --bids 256 --threads 1")]
    Money {
        /// The size
        #[command(flatten)]
        size: BenchSize,
    },
    /// Days of readings of 96 slots, beside as many bids: bytes, sealing, checking a batch
    #[command(after_help = "Example:\n  veilgrid bench readings --bids 256 --threads 1\n\n\
        Fields of --json: bench, days, slots, ticks, bits, threads, arithmetic, day_bytes, bid_bytes, seal_ms, days_s, bids_s, ratio \
        (days_s / bids_s), per_slot_us. Times are medians of nine runs in turn.")]
    Readings {
        /// The size
        #[command(flatten)]
        size: BenchSize,
    },
    /// A whole round in memory, from received bytes to the cleared result
    #[command(after_help = "Example:\n  veilgrid bench round --bids 5000")]
    Round {
        /// The size
        #[command(flatten)]
        size: BenchSize,
    },
    /// Audit a ledger, beside its parts: reading, the proofs in one batch, everything else
    #[command(
        after_help = "Example:\n  veilgrid bench audit\n  veilgrid bench audit --bids 5000 --per-round 100 --keep big.vgl\n  \
        veilgrid bench audit --ledger big.vgl --one-by-one --json\n\n\
        The ledger is made in this process by the same roles as anywhere else, which takes about 20 ms a bid and core; --keep and \
        --ledger measure the same one again. Each figure is the median of five runs in turn.\n\n\
        Fields of --json: bench, bids, rounds, blocks, ledger_bytes, threads, arithmetic, wall_s, per_bid_ms, read_s, proofs_s, \
        execution_s, ratio_to_proofs, one_by_one_s, ratio_to_one_by_one (null without --one-by-one), peak_rss_mib."
    )]
    Audit(AuditBenchArgs),
    /// Open a stored ledger and execute it again, as a node does when it starts
    #[command(
        after_help = "Example:\n  veilgrid bench restart\n  veilgrid bench audit --bids 5000 --keep big.vgl\n  \
        veilgrid bench restart --ledger big.vgl --dir /var/lib/veilgrid/trial --json\n\n\
        Each figure is the median of five restarts; the store's files are in the system's cache from the first one on.\n\n\
        Fields of --json: bench, bids, blocks, threads, arithmetic, wall_s, open_s, replay_s, peak_rss_mib."
    )]
    Restart(RestartBenchArgs),
    /// A network of real processes under the load of all its members, with or without a flood of invalid bids
    #[command(after_help = "Example:\n  veilgrid bench network --bids 100\n  \
        veilgrid bench network --bids 100 --flood 10 --json\n\n\
        Validators and aggregator are processes of this program in a temporary folder; this one \
        holds the members' keys, sends their bids and follows the ledger from validator 1. Bids are sealed between the rounds. \
        Honest bids come from 127.0.1.1 (500 members an address), the flood from 127.0.0.2 on (Linux has \
        all of these), so that the shares of requests of an address are those of a real network: rate-limited in the \
        table of the flood counts what they kept out. Connections of an address are 512 instead of 32. Shares are not renewed during a run.\n\n\
        Exit code 0: every honest bid was in its round and every outcome is that of the plain clearing.")]
    #[cfg(feature = "network")]
    Network(NetworkArgs),
    /// What this build does not have
    #[cfg(not(feature = "network"))]
    #[command(external_subcommand)]
    Elsewhere(Vec<String>),
}

/// The size of a measured run.
#[derive(Debug, Args)]
pub struct BenchSize {
    /// Bids
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub bids: usize,
    /// Distinct bids among them; the others repeat these byte for byte (default: all up to 256)
    #[arg(long, value_name = "N")]
    pub distinct: Option<usize>,
    /// Ticks of the price grid, a power of two
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Bits of a quantity: 8, 16 or 32
    #[arg(long, value_name = "n", default_value_t = 16)]
    pub bits: u32,
    /// Threads (default: all cores)
    #[arg(long, value_name = "T")]
    pub threads: Option<usize>,
    /// Bids of a verified batch that are made invalid; the run then also says what they cost (`verify` only)
    #[arg(long, value_name = "K", default_value_t = 0)]
    pub invalid: usize,
    /// The arithmetic
    #[command(flatten)]
    pub arithmetic: ArithmeticArgs,
    /// Read the distinct bids from a file of `bench prepare`, `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}
