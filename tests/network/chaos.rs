//! Processes are killed at random for minutes while rounds go on.

use crate::harness::{Network, Plan, validator};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest that a killed process stays down, milliseconds.
const DOWN_MS: u64 = 4_000;
/// Longest pause between two kills, milliseconds.
const PAUSE_MS: u64 = 2_500;
/// One kill in so many may leave fewer than a quorum of validators.
const BELOW_QUORUM: u64 = 10;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
#[ignore = "takes minutes: see main.rs for the command"]
fn chaos() {
    let kills = number("VEILGRID_CHAOS_KILLS", 100);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = number("VEILGRID_CHAOS_SEED", now.as_secs());
    let validators = u16::try_from(number("VEILGRID_CHAOS_VALIDATORS", 4)).expect("a number of validators");
    let interval_s = number("VEILGRID_CHAOS_INTERVAL_S", 24);
    println!(
        "{kills} kills of {validators} validators and the aggregator, rounds every {interval_s} s, seed {seed}"
    );
    let plan = Plan { validators, interval_s, ..Plan::default() };
    let mut network = Network::start_all("chaos", plan);
    network.wait_for_keys(120);
    let began = Instant::now();
    let first = network.wait_for_bidding(0);
    let mut storm = Storm {
        rng: ChaCha20Rng::seed_from_u64(seed),
        down: BTreeMap::new(),
        recovering: BTreeMap::new(),
        killed: BTreeMap::new(),
        below: 0,
    };
    for kill in 1..=kills {
        storm.kill_one(&mut network);
        if kill % 10 == 0 {
            println!("{kill} kills, {} s", began.elapsed().as_secs());
        }
        storm.rest(&mut network);
    }
    storm.restart(&mut network, true);
    println!(
        "after {} s: killed {:?}; {} times fewer than a quorum was left",
        began.elapsed().as_secs(),
        storm.killed,
        storm.below
    );
    let last = settle_down(&mut network);
    report(&mut network, first, last);
    network.finish();
}

struct Storm {
    rng: ChaCha20Rng,
    /// Who is down, and until when.
    down: BTreeMap<String, Instant>,
    /// Who runs again and has not been seen at the height that the others had by then: it counts as down.
    recovering: BTreeMap<String, u64>,
    killed: BTreeMap<String, u32>,
    below: u32,
}

impl Storm {
    /// A number from 0 to `bound` − 1.
    fn draw(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    fn kill_one(&mut self, network: &mut Network) {
        let faulty = usize::from((network.plan.validators - 1) / 3);
        let beyond = self.draw(BELOW_QUORUM) == 0;
        let aggregator = self.draw(u64::from(network.plan.validators) + 1) == 0;
        loop {
            self.restart(network, false);
            let running = network.running_validators();
            let absent = usize::from(network.plan.validators) - running.len() + self.recovering.len();
            let mut targets: Vec<String> = vec![];
            if aggregator {
                targets.extend(network.runs("aggregator").then(|| "aggregator".to_owned()));
            } else if absent < faulty || beyond {
                targets.extend(running.into_iter().map(validator));
            }
            if targets.is_empty() {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            let place = usize::try_from(self.draw(targets.len() as u64)).expect("small");
            let name = targets.swap_remove(place);
            network.all_alive();
            network.kill(&name);
            self.recovering.remove(&name);
            self.below += u32::from(absent >= faulty && name != "aggregator");
            *self.killed.entry(name.clone()).or_default() += 1;
            let until = Instant::now() + Duration::from_millis(100 + self.draw(DOWN_MS));
            self.down.insert(name, until);
            return;
        }
    }

    /// Lets the network go on for a while.
    fn rest(&mut self, network: &mut Network) {
        let end = Instant::now() + Duration::from_millis(self.draw(PAUSE_MS));
        while Instant::now() < end {
            self.restart(network, false);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts again whose time has come, or everybody.
    fn restart(&mut self, network: &mut Network, all: bool) {
        let now = Instant::now();
        let due: Vec<String> = self
            .down
            .iter()
            .filter(|(_, until)| all || **until <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            self.down.remove(&name);
            network.start(&name);
            let heights = network
                .running_validators()
                .into_iter()
                .filter_map(|index| network.height(&validator(index)));
            if let Some(height) = heights.max().filter(|_| name != "aggregator") {
                // Its votes count again with the next block.
                self.recovering.insert(name, height + 1);
            }
        }
        self.recovering.retain(|name, height| network.height(name).is_none_or(|reached| reached < *height));
    }
}

/// Two more rounds clear with everybody's bid; the last one's number.
fn settle_down(network: &mut Network) -> u64 {
    let last = network.wait_for("an answer", 60, |network| {
        network.status("validator-1").map(|status| status["last_round_id"].as_u64().unwrap_or(0))
    });
    let next = network.wait_for_bidding(last);
    network.wait_for_clearing(next);
    let last = network.wait_for_bidding(next);
    network.wait_for_clearing(last);
    last
}

fn report(network: &mut Network, first: u64, last: u64) {
    let height = network.agree();
    network.no_panics();
    for index in network.validators() {
        network.stop(&validator(index));
    }
    for index in network.validators() {
        let report = network.audit(index);
        let unfinished = report["rounds_unfinished"].as_array().expect("a list");
        let stuck = unfinished.iter().find(|round| round["round_id"].as_u64().is_none_or(|id| id <= last));
        if let Some(stuck) = stuck {
            network.fail(&format!("a round has not ended: {stuck}"));
        }
        let receipts = network.promises_kept(&report, last);
        if index == 1 {
            println!(
                "height {height}: rounds {first} to {last}, {} cleared, {} void {}; {receipts} receipts, all kept; key \
                 sessions: {}; certificates: {}; refused transactions: {}",
                report["rounds_settled"],
                report["rounds_void"],
                report["void_rounds"],
                report["key_sessions"].as_array().map_or(0, Vec::len),
                report["certificates"],
                report["refused_by_kind"],
            );
        }
    }
}
