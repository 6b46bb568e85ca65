//! What is simulated: how many validators, over which links, and what goes wrong.

use crate::config::Timing;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::finality::ConsensusKey;
use veilgrid_ledger::transaction::DecodeContext;

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
}
