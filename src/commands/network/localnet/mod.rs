//! `veilgrid localnet`: a whole network on this machine.

mod report;
mod view;

use super::euro::euro;
use crate::failure::Failure;
use clap::Args;
use rand_core::OsRng;
use report::{founded, report};
use std::path::PathBuf;
use veilgrid_client::shutdown::Shutdown;
use veilgrid_localnet::{Goal, Network, Options, prepare, run as run_network, settled};
use veilgrid_node::checks::wall_clock_unix_ms;
use view::View;

/// Arguments of `localnet`.
#[derive(Debug, Args)]
pub struct LocalnetArgs {
    /// Folder of the network; an earlier network in it goes on. Without it: a fresh one that is removed at a good end
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Validators, at least four [default: 4]
    #[arg(long, value_name = "N")]
    pub validators: Option<u16>,
    /// Participants [default: 5]
    #[arg(long, value_name = "M")]
    pub participants: Option<u32>,
    /// Write the files of the network and end; each process can be started by hand from its configuration
    #[arg(long, conflicts_with_all = ["rounds", "keep"], requires = "dir")]
    pub found_only: bool,
    /// End after this many settled rounds, with a check that all validators agree; void rounds do not count
    #[arg(long, value_name = "K")]
    pub rounds: Option<usize>,
    /// Seconds from one round's opening to the next [default: 30]
    #[arg(long, value_name = "S")]
    pub interval_s: Option<u64>,
    /// Ticks of the price grid, a power of two [default: 64]
    #[arg(long, value_name = "L")]
    pub ticks: Option<u32>,
    /// First of the ports, two for the aggregator and three a validator [default: 18000]
    #[arg(long, value_name = "P")]
    pub base_port: Option<u16>,
    /// Seed of what members want; keys always come from the system [default: 1]
    #[arg(long, value_name = "S")]
    pub seed: Option<u64>,
    /// Seconds from founding to the first round's opening; the keys are generated meanwhile [default: 20]
    #[arg(long, value_name = "S")]
    pub lead_s: Option<u64>,
    /// Blocks after a round's close in which acknowledged bids still come in, at least f + 1 [default: 3]
    #[arg(long, value_name = "N")]
    pub grace_blocks: Option<u32>,
    /// Seconds after its close in which a round is cleared; it is void afterwards [default: two intervals]
    #[arg(long, value_name = "S")]
    pub deadline_s: Option<u64>,
    /// Blocks of an epoch: key shares are renewed in each [default: 120]
    #[arg(long, value_name = "N")]
    pub epoch_blocks: Option<u64>,
    /// Validators drop a round's bids, not its results, when so many later rounds are over [default: never]
    #[arg(long, value_name = "N")]
    pub prune_after_rounds: Option<u64>,
    /// Members have balances; each begins with this many EUR [without a value: 50]
    #[arg(long, value_name = "EUR", num_args = 0..=1, default_missing_value = "50")]
    pub money: Option<String>,
    /// Seconds in which --rounds have to be settled [default: by interval and rounds]
    #[arg(long, value_name = "S", requires = "rounds")]
    pub timeout_s: Option<u64>,
    /// Keep the folder when --dir is not given
    #[arg(long)]
    pub keep: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// A folder of somebody else, a process that fails, rounds that do not finish, validators that disagree.
pub fn run(args: &LocalnetArgs) -> Result<(), Failure> {
    let dir = match &args.dir {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("veilgrid-localnet-{}", std::process::id())),
    };
    let deposit_ct = args.money.as_deref().map(|text| euro("--money", text)).transpose()?;
    let options = Options {
        validators: args.validators,
        participants: args.participants,
        interval_s: args.interval_s,
        ticks: args.ticks,
        base_port: args.base_port,
        seed: args.seed,
        lead_s: args.lead_s,
        grace_blocks: args.grace_blocks,
        deadline_s: args.deadline_s,
        epoch_blocks: args.epoch_blocks,
        prune_after_rounds: args.prune_after_rounds,
        deposit_ct,
        starts_next: !args.found_only,
    };
    let shutdown = Shutdown::new();
    shutdown.on_signals().map_err(Failure::input)?;
    let network = prepare(&dir, &options, wall_clock_unix_ms(), &mut OsRng).map_err(Failure::input)?;
    if args.found_only {
        return founded(&network, args.json);
    }
    introduce(&network);
    let program = std::env::current_exe().map_err(Failure::input)?;
    let goal = Goal { rounds: args.rounds, timeout_s: args.timeout_s };
    let mut view = View::new();
    let summary = run_network(&network, &program, goal, &shutdown, &mut |snapshot| view.show(snapshot));
    view.finish();
    let summary = summary.map_err(Failure::input)?;
    report(&network, &summary, args.json)?;
    if let Some(fallen) = summary.fallen.first() {
        let text =
            format!("{} ended by itself ({}); see {}", fallen.name, fallen.status, fallen.log.display());
        return Err(Failure::Input(text));
    }
    if args.dir.is_none() && !args.keep {
        drop(network);
        std::fs::remove_dir_all(&dir).map_err(|error| Failure::file(&dir, error))?;
    }
    if summary.interrupted && args.rounds.is_some_and(|rounds| settled(&summary.ended) < rounds) {
        return Err(Failure::Interrupted("all processes were stopped".to_owned()));
    }
    Ok(())
}

fn introduce(network: &Network) {
    let how = if network.continued { "goes on" } else { "was founded" };
    eprintln!(
        "the network in {} {how}; Ctrl-C stops it, the logs are in {}",
        network.dir().display(),
        network.logs().display()
    );
}
