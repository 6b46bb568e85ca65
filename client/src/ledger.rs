//! A stored ledger opened and executed again: what a validator, an aggregator and a member have in common.

use crate::ledger_view::BlockSource;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::time::Instant;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::BidVerdicts;
use veilgrid_store::{ReplayError, Replayed, Store, StoreError};

/// How often a long replay says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Why a store can't be opened as that of a ledger.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The store is one of another ledger.
    #[error("{} holds the ledger of another genesis: choose another data_dir", .path.display())]
    OtherLedger {
        /// The store.
        path: PathBuf,
    },
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the store of this genesis at `path`, or begins one. A damaged one is moved aside and built anew from what is
/// whole; the rest has to be fetched again.
///
/// # Errors
/// [`OpenError`].
pub fn open(path: &Path, genesis: &Block) -> Result<Store, OpenError> {
    let opened = Store::open_or_rebuild(path)?;
    if let Some(rebuilt) = opened.rebuilt {
        tracing::error!(
            why = rebuilt.why, kept_blocks = rebuilt.kept_blocks, moved_to = %rebuilt.moved_to.display(),
            "the ledger's store was damaged: it was built anew, and blocks that are missing are fetched again"
        );
    }
    let mut store = opened.store;
    match store.stored(0)? {
        None => {
            store.append(genesis, None)?;
        }
        Some(stored) if stored.header().hash() == genesis.hash() => {}
        Some(_) => return Err(OpenError::OtherLedger { path: path.to_path_buf() }),
    }
    Ok(store)
}

/// Executes all stored blocks again with every check that is still possible ([`Store::replay`]), and says now and then
/// how far it is. `visit` gets each block and says whether to go on; none when it does not.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(
    store: &Store,
    verdicts: &mut dyn BidVerdicts,
    mut visit: impl FnMut(Replayed<'_>) -> ControlFlow<()>,
) -> Result<Option<State>, ReplayError> {
    let of = store.tip().map_or(0, |tip| tip.height);
    let mut said = Instant::now();
    store.replay(verdicts, &mut |block| {
        let height = block.height();
        if said.elapsed() >= PROGRESS {
            said = Instant::now();
            tracing::info!(height, of, "stored blocks are executed again");
        }
        let go_on = visit(block);
        if go_on.is_break() {
            tracing::info!(height, of, "stopped while stored blocks are executed again");
        }
        go_on
    })
}

/// A store that one thread writes and others read. Clones are one store.
#[derive(Clone)]
pub struct SharedStore(Arc<Mutex<Store>>);

impl SharedStore {
    /// A store for several threads.
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    /// The store, for as long as the guard lives.
    pub fn lock(&self) -> MutexGuard<'_, Store> {
        // The store halts itself after a failed write; a panic elsewhere leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockSource for SharedStore {
    fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let store = self.lock();
        let block = match store.block_bytes(height) {
            Ok(block) => block?,
            // Whoever asks gets the blocks that are there and learns from the gap that the rest is pruned.
            Err(StoreError::Pruned { .. }) => return None,
            Err(error) => {
                tracing::error!(height, %error, "a stored block can't be read");
                return None;
            }
        };
        let certificate = store.certificate(height).unwrap_or_else(|error| {
            tracing::error!(height, %error, "a stored certificate can't be read");
            None
        });
        Some((block, certificate))
    }
}
