//! `veilgrid validator`: one of the processes that order, check and open.

use super::process::{self, ProcessArgs};
use crate::cli::LogArgs;
use crate::failure::Failure;
use clap::Args;
use std::net::SocketAddr;
use veilgrid_node::config::ValidatorConfig;

/// Arguments of `validator`.
#[derive(Debug, Args)]
pub struct ValidatorArgs {
    /// What all processes have
    #[command(flatten)]
    pub process: ProcessArgs,
    /// Address of the HTTP API, instead of `http.listen`
    #[arg(long, value_name = "ADDRESS")]
    pub http_listen: Option<SocketAddr>,
    /// Address for the other validators, instead of `p2p.listen`
    #[arg(long, value_name = "ADDRESS")]
    pub p2p_listen: Option<SocketAddr>,
}

/// Runs the command.
///
/// # Errors
/// What the configuration, the machine or the ledger lacks.
pub fn run(args: &ValidatorArgs, logs: &LogArgs) -> Result<(), Failure> {
    let own = [
        ("http.listen", args.http_listen.map(|address| address.to_string())),
        ("p2p.listen", args.p2p_listen.map(|address| address.to_string())),
    ];
    let log = |config: &ValidatorConfig| config.log.clone();
    process::run(&args.process, &own, logs, log, veilgrid_node::validator::run)
}
