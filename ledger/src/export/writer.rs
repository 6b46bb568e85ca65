//! Writes a ledger file.

use super::{FILE_VERSION, MAGIC, TAG_BLOCK, TAG_TRAILER, file_digest};
use crate::block::{Block, MAX_BLOCK_BYTES, split};
use crate::hash::Hash;
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use thiserror::Error;
use veilgrid_crypto::wire::WireError;

/// Why a ledger file could not be written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The output failed.
    #[error("writing the ledger file failed at byte {offset}: {source}")]
    Io {
        /// Bytes written before.
        offset: u64,
        /// The system's error.
        source: io::Error,
    },
    /// The block is larger than a reader accepts.
    #[error("block {position} has {bytes} bytes, a ledger file holds blocks of at most {MAX_BLOCK_BYTES}")]
    BlockTooLarge {
        /// Position in the file, from 0.
        position: u64,
        /// Its length.
        bytes: usize,
    },
    /// The bytes are no block.
    #[error("record {position} is no block: {source}")]
    NotABlock {
        /// Position in the file, from 0.
        position: u64,
        /// What is wrong.
        source: WireError,
    },
}

/// Writes blocks one after another and the trailer at the end.
pub struct LedgerWriter<W: Write> {
    output: W,
    digest: Sha256,
    offset: u64,
    blocks: u64,
    last_block_hash: Hash,
}

impl<W: Write> LedgerWriter<W> {
    /// Starts a file.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn new(output: W) -> Result<Self, WriteError> {
        let mut writer =
            Self { output, digest: file_digest(), offset: 0, blocks: 0, last_block_hash: [0; 32] };
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
        let position = self.blocks;
        let (header, _) = split(bytes).map_err(|source| WriteError::NotABlock { position, source })?;
        let length = u32::try_from(bytes.len())
            .ok()
            .filter(|length| *length as usize <= MAX_BLOCK_BYTES)
            .ok_or(WriteError::BlockTooLarge { position, bytes: bytes.len() })?;
        self.put(&[TAG_BLOCK])?;
        self.put(&length.to_le_bytes())?;
        self.put(bytes)?;
        self.blocks += 1;
        self.last_block_hash = header.hash();
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
