//! `bench network`: a real network on this machine, under the load of all its members.
//!
//! Validators and aggregator are processes as `localnet` runs them; this process holds the keys of all members and
//! follows the ledger too. What takes its time (sealing, verifying what it sealed) is done between rounds, so that a
//! round's figures are those of the network. All of them share the machine's cores.

mod false_bid;
mod gossip;
mod members;
mod report;
mod round;
mod session;
mod statistics;

use super::BenchSize;
use super::world::World;
use crate::failure::Failure;
use crate::output;
use clap::Args;
use members::{Fault, Members};
use rand_core::OsRng;
use report::Report;
use round::Measured;
use session::Session;
use std::path::Path;
use std::time::{Duration, Instant};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_localnet::load::{LoadPlan, LoadedNetwork};
use veilgrid_node::checks::wall_clock_unix_ms;
use veilgrid_roles::intake::MAX_FAILED_PROOFS;

/// What the keys of a network may take, at most and usually.
const KEYS_LIMIT: Duration = Duration::from_secs(300);
const KEYS_USUAL_MS: u64 = 30_000;
/// From the last promise to the close: twice the allowed skew of clocks.
const UNPROMISED_MS: u64 = 4_000;
/// How long the idle network is watched.
const IDLE: Duration = Duration::from_secs(10);
/// Bids that are sealed to find out how long that takes here.
const TRIAL_BIDS: usize = 8;
/// Bits of a quantity in a network for trials.
const BITS: u32 = 16;

/// Arguments of `bench network`.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// Validators, at least four
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub validators: u16,
    /// Members; each hands in one bid per round
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub bids: usize,
    /// Ticks of the price grid, a power of two
    #[arg(long, value_name = "L", default_value_t = 64)]
    pub ticks: u32,
    /// Rounds that are measured; with --flood as many again under the flood
    #[arg(long, value_name = "K", default_value_t = 2)]
    pub rounds: usize,
    /// Invalid submissions for each honest bid, in rounds of their own after those without
    #[arg(long, value_name = "N")]
    pub flood: Option<usize>,
    /// Addresses that the flood comes from; each has its own share of requests, as anybody's
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=200))]
    pub flood_addresses: u8,
    /// Further rounds in which the last validator is silent, and as many in which it floods the others with false
    /// gossip at the rate that the network allows
    #[arg(long)]
    pub gossip_flood: bool,
    /// Validators drop the bids of a round as soon as the next one is finished
    #[arg(long)]
    pub prune: bool,
    /// Seconds for bids in a round (default: by the number of submissions)
    #[arg(long, value_name = "S")]
    pub bidding_s: Option<u64>,
    /// First of the ports, one for the aggregator and two a validator
    #[arg(long, value_name = "P", default_value_t = 19_000)]
    pub base_port: u16,
    /// Keep the network's folder with logs and ledgers; it stays anyway when something fails
    #[arg(long)]
    pub keep: bool,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

impl NetworkArgs {
    fn check(&self) -> Result<(), Failure> {
        let refuse = |why: &str| Err(Failure::Input(why.to_owned()));
        match self {
            _ if self.bids < 2 => refuse("--bids: a network has at least 2 members"),
            _ if self.rounds == 0 => refuse("--rounds has to be at least 1"),
            _ if self.flood == Some(0) => refuse("--flood has to be at least 1; leave it out for none"),
            _ if self.prune && self.rounds < 2 => refuse(
                "--prune: the bids of round 1 go when round 2 is finished; ask for at least 2 --rounds",
            ),
            _ => Ok(()),
        }
    }

    /// Invalid submissions of a round with the flood.
    fn flood_size(&self) -> usize {
        self.flood.map_or(0, |times| times.saturating_mul(self.bids))
    }
}

/// Runs the command.
///
/// # Errors
/// A network that does not start, a round that is void, honest bids that are lost.
pub fn run(args: &NetworkArgs) -> Result<(), Failure> {
    args.check()?;
    let shutdown = Shutdown::new();
    shutdown.on_signals().map_err(Failure::input)?;
    let dir = std::env::temp_dir().join(format!("veilgrid-bench-{}", std::process::id()));
    let measured = measure(args, &dir, &shutdown);
    let remove = !args.keep && matches!(measured, Ok(_) | Err(Failure::Interrupted(_)));
    if remove && dir.exists() {
        std::fs::remove_dir_all(&dir).map_err(|error| Failure::file(&dir, error))?;
    }
    let report = match measured {
        Err(Failure::Input(why)) if dir.exists() => {
            return Err(Failure::Input(format!("{why} (folder of the network: {})", dir.display())));
        }
        measured => measured?,
    };
    if args.keep {
        eprintln!("the network's folder is {}", dir.display());
    }
    if args.json {
        output::json(&report)?;
    } else {
        report.print();
    }
    report.verdict()
}

fn measure(args: &NetworkArgs, dir: &Path, shutdown: &Shutdown) -> Result<Report, Failure> {
    let false_proofs = args.flood_size().div_ceil(Fault::ALL.len());
    let gossiped = if args.gossip_flood { gossip::ACCOUNTS } else { 0 };
    let members = Members::generate(args.bids, false_proofs.div_ceil(MAX_FAILED_PROOFS).max(gossiped));
    let sealing_ms = sealing_ms(args)?;
    let plan = plan(args, sealing_ms, wall_clock_unix_ms());
    let network = LoadedNetwork::found(dir, &plan, &members.accounts(), wall_clock_unix_ms(), &mut OsRng)
        .map_err(Failure::input)?;
    let program = std::env::current_exe().map_err(Failure::input)?;
    let started = Instant::now();
    let network = network.start(&program).map_err(Failure::input)?;
    let mut session = Session::new(args, members, network, shutdown, sealing_ms)?;
    session.progress.say("the validators generate the keys");
    session.wait_for_keys(KEYS_LIMIT)?;
    let keys_s = started.elapsed().as_secs_f64();
    session.progress.say("the network idles");
    let idle_blocks_per_s = session.idle_blocks_per_s(IDLE)?;
    let memory_before = session.memory();
    let mut rounds: Vec<Measured> = Vec::new();
    for flood in (0..args.rounds).map(|_| 0).chain((0..args.rounds).map(|_| args.flood_size())) {
        if flood > 0 || rounds.len() < args.rounds {
            rounds.push(session.round(flood)?);
        }
    }
    if args.gossip_flood {
        session.silence()?;
        (0..args.rounds).try_for_each(|_| session.round(0).map(|round| rounds.push(round)))?;
        session.attack()?;
        (0..args.rounds).try_for_each(|_| session.round(0).map(|round| rounds.push(round)))?;
    }
    session.progress.say("stopping all processes");
    let (memory, storage) = session.finish(&rounds)?;
    Ok(Report::new(args, keys_s, idle_blocks_per_s, memory_before, memory, storage, rounds))
}

/// How long sealing all bids of a round takes here, with a margin for what else runs, milliseconds.
fn sealing_ms(args: &NetworkArgs) -> Result<u64, Failure> {
    let world = World::new(&size_of(args.ticks))?;
    // The first bid builds tables that all others use.
    world.prove(1, true)?;
    let began = Instant::now();
    world.prove(TRIAL_BIDS, true)?;
    let each_ms = began.elapsed().as_secs_f64() * 1e3 / TRIAL_BIDS as f64;
    Ok(3_000 + (each_ms * args.bids as f64 * 1.7) as u64)
}

/// Rounds that leave time to bid, to open, and to seal the next round's bids.
fn plan(args: &NetworkArgs, sealing_ms: u64, now_unix_ms: u64) -> LoadPlan {
    let (bids, flood) = (args.bids as u64, args.flood_size() as u64);
    let bidding_ms =
        args.bidding_s.map_or(8_000 + 20 * bids + 6 * flood, |s| s.saturating_mul(1000)).max(1000);
    // The last part of the bidding takes no bids: promises end two skews of clocks before the close.
    let bidding_ms = bidding_ms + UNPROMISED_MS;
    let opening_ms = 12_000 + 10 * bids;
    LoadPlan {
        validators: args.validators,
        ticks: args.ticks,
        first_open_unix_ms: now_unix_ms + KEYS_USUAL_MS + IDLE.as_millis() as u64 + sealing_ms,
        interval_ms: bidding_ms + opening_ms + sealing_ms,
        bidding_ms,
        base_port: args.base_port,
        prune_after_rounds: args.prune.then_some(1),
    }
}

/// The market of the trial.
fn size_of(ticks: u32) -> BenchSize {
    BenchSize {
        bids: 1,
        distinct: None,
        ticks,
        bits: BITS,
        threads: None,
        invalid: 0,
        arithmetic: super::ArithmeticArgs::default(),
        from: None,
        json: true,
    }
}
