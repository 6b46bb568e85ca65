//! A stored ledger executed again, block after block with every check that is still possible.

use crate::error::StoreError;
use crate::record::Stored;
use crate::store::Store;
use std::ops::ControlFlow;
use std::path::PathBuf;
use thiserror::Error;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::{Checkpoint, Skeleton};
use veilgrid_ledger::state::effects::Effect;
use veilgrid_ledger::verdicts::{BidVerdicts, VerifyAll};

/// Why a stored ledger can't be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The genesis breaks a rule.
    #[error("the genesis is refused: {0}")]
    Genesis(BlockError),
    /// The store fails, has no block, or has one that breaks a rule.
    #[error(transparent)]
    Store(#[from] StoreError),
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

/// Gets what a height or a transaction did, and the whole state after its block where there is one.
pub type Note<'a> = dyn FnMut(&Effect, Option<&State>) + 'a;

/// Is told the height that was executed and the last one, and says whether to go on.
pub type Watch<'a> = dyn FnMut(u64, u64) -> ControlFlow<()> + 'a;

impl Store {
    /// The state after the last block. A pruned ledger is replayed past its pruned blocks by its checkpoint.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn state(&self) -> Result<State, ReplayError> {
        let state = self.replay(&mut |_, _| {}, &mut |_, _| ControlFlow::Continue(()))?;
        // Nobody breaks it off.
        state.ok_or_else(|| StoreError::Empty { path: self.path.clone() }.into())
    }

    /// The same for whoever wants to hear of it: `note` gets what each height and each transaction did; of blocks up to a
    /// checkpoint only what does not depend on rounds that were finished there, because their bids are gone, and without a
    /// state. None when `watch` breaks it off.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(&self, note: &mut Note<'_>, watch: &mut Watch<'_>) -> Result<Option<State>, ReplayError> {
        let genesis = self.block(0)?.ok_or_else(|| StoreError::Empty { path: self.path.clone() })?;
        let mut state = State::from_genesis_block(&genesis).map_err(ReplayError::Genesis)?;
        let last = self.tip().map_or(0, |tip| tip.height);
        let mut first = 1;
        let checkpoint = self.checkpoint()?.map(|bytes| Checkpoint::from_bytes(&bytes)).transpose();
        let checkpoint = checkpoint.map_err(|error| self.pruned(error.to_string()))?;
        // After damage the store may end below its checkpoint; if what is left is whole it needs none.
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.height <= last) {
            first = checkpoint.height.saturating_add(1);
            let skeleton =
                Skeleton::new(state, Some(checkpoint)).map_err(|fault| self.pruned(fault.to_string()))?;
            let Some(after) = self.past_pruned(skeleton, first, last, note, watch)? else { return Ok(None) };
            state = after;
        }
        let verdicts: &mut dyn BidVerdicts = &mut VerifyAll;
        for height in first..=last {
            let block = match self.block(height) {
                Err(StoreError::Pruned { .. }) => {
                    return Err(self.pruned(format!("block {height} has no bids any more")));
                }
                block => block?,
            };
            let Some(block) = block else { break };
            let effects = state.apply_block(&block, verdicts).map_err(StoreError::Rule)?;
            effects.all().for_each(|effect| note(effect, Some(&state)));
            if watch(height, last).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(state))
    }

    fn past_pruned(
        &self,
        mut skeleton: Skeleton,
        end: u64,
        last: u64,
        note: &mut Note<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Option<State>, ReplayError> {
        for height in 1..end {
            let Some(stored) = self.stored(height)? else { break };
            let step = match &stored {
                Stored::Full(block) => skeleton.full(block, &mut VerifyAll),
                Stored::Pruned(block) => skeleton.pruned(block, &mut VerifyAll),
            };
            let step = step.map_err(|fault| self.pruned(fault.to_string()))?;
            step.outset.iter().chain(step.effects.iter().flatten()).for_each(|effect| note(effect, None));
            if watch(height, last).is_break() {
                return Ok(None);
            }
        }
        let complete = skeleton.complete();
        let (state, _) =
            complete.map_err(|_| self.pruned("its checkpoint is of a later block".to_owned()))?;
        // The next header names the root; at the tip it is the next block that does, and the engine delivers it.
        if let Some(next) = self.stored(end)?
            && next.header().prior_state_root != state.root()
        {
            return Err(self.pruned("its checkpoint is not the state that the next block names".to_owned()));
        }
        Ok(Some(state))
    }

    fn pruned(&self, why: String) -> ReplayError {
        ReplayError::Pruned { path: self.path.clone(), why }
    }
}
