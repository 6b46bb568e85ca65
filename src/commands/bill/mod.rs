//! `veilgrid bill`: a month's bills of a sharing community, made by whoever holds its readings.

mod args;
mod calendar;
mod compute;
mod corrections;
mod known;
mod load;
#[cfg(feature = "network")]
mod order;
mod report;
mod run;
mod show;
mod status;
mod store;
mod write;

pub use args::BillArgs;

use crate::failure::Failure;
use args::BillCommand;

/// Runs the command.
///
/// # Errors
/// Files that do not fit, readings that can't be billed, a month that is final, a folder that was changed.
pub fn run(args: &BillArgs) -> Result<(), Failure> {
    match &args.command {
        BillCommand::Run(args) => run::run(args),
        BillCommand::Show(args) => show::run(args),
        BillCommand::Status(args) => status::run(args),
        #[cfg(feature = "network")]
        BillCommand::Order(args) => order::run(args),
    }
}
