//! Where a validator's blocks and secrets go.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;
use veilgrid_ledger::refusal::BlockError;
use veilgrid_ledger::state::State;
use veilgrid_ledger::verdicts::VerifyAll;
use veilgrid_roles::core;
use veilgrid_store::{Store, StoreError};

/// Why a journal can't be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is a ledger already, whose key shares this process does not have.
    #[error(
        "{place} holds a ledger of {blocks} blocks already: choose an empty directory, or audit that ledger"
    )]
    Taken {
        /// Where.
        place: String,
        /// How many blocks.
        blocks: u64,
    },
    /// A stored block breaks a rule.
    #[error("the stored ledger does not replay: {0}")]
    Replay(#[from] BlockError),
    /// It was not opened, or the last try failed.
    #[error("the store is not open")]
    Closed,
    /// A stored ledger without a genesis.
    #[error("the stored ledger has no block")]
    Empty,
}

/// A durable list of blocks.
pub trait Journal: Send {
    /// Opens the journal, closing it first if it is open, and hands every stored block over in order. Returns how
    /// many there were.
    ///
    /// # Errors
    /// The store's failure, or whatever `visit` returns.
    fn open(&mut self, visit: &mut dyn FnMut(Block) -> Result<(), JournalError>)
    -> Result<u64, JournalError>;

    /// Opens a journal that has to be empty.
    ///
    /// # Errors
    /// [`JournalError::Taken`] when there is a ledger, or the store's failure.
    fn open_empty(&mut self) -> Result<(), JournalError> {
        match self.open(&mut |_| Ok(()))? {
            0 => Ok(()),
            blocks => Err(JournalError::Taken { place: self.place(), blocks }),
        }
    }

    /// Where the journal is, for messages.
    fn place(&self) -> String;

    /// Appends the next block with its certificate and returns once it is flushed: what this returns `Ok` for survives a
    /// crash.
    ///
    /// # Errors
    /// The store's failure. Whether the block is stored is then unknown until the journal is opened again.
    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError>;
}

/// A journal in a store of its own directory.
pub struct StoreJournal {
    dir: PathBuf,
    store: Option<Store>,
}

impl StoreJournal {
    /// A journal that is not open yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, store: None }
    }
}

impl Journal for StoreJournal {
    fn open(
        &mut self,
        visit: &mut dyn FnMut(Block) -> Result<(), JournalError>,
    ) -> Result<u64, JournalError> {
        // One process opens a store once: the old handle goes first.
        self.store = None;
        let store = self.store.insert(Store::open(&self.dir)?);
        store.blocks().try_fold(0, |count: u64, block| {
            visit(block?)?;
            Ok(count + 1)
        })
    }

    fn place(&self) -> String {
        self.dir.display().to_string()
    }

    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError> {
        let store = self.store.as_mut().ok_or(JournalError::Closed)?;
        store.append(block, certificate)?;
        Ok(())
    }
}

/// Opens a journal and replays it with every check; nothing that was verified before is taken on trust. Block 0 comes
/// back too.
///
/// # Errors
/// The store's failure, a journal without blocks, or the rule that a stored block breaks.
pub fn replay(journal: &mut dyn Journal) -> Result<(Block, State), JournalError> {
    let mut ledger: Option<(Block, State)> = None;
    journal.open(&mut |block| {
        match &mut ledger {
            None => {
                let state = State::from_genesis_block(&block)?;
                ledger = Some((block, state));
            }
            Some((_, state)) => {
                state.apply_block(&block, &mut VerifyAll)?;
            }
        }
        Ok(())
    })?;
    ledger.ok_or(JournalError::Empty)
}

/// The core's journal: blocks on disk, secrets in memory. Clones are handles of one journal, so that the actor has it
/// still when its core has stopped.
#[derive(Clone)]
pub(super) struct Kept(Arc<Mutex<KeptParts>>);

struct KeptParts {
    blocks: Box<dyn Journal>,
    secrets: Option<Secret<Vec<u8>>>,
}

impl Kept {
    pub(super) fn new(blocks: Box<dyn Journal>) -> Self {
        Self(Arc::new(Mutex::new(KeptParts { blocks, secrets: None })))
    }

    /// Does something with the journal of blocks.
    pub(super) fn blocks<T>(&self, work: impl FnOnce(&mut dyn Journal) -> T) -> T {
        work(self.lock().blocks.as_mut())
    }

    pub(super) fn secrets(&self) -> Option<Secret<Vec<u8>>> {
        self.lock().secrets.clone()
    }

    fn lock(&self) -> MutexGuard<'_, KeptParts> {
        // A store halts itself after a failed write; a panic elsewhere leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl core::Journal for Kept {
    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), core::JournalError> {
        let appended = self.lock().blocks.append(block, certificate);
        appended.map_err(|error| core::JournalError { what: "a final block", why: error.to_string() })
    }

    fn certificate(&mut self, _: u64, _: &[u8]) -> Result<(), core::JournalError> {
        // Blocks come with theirs.
        Ok(())
    }

    fn save_secrets(&mut self, secrets: &Secret<Vec<u8>>) -> Result<(), core::JournalError> {
        self.lock().secrets = Some(secrets.clone());
        Ok(())
    }
}
