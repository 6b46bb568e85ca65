//! `veilgrid bench`: will this machine do?
//!
//! Every figure is measured in one run on the machine at hand: the batch beside the plain crate over the same number
//! of values, and both beside the machine's own unit costs.
#![allow(clippy::disallowed_types, reason = "measuring needs a clock; nothing here is hashed or settled")]

mod args;
mod arithmetic;
mod audit;
mod ledger;
mod money;
#[cfg(feature = "network")]
mod network;
mod prepared;
mod prove;
mod readings;
mod report;
mod restart;
mod round;
mod tally;
mod units;
mod verify;
mod world;

pub use args::{BenchArgs, BenchCommand, BenchSize, HELP};
pub use arithmetic::ArithmeticArgs;
pub use audit::AuditBenchArgs;
#[cfg(feature = "network")]
pub use network::NetworkArgs;
pub use restart::RestartBenchArgs;

use crate::failure::Failure;
use crate::output;
use report::Report;

/// Runs the command.
///
/// # Errors
/// Sizes that no market can have, an unusable file.
pub fn run(args: &BenchArgs) -> Result<(), Failure> {
    let Some(size) = size_of(&args.command) else { return measure(&args.command).map(drop) };
    if size.bids == 0 {
        return Err(Failure::Input("--bids has to be at least 1".to_owned()));
    }
    size.arithmetic.choose()?;
    let threads = size.threads.unwrap_or_else(rayon::current_num_threads);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(Failure::input)?;
    match pool.install(|| measure(&args.command))? {
        None => Ok(()),
        Some(report) if size.json => output::json(&report.with_threads(threads)),
        Some(report) => {
            print(&report.with_threads(threads));
            Ok(())
        }
    }
}

/// The size of a run in this process; a ledger and a network have another one.
fn size_of(command: &BenchCommand) -> Option<&BenchSize> {
    match command {
        BenchCommand::Prepare { size, .. }
        | BenchCommand::Verify { size }
        | BenchCommand::Prove { size }
        | BenchCommand::Tally { size }
        | BenchCommand::Money { size }
        | BenchCommand::Readings { size }
        | BenchCommand::Round { size } => Some(size),
        BenchCommand::Audit(_) | BenchCommand::Restart(_) => None,
        #[cfg(feature = "network")]
        BenchCommand::Network(_) => None,
        #[cfg(not(feature = "network"))]
        BenchCommand::Elsewhere(_) => None,
    }
}

/// Measures; none when the command prints by itself.
fn measure(command: &BenchCommand) -> Result<Option<Report>, Failure> {
    match command {
        BenchCommand::Prepare { file, size } => prepared::prepare(file, size).map(|()| None),
        BenchCommand::Verify { size } => verify::run(size).map(Some),
        BenchCommand::Prove { size } => prove::run(size).map(Some),
        BenchCommand::Tally { size } => tally::run(size).map(Some),
        BenchCommand::Round { size } => round::run(size).map(Some),
        BenchCommand::Money { size } => money::run(size).map(|()| None),
        BenchCommand::Readings { size } => readings::run(size).map(|()| None),
        BenchCommand::Audit(args) => audit::run(args).map(|()| None),
        BenchCommand::Restart(args) => restart::run(args).map(|()| None),
        #[cfg(feature = "network")]
        BenchCommand::Network(args) => network::run(args).map(|()| None),
        #[cfg(not(feature = "network"))]
        BenchCommand::Elsewhere(words) => Err(crate::cli::elsewhere("bench ", words)),
    }
}

fn print(report: &Report) {
    let mut table = output::table(&["measured", "value"]);
    for (name, value) in report.rows() {
        table.add_row([name, value]);
    }
    output::line(table);
}

/// Number of distinct bids of a run: as asked, by default all up to 256.
fn distinct(size: &BenchSize) -> usize {
    size.distinct.unwrap_or(size.bids.min(256)).clamp(1, size.bids)
}
