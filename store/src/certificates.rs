//! The engine's certificates, each beside its block.
//!
//! No hash chain covers them, so that each is stored with a digest over its height and its bytes. A certificate that
//! came later than its block is durable with the next block or after [`Store::flush`].

use crate::error::StoreError;
use crate::layout::{check_certificate_length, insert_certificate, read_certificate};
use crate::store::{Appended, Store};

impl Store {
    /// Stores the certificate of a stored block. The first one stays: any valid one says the same. It survives a crash
    /// after the next block or [`Store::flush`].
    ///
    /// # Errors
    /// [`StoreError::Gap`] above the tip, [`StoreError::Certificate`], [`StoreError::Halted`],
    /// [`StoreError::DiskFull`], [`StoreError::Io`].
    pub fn put_certificate(&mut self, height: u64, certificate: &[u8]) -> Result<Appended, StoreError> {
        self.writable()?;
        check_certificate_length(height, certificate)?;
        if self.tip().is_none_or(|tip| height > tip.height) {
            let expected = self.tip().map_or(0, |tip| tip.height.saturating_add(1));
            return Err(StoreError::Gap { found: height, expected });
        }
        if self.certificate(height)?.is_some() {
            return Ok(Appended::AlreadyThere);
        }
        let mut batch = sled::Batch::default();
        insert_certificate(&mut batch, height, certificate);
        let applied = self.database.apply(batch);
        self.halt_on_error(applied)?;
        self.usage.add_certificate(certificate.len());
        self.uncertified.remove(&height);
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
        read_certificate(&self.database, &self.path, height)
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
