//! The validator's files behind the core's [`Journal`].

use crate::keyfile::{KeyVault, Kind};
use rand_core::OsRng;
use std::path::PathBuf;
use veilgrid_client::ledger::SharedStore;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;
use veilgrid_roles::core::{Journal, JournalError};

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
