//! A ledger as a file, for auditors and backups.
//!
//! ```text
//! "VGLEDGER"  version u16
//! 1  length u32  block                                  for each block, from the genesis on
//! 3  length u32  pruned block                           instead, for a block whose bids were pruned
//! 4  length u32  certificate                            after the block that it is for, at most one
//! 5  length u32  checkpoint                             before block 1, when blocks are pruned
//! 2  blocks u64  last block hash 32  state root 32      the trailer
//! SHA-256 over the label and every byte before          the end of the file
//! ```
//!
//! Integers are little-endian. Files of version 1 have whole blocks only and stay readable. The
//! digest finds damage; what it can't find, an author who computes it anew, the audit does. Whether a certificate holds
//! is for whoever knows the validators. Reading and writing stream: one block is in memory at a time.

mod error;
mod reader;
mod writer;

pub use error::{ReadError, WriteError};
pub use reader::LedgerReader;
pub use writer::LedgerWriter;

use crate::block::Block;
use crate::hash::Hash;
use crate::pruned::PrunedBlock;
use crate::state::checkpoint::Checkpoint;
use sha2::{Digest, Sha256};
use veilgrid_crypto::labels;

/// The first bytes of a ledger file.
pub const MAGIC: [u8; 8] = *b"VGLEDGER";
/// Version of the file format that is written.
pub const FILE_VERSION: u16 = 2;
/// Most bytes of a certificate: signatures of a few hundred validators, far below a block.
pub const MAX_CERTIFICATE_BYTES: usize = 1 << 16;
/// Most bytes of a checkpoint: a few numbers, and one more an active round.
pub const MAX_CHECKPOINT_BYTES: usize = 1 << 10;

/// Version that knows whole blocks only.
const VERSION_OF_WHOLE_BLOCKS: u16 = 1;

const TAG_BLOCK: u8 = 1;
const TAG_TRAILER: u8 = 2;
const TAG_PRUNED: u8 = 3;
const TAG_CERTIFICATE: u8 = 4;
const TAG_CHECKPOINT: u8 = 5;

/// A block of a file, with the certificate that follows it, or the checkpoint of a pruned ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exported {
    /// A whole block.
    Block(Block, Option<Vec<u8>>),
    /// A block whose bids are digests only.
    Pruned(PrunedBlock, Option<Vec<u8>>),
    /// What gets a replay past the pruned blocks that follow.
    Checkpoint(Checkpoint),
}

impl Exported {
    /// Height of the block, or of the state that the checkpoint leads to.
    pub fn height(&self) -> u64 {
        match self {
            Self::Checkpoint(checkpoint) => checkpoint.height,
            Self::Block(block, _) => block.header.height,
            Self::Pruned(block, _) => block.header.height,
        }
    }

    /// Hash of the block; a checkpoint has none.
    pub fn hash(&self) -> Option<Hash> {
        match self {
            Self::Block(block, _) => Some(block.hash()),
            Self::Pruned(block, _) => Some(block.hash()),
            Self::Checkpoint(_) => None,
        }
    }

    /// The engine's certificate for the block, not checked.
    pub fn certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Block(_, certificate) | Self::Pruned(_, certificate) => certificate.as_deref(),
            Self::Checkpoint(_) => None,
        }
    }
}

/// What a file says about itself at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// Number of blocks.
    pub blocks: u64,
    /// Hash of the last block.
    pub last_block_hash: Hash,
    /// State root after the last block, which no later header confirms.
    pub state_root: Hash,
}

fn file_digest() -> Sha256 {
    let mut digest = Sha256::new();
    digest.update((labels::LEDGER_FILE.len() as u64).to_le_bytes());
    digest.update(labels::LEDGER_FILE);
    digest
}
