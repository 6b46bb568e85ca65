//! Seeds of the simulation. `VEILGRID_SEED` replays one, `VEILGRID_SEEDS` and `VEILGRID_FIRST_SEED` choose how many
//! `seeds` runs and from which on. A replay logs what `RUST_LOG` asks for.

#![allow(clippy::disallowed_types, reason = "progress is shown in real time; the runs have their own")]

use std::env;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;
use tracing_subscriber::EnvFilter;
use veilgrid_simulation::{Plan, Report, run};

/// Seeds of a run in continuous integration.
const SEEDS: u64 = 200;
/// Seeds between two lines of progress.
const PROGRESS_EVERY: u64 = 50;

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name}={value} is no number")))
}

/// The report of a seed, or everything that is wrong with it.
fn outcome(seed: u64) -> Result<Report, String> {
    let plan = Plan::of(seed);
    match catch_unwind(|| run(&plan)) {
        Ok(Ok(report)) => Ok(report),
        Ok(Err(broken)) => Err(format!("{broken:?}")),
        Err(_) => Err(format!("{plan:?}  PANICKED: see above")),
    }
}

#[derive(Default)]
struct Sum {
    cleared: usize,
    void: usize,
    before_keys: u64,
    not_opened: u64,
    agreed: usize,
    aborted: usize,
    acknowledged: usize,
    missed_untimely: usize,
    late_in_grace: usize,
    named: usize,
    wiped: usize,
    simulated_ms: u64,
    failures: Vec<String>,
}

impl Sum {
    fn add(&mut self, outcome: Result<Report, String>) {
        match outcome {
            Ok(report) => {
                self.cleared += report.cleared;
                self.void += report.void;
                self.before_keys += report.before_keys;
                self.not_opened += report.not_opened;
                self.agreed += report.sessions.0;
                self.aborted += report.sessions.1;
                self.acknowledged += report.acknowledged;
                self.missed_untimely += report.missed_untimely;
                self.late_in_grace += report.late_in_grace;
                self.named += report.named;
                self.wiped += report.wiped;
                self.simulated_ms += report.elapsed_ms;
            }
            Err(failure) => {
                eprintln!("{failure}");
                self.failures.push(failure);
            }
        }
    }

    fn print(&self, seeds: u64, seconds: f64) {
        eprintln!(
            "{seeds} seeds in {seconds:.0} s, {} h simulated: {} rounds cleared, {} void, {} before \
             there were keys, {} without a block in their time; {} sessions agreed, {} aborted; \
             {} bids acknowledged, {} of them late for their round while the network was not timely; {} bids \
             taken in the blocks that a grace has more over an epoch's end; {} false messages \
             named; {} validators lost their secrets; {} seeds broke a promise",
            self.simulated_ms / 3_600_000,
            self.cleared,
            self.void,
            self.before_keys,
            self.not_opened,
            self.agreed,
            self.aborted,
            self.acknowledged,
            self.missed_untimely,
            self.late_in_grace,
            self.named,
            self.wiped,
            self.failures.len(),
        );
    }
}

#[test]
fn seeds() {
    if number("VEILGRID_SEED").is_some() {
        return;
    }
    let (first, count) =
        (number("VEILGRID_FIRST_SEED").unwrap_or(0), number("VEILGRID_SEEDS").unwrap_or(SEEDS));
    let (next, sum, start) = (AtomicU64::new(0), Mutex::new(Sum::default()), Instant::now());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let outcome = outcome(first + at);
                    sum.lock().expect("no panic while it is held").add(outcome);
                    if (at + 1).is_multiple_of(PROGRESS_EVERY) {
                        eprintln!("{} of {count} seeds, {:.0} s", at + 1, start.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    let sum = sum.into_inner().expect("no panic while it is held");
    sum.print(count, start.elapsed().as_secs_f64());
    assert!(sum.failures.is_empty(), "{} of {count} seeds broke a promise", sum.failures.len());
    assert!(sum.cleared as u64 >= count, "every run clears a round");
    // Bidding lasts one and a half seconds, and a leader that is down costs more than that.
    let opened = (sum.cleared + sum.void) as u64;
    assert!(4 * sum.not_opened <= opened, "{} rounds found no block in their time", sum.not_opened);
}

#[test]
fn one_seed_by_its_number() {
    let Some(seed) = number("VEILGRID_SEED") else { return };
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    eprintln!("{:?}", Plan::of(seed));
    let start = Instant::now();
    match outcome(seed) {
        Ok(report) => eprintln!("{report:#?}\n{:.2} s", start.elapsed().as_secs_f64()),
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn one_seed_is_one_run() {
    for seed in [3, 4] {
        let (first, second) = (outcome(seed).expect("a sound run"), outcome(seed).expect("a sound run"));
        assert_eq!(first, second, "seed {seed}");
    }
    assert_ne!(outcome(3).map(|report| report.tip), outcome(4).map(|report| report.tip));
}
