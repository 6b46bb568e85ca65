//! A stored ledger executed again, block after block with every check that is still possible.

use crate::error::StoreError;
use crate::record::Stored;
use crate::store::Store;
use std::ops::ControlFlow;
use std::path::PathBuf;
use thiserror::Error;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::foresight::{Ended, Execution, Foreseen, Window, in_windows};
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::state::checkpoint::{Checkpoint, Skeleton};
use veilgrid_ledger::state::effects::{BlockEffects, Effect};
use veilgrid_ledger::verdicts::{BidVerdicts, VerifiedBefore, VerifyAll};

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

/// A stored block that was executed again.
#[allow(
    clippy::large_enum_variant,
    reason = "one at a time, handed on at once: a box would be one more allocation a block"
)]
pub enum Replayed<'a> {
    /// A whole block, with every check.
    Whole {
        /// The block.
        block: Block,
        /// What it did.
        effects: BlockEffects,
        /// The state after it.
        state: &'a State,
    },
    /// A block up to the checkpoint of a pruned ledger. Rounds that were finished there are not recomputed, because their
    /// bids are gone, so there is no whole state either.
    Passed {
        /// Its height.
        height: u64,
        /// What of it does not depend on such a round.
        effects: Vec<Effect>,
    },
}

impl Replayed<'_> {
    /// The height of the block.
    pub fn height(&self) -> u64 {
        match self {
            Self::Whole { block, .. } => block.header.height,
            Self::Passed { height, .. } => *height,
        }
    }

    /// What its height and its transactions did, as far as it is known.
    pub fn effects(&self) -> impl Iterator<Item = &Effect> {
        let (at_start, effects) = match self {
            Self::Whole { effects, .. } => (&effects.at_start[..], &effects.effects[..]),
            Self::Passed { effects, .. } => (&effects[..], &[][..]),
        };
        at_start.iter().chain(effects)
    }

    /// The state after it, when it is known.
    pub fn state(&self) -> Option<&State> {
        match self {
            Self::Whole { state, .. } => Some(state),
            Self::Passed { .. } => None,
        }
    }
}

/// Gets each block after block 0, and says whether to go on.
pub type Visit<'a> = dyn FnMut(Replayed<'_>) -> ControlFlow<()> + 'a;

/// Whole blocks that are executed one after another.
struct Executing<'a, 'b> {
    state: State,
    visit: &'a mut Visit<'b>,
}

impl Execution for Executing<'_, '_> {
    type Item = Block;
    /// None: the visitor has had enough.
    type End = Option<ReplayError>;

    fn state(&self) -> Option<&State> {
        Some(&self.state)
    }

    fn execute(&mut self, block: Block, verdicts: &mut Foreseen<'_>) -> Result<(), Self::End> {
        let effects =
            self.state.apply_block(&block, verdicts).map_err(|error| StoreError::Rule(error).into());
        let effects = effects.map_err(Some)?;
        match (self.visit)(Replayed::Whole { block, effects, state: &self.state }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(None),
        }
    }
}

impl Store {
    /// The state after the last block. A pruned ledger is replayed past its pruned blocks by its checkpoint.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn state(&self) -> Result<State, ReplayError> {
        let state = self.replay(&mut VerifyAll, &mut |_| ControlFlow::Continue(()))?;
        // Nobody breaks it off.
        state.ok_or_else(|| StoreError::Empty { path: self.path.clone() }.into())
    }

    /// The same for whoever wants to hear of it. None when `visit` breaks it off. Proofs of bids are verified ahead, in batches
    /// over many blocks; `verdicts` is asked about those that are not.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay(
        &self,
        verdicts: &mut dyn BidVerdicts,
        visit: &mut Visit<'_>,
    ) -> Result<Option<State>, ReplayError> {
        let genesis = self.block(0)?.ok_or_else(|| StoreError::Empty { path: self.path.clone() })?;
        let mut state = State::from_genesis_block(&genesis).map_err(ReplayError::Genesis)?;
        let last = self.tip().map_or(0, |tip| tip.height);
        let checkpoint = self.checkpoint()?.map(|bytes| Checkpoint::from_bytes(&bytes)).transpose();
        let checkpoint = checkpoint.map_err(|error| self.pruned(error.to_string()))?;
        // After damage the store may end below its checkpoint; if what is left is whole it needs none.
        if let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.height <= last) {
            let first = checkpoint.height.saturating_add(1);
            let skeleton =
                Skeleton::new(state, Some(checkpoint)).map_err(|fault| self.pruned(fault.to_string()))?;
            let Some(after) = self.past_pruned(skeleton, first, verdicts, visit)? else { return Ok(None) };
            state = after;
        }
        self.execute_from(state, verdicts, visit)
    }

    /// Executes blocks whose proofs this node has verified before; each state root is compared with the next block's header, and a
    /// block with a bid that was refused is executed again with true verdicts.
    fn execute_known(
        &self,
        mut state: State,
        verdicts: &mut dyn BidVerdicts,
        visit: &mut Visit<'_>,
    ) -> Result<Option<State>, ReplayError> {
        let Some(known) = self.verified_up_to.filter(|known| *known > state.height()) else {
            return Ok(Some(state));
        };
        let Some(mut block) = self.block(state.height().saturating_add(1))? else { return Ok(Some(state)) };
        while block.header.height <= known {
            // There is one: what was saved had a block behind it.
            let Some(next) = self.block(block.header.height.saturating_add(1))? else { break };
            let mut after = state.clone();
            let effects = match after.apply_block(&block, &mut VerifiedBefore) {
                Ok(effects) if effects.state_root == next.header.prior_state_root => effects,
                _ => {
                    after = state.clone();
                    after.apply_block(&block, verdicts).map_err(StoreError::Rule)?
                }
            };
            state = after;
            if visit(Replayed::Whole { block, effects, state: &state }).is_break() {
                return Ok(None);
            }
            block = next;
        }
        Ok(Some(state))
    }

    /// Executes the blocks after a state.
    pub(crate) fn execute_from(
        &self,
        state: State,
        verdicts: &mut dyn BidVerdicts,
        visit: &mut Visit<'_>,
    ) -> Result<Option<State>, ReplayError> {
        let Some(state) = self.execute_known(state, verdicts, visit)? else { return Ok(None) };
        let (first, last) = (state.height().saturating_add(1), self.tip().map_or(0, |tip| tip.height));
        let blocks = (first..=last).map_while(|height| match self.block(height) {
            Err(StoreError::Pruned { .. }) => {
                Some(Err(self.pruned(format!("block {height} has no bids any more"))))
            }
            block => block.map_err(ReplayError::from).transpose(),
        });
        let mut executing = Executing { state, visit };
        match in_windows(blocks, &mut executing, Window::Full, verdicts) {
            Ok(()) => Ok(Some(executing.state)),
            Err(Ended::Execution(None)) => Ok(None),
            Err(Ended::Execution(Some(error)) | Ended::Source(error)) => Err(error),
        }
    }

    fn past_pruned(
        &self,
        mut skeleton: Skeleton,
        end: u64,
        verdicts: &mut dyn BidVerdicts,
        visit: &mut Visit<'_>,
    ) -> Result<Option<State>, ReplayError> {
        for height in 1..end {
            let Some(stored) = self.stored(height)? else { break };
            let step = match &stored {
                Stored::Full(block) => skeleton.full(block, verdicts),
                Stored::Pruned(block) => skeleton.pruned(block, verdicts),
            };
            let step = step.map_err(|fault| self.pruned(fault.to_string()))?;
            let effects = step.at_start.into_iter().chain(step.effects.into_iter().flatten()).collect();
            if visit(Replayed::Passed { height, effects }).is_break() {
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
