//! Validators that count, under faults: no fork, and progress once the faults are over.

mod common;

use common::{Behaviour, Counter, Disk, DiskFull, decode_context};
use std::sync::{Arc, Mutex};
use veilgrid_engine::EngineFault;
use veilgrid_engine::simulation::{Applied, Fault, LEDGER_ID, Link, Outcome, Simulation, consensus_key, top};
use veilgrid_ledger::finality;

const VALIDATORS: usize = 4;

/// The disks of the validators' applications.
struct Disks(Vec<Arc<Mutex<Disk>>>);

impl Disks {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| Arc::default()).collect())
    }
}

fn behaviour(epoch_blocks: u64) -> Behaviour {
    let keys: Vec<_> = (0..VALIDATORS).map(consensus_key).collect();
    let roster = Arc::new(move |_| Some(keys.clone()));
    Behaviour { pace_ms: 200, invalid: false, tells: false, roster, epoch_blocks }
}

fn all_at(height: u64) -> impl Fn(&[Vec<Applied>]) -> bool {
    move |nodes| nodes.iter().all(|applied| top(applied) >= height)
}

fn run(simulation: &Simulation, behaviour: &Behaviour, height: u64) -> Outcome {
    let disks = Disks::new(simulation.validators);
    let make = |index: usize| Counter::new(behaviour.clone(), disks.0[index].clone());
    agreed(simulation, simulation.run(make, all_at(height)))
}

fn agreed(simulation: &Simulation, outcome: Outcome) -> Outcome {
    let seed = simulation.seed;
    assert_eq!(outcome.check(), Ok(()), "seed {seed}");
    assert!(outcome.stopped.is_empty(), "seed {seed}: {:?}", outcome.stopped);
    assert!(outcome.reached, "seed {seed}: no progress, heights {:?}", heights(&outcome));
    outcome
}

fn heights(outcome: &Outcome) -> Vec<u64> {
    outcome.applied.iter().map(|applied| top(applied)).collect()
}

fn simulation(seed: u64) -> Simulation {
    Simulation::new(seed, VALIDATORS, decode_context())
}

#[test]
fn one_seed_is_one_run() {
    let outcome = |seed| run(&simulation(seed), &behaviour(1 << 20), 10);
    let (first, second, other) = (outcome(1), outcome(1), outcome(2));
    assert_eq!(first.trace, second.trace);
    assert_eq!(first.applied, second.applied);
    assert_ne!(first.trace, other.trace);
}

/// Loss, delay, a partition without a quorum on either side, a crash and a restart, at times that the seed decides.
fn schedule(seed: u64) -> Vec<(u64, Fault)> {
    let victim = (seed % 4) as usize;
    let bad = Link { latency_ms: 100 + 20 * (seed % 7), jitter_ms: 50, loss_percent: (5 * (seed % 6)) as u8 };
    vec![
        (2_000 + 100 * (seed % 5), Fault::Links(bad)),
        (5_000, Fault::Partition(vec![victim, (victim + 1) % 4])),
        (9_000 + 300 * (seed % 4), Fault::Heal),
        (12_000, Fault::Crash(victim)),
        (15_000, Fault::Partition(vec![(victim + 2) % 4])),
        (18_000, Fault::Heal),
        (18_500 + 700 * (seed % 3), Fault::Restart(victim)),
        (20_000, Fault::Links(Link::default())),
    ]
}

#[test]
fn twenty_schedules_of_faults_fork_nothing() {
    for seed in 0..20 {
        let simulation = Simulation { faults: schedule(seed), ..simulation(seed) };
        run(&simulation, &behaviour(1 << 20), 40);
    }
}

/// Each of these heals what is whole.
fn heals() -> Vec<(u64, Fault)> {
    (10..400).map(|tick| (50 * tick, Fault::Heal)).collect()
}

#[test]
fn to_heal_what_is_whole_changes_nothing() {
    let quiet = run(&simulation(4), &behaviour(1 << 20), 120);
    let healed = run(&Simulation { faults: heals(), ..simulation(4) }, &behaviour(1 << 20), 120);
    assert_eq!((healed.elapsed_ms, healed.trace), (quiet.elapsed_ms, quiet.trace));
}

/// A message that is on its way when its link becomes slower, or faster, arrives.
#[test]
fn links_that_change_lose_no_message() {
    let speed = |tick| Link { latency_ms: 10 + tick % 40, ..Link::default() };
    let faults = (10..1_000).map(|tick| (50 * tick, Fault::Links(speed(tick)))).collect();
    let simulation = Simulation { faults, ..simulation(5) };
    let disks = Disks::new(VALIDATORS);
    let behaviour = Behaviour { tells: true, pace_ms: 20, ..behaviour(1 << 20) };
    let make = |index: usize| Counter::new(behaviour.clone(), disks.0[index].clone());
    agreed(&simulation, simulation.run(make, all_at(400)));
    for (listener, disk) in disks.0.iter().enumerate() {
        let disk = disk.lock().expect("disk");
        for speaker in (0..VALIDATORS).filter(|speaker| *speaker != listener) {
            // What was said of the last blocks may still be on its way.
            for height in 1..=390_u64 {
                let said = (consensus_key(speaker), height.to_be_bytes().to_vec());
                assert!(disk.received.contains(&said), "{listener} heard not of {height} from {speaker}");
            }
        }
    }
}

#[test]
fn certificates_of_all_blocks_hold() {
    let simulation = Simulation { epoch_blocks: 8, ..simulation(3) };
    let disks = Disks::new(VALIDATORS);
    let make = |index: usize| Counter::new(behaviour(8), disks.0[index].clone());
    agreed(&simulation, simulation.run(make, all_at(30)));
    let validators: Vec<_> = (0..VALIDATORS).map(consensus_key).collect();
    for disk in &disks.0 {
        let disk = disk.lock().expect("disk");
        assert!(disk.certificates.len() >= 20);
        for (height, bytes) in &disk.certificates {
            let hash = disk.blocks[*height as usize - 1].hash();
            let verdict = finality::verify(&LEDGER_ID, height / 8, &validators, &hash, bytes);
            assert_eq!(verdict, Ok(()), "block {height}");
        }
    }
}

#[test]
fn a_double_voter_forks_nothing() {
    for seed in 0..5 {
        let simulation = Simulation { double_voter: Some(3), ..simulation(seed) };
        let disks = Disks::new(VALIDATORS);
        let make = |index: usize| Counter::new(behaviour(1 << 20), disks.0[index].clone());
        let outcome = simulation.run(make, |nodes| all_at(30)(&nodes[..3]));
        agreed(&simulation, outcome);
    }
}

#[test]
fn invalid_proposals_are_not_final() {
    for seed in 0..3 {
        let simulation = simulation(seed);
        let disks = Disks::new(VALIDATORS);
        let make = |index: usize| {
            let behaviour = Behaviour { invalid: index == 1, ..behaviour(1 << 20) };
            Counter::new(behaviour, disks.0[index].clone())
        };
        agreed(&simulation, simulation.run(make, all_at(30)));
    }
}

/// Whoever runs an engine decides by the error of its own application what comes next: it gets it back as it was.
#[test]
fn an_application_that_fails_stops_its_engine_with_its_own_error() {
    let simulation = simulation(0);
    let disks = Disks::new(VALIDATORS);
    disks.0[2].lock().expect("a disk").room = Some(5);
    let make = |index: usize| Counter::new(behaviour(1 << 20), disks.0[index].clone());
    let outcome = simulation.run(make, |nodes| top(&nodes[0]) >= 20);
    assert!(outcome.reached, "the others go on: {:?}", heights(&outcome));
    let [(2, fault)] = &outcome.stopped[..] else { panic!("{:?}", outcome.stopped) };
    assert!(matches!(fault, EngineFault::Application { height: 6, .. }), "{fault:?}");
    assert_eq!(fault.cause::<DiskFull>(), Some(&DiskFull { blocks: 5 }));
    assert_eq!(fault.to_string(), "block 6 could not be applied: the disk is full");
    assert_eq!(outcome.height(2), 5);
}

#[test]
fn applications_that_lose_their_state_get_it_from_their_engine() {
    for seed in 0..3 {
        let faults = vec![(6_000, Fault::Crash(2)), (7_000, Fault::Restart(2))];
        let simulation = Simulation { faults, epoch_blocks: 10, ..simulation(seed) };
        let disks = Disks::new(VALIDATORS);
        // A fresh disk each time.
        let make = |index: usize| {
            let disk = if index == 2 { Arc::default() } else { disks.0[index].clone() };
            Counter::new(behaviour(10), disk)
        };
        let outcome = agreed(&simulation, simulation.run(make, all_at(50)));
        let again = outcome.applied[2].iter().filter(|(height, _)| *height == 1).count();
        assert!(again >= 2, "block 1 was applied in both lives");
    }
}

#[test]
fn engines_that_lose_their_store_get_it_from_their_peers() {
    for seed in 0..3 {
        let faults = vec![(8_000, Fault::Crash(1)), (9_000, Fault::RestartEmpty(1))];
        let simulation = Simulation { faults, epoch_blocks: 10, ..simulation(seed) };
        run(&simulation, &behaviour(10), 60);
    }
}

#[test]
fn all_validators_can_stop_and_start() {
    let crash = (0..VALIDATORS).map(|index| (5_000, Fault::Crash(index)));
    let restart = (0..VALIDATORS).map(|index| (6_000 + 500 * index as u64, Fault::Restart(index)));
    let simulation = Simulation { faults: crash.chain(restart).collect(), ..simulation(9) };
    run(&simulation, &behaviour(1 << 20), 50);
}

#[test]
fn validators_change_with_the_epochs() {
    // Six nodes; epoch e is of the four from e on, so that in each epoch one joins and one leaves.
    let nodes = 6;
    let keys: Vec<_> = (0..nodes).map(consensus_key).collect();
    let roster = Arc::new(move |epoch: u64| {
        Some((0..4).map(|i| keys[(epoch as usize + i) % nodes]).collect::<Vec<_>>())
    });
    for seed in 0..5 {
        let faults = vec![(4_000, Fault::Crash(4)), (12_000, Fault::Restart(4))];
        let simulation = Simulation { validators: nodes, epoch_blocks: 10, faults, ..simulation(seed) };
        let behaviour = Behaviour { roster: roster.clone(), epoch_blocks: 10, ..behaviour(10) };
        run(&simulation, &behaviour, 75);
    }
}
