//! `veilgrid participant`: a member's process, which bids in every round.

use super::process::{self, ProcessArgs};
use crate::cli::LogArgs;
use crate::failure::Failure;
use clap::Args;
use std::path::PathBuf;
use veilgrid_node::config::ParticipantConfig;

/// Arguments of `participant`.
#[derive(Debug, Args)]
pub struct ParticipantArgs {
    /// What all processes have
    #[command(flatten)]
    pub process: ProcessArgs,
    /// HTTP address of the aggregator, instead of `aggregator_url`
    #[arg(long, value_name = "URL")]
    pub aggregator_url: Option<String>,
    /// The orders, instead of `orders`
    #[arg(long, value_name = "FILE")]
    pub orders: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What the configuration, the machine or the ledger lacks.
pub fn run(args: &ParticipantArgs, logs: &LogArgs) -> Result<(), Failure> {
    let orders = match &args.orders {
        Some(path) => {
            let text =
                path.to_str().ok_or_else(|| Failure::file(path, "the path is not UTF-8; move the file"))?;
            Some(text.to_owned())
        }
        None => None,
    };
    let own = [("aggregator_url", args.aggregator_url.clone()), ("orders", orders)];
    let log = |config: &ParticipantConfig| config.log.clone();
    process::run(&args.process, &own, logs, log, veilgrid_node::participant::run)
}
