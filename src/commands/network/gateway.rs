//! `veilgrid gateway`: connectors to what people own, beside a participant.

use crate::cli::LogArgs;
use crate::failure::Failure;
use crate::logs::start_logs;
use crate::output;
use clap::Args;
use std::path::PathBuf;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_gateway::{GatewayConfig, run as run_gateway};

/// Arguments of `gateway`.
#[derive(Debug, Args)]
pub struct GatewayArgs {
    /// The configuration, TOML
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print the effective configuration (it holds no secret) and end
    #[arg(long)]
    pub print_config: bool,
    /// Stop when standard input closes: for whoever starts this process and may die
    #[arg(long)]
    pub stop_with_stdin: bool,
}

/// Runs the command.
///
/// # Errors
/// What the configuration or the machine lacks.
pub fn run(args: &GatewayArgs, logs: &LogArgs) -> Result<(), Failure> {
    let config = GatewayConfig::load(&args.config).map_err(Failure::last)?;
    if args.print_config {
        output::line(config.print().map_err(Failure::input)?.trim_end());
        return Ok(());
    }
    start_logs(logs, &config.log)?;
    let shutdown = Shutdown::new();
    shutdown.on_signals().map_err(Failure::input)?;
    if args.stop_with_stdin {
        shutdown.on_stdin_closed().map_err(Failure::input)?;
    }
    run_gateway(config, &shutdown).map_err(Failure::input)
}
