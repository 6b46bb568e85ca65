//! A ledger as a file, for auditors and backups.
//!
//! ```text
//! "VGLEDGER"  version u16
//! 1  length u32  block                                  for each block, from the genesis on
//! 2  blocks u64  last block hash 32  state root 32      the trailer
//! SHA-256 over the label and every byte before          the end of the file
//! ```
//!
//! Integers are little-endian. The digest finds damage; what it can't find, an author who computes it anew, the audit
//! does. Reading and writing stream: one block is in memory at a time.

mod reader;
mod writer;

pub use reader::{LedgerReader, ReadError};
pub use writer::{LedgerWriter, WriteError};

use crate::hash::Hash;
use sha2::{Digest, Sha256};
use veilgrid_crypto::labels;

/// The first bytes of a ledger file.
pub const MAGIC: [u8; 8] = *b"VGLEDGER";
/// Version of the file format.
pub const FILE_VERSION: u16 = 1;

const TAG_BLOCK: u8 = 1;
const TAG_TRAILER: u8 = 2;

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
