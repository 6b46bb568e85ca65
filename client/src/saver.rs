//! The state of a process on its way to its disk, so that the next start goes on from there.
//!
//! What is saved has a stored block behind it, which names its root: the state before the newest one that the process has seen.
//! Encoding and writing are a job for a thread that may wait; a save that fails is said and tried again with a later state, because
//! the blocks are there all the same.

use crate::ledger::{Restart, SharedStore};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use veilgrid_ledger::state::State;
use veilgrid_store::{SavedKey, Unsaved};

/// How often a state is saved while blocks come: what a process that is killed executes again.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Saves the states of one process.
pub struct Saver {
    store: SharedStore,
    key: SavedKey,
    /// A state with a stored block behind it, once there is one that is not saved.
    ready: Option<State>,
    latest: State,
    due: Instant,
    /// Whether the state is written, or only that its blocks were verified.
    whole: bool,
    /// One job at a time, however many are handed out.
    writing: Arc<Mutex<()>>,
}

/// A state that is to be saved.
pub struct SaveJob {
    store: SharedStore,
    key: SavedKey,
    state: State,
    notes: Vec<u8>,
    whole: bool,
    writing: Arc<Mutex<()>>,
}

impl Saver {
    /// For a process at this state, all of whose blocks are in its store.
    pub fn new(store: SharedStore, restart: &Restart, state: State) -> Self {
        let due = Instant::now() + SAVE_EVERY;
        let (key, writing) = (restart.key.clone(), Arc::default());
        Self { store, key, ready: None, latest: state, due, whole: true, writing }
    }

    /// The same for a process that executes all blocks at its start: it saves that it has verified them.
    pub fn of_verdicts(store: SharedStore, restart: &Restart, state: State) -> Self {
        Self { whole: false, ..Self::new(store, restart, state) }
    }

    /// Takes the newest final state, all of whose blocks are in the store.
    pub fn follow(&mut self, state: &State) {
        if state.height() > self.latest.height() {
            self.ready = Some(std::mem::replace(&mut self.latest, state.clone()));
        }
    }

    /// Whether it is time to save, because it was long ago.
    pub fn is_due(&self) -> bool {
        self.ready.is_some() && Instant::now() >= self.due
    }

    /// Something was taken away that the next start would need ([`veilgrid_store::Store::prune_bodies`]).
    pub fn hurry(&mut self) {
        self.due = Instant::now();
    }

    /// What is to be saved now, if there is anything. `notes` are what the process wants to find beside it: as it is now.
    pub fn job(&mut self, notes: impl FnOnce() -> Vec<u8>) -> Option<SaveJob> {
        let state = self.ready.take()?;
        self.due = Instant::now() + SAVE_EVERY;
        let (store, key, writing) = (self.store.clone(), self.key.clone(), Arc::clone(&self.writing));
        Some(SaveJob { store, key, state, notes: notes(), whole: self.whole, writing })
    }
}

impl SaveJob {
    /// Encodes and writes; on a thread that may wait.
    pub fn run(self) {
        let Self { store, key, state, notes, whole, writing } = self;
        let _one_at_a_time = writing.lock().unwrap_or_else(PoisonError::into_inner);
        let since = Instant::now();
        let unsaved = if whole { Unsaved::new(&state, notes) } else { Unsaved::verdicts(&state) };
        // The store is free while the state is encoded.
        let saved = store.lock().save_state(&key, unsaved);
        let height = state.height();
        match saved {
            Ok(Some(bytes)) => {
                let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::debug!(height, bytes, ms, "the state is saved for the next start");
            }
            Ok(None) => tracing::debug!(height, "the state is not saved"),
            Err(error) => {
                tracing::warn!(height, %error, "the state is not saved: the next start executes more blocks again");
            }
        }
    }
}
