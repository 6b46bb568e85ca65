//! The engine's certificates, each beside its block.
//!
//! No hash chain covers them, so that each is stored with a digest over its height and its bytes. A certificate that
//! came later than its block is durable with the next block or after [`Store::flush`].

use crate::database::Database;
use crate::error::StoreError;
use crate::store::{Appended, Store};
use sha2::{Digest, Sha256};
use std::path::Path;
use veilgrid_ledger::export::MAX_CERTIFICATE_BYTES;

impl Store {
    /// Stores the certificate of a stored block. The first one stays: any valid one says the same. It survives a crash
    /// after the next block or [`Store::flush`].
    ///
    /// # Errors
    /// [`StoreError::Gap`] above the tip, [`StoreError::Certificate`], [`StoreError::Halted`],
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn put_certificate(&mut self, height: u64, certificate: &[u8]) -> Result<Appended, StoreError> {
        self.writable()?;
        check_length(height, certificate)?;
        if self.tip().is_none_or(|tip| height > tip.height) {
            let expected = self.tip().map_or(0, |tip| tip.height.saturating_add(1));
            return Err(StoreError::Gap { found: height, expected });
        }
        if self.certificate(height)?.is_some() {
            return Ok(Appended::AlreadyThere);
        }
        let mut batch = sled::Batch::default();
        insert(&mut batch, height, certificate);
        let applied = self.database.apply(batch);
        self.halt_on_error(applied)?;
        self.usage.add_certificate(certificate.len());
        self.unflushed = true;
        Ok(Appended::Written)
    }

    /// The certificate of a block, if one is stored.
    ///
    /// # Errors
    /// [`StoreError::DamagedBlock`] when its digest does not hold, [`StoreError::Io`].
    pub fn certificate(&self, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if self.tip().is_none_or(|tip| height > tip.height) {
            return Ok(None);
        }
        read(&self.database, &self.path, height)
    }

    /// Whether a block above this height has its certificate stored: it makes the state of this height final too.
    ///
    /// # Errors
    /// As [`Store::certificate`].
    pub fn is_certified_after(&self, height: u64) -> Result<bool, StoreError> {
        let tip = self.tip().map_or(0, |tip| tip.height);
        for later in (height.saturating_add(1)..=tip).rev() {
            if self.certificate(later)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Adds a certificate to a batch.
pub(crate) fn insert(batch: &mut sled::Batch, height: u64, certificate: &[u8]) {
    let value = [digest(height, certificate).as_slice(), certificate].concat();
    batch.insert(certificate_key(height).as_slice(), value);
}

/// Reads a certificate and checks its digest.
pub(crate) fn read(database: &Database, path: &Path, height: u64) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(value) = database.get(&certificate_key(height))? else { return Ok(None) };
    match value.split_first_chunk::<32>() {
        Some((stored, certificate)) if *stored == digest(height, certificate) => {
            Ok(Some(certificate.to_vec()))
        }
        _ => {
            let why = "its certificate was changed".into();
            Err(StoreError::DamagedBlock { path: path.into(), height, why })
        }
    }
}

/// "A certificate has 1 byte to the bound."
pub(crate) fn check_length(height: u64, certificate: &[u8]) -> Result<(), StoreError> {
    let bytes = certificate.len();
    if bytes == 0 || bytes > MAX_CERTIFICATE_BYTES {
        return Err(StoreError::Certificate { height, bytes });
    }
    Ok(())
}

fn digest(height: u64, certificate: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(height.to_be_bytes()).chain_update(certificate).finalize().into()
}

fn certificate_key(height: u64) -> [u8; 9] {
    let mut key = [b'c'; 9];
    key[1..].copy_from_slice(&height.to_be_bytes());
    key
}
