//! Reads a ledger file: whatever is not exactly a whole, undamaged file is an error with its place.

use super::{
    Exported, FILE_VERSION, MAGIC, MAX_CERTIFICATE_BYTES, MAX_CHECKPOINT_BYTES, ReadError, TAG_BLOCK,
    TAG_CERTIFICATE, TAG_CHECKPOINT, TAG_PRUNED, TAG_TRAILER, Trailer, VERSION_OF_WHOLE_BLOCKS, file_digest,
};
use crate::block::{Block, MAX_BLOCK_BYTES};
use crate::genesis::{FORMAT_FIELD, Genesis};
use crate::hash::Hash;
use crate::pruned::PrunedBlock;
use crate::state::checkpoint::Checkpoint;
use crate::transaction::{DecodeContext, Transaction};
use sha2::{Digest, Sha256};
use std::io::Read;
use veilgrid_crypto::wire::WireError;

/// No more than this is allocated before the bytes are there.
const FIRST_ALLOCATION: usize = 1 << 20;

/// Reads blocks one after another; the iteration ends with `None` only after the trailer, the digest and the end of
/// the input were checked. After an error it ends too.
///
/// As an iterator it gives whole blocks, for those who replay; a pruned block is an error then and certificates are
/// passed over. [`LedgerReader::exported`] gives everything.
pub struct LedgerReader<R: Read> {
    input: R,
    digest: Sha256,
    version: u16,
    offset: u64,
    /// The record after the last block: its tag was read to see whether it is that block's certificate.
    ahead: Option<Result<Start, ReadError>>,
    context: DecodeContext,
    blocks: u64,
    checkpoint_read: bool,
    last_block_hash: Hash,
    trailer: Option<Trailer>,
    ended: bool,
}

/// Where a record begins, and its tag.
#[derive(Clone, Copy)]
struct Start {
    offset: u64,
    tag: u8,
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
            version: FILE_VERSION,
            offset: 0,
            ahead: None,
            context: DecodeContext::Genesis,
            blocks: 0,
            checkpoint_read: false,
            last_block_hash: [0; 32],
            trailer: None,
            ended: false,
        };
        let magic = reader.read(MAGIC.len(), "the first bytes")?;
        if magic != MAGIC {
            return Err(ReadError::NotALedger);
        }
        reader.version = u16::from_le_bytes(reader.array("the format version")?);
        if !(VERSION_OF_WHOLE_BLOCKS..=FILE_VERSION).contains(&reader.version) {
            return Err(ReadError::Version { found: reader.version });
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

    /// Everything that the file holds, pruned blocks and certificates too.
    pub fn exported(&mut self) -> impl Iterator<Item = Result<Exported, ReadError>> + '_ {
        core::iter::from_fn(|| self.advance().map(|next| next.map(|(_, exported)| exported)))
    }

    /// The next block and where its record begins.
    fn advance(&mut self) -> Option<Result<(u64, Exported), ReadError>> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record
    }

    fn record(&mut self) -> Result<Option<(u64, Exported)>, ReadError> {
        let Start { offset, tag } = self.start()?;
        let exported = match tag {
            TAG_BLOCK => {
                let block = self.decode(Block::from_bytes)?;
                if let Some(Transaction::Genesis(genesis)) = block.transactions.first() {
                    self.context = later_blocks(genesis);
                }
                self.count(block.hash());
                Exported::Block(block, self.certificate())
            }
            TAG_PRUNED if self.version > VERSION_OF_WHOLE_BLOCKS => {
                let block = self.decode(PrunedBlock::from_bytes)?;
                self.count(block.hash());
                Exported::Pruned(block, self.certificate())
            }
            TAG_CERTIFICATE if self.version > VERSION_OF_WHOLE_BLOCKS => {
                return Err(ReadError::StrayCertificate { offset });
            }
            TAG_CHECKPOINT if self.version > VERSION_OF_WHOLE_BLOCKS => {
                Exported::Checkpoint(self.checkpoint(offset)?)
            }
            TAG_TRAILER => return self.end(offset).map(|()| None),
            tag => return Err(ReadError::UnknownRecord { offset, tag }),
        };
        Ok(Some((offset, exported)))
    }

    /// The tag of the next record, unless it was read already.
    fn start(&mut self) -> Result<Start, ReadError> {
        match self.ahead.take() {
            Some(start) => start,
            None => {
                let offset = self.offset;
                let [tag] = self.array("a record")?;
                Ok(Start { offset, tag })
            }
        }
    }

    fn decode<B>(
        &mut self,
        decode: fn(&[u8], &DecodeContext) -> Result<B, WireError>,
    ) -> Result<B, ReadError> {
        let length = u32::from_le_bytes(self.array("a block's length")?);
        let (offset, position) = (self.offset, self.blocks);
        if length as usize > MAX_BLOCK_BYTES {
            return Err(ReadError::TooLong { offset, length });
        }
        let bytes = self.read(length as usize, "a block")?;
        decode(&bytes, &self.context).map_err(|source| match source {
            // Nothing of it was read, so that nothing is said about it.
            WireError::Invalid { field: FORMAT_FIELD, why } if position == 0 => {
                ReadError::LedgerFormat { why }
            }
            source => ReadError::Block { offset, position, source },
        })
    }

    fn count(&mut self, hash: Hash) {
        self.blocks += 1;
        self.last_block_hash = hash;
    }

    /// The certificate of the block that was just read, if one follows. What goes wrong here is wrong with the next
    /// record, and is said when that is asked for: the block before it is whole.
    fn certificate(&mut self) -> Option<Vec<u8>> {
        if self.version == VERSION_OF_WHOLE_BLOCKS {
            return None;
        }
        match self.start() {
            Ok(Start { tag: TAG_CERTIFICATE, .. }) => match self.certificate_bytes() {
                Ok(bytes) => Some(bytes),
                Err(error) => {
                    self.ahead = Some(Err(error));
                    None
                }
            },
            start => {
                self.ahead = Some(start);
                None
            }
        }
    }

    fn certificate_bytes(&mut self) -> Result<Vec<u8>, ReadError> {
        let length = u32::from_le_bytes(self.array("a certificate's length")?);
        if length == 0 || length as usize > MAX_CERTIFICATE_BYTES {
            return Err(ReadError::CertificateLength { offset: self.offset, length });
        }
        self.read(length as usize, "a certificate")
    }

    /// "At most one checkpoint, before block 1."
    fn checkpoint(&mut self, offset: u64) -> Result<Checkpoint, ReadError> {
        if self.blocks != 1 || core::mem::replace(&mut self.checkpoint_read, true) {
            return Err(ReadError::StrayCheckpoint { offset });
        }
        let length = u32::from_le_bytes(self.array("a checkpoint's length")?);
        if length as usize > MAX_CHECKPOINT_BYTES {
            return Err(ReadError::TooLong { offset: self.offset, length });
        }
        let offset = self.offset;
        let bytes = self.read(length as usize, "a checkpoint")?;
        Checkpoint::from_bytes(&bytes).map_err(|source| ReadError::Checkpoint { offset, source })
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
    DecodeContext::of(genesis)
}

impl<R: Read> Iterator for LedgerReader<R> {
    type Item = Result<Block, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            return Some(match self.advance()? {
                Ok((_, Exported::Block(block, _))) => Ok(block),
                // Pruned blocks follow it, if it stands there with reason.
                Ok((_, Exported::Checkpoint(_))) => continue,
                Ok((offset, Exported::Pruned(block, _))) => {
                    self.ended = true;
                    Err(ReadError::Pruned { offset, height: block.header.height })
                }
                Err(error) => Err(error),
            });
        }
    }
}
