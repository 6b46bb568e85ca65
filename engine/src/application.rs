//! What stands behind the engine: a state machine that proposes, votes and applies.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;

/// Most bytes of one gossip message.
pub const MAX_GOSSIP_BYTES: usize = 512 << 10;

/// Work on a gossip message that needs no lock, on a thread that it may keep busy. When it is done,
/// [`Application::settle`] is called.
pub type GossipWork = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the application or its witness refuses with: an error of its own, whole. The engine logs it, and hands the one that
/// stopped it back in [`crate::EngineFault`].
pub type ApplicationError = Box<dyn Error + Send + Sync>;

/// The answer to a request for a block.
#[derive(Debug)]
pub enum Proposal {
    /// The next block.
    Block(Box<Block>),
    /// Nothing to propose yet: ask again after this long.
    Wait {
        /// Milliseconds, 20 at most.
        ms: u64,
    },
}

/// The application of a validator. The engine calls it under one mutex.
///
/// Blocks are executed before the vote, on the state after their parent, so that a header can carry the state root
/// after the parent and a certificate covers it.
pub trait Application: Send + 'static {
    /// Block 0.
    fn genesis(&self) -> Block;

    /// Height of the last block that is durably applied.
    fn height(&self) -> u64;

    /// Whether the block was executed, final or not.
    fn knows(&self, block: &Hash) -> bool;

    /// Executes an ancestor of a proposal. Its parent is known. No rule about the clock: others have voted for it.
    ///
    /// # Errors
    /// Why it cannot be executed.
    fn learn(&mut self, block: &Block) -> Result<(), ApplicationError>;

    /// The next block on `parent`, which is known.
    fn propose(&mut self, parent: &Hash, now_unix_ms: u64) -> Proposal;

    /// Checks and executes a block before the vote. Its parent is known.
    ///
    /// # Errors
    /// Why it gets no vote.
    fn check(&mut self, block: &Block, now_unix_ms: u64) -> Result<(), ApplicationError>;

    /// A proposal of the validator with this consensus key, which is checked next, has this block time, while this
    /// validator's clock says something else (both Unix milliseconds). For whoever watches the clocks.
    fn proposed(&mut self, proposer: &[u8; 32], block_unix_ms: u64, now_unix_ms: u64) {
        let _ = (proposer, block_unix_ms, now_unix_ms);
    }

    /// Applies the next final block; durable when it returns. A block that was applied before is no error: the engine
    /// delivers at least once.
    ///
    /// # Errors
    /// Fatal for this validator: the engine stops.
    fn finalise(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), ApplicationError>;

    /// Takes a certificate that came after its block.
    fn certified(&mut self, height: u64, certificate: &[u8]);

    /// Tells the gossip messages that are handled before all others. It must cost nothing: it is asked of every message
    /// of every peer, outside of the mutex.
    fn is_urgent(&self) -> fn(&[u8]) -> bool {
        |_| false
    }

    /// Takes a gossip message of the validator with this consensus key. What takes long is given back, to be done outside
    /// of the mutex; its outcome stays with the application until [`Application::settle`].
    fn receive(&mut self, from: &[u8; 32], message: &[u8]) -> Option<GossipWork>;

    /// Takes over what the work on gossip messages has found since the last call.
    fn settle(&mut self) {}

    /// The gossip messages that all validators are to get, each of [`MAX_GOSSIP_BYTES`] at most.
    fn take_gossip(&mut self) -> Vec<Vec<u8>>;

    /// The validators' consensus keys in an epoch of the engine; none when they are not known yet.
    fn consensus_keys(&self, epoch: u64) -> Option<Vec<[u8; 32]>>;
}

/// Who is told of this validator's own votes for the finality of blocks, so that it recognises them in certificates.
pub trait VoteWitness: std::fmt::Debug + Send + Sync {
    /// The consensus of an epoch begins. Returns when it is noted.
    ///
    /// # Errors
    /// Fatal: the engine stops.
    fn begins(&self, epoch: u64) -> Result<(), ApplicationError>;

    /// A vote was given in a view of an epoch, now or, after a restart, before.
    ///
    /// # Errors
    /// Fatal: the engine stops.
    fn voted(&self, epoch: u64, view: u64) -> Result<(), ApplicationError>;
}
