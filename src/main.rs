//! The `veilgrid` program. Everything is in the library; this only maps results to exit codes.
#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = veilgrid::cli::Cli::parse();
    match veilgrid::cli::init_logs(&cli)
        .and_then(|()| veilgrid::cli::run(cli))
        .and_then(|()| veilgrid::output::written())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("veilgrid: {failure}");
            failure.exit_code()
        }
    }
}
