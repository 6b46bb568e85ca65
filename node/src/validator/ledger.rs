//! Opening a validator's ledger: the store, the state after its last block, what to do when it is damaged.

use crate::founding::{self, FoundingError};
use crate::shutdown::Shutdown;
use crate::start::open_store;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::{Checkpoint, Skeleton};
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::verdicts::{BidVerdicts, VerifyAll};
use veilgrid_store::{Store, StoreError, Stored};

/// How often a long replay says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Why a validator's ledger can't be opened.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The genesis file can't be read, is none of a network, or not the one that the operator trusts.
    #[error(transparent)]
    GenesisFile(#[from] FoundingError),
    /// The genesis breaks a rule.
    #[error("the genesis is refused: {0}")]
    Genesis(BlockError),
    /// The store is one of another ledger.
    #[error("{} holds the ledger of another genesis: choose another data_dir", .path.display())]
    OtherLedger {
        /// The store.
        path: PathBuf,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process is to end before all stored blocks are executed. Nothing is lost: they are executed at the next start.
    #[error("the process is asked to stop while stored blocks are executed again")]
    Stopped,
    /// Pruned blocks and their checkpoint don't lead to the state that later blocks build on.
    #[error(
        "{}: the pruned ledger does not replay ({why}); move the directory away and start again: the blocks come from \
         the other validators",
        .path.display()
    )]
    Pruned {
        /// The store.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// Reads block 0 from a file; its hash has to be the trusted one when there is one.
pub(super) fn read_genesis(path: &Path, trusted: Option<&Hash>) -> Result<Block, LedgerError> {
    Ok(founding::read_genesis(path, trusted)?)
}

/// Opens the store of this genesis at `path`, or begins one, and replays it with every check. A damaged store is moved
/// aside; the blocks that it lost come from the engine again.
///
/// `note` gets what each height and each transaction did, with the state after the block; of blocks up to a checkpoint
/// only what does not depend on rounds that were finished there, because their bids are gone, and without a state. A long replay ends with
/// [`LedgerError::Stopped`] when `shutdown` is raised.
pub(super) fn open_noting(
    path: &Path,
    genesis: &Block,
    note: &mut Note<'_>,
    shutdown: &Shutdown,
) -> Result<(Store, State), LedgerError> {
    let mut store = open_store(path)?;
    match store.stored(0)? {
        None => {
            store.append(genesis, None)?;
        }
        Some(stored) if stored.header().hash() == genesis.hash() => {}
        Some(_) => return Err(LedgerError::OtherLedger { path: path.to_path_buf() }),
    }
    let state = replay(&store, path, genesis, note, shutdown)?;
    Ok((store, state))
}

/// The state after a store's last block, with every check that is still possible: a pruned ledger is replayed past its
/// pruned blocks by its checkpoint.
///
/// # Errors
/// A stored block that breaks a rule, pruned blocks that lead nowhere, and what reading the store can give.
pub fn state_of(store: &Store, path: &Path) -> Result<State, LedgerError> {
    match store.block(0)? {
        Some(genesis) => replay(store, path, &genesis, &mut |_, _| {}, &Shutdown::new()),
        None => Err(StoreError::Empty { path: path.to_path_buf() }.into()),
    }
}

/// Gets what a height or a transaction did, and the whole state after its block where there is one.
type Note<'a> = dyn FnMut(&Effect, Option<&State>) + 'a;

fn replay(
    store: &Store,
    path: &Path,
    genesis: &Block,
    note: &mut Note<'_>,
    shutdown: &Shutdown,
) -> Result<State, LedgerError> {
    let mut state = State::from_genesis_block(genesis).map_err(LedgerError::Genesis)?;
    let pruned = |why: String| LedgerError::Pruned { path: path.to_path_buf(), why };
    let last = store.tip().map_or(0, |tip| tip.height);
    let mut progress = Progress { last, said: Instant::now(), shutdown };
    let mut first = 1;
    let checkpoint = store.checkpoint()?.map(|bytes| Checkpoint::from_bytes(&bytes)).transpose();
    let checkpoint = checkpoint.map_err(|error| pruned(error.to_string()))?;
    // After damage the store may end below its checkpoint; if what is left is whole it needs none.
    if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.height <= last) {
        first = checkpoint.height.saturating_add(1);
        let skeleton = Skeleton::new(state, Some(checkpoint)).map_err(|fault| pruned(fault.to_string()))?;
        state = past_pruned(store, skeleton, first, &mut progress, &pruned, note)?;
    }
    let verdicts: &mut dyn BidVerdicts = &mut VerifyAll;
    for height in first..=last {
        let block = match store.block(height) {
            Err(StoreError::Pruned { .. }) => {
                return Err(pruned(format!("block {height} has no bids any more")));
            }
            block => block?,
        };
        let Some(block) = block else { break };
        let effects = state.apply_block(&block, verdicts).map_err(StoreError::Rule)?;
        effects.all().for_each(|effect| note(effect, Some(&state)));
        progress.at(height)?;
    }
    Ok(state)
}

fn past_pruned(
    store: &Store,
    mut skeleton: Skeleton,
    end: u64,
    progress: &mut Progress<'_>,
    pruned: &dyn Fn(String) -> LedgerError,
    note: &mut Note<'_>,
) -> Result<State, LedgerError> {
    for height in 1..end {
        let Some(stored) = store.stored(height)? else { break };
        let step = match &stored {
            Stored::Full(block) => skeleton.full(block, &mut VerifyAll),
            Stored::Pruned(block) => skeleton.pruned(block, &mut VerifyAll),
        };
        let step = step.map_err(|fault| pruned(fault.to_string()))?;
        step.outset.iter().chain(step.effects.iter().flatten()).for_each(|effect| note(effect, None));
        progress.at(height)?;
    }
    let (state, _) =
        skeleton.complete().map_err(|_| pruned("its checkpoint is of a later block".to_owned()))?;
    // The next header names the root; at the tip it is the next block that does, and the engine delivers it.
    if let Some(next) = store.stored(end)?
        && next.header().prior_state_root != state.root()
    {
        return Err(pruned("its checkpoint is not the state that the next block names".to_owned()));
    }
    Ok(state)
}

/// Says now and then how far a replay is, and ends it when the process is to end.
struct Progress<'a> {
    last: u64,
    said: Instant,
    shutdown: &'a Shutdown,
}

impl Progress<'_> {
    fn at(&mut self, height: u64) -> Result<(), LedgerError> {
        if self.said.elapsed() >= PROGRESS {
            self.said = Instant::now();
            tracing::info!(height, of = self.last, "stored blocks are executed again");
        }
        if height < self.last && self.shutdown.is_triggered() {
            tracing::info!(height, of = self.last, "stopped while stored blocks are executed again");
            return Err(LedgerError::Stopped);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
