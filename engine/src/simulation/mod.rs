//! Validators on a deterministic runtime over a simulated network: the same seed gives the same run.
//!
//! Only for tests. Everything but the network and the clock is what runs in production: consensus, block
//! order, epochs, delivery, gossip.

mod recorder;
mod time;
mod world;

use crate::application::Application;
use crate::config::Timing;
use crate::fault::EngineFault;
use commonware_runtime::{Runner as _, deterministic};
use std::collections::BTreeMap;
use std::time::Duration;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::finality::ConsensusKey;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::transaction::DecodeContext;
use world::{Make, World};

pub use time::Time;

/// How long the simulation runs between two looks at the faults that are due and at its end.
const STEP_MS: u64 = 50;

/// The ledger of every simulation.
pub const LEDGER_ID: [u8; 32] = [0x51; 32];

/// Quality of all links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Mean time of a message, milliseconds.
    pub latency_ms: u64,
    /// Standard deviation of it, milliseconds.
    pub jitter_ms: u64,
    /// Messages that are lost, percent.
    pub loss_percent: u8,
}

impl Default for Link {
    fn default() -> Self {
        Self { latency_ms: 20, jitter_ms: 10, loss_percent: 0 }
    }
}

/// Something that goes wrong, or right again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// All links are like this from now on.
    Links(Link),
    /// These validators, by index, and the others cannot reach each other.
    Partition(Vec<usize>),
    /// Everybody can reach everybody.
    Heal,
    /// A validator is killed.
    Crash(usize),
    /// A killed validator starts again; its application is made anew from what its maker kept.
    Restart(usize),
    /// A killed validator starts again without what its engine had stored.
    RestartEmpty(usize),
}

/// A run of several validators.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// Decides everything that is random.
    pub seed: u64,
    /// How many there are.
    pub validators: usize,
    /// Heights of an engine epoch.
    pub epoch_blocks: u64,
    /// Most bytes of a block.
    pub max_block_bytes: usize,
    /// How transactions are read.
    pub decode: DecodeContext,
    /// Time-outs.
    pub timing: Timing,
    /// Quality of the links at the start.
    pub link: Link,
    /// What goes wrong, with the simulated milliseconds since the start, in order of time.
    pub faults: Vec<(u64, Fault)>,
    /// A validator that votes for two blocks whenever it can, in epoch 0. It has no application.
    pub double_voter: Option<usize>,
    /// Undoes a rule: the queues of gossip are bounded for all peers together, not peer by peer.
    pub shares_queue_bounds: bool,
    /// Simulated milliseconds after which the run ends without success.
    pub limit_ms: u64,
}

/// A block as an application has applied it.
pub type Applied = (u64, Hash);

/// What came of a simulation.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The blocks of each validator in the order in which they were applied, of all its lives.
    pub applied: Vec<Vec<Applied>>,
    /// Whether the predicate held before the time was up.
    pub reached: bool,
    /// Simulated milliseconds.
    pub elapsed_ms: u64,
    /// Digest of all that happened: equal for equal runs.
    pub trace: String,
    /// Engines that stopped by themselves, with the reason.
    pub stopped: Vec<(usize, EngineFault)>,
}

/// Two validators applied different blocks at one height, or one applied blocks out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Disagreement {
    /// Two blocks at a height.
    #[error("two blocks are final at height {height}")]
    Fork {
        /// The height.
        height: u64,
    },
    /// A gap.
    #[error("validator {validator} applied block {height} after block {last}")]
    Gap {
        /// Index.
        validator: usize,
        /// Applied before.
        last: u64,
        /// Applied next.
        height: u64,
    },
}

impl Outcome {
    /// Checks that all validators applied one chain. Blocks may be applied again after a restart.
    ///
    /// # Errors
    /// The first height at which they did not.
    pub fn check(&self) -> Result<(), Disagreement> {
        let mut chain = BTreeMap::new();
        for (validator, applied) in self.applied.iter().enumerate() {
            let mut last = 0;
            for (height, hash) in applied {
                if chain.entry(*height).or_insert(*hash) != hash {
                    return Err(Disagreement::Fork { height: *height });
                }
                if *height > last + 1 {
                    return Err(Disagreement::Gap { validator, last, height: *height });
                }
                last = *height;
            }
        }
        Ok(())
    }

    /// Highest block of a validator.
    pub fn height(&self, validator: usize) -> u64 {
        top(&self.applied[validator])
    }
}

/// Highest of these blocks; 0 for none.
pub fn top(applied: &[Applied]) -> u64 {
    applied.iter().map(|(height, _)| *height).max().unwrap_or(0)
}

/// The seed of a validator's consensus key.
pub fn consensus_secret(index: usize) -> Secret<[u8; 32]> {
    let mut seed = [0x53; 32];
    seed[..8].copy_from_slice(&(index as u64).to_le_bytes());
    Secret::new(seed)
}

/// A validator's consensus key.
pub fn consensus_key(index: usize) -> [u8; 32] {
    ConsensusKey::from_seed(&consensus_secret(index)).public()
}

impl Simulation {
    /// Validators without faults, for an hour of simulated time at most.
    pub fn new(seed: u64, validators: usize, decode: DecodeContext) -> Self {
        Self {
            seed,
            validators,
            epoch_blocks: 1 << 20,
            max_block_bytes: 1 << 20,
            decode,
            timing: Timing::default(),
            link: Link::default(),
            faults: Vec::new(),
            double_voter: None,
            shares_queue_bounds: false,
            limit_ms: 3_600_000,
        }
    }

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
