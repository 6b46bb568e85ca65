//! What a validator keeps on disk, as a contract: whatever a call was told is durable when it returns.

use thiserror::Error;
use veilgrid_crypto::secret::Secret;
use veilgrid_ledger::block::Block;

/// The durable part of a validator. A shell implements it over files; [`super::MemoryJournal`] is for simulations.
///
/// An error is final: the caller stops, because it can't know what is on disk. After a restart it goes on from what
/// the journal then has.
pub trait Journal {
    /// Stores the next final block with the certificate that names it, if there is one yet.
    ///
    /// # Errors
    /// [`JournalError`]; the block may be stored nevertheless.
    fn append(&mut self, block: &Block, certificate: Option<&[u8]>) -> Result<(), JournalError>;

    /// Stores a certificate that came later than its block.
    ///
    /// # Errors
    /// [`JournalError`].
    fn certificate(&mut self, height: u64, certificate: &[u8]) -> Result<(), JournalError>;

    /// Stores the validator's secrets instead of the ones before, all or nothing, encrypted.
    ///
    /// # Errors
    /// [`JournalError`]; the ones before or the new ones are stored then.
    fn save_secrets(&mut self, secrets: &Secret<Vec<u8>>) -> Result<(), JournalError>;
}

/// A write that did not become durable, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} is not durable: {why}; the validator stops, free the disk or repair it and start again")]
pub struct JournalError {
    /// What was to be written.
    pub what: &'static str,
    /// Why it was not.
    pub why: String,
}
