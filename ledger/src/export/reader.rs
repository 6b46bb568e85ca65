//! Reads a ledger file: whatever is not exactly a whole, undamaged file is an error with its place.

use super::{FILE_VERSION, MAGIC, TAG_BLOCK, TAG_TRAILER, Trailer, file_digest};
use crate::block::{Block, MAX_BLOCK_BYTES};
use crate::genesis::Genesis;
use crate::hash::Hash;
use crate::transaction::{DecodeContext, Transaction};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use thiserror::Error;
use veilgrid_crypto::wire::WireError;

/// No more than this is allocated before the bytes are there.
const FIRST_ALLOCATION: usize = 1 << 20;

/// Why a file is not a whole, undamaged ledger. Offsets count bytes from the start of the file.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The input failed.
    #[error("reading failed at byte {offset}: {source}")]
    Io {
        /// Where.
        offset: u64,
        /// The system's error.
        source: io::Error,
    },
    /// The file does not begin with the magic bytes.
    #[error("this is no ledger file: it does not begin with \"VGLEDGER\"")]
    NotALedger,
    /// The file has a format that this program does not know.
    #[error("ledger file of format {found}: this program reads format {FILE_VERSION}; use a newer program")]
    Version {
        /// The file's format.
        found: u16,
    },
    /// The file ends before its trailer does.
    #[error("the ledger file is cut off at byte {offset}, inside of {field}: copy or export it again")]
    Truncated {
        /// Where it ends.
        offset: u64,
        /// What was being read.
        field: &'static str,
    },
    /// A record is neither a block nor the trailer.
    #[error("byte {offset}: no record begins with {tag}; the file is damaged")]
    UnknownRecord {
        /// Where the record begins.
        offset: u64,
        /// Its first byte.
        tag: u8,
    },
    /// A block is longer than blocks may be.
    #[error(
        "byte {offset}: a block of {length} bytes, at most {MAX_BLOCK_BYTES} are allowed; the file is damaged"
    )]
    TooLong {
        /// Where the block begins.
        offset: u64,
        /// Its stated length.
        length: u32,
    },
    /// A block can't be decoded.
    #[error("byte {offset}: block {position} can't be read: {source}")]
    Block {
        /// Where the block begins.
        offset: u64,
        /// Its position in the file, from 0.
        position: u64,
        /// What is wrong.
        source: WireError,
    },
    /// The file has no block at all.
    #[error("the ledger file holds no block")]
    Empty,
    /// The trailer names another number of blocks or another last block.
    #[error("byte {offset}: the trailer does not fit the {blocks} blocks before it; the file is damaged")]
    Trailer {
        /// Where the trailer begins.
        offset: u64,
        /// Blocks that were read.
        blocks: u64,
    },
    /// The digest does not match.
    #[error("the digest at byte {offset} does not match: some byte before it was changed")]
    Digest {
        /// Where the digest begins.
        offset: u64,
    },
    /// Bytes follow the end.
    #[error("bytes follow the end of the ledger at byte {offset}")]
    Trailing {
        /// Where the ledger ends.
        offset: u64,
    },
}

/// Reads blocks one after another; the iteration ends with `None` only after the trailer, the digest and the end of
/// the input were checked. After an error it ends too.
pub struct LedgerReader<R: Read> {
    input: R,
    digest: Sha256,
    offset: u64,
    context: DecodeContext,
    blocks: u64,
    last_block_hash: Hash,
    trailer: Option<Trailer>,
    ended: bool,
}

impl<R: Read> LedgerReader<R> {
    /// Reads the start of a file. Buffering is the caller's.
    ///
    /// # Errors
    /// [`ReadError::NotALedger`], [`ReadError::Version`], [`ReadError::Truncated`], [`ReadError::Io`].
    pub fn new(input: R) -> Result<Self, ReadError> {
        let mut reader = Self {
            input,
            digest: file_digest(),
            offset: 0,
            context: DecodeContext::Genesis,
            blocks: 0,
            last_block_hash: [0; 32],
            trailer: None,
            ended: false,
        };
        let magic = reader.read(MAGIC.len(), "the first bytes")?;
        if magic != MAGIC {
            return Err(ReadError::NotALedger);
        }
        let found = u16::from_le_bytes(reader.array("the format version")?);
        if found != FILE_VERSION {
            return Err(ReadError::Version { found });
        }
        Ok(reader)
    }

    /// The trailer, once all blocks were read without an error.
    pub fn trailer(&self) -> Option<&Trailer> {
        self.trailer.as_ref()
    }

    /// Bytes read so far, for a progress display.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn record(&mut self) -> Result<Option<Block>, ReadError> {
        let offset = self.offset;
        match self.array("a record")? {
            [TAG_BLOCK] => self.block().map(Some),
            [TAG_TRAILER] => self.end(offset).map(|()| None),
            [tag] => Err(ReadError::UnknownRecord { offset, tag }),
        }
    }

    fn block(&mut self) -> Result<Block, ReadError> {
        let length = u32::from_le_bytes(self.array("a block's length")?);
        let (offset, position) = (self.offset, self.blocks);
        if length as usize > MAX_BLOCK_BYTES {
            return Err(ReadError::TooLong { offset, length });
        }
        let bytes = self.read(length as usize, "a block")?;
        let block = Block::from_bytes(&bytes, &self.context).map_err(|source| ReadError::Block {
            offset,
            position,
            source,
        })?;
        if let Some(Transaction::Genesis(genesis)) = block.transactions.first() {
            self.context = later_blocks(genesis);
        }
        self.blocks += 1;
        self.last_block_hash = block.hash();
        Ok(block)
    }

    fn end(&mut self, offset: u64) -> Result<(), ReadError> {
        let trailer = Trailer {
            blocks: u64::from_le_bytes(self.array("the trailer")?),
            last_block_hash: self.array("the trailer")?,
            state_root: self.array("the trailer")?,
        };
        let digest: Hash = self.digest.clone().finalize().into();
        let digest_offset = self.offset;
        if self.array::<32>("the digest")? != digest {
            return Err(ReadError::Digest { offset: digest_offset });
        }
        if trailer.blocks == 0 {
            return Err(ReadError::Empty);
        }
        if trailer.blocks != self.blocks || trailer.last_block_hash != self.last_block_hash {
            return Err(ReadError::Trailer { offset, blocks: self.blocks });
        }
        let end = self.offset;
        if self.read_up_to(1)?.is_empty() {
            self.trailer = Some(trailer);
            Ok(())
        } else {
            Err(ReadError::Trailing { offset: end })
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], ReadError> {
        let bytes = self.read(N, field)?;
        let mut array = [0; N];
        array.copy_from_slice(&bytes);
        Ok(array)
    }

    fn read(&mut self, count: usize, field: &'static str) -> Result<Vec<u8>, ReadError> {
        let bytes = self.read_up_to(count)?;
        if bytes.len() < count {
            return Err(ReadError::Truncated { offset: self.offset, field });
        }
        self.digest.update(&bytes);
        Ok(bytes)
    }

    fn read_up_to(&mut self, count: usize) -> Result<Vec<u8>, ReadError> {
        let mut bytes = Vec::with_capacity(count.min(FIRST_ALLOCATION));
        let offset = self.offset;
        let mut limited = self.input.by_ref().take(count as u64);
        limited.read_to_end(&mut bytes).map_err(|source| ReadError::Io { offset, source })?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }
}

fn later_blocks(genesis: &Genesis) -> DecodeContext {
    DecodeContext::of(&genesis.draft)
}

impl<R: Read> Iterator for LedgerReader<R> {
    type Item = Result<Block, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record
    }
}
