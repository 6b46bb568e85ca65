//! Opening a validator's ledger: the store, the state after its last block, what its blocks did on the way there.

use crate::notes::Notes;
use std::ops::ControlFlow;
use std::path::Path;
use thiserror::Error;
use veilgrid_client::ledger::{self, OpenError, Opened, Restart};
use veilgrid_client::shutdown::Shutdown;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_store::{ReplayError, Store};

/// Why a validator's ledger can't be opened.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The store.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The stored blocks can't be replayed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The process is to end before all stored blocks are executed. Nothing is lost: they are executed at the next start.
    #[error("the process is asked to stop while stored blocks are executed again")]
    Stopped,
}

/// A ledger that is open.
pub(super) struct Ledger {
    pub(super) store: Store,
    /// The state after the last block.
    pub(super) state: State,
    /// The saved state that it has gone on from, if there was one.
    pub(super) from: Option<State>,
}

/// What the way to the last block tells.
pub(super) enum Told<'a> {
    /// What was noted of the blocks that are not executed again, first.
    Noted(Notes),
    /// What a height or a transaction did, and the whole state after its block where there is one.
    Done(&'a Effect, Option<&'a State>),
}

/// Gets it.
type Note<'a> = dyn FnMut(Told<'_>) + 'a;

/// Opens the store of this genesis at `path`, or begins one, and goes on from the state that this validator has saved; without one
/// that holds the store is replayed with every check. A damaged store is moved aside; the blocks that it lost come from the engine
/// again.
///
/// `note` gets what each height and each transaction did, with the state after the block; of blocks up to a checkpoint
/// only what does not depend on rounds that were finished there, because their bids are gone, and without a state. A
/// long replay ends with [`LedgerError::Stopped`] when `shutdown` is raised.
pub(super) fn open_noting(
    path: &Path,
    genesis: &Block,
    restart: &Restart,
    note: &mut Note<'_>,
    shutdown: &Shutdown,
) -> Result<Ledger, LedgerError> {
    let Opened { store, resumed } = ledger::open_saved(path, genesis, restart, Notes::from_bytes)?;
    let last = store.tip().map_or(0, |tip| tip.height);
    let (saved, notes) = resumed.unzip();
    let from = saved.clone();
    let noted = notes.as_ref().map_or(0, |notes: &Notes| notes.height);
    notes.into_iter().for_each(|notes| note(Told::Noted(notes)));
    let state = ledger::replay(&store, saved, &mut VerifyAll, |block| {
        if block.height() > noted {
            block.effects().for_each(|effect| note(Told::Done(effect, block.state())));
        }
        match block.height() < last && shutdown.is_triggered() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok(Ledger { store, state: state.ok_or(LedgerError::Stopped)?, from })
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
