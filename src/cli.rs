//! The commands and their arguments.

use crate::commands;
use crate::failure::{FINAL, Failure};
use crate::logs::start_logs;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;

/// Privacy-preserving market for local energy: sealed bids, a double auction, a ledger that everybody can audit.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    /// Logs
    #[command(flatten)]
    pub logs: LogArgs,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// How logs are written.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// What is logged to standard error: error, warn, info, debug, trace, or a filter such as `veilgrid_actors=debug`
    /// [default: warn; of a network's process: `log` of its configuration]
    #[arg(long, global = true, env = "VEILGRID_LOG")]
    pub log: Option<String>,
    /// Log lines as JSON
    #[arg(long, global = true)]
    pub log_json: bool,
}

/// What `audit --help` says after its options.
const AUDIT_HELP: &str = "\
Example:
  veilgrid audit my-day/ledger.vgl
  veilgrid audit my-net/ledger.vgl --genesis $(cat my-net/genesis.hash)
  cat my-net/ledger.vgl | veilgrid audit - --json
  veilgrid audit my-net/ledger.vgl --compare my-net/ledger.vgl

Is it still the ledger that I saw? --height 4711 --block HASH, as an earlier report has them. Were promises kept? --receipts \
FILE. Where do two copies part? --compare OTHER.

Exit code 0: everything holds. 1: a violation, named with its place, a damaged ledger, a receipt that was not kept, a \
copy that contradicts this one. 2: the file is no ledger, of a newer format, or can't be read.

Of a network only blocks count that a certificate of its validators covers: the block itself and all before it. Blocks \
after the last certificate are named as not final and nothing of them is counted: whoever handed you the file can have \
written them. Demo and `clear` make such ledgers too. One that an earlier version's demo made has no certificates; there \
every block counts.

Verdicts of receipts: included; included_by_digest (pruned, the digest is there); round_open, round_unknown (not over \
yet); missing, other_bid (a promise that was not kept: exit code 1); second_bid, too_few_receipts, worthless (prove \
nothing); overtaken (on a ledger with money: the account made another debit while the round took bids, so that the bid \
may have lost its place by its own account's doing; the bid itself tells); not_checkable: the round's bids are pruned in this file and the bid's digest is not among those that are left. \
It was left out, or the account had another bid there; only the bids would tell. Ask a validator that does not prune, \
or the aggregator, for its ledger.

Fields of --json: ok, violation (text or null), and when the ledger could be replayed: ledger_id, genesis_hash, \
genesis_trusted, pinned {height, block_hash} (or null), blocks, transactions (count by kind), key_generation {packages, \
proofs, keys}, bids, shares, settlement_points, conservation_checks, conservation_undetermined, rounds_cleared, \
rounds_settled, rounds_void, void_rounds [{round_id, reason, bids}], passed_rounds (void because no block opened them) \
[{first_round_id, last_round_id, reason}], suspended_rounds [id], rounds_unfinished [{round_id, waits_for}], \
opened_values [{round_id, opening_index, kind, tick, purpose, value_wh}], receipts [{round_id, account, bid_digest, \
sequence, verdict}], height, block_hash, state_root (of the last block that counts).
Of a network: certificates {checked, certificates, covered_blocks, covered_height, uncertified_tail}, uncovered {blocks, \
first_height, last_height, last_block_hash} (or null), key_sessions [{session, task, agreed, reason, excluded, \
lacking}], validator_changes [{epoch, validators}], members {members, suspended (both at the last block that counts), enrolled, \
updated, suspensions, left, keys_replaced (what orders of the registrar and of the validators did)}, money (null on a ledger without) {accounts, deposits, deposited_ct, \
withdrawals, withdrawn_ct, paid, unpaid, claims, claims_by_validators, unclaimed_rounds, unclaimed_fills, community_units, members_units (what is on \
the community's account and on all others together, in Wh/2^16 times mct/kWh: 1 ct are 65536000000)}, refused, \
refused_by_kind, refused_listed [{height, index, kind, reason}], pruned {blocks, bid_digests, rounds_by_digest [[first, \
last]], checkpoints, roots_unknown_from (height or null; state_root is zero then), roots_not_compared [[first height, last \
height]]}.
With --compare: comparison {other, relation (same, this_goes_on, other_goes_on, part), last_height, \
last_common_height, height, block_hash, other_block_hash (those that fit the relation), meaning (agree, part_uncovered, \
fork, two_histories, different_ledgers; null when one does not pass), other_height, other_violation}.";

/// What `bench --help` says after its options.
#[cfg(feature = "network")]
const BENCH_HELP: &str = "\
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
const BENCH_HELP: &str = "\
Example:
  veilgrid bench verify
  veilgrid bench round --bids 5000
  veilgrid bench prepare bids.bin --bids 256 --ticks 64
  veilgrid bench round --bids 5000 --from bids.bin
  veilgrid bench audit --bids 1000
  veilgrid bench restart --bids 1000";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade a day of a real community in private, with everything in one process, and audit its ledger
    #[command(after_help = "Example:\n  veilgrid demo --participants 20 --slots 8 --out my-day\n  \
        veilgrid audit my-day/ledger.vgl")]
    Demo(DemoArgs),
    /// Clear one round from an order book, sealed end to end (or in plaintext, for comparison)
    #[command(after_help = "Example:\n  veilgrid clear data/order_books/t_10_s1.csv\n  \
        veilgrid clear data/setm_case_high.csv --plain --json\n  \
        veilgrid clear data/order_books/n_surplus_pays_to_be_taken.csv --price-min=-16000\n  \
        veilgrid clear data/order_books/t_10_s1.csv --plain --retail 16 --feed-in 8 --import-limit 0.5\n\n\
        The book is CSV: id,side,price_ct_per_kwh,quantity_kwh with side buy or sell. Prices may be below zero: whoever buys \
        is paid then.")]
    Clear(ClearArgs),
    /// Share out a community's readings: what was generated in a slot, among those who consumed in it
    #[command(after_help = commands::share::HELP)]
    Share(commands::share::ShareArgs),
    /// One day under the auction, beside retail and feed-in alone, mid-market rate, supply-demand ratio and bill sharing
    #[command(after_help = commands::compare::HELP)]
    Compare(commands::compare::CompareArgs),
    /// Meter readings of any format into a folder of days; what is known and what is missing there
    Readings(commands::readings::ReadingsArgs),
    /// Recompute everything on an exported ledger with no secret and name the first violation
    #[command(after_help = AUDIT_HELP)]
    Audit(AuditArgs),
    /// Print an exported ledger, or one of its rounds, for people
    #[command(
        after_help = "Example:\n  veilgrid show my-day/ledger.vgl\n  veilgrid show my-day/ledger.vgl round 3 --json\n\n\
        What the file says is shown; whether it holds is what `veilgrid audit` says. Of a network, what stands in blocks that no \
        certificate covers is marked: not final.\n\n\
        Fields of --json: ledger_id, genesis_hash, last_block_hash, blocks, members, validators, threshold, grid {price_min_mct_per_kwh, \
        tick_mct_per_kwh, ticks}, bits, rule, min_bidders, slot_seconds, network (null, or {certified_height, uncovered_blocks, pruned_blocks, \
        key_sessions, validator_changes, member_orders, validators [{signing_key, consensus_key}], refused [{height, kind, reason}]}), rounds \
        [{round_id, last_round_id (where rounds passed over one after another share a row), slot_start_unix_s, slot_start, \
        slot_seconds, status, bids, outcome, is_final}].\n\
        Of a round: round_id, slot_start_unix_s, slot_start, slot_seconds, status, outcome, is_final, opened [{request, value_wh, \
        shares_of}], bids [{account, digest, settlement_point}]."
    )]
    Show(ShowArgs),
    /// Write a ledger file from a validator's store, when a day was killed before it wrote its own
    #[command(after_help = "Example:\n  veilgrid export my-day/validators/validator-1 rescued.vgl\n  \
        veilgrid audit rescued.vgl")]
    Export(ExportArgs),
    /// Measure this machine: will it do?
    #[command(after_help = BENCH_HELP)]
    Bench(BenchArgs),
    /// What needs a network's libraries; another build has it
    #[cfg(feature = "network")]
    #[command(flatten)]
    Network(commands::network::NetworkCommand),
    /// What this build does not have
    #[cfg(not(feature = "network"))]
    #[command(external_subcommand)]
    Elsewhere(Vec<String>),
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Community data as CSV (slot_start,participant_id,role,load_kwh,generation_kwh,ev_kwh), `-` for standard input; default: the
    /// built-in day
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Participants, chosen across the roles in proportion
    #[arg(long, value_name = "N", default_value_t = 24)]
    pub participants: usize,
    /// Slots, spread over the hours in which the community generates
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub slots: usize,
    /// Ticks of the price grid, a power of two
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Validators, at least four
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: u16,
    /// A round with fewer bids is void
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub min_bidders: u32,
    /// Retail tariff, ct/kWh: what energy costs outside of the market
    #[arg(long, value_name = "CT", default_value = "32", allow_negative_numbers = true)]
    pub retail: String,
    /// Feed-in tariff, ct/kWh: what surplus earns outside of the market; below zero, what it costs. The price grid goes from
    /// feed-in to retail
    #[arg(long, value_name = "CT", default_value = "8", allow_negative_numbers = true)]
    pub feed_in: String,
    /// Folder for the ledger; it must not exist (default: a fresh time-stamped one)
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Seed of limit prices and charging sessions; keys always come from the system
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `clear`.
#[derive(Debug, Args)]
pub struct ClearArgs {
    /// The order book, `-` for standard input
    #[arg(value_name = "BOOK.csv")]
    pub book: PathBuf,
    /// Clear in plaintext: no keys, no proofs, no ledger
    #[arg(long)]
    pub plain: bool,
    /// Lowest price of the grid, mct/kWh; may be below zero
    #[arg(long, value_name = "P", default_value_t = 0, allow_negative_numbers = true)]
    pub price_min: i64,
    /// Distance of two prices, mct/kWh, even
    #[arg(long, value_name = "T", default_value_t = 1000)]
    pub tick: u64,
    /// Number of prices, a power of two
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Bits of a quantity in Wh: 8, 16 or 32
    #[arg(long, value_name = "n", default_value_t = 16)]
    pub bits: u8,
    /// Clearing rule
    #[arg(long, value_enum, default_value_t = RuleArg::Uniform)]
    pub rule: RuleArg,
    /// Orders that can never trade on the grid
    #[arg(long, value_enum, default_value_t = OffGridArg::Refuse)]
    pub off_grid: OffGridArg,
    /// Retail tariff, ct/kWh, one of the grid's prices: the utility sells at it, after the members at the same price. With --plain
    /// alone: no ledger has the utility's order yet
    #[arg(long, value_name = "CT", requires_all = ["feed_in", "plain"], allow_negative_numbers = true)]
    pub retail: Option<String>,
    /// Feed-in tariff, ct/kWh, one of the grid's prices below retail: the utility buys at it, after the members
    #[arg(long, value_name = "CT", requires = "retail", allow_negative_numbers = true)]
    pub feed_in: Option<String>,
    /// Most that the utility sells, kWh [default: no limit]
    #[arg(long, value_name = "KWH", requires = "retail")]
    pub import_limit: Option<String>,
    /// Most that the utility buys, kWh [default: no limit]
    #[arg(long, value_name = "KWH", requires = "retail")]
    pub export_limit: Option<String>,
    /// Keep the sealed round's ledger in this file; it must not exist
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    pub ledger: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The exported ledger; - is standard input
    pub ledger: PathBuf,
    /// Hash of the genesis block that you trust, 64 hex digits
    #[arg(long, value_name = "HASH")]
    pub genesis: Option<String>,
    /// Height of a block that you know; the audit fails when the ledger has another one there, none, or one that no
    /// certificate covers
    #[arg(long, value_name = "HEIGHT", requires = "block")]
    pub height: Option<u64>,
    /// Hash of the block of that height, 64 hex digits
    #[arg(long, value_name = "HASH", requires = "height")]
    pub block: Option<String>,
    /// Another copy of the ledger: says where the two part, and whether both go on with certificates, which proves a fork
    #[arg(long, value_name = "OTHER")]
    pub compare: Option<PathBuf>,
    /// Receipts to look up, one a line (- is standard input): a bid that is missing although the aggregator, or f + 1
    /// validators of a network, have signed receipts for it was censored
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The exported ledger, `-` for standard input
    pub ledger: PathBuf,
    /// The word `round`, to show one round
    #[arg(value_enum, requires = "number")]
    pub what: Option<ShowWhat>,
    /// The round's number
    #[arg(value_name = "N")]
    pub number: Option<u64>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The directory of a validator's store
    pub store: PathBuf,
    /// The ledger file; it must not exist
    pub ledger: PathBuf,
}

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
    Audit(commands::bench::AuditBenchArgs),
    /// Open a stored ledger and execute it again, as a node does when it starts
    #[command(
        after_help = "Example:\n  veilgrid bench restart\n  veilgrid bench audit --bids 5000 --keep big.vgl\n  \
        veilgrid bench restart --ledger big.vgl --dir /var/lib/veilgrid/trial --json\n\n\
        Each figure is the median of five restarts; the store's files are in the system's cache from the first one on.\n\n\
        Fields of --json: bench, bids, blocks, threads, arithmetic, wall_s, open_s, replay_s, peak_rss_mib."
    )]
    Restart(commands::bench::RestartBenchArgs),
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
    Network(crate::commands::bench::NetworkArgs),
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
    pub arithmetic: crate::commands::bench::ArithmeticArgs,
    /// Read the distinct bids from a file of `bench prepare`, `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// What `show` can show of a ledger.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ShowWhat {
    /// One round
    Round,
}

/// Clearing rules.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum RuleArg {
    /// One price for all, the long side rationed pro rata
    Uniform,
    /// The marginal ticks set the prices and do not trade
    TradeReduction,
}

/// What happens to an order off the grid.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum OffGridArg {
    /// The book is refused and the order named
    Refuse,
    /// The order is left out
    Drop,
}

/// What is logged unless something else is asked for.
const DEFAULT_LOG: &str = "warn";

/// Sends logs to standard error, structured. A process of a network does so itself, once it has read its
/// configuration.
///
/// # Errors
/// A filter that can't be read.
pub fn init_logs(cli: &Cli) -> Result<(), Failure> {
    match cli.command {
        #[cfg(feature = "network")]
        Command::Network(ref command) if command.is_process() => Ok(()),
        _ => start_logs(&cli.logs, DEFAULT_LOG),
    }
}

/// Says what is wrong with the arguments, or what was asked for of them, and gives the exit code. A process of a network
/// that was started with wrong ones is not to be started again.
pub fn wrong_usage(error: &clap::Error, arguments: &[String]) -> ExitCode {
    if !error.use_stderr() {
        // Help and version.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--log-json") {
        crate::last_words::say(error.to_string().trim_end(), true);
    } else {
        // Nobody is left to tell when standard error is closed.
        let _ = error.print();
    }
    // Options of logs may stand before the command.
    let process = |argument: &String| ["validator", "aggregator", "participant"].contains(&argument.as_str());
    let command = arguments.iter().skip(1).find(|argument| process(argument) || is_command(argument));
    ExitCode::from(if command.is_some_and(process) { FINAL } else { 2 })
}

fn is_command(word: &str) -> bool {
    Cli::command().get_subcommands().any(|command| command.get_name() == word)
}

/// Runs a command.
///
/// # Errors
/// [`Failure`] with the message for the user and the exit code.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Demo(args) => commands::demo::run(&args),
        Command::Clear(args) => commands::clear::run(&args),
        Command::Share(args) => commands::share::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Readings(args) => commands::readings::run(&args),
        Command::Audit(args) => commands::audit::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        #[cfg(feature = "network")]
        Command::Network(command) => command.run(&cli.logs),
        #[cfg(not(feature = "network"))]
        Command::Elsewhere(words) => Err(elsewhere("", &words)),
    }
}

/// Commands that only a build with the feature `network` has.
#[cfg(not(feature = "network"))]
const ELSEWHERE: [&str; 11] = [
    "bench network",
    "validator",
    "aggregator",
    "participant",
    "orders",
    "localnet",
    "keys",
    "create-genesis",
    // Its earlier name.
    "found",
    "genesis",
    "validators",
];

/// What to do about a command that this build does not have; `before` stands in front of its words.
#[cfg(not(feature = "network"))]
pub(crate) fn elsewhere(before: &str, words: &[String]) -> Failure {
    let command = format!("{before}{}", words.first().map(String::as_str).unwrap_or_default());
    if ELSEWHERE.contains(&command.as_str()) {
        return Failure::Input(format!(
            "`{command}` is about a network of processes, and this program was built without them: build it with `cargo build \
             --release --features network`"
        ));
    }
    let command = crate::output::harmless(&command);
    Failure::Input(format!("there is no command `{command}`; `veilgrid --help` lists them"))
}
