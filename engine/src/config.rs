//! What an engine is started with.

use crate::application::VoteWitness;
use crate::fault::EngineFault;
use crate::keys::MAX_VALIDATORS;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::MAX_BLOCK_BYTES;
use veilgrid_ledger::transaction::DecodeContext;

/// How long the engine waits before it gives a leader up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For a leader's proposal, milliseconds. It has to exceed the longest time for which the application lets the
    /// engine wait for a block, plus the time that a block of the largest size travels.
    pub leader_timeout_ms: u64,
    /// For a view to be certified, milliseconds; above the leader's.
    pub certification_timeout_ms: u64,
    /// Until a vote to give a view up is sent again, milliseconds.
    pub retry_ms: u64,
    /// A leader from whom nothing came for this long is skipped at once, milliseconds; above the two before.
    pub skip_after_ms: u64,
    /// For a peer's answer to a request, milliseconds.
    pub fetch_timeout_ms: u64,
    /// Until an unanswered request is made again, milliseconds.
    pub fetch_retry_ms: u64,
}

impl Default for Timing {
    /// For blocks that come at least once a second: 1,000 ms of idling and 1,500 ms for block, vote and network.
    fn default() -> Self {
        Self {
            leader_timeout_ms: 2_500,
            certification_timeout_ms: 4_000,
            retry_ms: 2_000,
            skip_after_ms: 5_000,
            fetch_timeout_ms: 2_000,
            fetch_retry_ms: 100,
        }
    }
}

/// A final block from which a node starts whose engine has no store yet: blocks before it are not fetched, so that
/// they need not exist at the peers any more. The application must have applied it.
#[derive(Debug, Clone)]
pub struct StartingPoint {
    /// Height of the block.
    pub height: u64,
    /// Its finalisation certificate.
    pub certificate: Vec<u8>,
}

/// What an engine is started with.
#[derive(Debug)]
pub struct EngineConfig {
    /// The ledger; votes and connections of another ledger are invalid here.
    pub ledger_id: [u8; 32],
    /// Ed25519 seed of this validator.
    pub consensus_secret: Secret<[u8; 32]>,
    /// Where peers connect to.
    pub listen: SocketAddr,
    /// Consensus keys and addresses of the validators of now and of the next set; this node's own may be among them.
    pub peers: Vec<([u8; 32], SocketAddr)>,
    /// The engine's store. Losing it makes this validator forget its votes, which counts as one faulty validator
    /// until it has caught up.
    pub storage_dir: PathBuf,
    /// Most bytes of a block; the same at all validators, and never lowered while blocks are stored.
    pub max_block_bytes: usize,
    /// Heights of an engine epoch, 2 at least. Epoch e is heights e * `epoch_blocks` and up.
    pub epoch_blocks: u64,
    /// Final blocks from the last one down that the engine's store keeps, in whole sections; two epochs at
    /// least ([`crate::blocks_kept`]).
    pub blocks_kept: u64,
    /// How the transactions of blocks after block 0 are read.
    pub decode: DecodeContext,
    /// Time-outs.
    pub timing: Timing,
    /// Where to start if the store is empty; none: block 0.
    pub start: Option<StartingPoint>,
    /// Is told of this validator's own votes.
    pub witness: Option<Arc<dyn VoteWitness>>,
}

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A setting is out of its range.
    #[error("engine setting `{setting}`: {why}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What it has to be.
        why: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; free the port or set another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The thread could not be made.
    #[error("cannot start the engine's thread: {0}")]
    Thread(std::io::Error),
    /// The engine stopped before it ran.
    #[error("the engine stopped while it started: {0}")]
    Failed(EngineFault),
}

impl EngineConfig {
    /// Checks what the engine would otherwise find out by a panic.
    ///
    /// # Errors
    /// [`EngineError::Setting`].
    pub fn check(&self) -> Result<(), EngineError> {
        let refuse = |setting, why: String| Err(EngineError::Setting { setting, why });
        if self.epoch_blocks < 2 {
            return refuse("epoch_blocks", format!("{}; it must be 2 at least", self.epoch_blocks));
        }
        if self.blocks_kept < self.epoch_blocks.saturating_mul(2) {
            let why =
                format!("{}; it must be two epochs of {} at least", self.blocks_kept, self.epoch_blocks);
            return refuse("blocks_kept", why);
        }
        if self.max_block_bytes == 0 || self.max_block_bytes > MAX_BLOCK_BYTES {
            let why = format!("{}; it must be 1 to {MAX_BLOCK_BYTES}", self.max_block_bytes);
            return refuse("max_block_bytes", why);
        }
        if self.peers.len() > 2 * MAX_VALIDATORS as usize {
            return refuse("peers", format!("{} peers; {} at most", self.peers.len(), 2 * MAX_VALIDATORS));
        }
        if let Some(position) = self.peers.iter().position(|(key, _)| crate::keys::public_key(key).is_none())
        {
            return refuse("peers", format!("the key of peer {position} (from 0) is no Ed25519 key"));
        }
        self.timing.check()
    }
}

impl Timing {
    fn check(&self) -> Result<(), EngineError> {
        let refuse = |setting, why: &str| Err(EngineError::Setting { setting, why: why.to_owned() });
        if self.leader_timeout_ms == 0 || self.retry_ms == 0 || self.fetch_timeout_ms == 0 {
            return refuse("timing", "no time-out may be zero");
        }
        if self.certification_timeout_ms <= self.leader_timeout_ms {
            return refuse("certification_timeout_ms", "it must be above leader_timeout_ms");
        }
        if self.skip_after_ms <= self.certification_timeout_ms.max(self.retry_ms) {
            return refuse("skip_after_ms", "it must be above certification_timeout_ms and retry_ms");
        }
        Ok(())
    }
}
