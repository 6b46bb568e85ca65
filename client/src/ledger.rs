//! A stored ledger opened, and executed again or gone on with: what a validator, an aggregator and a member have in common.

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
use veilgrid_store::{Checks, ReplayError, Replayed, Resumed, SavedKey, Store, StoreError};

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

/// How a process's own ledger is opened.
#[derive(Clone)]
pub struct Restart {
    /// The key under which this process knows what it has saved.
    pub key: SavedKey,
    /// Whether every stored block is checked and executed again, whatever was saved.
    pub verify_all: bool,
}

/// A store that is open.
pub struct Opened<T> {
    /// The store.
    pub store: Store,
    /// The state to go on from, with what the process had noted beside it; none when every block is executed again.
    pub resumed: Option<(State, T)>,
}

/// Opens the store of this genesis at `path`, or begins one, with every check. A damaged one is moved aside and built anew from
/// what is whole; the rest has to be fetched again.
///
/// # Errors
/// [`OpenError`].
pub fn open(path: &Path, genesis: &Block) -> Result<Store, OpenError> {
    open_checking(path, genesis, Checks::All)
}

fn open_checking(path: &Path, genesis: &Block, checks: Checks<'_>) -> Result<Store, OpenError> {
    let opened = Store::open_checking_or_rebuild(path, checks)?;
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

/// As [`open`]; proofs of blocks that this process has verified before are not verified again by a replay, unless that is asked for.
///
/// # Errors
/// [`OpenError`].
pub fn open_verified(path: &Path, genesis: &Block, restart: &Restart) -> Result<Store, OpenError> {
    match restart.verify_all {
        true => open(path, genesis),
        false => open_checking(path, genesis, Checks::AllButProofs(&restart.key)),
    }
}

/// As [`open`], from the state that this process has saved, if it has and it holds. `notes` reads what it had noted.
///
/// # Errors
/// [`OpenError`].
pub fn open_saved<T>(
    path: &Path,
    genesis: &Block,
    restart: &Restart,
    notes: impl FnOnce(&[u8]) -> Option<T>,
) -> Result<Opened<T>, OpenError> {
    if restart.verify_all {
        return Ok(Opened { store: open(path, genesis)?, resumed: None });
    }
    let mut store = open_checking(path, genesis, Checks::SinceSaved(&restart.key))?;
    if !store.has_saved() {
        return Ok(Opened { store, resumed: None });
    }
    let why = match store.resume() {
        Ok(Some(Resumed { state, notes: bytes })) => match notes(&bytes) {
            Some(notes) => {
                tracing::info!(height = state.height(), "the ledger goes on from the saved state");
                return Ok(Opened { store, resumed: Some((state, notes)) });
            }
            None => "what was noted beside it can't be read".to_owned(),
        },
        Ok(None) => "it does not lead to the ledger's state".to_owned(),
        Err(error) => error.to_string(),
    };
    tracing::warn!(why, "the saved state is not used: every block is checked and executed again");
    store.forget_saved()?;
    drop(store);
    Ok(Opened { store: open(path, genesis)?, resumed: None })
}

/// Executes stored blocks again with every check that is still possible, and says now and then how far it is: all of them
/// ([`Store::replay`]), or those after a state that was saved ([`Store::replay_from`]). `visit` gets each block and says whether to
/// go on; none when it does not.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(
    store: &Store,
    saved: Option<State>,
    verdicts: &mut dyn BidVerdicts,
    mut visit: impl FnMut(Replayed<'_>) -> ControlFlow<()>,
) -> Result<Option<State>, ReplayError> {
    let of = store.tip().map_or(0, |tip| tip.height);
    let mut said = Instant::now();
    let visit = &mut |block: Replayed<'_>| {
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
    };
    match saved {
        None => store.replay(verdicts, visit),
        Some(state) => store.replay_from(state, verdicts, visit),
    }
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

impl SharedStore {
    /// A stored block is not what it was: the next start checks all of them, and builds the store anew.
    pub(crate) fn found_damage(&self, height: u64, error: &StoreError) {
        tracing::error!(height, %error, "a stored block can't be read: start this process again, and it repairs its store");
        if let Err(error) = self.lock().distrust() {
            tracing::error!(%error, "the saved state can't be removed: start with --verify-all");
        }
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
                drop(store);
                self.found_damage(height, &error);
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
