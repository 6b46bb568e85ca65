//! `veilgrid localnet`: a whole network on this machine.

use crate::failure::Failure;
use crate::output;
use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rand_core::OsRng;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use veilgrid_api::{RoundStatus, Stage};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_localnet::{
    Goal, Network, Options, ProcessState, ProcessView, Snapshot, Summary, prepare, run as run_network,
    settled,
};
use veilgrid_node::checks::wall_clock_unix_ms;

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
    /// End after so many settled rounds, with a check that all validators agree; void rounds do not count
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

/// What was founded, for whoever starts the processes.
fn founded(network: &Network, json: bool) -> Result<(), Failure> {
    let (validators, aggregator) = (network.validator_urls(), network.aggregator_url());
    if json {
        return output::json(&Founded { dir: network.dir(), aggregator, validators });
    }
    let when = if network.continued { "was founded before" } else { "was founded" };
    output::line(format!("the network in {} {when}; nothing runs", network.dir().display()));
    let config = network.dir().join("validator-1").join("validator.toml");
    output::line(format!("start its processes: veilgrid validator --config {}, ...", config.display()));
    output::line(format!("or all of them: veilgrid localnet --dir {}", network.dir().display()));
    Ok(())
}

#[derive(Serialize)]
struct Founded<'a> {
    dir: &'a std::path::Path,
    aggregator: String,
    validators: Vec<String>,
}

fn introduce(network: &Network) {
    let how = if network.continued { "goes on" } else { "was founded" };
    eprintln!(
        "the network in {} {how}; Ctrl-C stops it, the logs are in {}",
        network.dir().display(),
        network.logs().display()
    );
}

/// What is shown while the network runs: a table in place on a terminal, a line for each change elsewhere.
struct View {
    bar: Option<ProgressBar>,
    told: BTreeSet<String>,
}

impl View {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(
                ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        });
        Self { bar, told: BTreeSet::new() }
    }

    fn show(&mut self, snapshot: &Snapshot) {
        match &self.bar {
            Some(bar) => bar.set_message(live_table(snapshot)),
            None => {
                for line in changes(snapshot) {
                    if self.told.insert(line.clone()) {
                        // Nobody is left to tell when standard error is closed.
                        let _ = writeln!(std::io::stderr(), "{line}");
                    }
                }
            }
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn live_table(snapshot: &Snapshot) -> String {
    let mut table = output::table(&[
        "process",
        "pid",
        "height",
        "root",
        "round",
        "stage",
        "bids",
        "waiting",
        "last outcome",
    ]);
    let last = snapshot.ended.last().map(outcome).unwrap_or_default();
    for process in &snapshot.processes {
        table.add_row(cells(process, &last));
    }
    table.to_string()
}

fn cells(process: &ProcessView, last: &str) -> Vec<String> {
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let round = process.round.as_ref();
    let note = match (&process.state, &process.trouble) {
        (ProcessState::Ended(status), _) => format!("ended: {status}"),
        (_, Some(trouble)) => trouble.clone(),
        _ => last.to_owned(),
    };
    vec![
        process.name.clone(),
        process.pid.to_string(),
        number(process.height),
        process.state_root.as_deref().and_then(|root| root.get(..8)).unwrap_or("-").to_owned(),
        number(process.round_id),
        round.map_or("-", |round| round.stage.name()).to_owned(),
        number(round.and_then(|round| round.bids)),
        number(process.waiting_bids),
        note,
    ]
}

/// Lines for a log: each is printed once.
fn changes(snapshot: &Snapshot) -> Vec<String> {
    let mut lines = vec![];
    for process in &snapshot.processes {
        match &process.state {
            ProcessState::Running if process.height.is_some() => {
                lines.push(format!("{} answers (pid {})", process.name, process.pid));
            }
            ProcessState::Running => {}
            ProcessState::Ended(status) => lines.push(format!("{} ended: {status}", process.name)),
        }
    }
    // One voice is enough for what all validators see alike; participants know a round's number only.
    if let Some(round) = snapshot.processes.iter().find_map(|process| process.round.as_ref()) {
        lines.push(format!("round {}: {}", round.round_id, round.stage));
    }
    for round in &snapshot.ended {
        let bids = round.bids.map_or_else(|| "?".to_owned(), |bids| bids.to_string());
        lines.push(format!("round {} is over: {bids} bids, {}", round.round_id, outcome(round)));
    }
    lines
}

fn outcome(round: &RoundStatus) -> String {
    match (&round.outcome, &round.void_reason_text) {
        (Some(outcome), _) => format!("{} kWh at {} ct/kWh", output::volume(outcome), output::price(outcome)),
        (None, Some(reason)) => format!("void: {reason}"),
        (None, None) => round.stage.to_string(),
    }
}

#[derive(Serialize)]
struct Report {
    dir: PathBuf,
    rounds: Vec<RoundReport>,
    settled: usize,
    agreed_height: Option<u64>,
    agreed_block_hash: Option<String>,
    agreed_prior_state_root: Option<String>,
    interrupted: bool,
    ended_processes: Vec<String>,
}

#[derive(Serialize)]
struct RoundReport {
    round_id: u64,
    stage: Stage,
    bids: Option<u64>,
    outcome: String,
}

fn report(network: &Network, summary: &Summary, json: bool) -> Result<(), Failure> {
    if json {
        let round = |round: &RoundStatus| RoundReport {
            round_id: round.round_id,
            stage: round.stage,
            bids: round.bids,
            outcome: outcome(round),
        };
        return output::json(&Report {
            dir: network.dir().to_owned(),
            rounds: summary.ended.iter().map(round).collect(),
            settled: settled(&summary.ended),
            agreed_height: summary.agreement.map(|agreement| agreement.height),
            agreed_block_hash: summary.agreement.map(|agreement| hex::encode(agreement.block_hash)),
            agreed_prior_state_root: summary
                .agreement
                .map(|agreement| hex::encode(agreement.prior_state_root)),
            interrupted: summary.interrupted,
            ended_processes: summary.fallen.iter().map(|fallen| fallen.name.clone()).collect(),
        });
    }
    let mut table = output::table(&["round", "stage", "bids", "outcome"]);
    for round in &summary.ended {
        let bids = round.bids.map_or_else(|| "-".to_owned(), |bids| bids.to_string());
        table.add_row([round.round_id.to_string(), round.stage.to_string(), bids, outcome(round)]);
    }
    output::line(table);
    if let Some(agreement) = summary.agreement {
        output::line(format!(
            "all validators have the same block at height {}: {}, after the state {}",
            agreement.height,
            hex::encode(agreement.block_hash),
            hex::encode(agreement.prior_state_root)
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, stage: Option<Stage>) -> ProcessView {
        ProcessView {
            name: name.to_owned(),
            pid: 7,
            state: ProcessState::Running,
            height: None,
            state_root: None,
            round_id: Some(4),
            round: stage.map(|stage| RoundStatus::at(4, stage)),
            waiting_bids: None,
            trouble: None,
        }
    }

    #[test]
    fn a_round_is_told_by_a_process_that_knows_its_stage() {
        // The folder of a participant tells of the run before, also while no validator answers.
        let mut snapshot = Snapshot { processes: vec![process("participant-001", None)], ended: vec![] };
        assert_eq!(changes(&snapshot), [] as [String; 0]);
        snapshot.processes.push(process("validator-1", Some(Stage::Bidding)));
        assert_eq!(changes(&snapshot), ["round 4: bidding"]);
    }
}
