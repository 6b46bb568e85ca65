//! Why a ledger file can't be read or written.

use super::{FILE_VERSION, MAX_CERTIFICATE_BYTES};
use crate::block::MAX_BLOCK_BYTES;
use std::io;
use thiserror::Error;
use veilgrid_crypto::wire::WireError;

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
    #[error(
        "ledger file of format {found}: this program reads up to format {FILE_VERSION}; use a newer program"
    )]
    Version {
        /// The file's format.
        found: u16,
    },
    /// The ledger in it has a format that this program does not read.
    #[error("ledger of another format: {why}")]
    LedgerFormat {
        /// Which program reads it.
        why: &'static str,
    },
    /// The file ends before its trailer does.
    #[error("the ledger file is cut off at byte {offset}, inside of {field}: copy or export it again")]
    Truncated {
        /// Where it ends.
        offset: u64,
        /// What was being read.
        field: &'static str,
    },
    /// No record has this tag in a file of this format.
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
    /// A certificate is empty or longer than certificates may be.
    #[error(
        "byte {offset}: a certificate of {length} bytes, 1 to {MAX_CERTIFICATE_BYTES} are allowed; the file is damaged"
    )]
    CertificateLength {
        /// Where the certificate begins.
        offset: u64,
        /// Its stated length.
        length: u32,
    },
    /// A certificate does not follow the one block that it is for.
    #[error("byte {offset}: a certificate without its block before it; the file is damaged")]
    StrayCertificate {
        /// Where the record begins.
        offset: u64,
    },
    /// A checkpoint stands somewhere else than once before block 1.
    #[error("byte {offset}: a checkpoint stands once, before block 1; the file is damaged")]
    StrayCheckpoint {
        /// Where the record begins.
        offset: u64,
    },
    /// A checkpoint can't be decoded.
    #[error("byte {offset}: the checkpoint can't be read: {source}")]
    Checkpoint {
        /// Where it begins.
        offset: u64,
        /// What is wrong.
        source: WireError,
    },
    /// Whole blocks were asked for, but this one's bids were pruned.
    #[error(
        "byte {offset}: the bids of block {height} were pruned, so that it can't be replayed: export the ledger from \
         a node that keeps its bids"
    )]
    Pruned {
        /// Where the record begins.
        offset: u64,
        /// Height of the block.
        height: u64,
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
    /// A certificate is empty or longer than a reader accepts.
    #[error(
        "the certificate of block {position} has {bytes} bytes, 1 to {MAX_CERTIFICATE_BYTES} are allowed"
    )]
    CertificateLength {
        /// Position of its block in the file, from 0.
        position: u64,
        /// Its length.
        bytes: usize,
    },
    /// A certificate comes where no block waits for one.
    #[error("certificate {bytes} bytes long after {position} blocks: each block takes one, right after it")]
    StrayCertificate {
        /// Blocks before it.
        position: u64,
        /// Its length.
        bytes: usize,
    },
    /// A checkpoint comes twice, in another place than before block 1, or with an impossible length.
    #[error(
        "checkpoint {bytes} bytes long after {position} blocks: a file takes one of some bytes before block 1"
    )]
    Checkpoint {
        /// Blocks before it.
        position: u64,
        /// Its length.
        bytes: usize,
    },
}
