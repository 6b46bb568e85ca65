//! The follower's blocks on disk.
//!
//! A store holds only blocks that were certified when they came, so a restart executes them again, or goes on from the state that
//! the process has saved, and asks for no certificate. The genesis comes from a local file that has to have the trusted hash.

use super::chain::{Accepted, Chain};
use super::error::FollowerError;
use crate::genesis::read_genesis;
use crate::ledger::{self, Opened, Restart, SharedStore};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::BidVerdicts;
use veilgrid_store::{ReplayError, Replayed, StoreError};

/// Reads block 0 from a file that the operator trusts as it is.
///
/// # Errors
/// [`FollowerError::GenesisFile`].
pub fn genesis_from(path: &Path) -> Result<Block, FollowerError> {
    Ok(read_genesis(path, None)?)
}

/// The blocks that a follower keeps.
pub struct Keeper {
    store: SharedStore,
    path: PathBuf,
    genesis: Block,
    /// The state to go on from.
    saved: Option<State>,
}

impl Keeper {
    /// Opens or begins the store at `path` for the ledger of this genesis. A damaged one is moved aside; the blocks that
    /// it lost are fetched again.
    ///
    /// # Errors
    /// [`FollowerError::Open`].
    pub fn open(path: &Path, genesis: Block) -> Result<Self, FollowerError> {
        let store = ledger::open(path, &genesis)?;
        Ok(Self { store: SharedStore::new(store), path: path.to_path_buf(), genesis, saved: None })
    }

    /// The same; proofs of blocks that this process has verified before are not verified again.
    ///
    /// # Errors
    /// [`FollowerError::Open`].
    pub fn open_verified(path: &Path, genesis: Block, restart: &Restart) -> Result<Self, FollowerError> {
        let store = ledger::open_verified(path, &genesis, restart)?;
        Ok(Self { store: SharedStore::new(store), path: path.to_path_buf(), genesis, saved: None })
    }

    /// The same from the state that this process has saved, if it has and it holds; what it had noted beside it comes back.
    ///
    /// # Errors
    /// [`FollowerError::Open`].
    pub fn open_saved<T>(
        path: &Path,
        genesis: Block,
        restart: &Restart,
        notes: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<(Self, Option<T>), FollowerError> {
        let Opened { store, resumed } = ledger::open_saved(path, &genesis, restart, notes)?;
        let (saved, notes) = resumed.unzip();
        Ok((Self { store: SharedStore::new(store), path: path.to_path_buf(), genesis, saved }, notes))
    }

    /// The state that was saved, until the blocks after it are executed.
    pub fn saved_state(&self) -> Option<&State> {
        self.saved.as_ref()
    }

    /// The state that the blocks are executed from: the genesis', or the saved one.
    ///
    /// # Errors
    /// A genesis that breaks a rule.
    pub fn first_state(&self) -> Result<State, FollowerError> {
        match &self.saved {
            Some(state) => Ok(state.clone()),
            None => State::from_genesis_block(&self.genesis)
                .map_err(|error| FollowerError::Replay(ReplayError::Genesis(error))),
        }
    }

    /// The store, for whoever shows its blocks.
    pub fn store(&self) -> SharedStore {
        self.store.clone()
    }

    /// Executes all stored blocks again, or those after the saved state, with every bid verified. `on_block` gets each of them and says whether to go
    /// on; the chain is none when it does not. It must not ask for blocks of the store meanwhile.
    ///
    /// # Errors
    /// A stored block that breaks a rule, and the store's errors.
    pub fn replay<C: CertificateCheck + 'static>(
        &mut self,
        certificates: C,
        verdicts: &mut dyn BidVerdicts,
        mut on_block: impl FnMut(Accepted) -> bool,
    ) -> Result<Option<Chain<C>>, FollowerError> {
        let saved = self.saved.take();
        let mut tip = Arc::new(self.genesis.clone());
        let mut fault = None;
        // Nobody else uses the store before its blocks are executed.
        let store = self.store.lock();
        let state = ledger::replay(&store, saved, verdicts, |replayed| {
            let Replayed::Whole { block, effects, state } = replayed else {
                // A follower prunes nothing: it has to show everything that it followed.
                fault = Some(StoreError::Pruned { path: self.path.clone(), height: replayed.height() });
                return ControlFlow::Break(());
            };
            let certificate = match store.certificate(block.header.height) {
                Ok(certificate) => certificate.map(Arc::from),
                Err(error) => {
                    fault = Some(error);
                    return ControlFlow::Break(());
                }
            };
            tip = Arc::new(block);
            let (block, effects, state) = (Arc::clone(&tip), Arc::new(effects), state.clone());
            match on_block(Accepted { block, certificate, effects, state }) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
        if let Some(error) = fault {
            return Err(error.into());
        }
        let Some(state) = state? else { return Ok(None) };
        let certificate = store.certificate(tip.header.height)?.map(Arc::from);
        Ok(Some(Chain::new(state, tip, certificate, certificates)))
    }

    /// Stores accepted blocks; they are on disk when it returns.
    ///
    /// # Errors
    /// The store's.
    pub fn append(&mut self, accepted: &[Accepted]) -> Result<(), FollowerError> {
        let mut store = self.store.lock();
        for accepted in accepted {
            let certificate = accepted.certificate.as_deref();
            store.append(&accepted.block, certificate)?;
        }
        Ok(())
    }
}
