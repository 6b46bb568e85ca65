//! A validator between the consensus engine and the ledger's rules: what it proposes, what it votes for, what waits in
//! its pool, and what it tells the other validators.
//!
//! ```text
//! offers, gossip --> pool --> propose --> block --engine--> learn, check --> vote
//!                      ^                                        |
//!                      +-------------- finalise <---------------+
//! ```
//!
//! Every block is executed before the vote, on the state after its parent ([`Replica::learn`]), so that a block that
//! becomes final was executed already. Pure: time is passed in, there is no random source, and it holds no secret. Key
//! shares are the key holder's.
//!
//! # Security
//! Nothing from outside is believed: bids are verified before they enter the pool, shares before they are proposed,
//! and a vote says that this validator has executed the block itself. A share is taken only from the validator whose
//! number it bears ([`Replica::receive`]), so that nobody is named for what others sent.

mod backlog;
mod cost;
mod error;
mod fill;
mod gossip;
mod item;
mod offer;
mod pool;
mod propose;
mod receive;
mod speculation;
#[cfg(test)]
mod tests;
mod verdicts;
mod vote;

pub use cost::GossipWork;
pub use error::{GossipFault, OfferRefusal, Offered, VoteRefusal};
pub use gossip::GossipClass;
pub use item::MAX_GOSSIP_BYTES;
pub use propose::Proposal;
pub use receive::{CheckedGossip, GossipJob};
pub use verdicts::{BidJob, SharedVerdicts};

use crate::proposer::Steps;
use gossip::Outbox;
use pool::Pool;
use speculation::{Executed, Speculation};
use std::collections::VecDeque;
use std::sync::Arc;
use veilgrid_crypto::dlog::SmallLog;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::room::MAX_NETWORK_BLOCK_BYTES;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::{BlockEffects, Effect};

/// Bids whose verdicts are remembered between pool, vote and execution.
const REMEMBERED_BIDS: usize = 20_000;

/// Refusals that [`Replica::summary`] shows.
const REMEMBERED_REFUSALS: usize = 16;

/// Bounds and pace of a validator. All validators of a network have the same `max_block_bytes`: a larger block gets no
/// vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of an encoded block that is proposed or voted for.
    pub max_block_bytes: usize,
    /// A block comes after this long, in milliseconds, even when there is nothing to put into it.
    pub idle_interval_ms: u64,
    /// The same while blocks themselves are waited for: grace and key sessions count them.
    pub busy_interval_ms: u64,
    /// Most bytes of bids in the pool for each round that takes bids, a quarter of it for each that soon will, and as
    /// many as for a round of key events. Two rounds take bids at a time, one of them in grace, and two are to come.
    pub pool_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_block_bytes: MAX_NETWORK_BLOCK_BYTES,
            idle_interval_ms: 1_000,
            busy_interval_ms: 100,
            pool_bytes: 64 << 20,
        }
    }
}

/// What a status page shows of a replica.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Height of the last final block.
    pub final_height: u64,
    /// Executed blocks that are not final.
    pub speculative_blocks: usize,
    /// Bids in the pool.
    pub bids: usize,
    /// Their bytes.
    pub bid_bytes: usize,
    /// Opening shares in the pool.
    pub shares: usize,
    /// Key events in the pool.
    pub key_events: usize,
    /// Changes of validators in the pool.
    pub roster_changes: usize,
    /// Entries of the pool that came to this validator first and are gossiped until they are on the ledger.
    pub own_waiting: usize,
    /// Bids whose verdicts are remembered.
    pub verdicts: usize,
    /// What the bids in other validators' gossip have cost.
    pub gossip: GossipWork,
    /// The last refusals, the latest one last.
    pub last_refusals: Vec<String>,
}

/// The replica of the ledger that one validator runs.
pub struct Replica {
    /// After the last final block.
    state: State,
    limits: Limits,
    ahead: Speculation,
    pool: Pool,
    outbox: Outbox,
    verdicts: SharedVerdicts,
    gossip_work: GossipWork,
    steps: Steps,
    /// The parent that a proposal was asked for last, and the time of the first such call.
    asked: Option<(Hash, u64)>,
    refusals: VecDeque<String>,
}

impl Replica {
    /// A replica at a final state, for example the one after the stored blocks.
    pub fn new(state: State, limits: Limits) -> Self {
        Self {
            state,
            limits,
            ahead: Speculation::default(),
            pool: Pool::new(limits.pool_bytes),
            outbox: Outbox::default(),
            verdicts: SharedVerdicts::new(REMEMBERED_BIDS),
            gossip_work: GossipWork::default(),
            steps: Steps::default(),
            asked: None,
            refusals: VecDeque::new(),
        }
    }

    /// Uses a table of small logarithms that was built elsewhere, for example one for fast answers. Without it one is
    /// built when the first sum is opened, and whoever waits for the replica waits for that.
    pub fn use_log(&mut self, log: Arc<SmallLog>) {
        self.steps.use_log(log);
    }

    /// The state after the last final block.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Bounds and pace.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether the block was executed: the last final one, or one ahead of it.
    pub fn knows(&self, hash: &Hash) -> bool {
        self.state_after(hash).is_some()
    }

    /// The state after a block that is known.
    pub fn state_after(&self, hash: &Hash) -> Option<&State> {
        if self.state.block_hash() == *hash {
            return Some(&self.state);
        }
        self.ahead.get(hash).map(|executed| &executed.state)
    }

    /// Takes the next final block over. A block at or below the final height is ignored: the engine delivers at
    /// least once.
    ///
    /// # Errors
    /// The rule of the header that the block breaks. The engine must not go on then: validators have signed a block
    /// that this one refuses.
    pub fn finalise(&mut self, block: &Block) -> Result<Option<BlockEffects>, BlockError> {
        if block.header.height <= self.state.height() {
            return Ok(None);
        }
        let height = block.header.height;
        let hash = block.hash();
        // The hash covers the header alone, and what is handed in is stored: the body has to be the one that it names.
        block.check_body().map_err(|fault| BlockError { height, transaction: None, fault })?;
        let executed = match self.ahead.take(&hash) {
            Some(executed) if executed.parent == self.state.block_hash() => executed,
            _ => self.execute(&self.state.clone(), block)?,
        };
        self.state = executed.state;
        self.ahead.keep_descendants_of(&hash);
        self.pool.follow(&self.state);
        self.outbox.follow(&self.state, |item| self.pool.has(item));
        for finished in executed.effects.all().filter_map(Effect::ended_round) {
            self.verdicts.forget_up_to(finished);
        }
        Ok(Some(executed.effects))
    }

    /// Takes over the execution of the next block that this process has done elsewhere, on a state of its own: final or not,
    /// the block is not executed again. What does not belong on the final state is ignored.
    ///
    /// # Security
    /// Nothing of it is checked. Only what this process has executed itself may be given.
    pub fn take_executed(&mut self, parent: Hash, state: State, effects: BlockEffects) {
        if parent == self.state.block_hash() && state.block_hash() == effects.block_hash {
            self.ahead.insert(Executed { parent, state, effects });
        }
    }

    /// Executes a block on a state. Nothing is kept of it here.
    fn execute(&mut self, parent: &State, block: &Block) -> Result<Executed, BlockError> {
        let mut state = parent.clone();
        let effects = state.apply_block(block, &mut self.verdicts)?;
        Ok(Executed { parent: parent.block_hash(), state, effects })
    }

    /// The verdicts that this replica goes by, for an intake beside it: what one has verified the other finds.
    pub fn verdicts(&self) -> SharedVerdicts {
        self.verdicts.clone()
    }

    /// What waits, what was executed and what was refused last, for a status page.
    pub fn summary(&self) -> Summary {
        Summary {
            final_height: self.state.height(),
            speculative_blocks: self.ahead.len(),
            bids: self.pool.bids.len(),
            bid_bytes: self.pool.bids.bytes(),
            shares: self.pool.shares.len(),
            key_events: self.pool.events.key_events(),
            roster_changes: self.pool.events.changes(),
            own_waiting: self.outbox.len(),
            verdicts: self.verdicts.len(),
            gossip: self.gossip_work,
            last_refusals: self.refusals.iter().cloned().collect(),
        }
    }

    fn note_refusal(&mut self, refusal: &impl std::fmt::Display) {
        if self.refusals.len() >= REMEMBERED_REFUSALS {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal.to_string());
    }

    fn max_clock_skew_ms(&self) -> u64 {
        self.state.timing().max_clock_skew_ms
    }
}
