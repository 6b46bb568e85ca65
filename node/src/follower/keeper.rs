//! The follower's blocks on disk.
//!
//! A store holds only blocks that were certified when they came, so a restart executes them again and asks for no
//! certificate. The genesis comes from a local file that has to have the trusted hash.

use super::chain::{Accepted, Chain};
use super::error::FollowerError;
use crate::founding::read_genesis;
use crate::ledger_view::BlockSource;
use crate::start::open_store;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;
use veilgrid_ledger::audit::CertificateCheck;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::BidVerdicts;
use veilgrid_store::{Store, StoreError};

/// How often a long replay says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Reads block 0 from a file that the operator trusts as it is.
///
/// # Errors
/// [`FollowerError::GenesisFile`].
pub fn genesis_from(path: &Path) -> Result<Block, FollowerError> {
    Ok(read_genesis(path, None)?)
}

/// A store that one task writes and others read.
#[derive(Clone)]
pub struct SharedStore(Arc<Mutex<Store>>);

impl SharedStore {
    fn lock(&self) -> MutexGuard<'_, Store> {
        // A panic elsewhere leaves the store as its last batch left it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BlockSource for SharedStore {
    fn block(&self, height: u64) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let store = self.lock();
        let read = store.block_bytes(height).and_then(|block| Ok((block, store.certificate(height)?)));
        match read {
            Ok((block, certificate)) => Some((block?, certificate)),
            Err(error) => {
                tracing::error!(%error, height, "a stored block can't be read");
                None
            }
        }
    }
}

/// A block with its certificate.
type StoredBlock = (Block, Option<Arc<[u8]>>);

/// The blocks that a follower keeps.
pub struct Keeper {
    store: SharedStore,
    genesis: Block,
}

impl Keeper {
    /// Opens or begins the store at `path` for the ledger of this genesis. A damaged one is moved aside; the blocks that
    /// it lost are fetched again.
    ///
    /// # Errors
    /// [`FollowerError::OtherLedger`], [`FollowerError::Store`].
    pub fn open(path: &Path, genesis: Block) -> Result<Self, FollowerError> {
        let mut store = open_store(path)?;
        match store.block(0)? {
            None => {
                store.append(&genesis, None)?;
            }
            Some(stored) if stored.hash() == genesis.hash() => {}
            Some(_) => return Err(FollowerError::OtherLedger { path: path.to_path_buf() }),
        }
        Ok(Self { store: SharedStore(Arc::new(Mutex::new(store))), genesis })
    }

    /// The store, for whoever shows its blocks.
    pub fn store(&self) -> SharedStore {
        self.store.clone()
    }

    /// Executes all stored blocks again, with every bid verified. `on_block` gets each of them and says whether to go
    /// on; the chain is none when it does not.
    ///
    /// # Errors
    /// A stored block that breaks a rule, and the store's errors.
    pub fn replay<C: CertificateCheck + 'static>(
        &self,
        certificates: C,
        verdicts: &mut dyn BidVerdicts,
        mut on_block: impl FnMut(Accepted) -> bool,
    ) -> Result<Option<Chain<C>>, FollowerError> {
        let mut state = State::from_genesis_block(&self.genesis)
            .map_err(|error| FollowerError::Genesis(Box::new(error)))?;
        let mut tip = Arc::new(self.genesis.clone());
        let end = self.store.lock().tip().map_or(0, |tip| tip.height);
        let mut said = Instant::now();
        for height in 1..=end {
            let (block, certificate) = self.stored(height)?;
            let block = Arc::new(block);
            let effects = state.apply_block(&block, verdicts).map_err(StoreError::Rule)?;
            tip = Arc::clone(&block);
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                tracing::info!(height, end, "stored blocks are executed again");
            }
            if !on_block(Accepted { block, certificate, effects: Arc::new(effects), state: state.clone() }) {
                return Ok(None);
            }
        }
        let certificate = self.store.lock().certificate(end)?.map(Arc::from);
        Chain::new(state, tip, certificate, certificates).map(Some)
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

    /// A stored block with its certificate. The store is not held while it is executed.
    fn stored(&self, height: u64) -> Result<StoredBlock, FollowerError> {
        let store = self.store.lock();
        let lost = || StoreError::Gap { found: height, expected: height };
        let block = store.block(height)?.ok_or_else(lost)?;
        Ok((block, store.certificate(height)?.map(Arc::from)))
    }
}
