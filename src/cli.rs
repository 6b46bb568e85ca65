//! The commands and their arguments.

use crate::commands;
use crate::failure::{FINAL, Failure};
use crate::logs::start_logs;
use clap::{Args, CommandFactory, Parser, Subcommand};
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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Trade a day of a real community in private, with everything in one process, and audit its ledger
    #[command(after_help = commands::demo::HELP)]
    Demo(commands::demo::DemoArgs),
    /// Clear one round from an order book, sealed end to end (or in plaintext, for comparison)
    #[command(after_help = commands::clear::HELP)]
    Clear(commands::clear::ClearArgs),
    /// Share out a community's readings: what was generated in a slot, among those who consumed in it
    #[command(after_help = commands::share::HELP)]
    Share(commands::share::ShareArgs),
    /// One day under the auction, beside retail and feed-in alone, mid-market rate, supply-demand ratio and bill sharing
    #[command(after_help = commands::compare::HELP)]
    Compare(commands::compare::CompareArgs),
    /// Meter readings of any format into a folder of days; what is known and what is missing there
    Readings(commands::readings::ReadingsArgs),
    /// A month's bills of a sharing community: preview, final, corrections inside of the next, payments for the bank
    Bill(commands::bill::BillArgs),
    /// Recompute everything on an exported ledger with no secret and name the first violation
    #[command(after_help = commands::audit::HELP)]
    Audit(commands::audit::AuditArgs),
    /// Print an exported ledger, or one of its rounds, for people
    #[command(after_help = commands::show::HELP)]
    Show(commands::show::ShowArgs),
    /// Write a ledger file from a validator's store, when a day was killed before it wrote its own
    #[command(after_help = commands::export::HELP)]
    Export(commands::export::ExportArgs),
    /// Measure this machine: will it do?
    #[command(after_help = commands::bench::HELP)]
    Bench(commands::bench::BenchArgs),
    /// What needs a network's libraries; another build has it
    #[cfg(feature = "network")]
    #[command(flatten)]
    Network(commands::network::NetworkCommand),
    /// What this build does not have
    #[cfg(not(feature = "network"))]
    #[command(external_subcommand)]
    Elsewhere(Vec<String>),
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
    let process = |argument: &String| {
        ["validator", "aggregator", "participant", "gateway"].contains(&argument.as_str())
    };
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
        Command::Bill(args) => commands::bill::run(&args),
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
const ELSEWHERE: [&str; 15] = [
    "bench network",
    "validator",
    "aggregator",
    "participant",
    "gateway",
    "orders",
    "localnet",
    "keys",
    "create-genesis",
    // Its earlier name.
    "found",
    "genesis",
    "validators",
    "registrar",
    "treasury",
    "wallet",
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
