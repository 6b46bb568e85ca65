//! The `veilgrid` program. Everything is in the library; this only maps results to exit codes.
#![forbid(unsafe_code)]

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|one| one.to_string_lossy().into_owned()).collect();
    let cli = match veilgrid::cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return veilgrid::cli::wrong_usage(&error, &arguments),
    };
    let log_json = cli.logs.log_json;
    match veilgrid::cli::init_logs(&cli)
        .and_then(|()| veilgrid::cli::run(cli))
        .and_then(|()| veilgrid::output::written())
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            veilgrid::last_words::say(&failure.to_string(), log_json);
            failure.exit_code()
        }
    }
}
