//! The validator's files behind the core's [`Journal`].

use crate::keyfile::{KeyVault, Kind};
use crate::ledger_view::BlockSource;
use rand_core::OsRng;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;
use veilgrid_roles::core::{Journal, JournalError};
use veilgrid_store::{Store, StoreError};

/// The block store, which the engine's thread writes and the HTTP server reads.
#[derive(Clone)]
pub(super) struct SharedStore(Arc<Mutex<Store>>);

impl SharedStore {
    pub(super) fn new(store: Store) -> Self {
        Self(Arc::new(Mutex::new(store)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Store> {
        // The store halts itself after a failed write; a panic elsewhere leaves nothing half done in it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
                tracing::error!(height, %error, "a stored block can't be read");
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

/// Blocks in the store, secrets in an encrypted file beside it.
pub(super) struct FileJournal {
    store: SharedStore,
    vault: KeyVault,
    secrets: PathBuf,
}

impl FileJournal {
    pub(super) fn new(store: SharedStore, vault: KeyVault, secrets: PathBuf) -> Self {
        Self { store, vault, secrets }
    }
}

impl Journal for FileJournal {
    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError> {
        let appended = self.store.lock().append(block, certificate);
        appended.map(|_| ()).map_err(|error| JournalError { what: "a final block", why: error.to_string() })
    }

    fn certificate(&mut self, height: u64, certificate: &[u8]) -> Result<(), JournalError> {
        let put = self.store.lock().put_certificate(height, certificate);
        put.map(|_| ()).map_err(|error| JournalError { what: "a certificate", why: error.to_string() })
    }

    fn save_secrets(&mut self, secrets: &Secret<Vec<u8>>) -> Result<(), JournalError> {
        let saved = self.vault.replace(&self.secrets, Kind::ValidatorSecrets, secrets, &mut OsRng);
        saved.map_err(|error| JournalError { what: "the validator's secrets", why: error.to_string() })
    }
}
