//! `veilgrid readings`: meter readings of any format into a folder of days, and what is known and missing there.
//!
//! The one place of the program that uses the importers of `connectors/`.

mod args;
mod buffer;
mod capacities;
pub(crate) mod folder;
mod formats;
mod gaps;
mod import;
pub(crate) mod record;
mod report;
mod session;
mod status;
mod survey;

pub use args::ReadingsArgs;

use crate::failure::Failure;
use args::ReadingsCommand;

/// Runs the command.
///
/// # Errors
/// An unusable file or folder, with the place and what to do.
pub fn run(args: &ReadingsArgs) -> Result<(), Failure> {
    match &args.command {
        ReadingsCommand::Import(args) => import::run(args),
        ReadingsCommand::Status(args) => status::run(args),
        ReadingsCommand::Gaps(args) => gaps::run(args),
        ReadingsCommand::Session(args) => session::run(args),
    }
}
