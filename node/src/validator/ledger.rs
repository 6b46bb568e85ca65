//! Opening a validator's ledger: the store, the state after its last block, what to do when it is damaged.

use crate::founding::{self, FoundingError};
use crate::shutdown::Shutdown;
use crate::start::open_store;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_store::{ReplayError, Store, StoreError};

/// How often a long replay says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Why a validator's ledger can't be opened.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The genesis file can't be read, is none of a network, or not the one that the operator trusts.
    #[error(transparent)]
    GenesisFile(#[from] FoundingError),
    /// The stored blocks can't be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
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
    let state = replayed(&store, note, shutdown)?;
    Ok((store, state))
}

/// Gets what a height or a transaction did, and the whole state after its block where there is one.
type Note<'a> = dyn FnMut(&Effect, Option<&State>) + 'a;

/// Replays a store, says now and then how far it is, and ends when the process is to end.
fn replayed(store: &Store, note: &mut Note<'_>, shutdown: &Shutdown) -> Result<State, LedgerError> {
    let mut said = Instant::now();
    let mut watch = |height: u64, last: u64| {
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            tracing::info!(height, of = last, "stored blocks are executed again");
        }
        if height < last && shutdown.is_triggered() {
            tracing::info!(height, of = last, "stopped while stored blocks are executed again");
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    };
    match store.replay(note, &mut watch)? {
        Some(state) => Ok(state),
        None => Err(LedgerError::Stopped),
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
