//! Writes a ledger file.

use super::{
    FILE_VERSION, MAGIC, MAX_CERTIFICATE_BYTES, MAX_CHECKPOINT_BYTES, TAG_BLOCK, TAG_CERTIFICATE,
    TAG_CHECKPOINT, TAG_PRUNED, TAG_TRAILER, WriteError, file_digest,
};
use crate::block::{Block, MAX_BLOCK_BYTES, split};
use crate::hash::Hash;
use crate::pruned::PrunedBlock;
use sha2::{Digest, Sha256};
use std::io::Write;

/// Writes blocks one after another and the trailer at the end.
pub struct LedgerWriter<W: Write> {
    output: W,
    digest: Sha256,
    offset: u64,
    blocks: u64,
    last_block_hash: Hash,
    /// Whether the last block may still get its certificate.
    takes_certificate: bool,
    /// Whether the checkpoint was written.
    checkpoint: bool,
}

impl<W: Write> LedgerWriter<W> {
    /// Starts a file.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn new(output: W) -> Result<Self, WriteError> {
        let mut writer = Self {
            output,
            digest: file_digest(),
            offset: 0,
            blocks: 0,
            last_block_hash: [0; 32],
            takes_certificate: false,
            checkpoint: false,
        };
        writer.put(&MAGIC)?;
        writer.put(&FILE_VERSION.to_le_bytes())?;
        Ok(writer)
    }

    /// Writes the next block.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn block(&mut self, block: &Block) -> Result<(), WriteError> {
        self.block_bytes(&block.to_bytes())
    }

    /// Writes the next block, already encoded.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn block_bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.record(TAG_BLOCK, bytes)
    }

    /// Writes the next block, of which bids are left as digests.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn pruned(&mut self, block: &PrunedBlock) -> Result<(), WriteError> {
        self.pruned_bytes(&block.to_bytes())
    }

    /// Writes the next block, pruned and encoded already.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn pruned_bytes(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.record(TAG_PRUNED, bytes)
    }

    /// Writes the certificate of the block before.
    ///
    /// # Errors
    /// [`WriteError::CertificateLength`], [`WriteError::StrayCertificate`], [`WriteError::Io`].
    pub fn certificate(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let (position, length) = (self.blocks, bytes.len());
        if !self.takes_certificate {
            return Err(WriteError::StrayCertificate { position, bytes: length });
        }
        let position = position.saturating_sub(1);
        if length == 0 || length > MAX_CERTIFICATE_BYTES {
            return Err(WriteError::CertificateLength { position, bytes: length });
        }
        self.takes_certificate = false;
        self.put(&[TAG_CERTIFICATE])?;
        self.put(&(length as u32).to_le_bytes())?;
        self.put(bytes)
    }

    /// Writes the encoded checkpoint of a pruned ledger, after block 0.
    ///
    /// # Errors
    /// [`WriteError::Checkpoint`] in another place or of an impossible length, [`WriteError::Io`].
    pub fn checkpoint(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let (position, length) = (self.blocks, bytes.len());
        if position != 1 || self.checkpoint || length == 0 || length > MAX_CHECKPOINT_BYTES {
            return Err(WriteError::Checkpoint { position, bytes: length });
        }
        (self.checkpoint, self.takes_certificate) = (true, false);
        self.put(&[TAG_CHECKPOINT])?;
        self.put(&(length as u32).to_le_bytes())?;
        self.put(bytes)
    }

    fn record(&mut self, tag: u8, bytes: &[u8]) -> Result<(), WriteError> {
        let position = self.blocks;
        let (header, _) = split(bytes).map_err(|source| WriteError::NotABlock { position, source })?;
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|length| *length as usize <= MAX_BLOCK_BYTES)
            .ok_or(WriteError::BlockTooLarge { position, bytes: bytes.len() })?;
        self.put(&[tag])?;
        self.put(&length.to_le_bytes())?;
        self.put(bytes)?;
        self.blocks += 1;
        self.last_block_hash = header.hash();
        self.takes_certificate = true;
        Ok(())
    }

    /// Writes the trailer and hands the output back, flushed. `state_root` is the root after the last block.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn finish(mut self, state_root: Hash) -> Result<W, WriteError> {
        self.put(&[TAG_TRAILER])?;
        self.put(&self.blocks.to_le_bytes())?;
        self.put(&self.last_block_hash.clone())?;
        self.put(&state_root)?;
        let digest: Hash = self.digest.clone().finalize().into();
        self.put(&digest)?;
        let offset = self.offset;
        self.output.flush().map_err(|source| WriteError::Io { offset, source })?;
        Ok(self.output)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let offset = self.offset;
        self.output.write_all(bytes).map_err(|source| WriteError::Io { offset, source })?;
        self.digest.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
