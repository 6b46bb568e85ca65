//! Opening a validator's ledger: the store, the state after its last block, what its blocks did on the way there.

use std::ops::ControlFlow;
use std::path::Path;
use thiserror::Error;
use veilgrid_client::ledger::{self, OpenError};
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

/// Gets what a height or a transaction did, and the whole state after its block where there is one.
type Note<'a> = dyn FnMut(&Effect, Option<&State>) + 'a;

/// Opens the store of this genesis at `path`, or begins one, and replays it with every check. A damaged store is moved
/// aside; the blocks that it lost come from the engine again.
///
/// `note` gets what each height and each transaction did, with the state after the block; of blocks up to a checkpoint
/// only what does not depend on rounds that were finished there, because their bids are gone, and without a state. A
/// long replay ends with [`LedgerError::Stopped`] when `shutdown` is raised.
pub(super) fn open_noting(
    path: &Path,
    genesis: &Block,
    note: &mut Note<'_>,
    shutdown: &Shutdown,
) -> Result<(Store, State), LedgerError> {
    let store = ledger::open(path, genesis)?;
    let last = store.tip().map_or(0, |tip| tip.height);
    let state = ledger::replay(&store, &mut VerifyAll, |block| {
        block.effects().for_each(|effect| note(effect, block.state()));
        match block.height() < last && shutdown.is_triggered() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    Ok((store, state.ok_or(LedgerError::Stopped)?))
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
