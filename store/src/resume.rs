//! Starting from a saved state instead of from block 1.

use crate::error::StoreError;
use crate::record::Stored;
use crate::replay::{ReplayError, Visit};
use crate::saved::{self, Checked, SavedKey, Unsaved};
use crate::store::Store;
use veilgrid_ledger::audit::{CertificateCheck, QuorumCertificates};
use veilgrid_ledger::hash::Hash;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::BidVerdicts;

/// Blocks above a saved state among which a certificate is looked for: all but a few have their own.
const CERTIFICATES_SEARCHED: u64 = 1_024;

/// What a node has saved and goes on from.
#[derive(Clone)]
pub struct Resumed {
    /// The state, with the root that a certified block names.
    pub state: State,
    /// What the node had noted beside it.
    pub notes: Vec<u8>,
}

impl Store {
    /// Saves the state after a block that has another one behind it, so that [`Store::resume`] can go on from there. The block
    /// behind has to name its root. On disk when it returns, whole, instead of the one before. Returns the bytes that were
    /// written; none when the state is not one of this store, when too many
    /// blocks have no certificate, or after [`Store::distrust`].
    ///
    /// # Errors
    /// [`StoreError::Halted`], [`StoreError::DiskFull`], [`StoreError::Io`]; the one before is there then.
    pub fn save_state(&mut self, key: &SavedKey, unsaved: Unsaved) -> Result<Option<usize>, StoreError> {
        if self.distrusted {
            return Ok(None);
        }
        // What it says of certificates is durable before it.
        self.flush()?;
        let at = unsaved.at();
        let Some(tip) = self.tip().filter(|tip| at.height < tip.height) else { return Ok(None) };
        if self.height_of(&at.hash)? != Some(at.height) {
            return Ok(None);
        }
        let Some(genesis) = self.stored(0)? else { return Ok(None) };
        let checked = Checked { tip, usage: self.usage, uncertified: self.uncertified.clone() };
        let saved = unsaved.into_saved(genesis.header().hash(), checked);
        if let Some(why) = saved.misfit() {
            tracing::debug!(why, "the state is not saved");
            return Ok(None);
        }
        saved::write(&self.path, &saved, key).map(Some)
    }

    /// Whether the store was opened with a saved state, which may still not hold ([`Store::resume`]).
    pub fn has_saved(&self) -> bool {
        self.saved.is_some()
    }

    /// The state that was saved, when the store was opened with it and it holds: its bytes lead to the root that the block after
    /// it names, and that block or a later one has a certificate of the validators whom it names. None otherwise; the log says
    /// why. The blocks after it are not executed yet ([`Store::replay_from`]).
    ///
    /// # Errors
    /// [`StoreError`] of the blocks that it needs.
    pub fn resume(&mut self) -> Result<Option<Resumed>, StoreError> {
        // Its bytes are not needed twice.
        let Some(saved) = self.saved.take() else { return Ok(None) };
        let path = self.path.display();
        match self.restored(&saved.state)? {
            Ok(state) if state.height() == saved.at.height && state.block_hash() == saved.at.hash => {
                Ok(Some(Resumed { state, notes: saved.notes }))
            }
            Ok(_) => {
                let why = "it is of another block";
                tracing::warn!(%path, why, "the saved state is not used: every block is executed again");
                Ok(None)
            }
            Err(why) => {
                tracing::warn!(%path, why, "the saved state is not used: every block is executed again");
                Ok(None)
            }
        }
    }

    fn restored(&self, bytes: &[u8]) -> Result<Result<State, String>, StoreError> {
        let Some(at) = State::saved_height(bytes) else { return Ok(Err("it can't be read".into())) };
        let next = at.saturating_add(1);
        let (Some(genesis), Some(after)) = (self.block(0)?, self.stored(next)?) else {
            return Ok(Err(format!("block {next} is not there")));
        };
        let whole = &mut |height| self.block(height).ok().flatten();
        let state = match State::restore(&genesis, bytes, &after.header().prior_state_root, whole) {
            Ok(state) => state,
            Err(fault) => return Ok(Err(fault.to_string())),
        };
        Ok(match self.is_certified(&state, next)? {
            true => Ok(state),
            false => Err(format!("no certificate confirms block {next}")),
        })
    }

    /// Whether the validators whom a state names have certified the block after it, or a later one.
    fn is_certified(&self, state: &State, next: u64) -> Result<bool, StoreError> {
        let ledger_id = state.community().ledger_id();
        let tip = self.tip().map_or(0, |tip| tip.height);
        for height in next..=tip.min(next.saturating_add(CERTIFICATES_SEARCHED)) {
            let epoch = state.timing().epoch_of(height);
            let (Some(certificate), Some(validators)) =
                (self.certificate(height)?, state.consensus_keys(epoch))
            else {
                continue;
            };
            let Some(block) = self.stored(height)? else { break };
            let hash = block.header().hash();
            // A certificate of this store was valid when it came.
            return Ok(QuorumCertificates.check(&ledger_id, epoch, &validators, &hash, &certificate).is_ok());
        }
        Ok(false)
    }

    /// Executes the blocks after a state, as [`Store::replay`] does.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn replay_from(
        &self,
        state: State,
        verdicts: &mut dyn BidVerdicts,
        visit: &mut Visit<'_>,
    ) -> Result<Option<State>, ReplayError> {
        self.execute_from(state, verdicts, visit)
    }

    /// Checks a stored block, which has this hash, as the opening of a store does; the hash of its parent. For whoever goes down
    /// the blocks that an opening with a saved state has not read.
    ///
    /// # Errors
    /// [`StoreError::DamagedBlock`], [`StoreError::Io`].
    pub fn check_block(&self, height: u64, hash: &Hash) -> Result<Hash, StoreError> {
        let stored = self.stored(height)?.ok_or_else(|| self.damaged(height, "it is missing".into()))?;
        let whole = match &stored {
            Stored::Full(block) => block.check_body().is_ok(),
            Stored::Pruned(block) => block.check_body().is_ok(),
        };
        let header = stored.header();
        if !whole || header.height != height || header.hash() != *hash {
            return Err(self.damaged(height, "its content was changed".into()));
        }
        if self.height_of(hash)? != Some(height) {
            return Err(self.damaged(height, "the index does not name it".into()));
        }
        self.certificate(height)?;
        Ok(header.parent_hash)
    }

    /// A block is not what it was: nothing is saved any more, and what was saved goes, durably. The next start checks everything.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn distrust(&mut self) -> Result<(), StoreError> {
        self.distrusted = true;
        self.forget_saved()
    }

    /// Removes the saved state, durably: the next start checks and executes every block.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn forget_saved(&mut self) -> Result<(), StoreError> {
        self.saved = None;
        saved::remove(&self.path)
    }
}
