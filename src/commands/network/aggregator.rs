//! `veilgrid aggregator`: the process that takes bids in and hands them to the validators.

use super::process::{self, ProcessArgs};
use crate::cli::LogArgs;
use crate::failure::Failure;
use clap::Args;
use std::net::SocketAddr;
use veilgrid_node::config::AggregatorConfig;

/// Arguments of `aggregator`.
#[derive(Debug, Args)]
pub struct AggregatorArgs {
    /// What all processes have
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Address of the HTTP API, instead of `http.listen`
    #[arg(long, value_name = "ADDRESS")]
    pub http_listen: Option<SocketAddr>,
}

/// Runs the command.
///
/// # Errors
/// What the configuration, the machine or the ledger lacks.
pub fn run(args: &AggregatorArgs, logs: &LogArgs) -> Result<(), Failure> {
    let own = [("http.listen", args.http_listen.map(|address| address.to_string()))];
    let log = |config: &AggregatorConfig| config.log.clone();
    process::run(&args.process, &own, logs, log, veilgrid_node::aggregator::run)
}
