//! What `veilgrid validator`, `aggregator` and `participant` have in common.

use crate::cli::LogArgs;
use crate::failure::Failure;
use crate::logs::start_logs;
use crate::output;
use clap::Args;
use std::path::PathBuf;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_node::config::{Flags, NodeConfig, load};
use veilgrid_node::error::NodeError;

/// Arguments that all processes of a network have. Flags are above the environment, and that above the file.
#[derive(Debug, Args)]
pub struct ProcessArgs {
    /// The configuration, TOML; `localnet --found-only` writes examples
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Print the effective configuration (it holds no secret) and end
    #[arg(long)]
    pub print_config: bool,
    /// Stop when standard input closes: for whoever starts this process and may die
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// Folder of the process's data, instead of `data_dir`
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Block 0, instead of `genesis`
    #[arg(long, value_name = "FILE")]
    pub genesis: Option<PathBuf>,
    /// Hash of block 0 that you trust, 64 hex digits, instead of `genesis_hash`
    #[arg(long, value_name = "HASH")]
    pub genesis_hash: Option<String>,
    /// Key file, instead of `key_file`
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// File with the passphrase of the key file (mode 600), instead of `passphrase_file`
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// PEM file of certificate authorities that are trusted beside the public ones, instead of `ca_file`
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Check and execute every stored block again, instead of going on from the state that this process has saved
    #[arg(long)]
    pub verify_all: bool,
}

impl ProcessArgs {
    /// The values of the command line, with those of the kind.
    fn flags(&self, own: &[(&'static str, Option<String>)]) -> Result<Flags, Failure> {
        let paths = [
            ("data_dir", &self.data_dir),
            ("genesis", &self.genesis),
            ("key_file", &self.key_file),
            ("passphrase_file", &self.passphrase_file),
            ("ca_file", &self.ca_file),
        ];
        let mut flags = Flags::new();
        for (key, path) in paths {
            if let Some(path) = path {
                let text = path
                    .to_str()
                    .ok_or_else(|| Failure::file(path, "the path is not UTF-8; move the file"))?;
                flags.push((key, text.to_owned()));
            }
        }
        let texts = own.iter().cloned().chain([("genesis_hash", self.genesis_hash.clone())]);
        flags.extend(texts.filter_map(|(key, text)| Some((key, text?))));
        if self.verify_all {
            flags.push(("checks.verify_all", true.to_string()));
        }
        Ok(flags)
    }
}

/// Loads the configuration, starts logging and runs the process until it is asked to stop.
///
/// # Errors
/// What the configuration or the process lacks.
pub fn run<C: NodeConfig>(
    args: &ProcessArgs,
    own: &[(&'static str, Option<String>)],
    logs: &LogArgs,
    log: impl FnOnce(&C) -> String,
    process: impl FnOnce(C, Shutdown) -> Result<(), NodeError>,
) -> Result<(), Failure> {
    let config: C = load(&args.config, &args.flags(own)?).map_err(Failure::last)?;
    if args.print_config {
        output::line(config.print().map_err(Failure::input)?.trim_end());
        return Ok(());
    }
    // A level that does not exist is wrong usage, exit code 2, as it is of every command.
    start_logs(logs, &log(&config))?;
    let shutdown = Shutdown::new();
    shutdown.on_signals().map_err(Failure::input)?;
    if args.stop_with_stdin {
        shutdown.on_stdin_closed().map_err(Failure::input)?;
    }
    process(config, shutdown).map_err(|error| match error.is_final() {
        true => Failure::last(error),
        false => Failure::input(error),
    })
}
