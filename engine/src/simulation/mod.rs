//! Validators on a deterministic runtime over a simulated network: the same seed gives the same run.
//!
//! Only for tests. Everything but the network and the clock is what runs in production: consensus, block
//! order, epochs, delivery, gossip.

mod outcome;
mod recorder;
mod settings;
mod time;
mod world;

use crate::application::Application;
use commonware_runtime::{Runner as _, deterministic};
use std::time::Duration;
use world::{Make, World};

pub use outcome::{Applied, Disagreement, Outcome, top};
pub use settings::{Fault, LEDGER_ID, Link, Simulation, consensus_key, consensus_secret};
pub use time::Time;

/// How long the simulation runs between two looks at the faults that are due and at its end.
const STEP_MS: u64 = 50;

impl Simulation {
    /// Runs until `done` holds over the blocks that each validator has applied, or the time is up.
    ///
    /// `make` gives the application of a validator, at the start and after each crash: what it keeps between two
    /// calls is the validator's disk.
    pub fn run<A: Application>(
        &self,
        mut make: impl FnMut(usize) -> A,
        done: impl FnMut(&[Vec<Applied>]) -> bool,
    ) -> Outcome {
        self.run_in_time(move |index, _| make(index), done)
    }

    /// As [`Simulation::run`], of applications that know the simulated time and let some of it pass.
    pub fn run_in_time<A: Application>(
        &self,
        mut make: impl FnMut(usize, Time) -> A,
        mut done: impl FnMut(&[Vec<Applied>]) -> bool,
    ) -> Outcome {
        self.execute(Box::new(move |index, time| Box::new(make(index, time))), &mut done)
    }

    /// As [`Simulation::run`]. Not generic, so that the engine is compiled in this crate and nowhere again.
    fn execute(&self, make: Make<'_>, done: &mut dyn FnMut(&[Vec<Applied>]) -> bool) -> Outcome {
        let config = deterministic::Config::default().with_seed(self.seed).with_timeout(None);
        deterministic::Runner::new(config).start(async move |context| {
            let mut world = World::new(context, self, make).await;
            let mut faults = self.faults.iter().peekable();
            let mut elapsed_ms = 0;
            let mut reached = false;
            while !reached && elapsed_ms < self.limit_ms {
                while let Some((_, fault)) = faults.next_if(|(at, _)| *at <= elapsed_ms) {
                    world.suffer(fault).await;
                }
                world.pass(Duration::from_millis(STEP_MS)).await;
                elapsed_ms += STEP_MS;
                // Faults that are still to come belong to the run.
                reached = faults.peek().is_none() && done(&world.applied());
            }
            world.outcome(reached, elapsed_ms)
        })
    }
}
